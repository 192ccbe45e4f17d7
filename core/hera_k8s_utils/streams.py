"""Writing results: what cannot be written is an error of its own, so that lost output never counts as done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from .errors import OutputError


def write(file: TextIO, text: str) -> None:
    """Write at once; raises `OutputError`, except for a pipe that nobody reads any more (`BrokenPipeError`)."""
    with writing():
        file.write(text)
        file.flush()


@contextmanager
def writing() -> Iterator[None]:
    """Turn the failure of a stream into `OutputError`; a stream that was closed raises `ValueError`."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        raise OutputError("the output cannot be written", found=getattr(error, "strerror", "") or str(error)) from error
