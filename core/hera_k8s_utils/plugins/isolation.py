"""Functions that plugins declare are somebody's code: what they raise unexpectedly is told with the name of whose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
