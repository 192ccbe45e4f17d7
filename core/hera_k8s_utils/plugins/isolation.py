"""Functions that plugins declare are somebody's code: what they raise unexpectedly is told with the name of whose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hera_k8s_utils.errors import HeraK8sError, NotApplicable, PluginError


@contextmanager
def attribute_errors_to(whose: str) -> Iterator[None]:
    """Turn whatever is raised inside, beside our own errors, into a `PluginError`. whose: `platform acme-argo`.

    That includes `SystemExit` and the like: declared functions return, they do not end the program.
    """
    try:
        yield
    except (HeraK8sError, NotApplicable, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise PluginError(
            f"{whose} failed", found=f"{type(error).__name__}: {error}", hint="--debug shows where; hera-k8s plugins"
        ) from error


def attributed(whose: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, whose errors name `whose`; what it yields becomes a list, so that no error comes later."""

    def call(*arguments: Any) -> Any:
        with attribute_errors_to(whose):
            result = function(*arguments)
            return list(result) if isinstance(result, Iterator) else result

    return call
