"""`from __future__ import annotations`: the annotations of a file's functions, from texts to types.

Hera (7.1) reads the annotations of a script's parameters as types, and fails if they are texts.
"""

from __future__ import annotations
import __future__

import inspect
import typing
from contextlib import suppress
from types import FunctionType, ModuleType


def resolve_annotations(module: ModuleType) -> None:
    """Replace the texts among the annotations of a module's own functions, as far as their names are known.

    Does nothing to a module without that import.
    """
    if vars(module).get("annotations") is not __future__.annotations:
        return
    for value in list(vars(module).values()):
        function = inspect.unwrap(value) if callable(value) else None
        if not isinstance(function, FunctionType) or function.__module__ != module.__name__:
            continue
        with suppress(Exception):  # a name that is imported for type checkers only: Hera says so if it needs it
            function.__annotations__.update(typing.get_type_hints(function, include_extras=True))
