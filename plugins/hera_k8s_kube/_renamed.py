"""Names of 0.2 for methods and fields that have new ones: they work for one release, with a `DeprecationWarning`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")


def warn_renamed(old: str, new: str, *, stacklevel: int = 3) -> None:
    """Warn about the caller's use of an old name."""
    warnings.warn(
        f"{old} is now {new}; the old name works until version 0.3", DeprecationWarning, stacklevel=stacklevel
    )


def renamed_field(old: str, new: str) -> Callable[[type[T]], type[T]]:
    """A decorator for a dataclass that takes and gives a field under its old name, too."""

    def decorate(cls: type[T]) -> type[T]:
        message = (f"{cls.__name__}.{old}", f"{cls.__name__}.{new}")
        initialise: Callable[..., None] = cls.__init__

        @wraps(initialise)
        def accept_old_name(self: T, *arguments: Any, **fields: Any) -> None:
            if old in fields:
                warn_renamed(*message)
                fields[new] = fields.pop(old)
            initialise(self, *arguments, **fields)

        def read_old_name(self: T) -> Any:
            warn_renamed(*message)
            return getattr(self, new)

        setattr(cls, "__init__", accept_old_name)  # noqa: B010 - mypy allows no assignment
        setattr(cls, old, property(read_old_name, doc=f"The old name of `{new}`."))
        return cls

    return decorate
