"""The one place that writes to the standard streams: made visible, in the stream's encoding, with a plain error."""

from __future__ import annotations

import errno
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from hera_k8s_utils.errors import OutputError
from hera_k8s_utils.formatting import wrapped
from hera_k8s_utils.sanitize import visible


def encodable(text: str, file: TextIO | None) -> str:
    """The text with escapes for characters that the encoding of the stream lacks."""
    encoding = getattr(file, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def show(text: str = "") -> None:
    """Print a text of one or more lines on stdout."""
    write(sys.stdout, f"{visible(text)}\n")


def tell(text: str) -> None:
    """Print a text of one or more lines on stderr."""
    write(sys.stderr, f"{fitted(visible(text), sys.stderr)}\n")


def fitted(text: str, file: TextIO | None) -> str:
    """A message with its lines wrapped to the terminal that a stream is; unchanged for files and pipes."""
    try:
        if file is None or not file.isatty():
            return text
    except (AttributeError, ValueError):
        return text
    return wrapped(text, max(20, shutil.get_terminal_size().columns))


def write(file: TextIO | None, text: str) -> None:
    """Write to a standard stream and flush it; to one that the caller closed, nothing.

    Raises `OutputError` when the stream takes no more, and `BrokenPipeError` when its reader has gone.
    """
    if file is None:
        return
    with writing():
        if getattr(file, "closed", False):
            raise OSError(errno.EBADF, "the stream is closed")
        file.write(encodable(text, file))
        file.flush()


@contextmanager
def writing() -> Iterator[None]:
    """Turn the failure of a standard stream into an `OutputError`; that its reader has gone stays what it is."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        found = error.strerror or str(error)
        raise OutputError(
            "the output could not be written", found=found.lower(), hint="hera-k8s runs lists what was submitted"
        ) from error
