"""Fields: the Argo server's `fields` parameter, which thins out what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FieldFilter:
    """Dotted paths that are kept, or with a leading minus those that are left out; no paths: everything is kept.

    A path reaches through lists and through the keys of its objects: `items.metadata.name`.
    """

    paths: frozenset[str]
    exclude: bool = False

    @classmethod
    def parse(cls, text: str) -> FieldFilter:
        """Read the parameter: `metadata.name,status.phase`, or `-status.nodes`."""
        exclude = text.startswith("-")
        return cls(frozenset(path for path in text.removeprefix("-").split(",") if path), exclude)

    def keeps(self, key: str) -> bool:
        """Whether something at or below a key is kept."""
        if not self.paths:
            return True
        if self.exclude:
            return key not in self.paths
        return any(path == key or path.startswith(f"{key}.") for path in self.paths)

    def inside(self, key: str) -> FieldFilter:
        """What is kept below a key."""
        if not self.paths or (not self.exclude and key in self.paths):
            return _EVERYTHING
        inner = frozenset(path[len(key) + 1 :] for path in self.paths if path.startswith(f"{key}."))
        return FieldFilter(inner, self.exclude)

    def apply(self, value: Any) -> Any:
        """A copy with only what is kept; the value itself when that is all."""
        if not self.paths:
            return value
        if isinstance(value, list):
            return [self.apply(each) for each in value]
        if not isinstance(value, dict):
            return value
        return {key: self.inside(key).apply(each) for key, each in value.items() if self.keeps(key)}


_EVERYTHING = FieldFilter(frozenset())
