"""Kinds: what a sandbox serves, the fixed table and what CustomResourceDefinitions add to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hera_k8s_sandbox.foundation.resource_types import RESOURCES, Resource
from hera_k8s_utils._types import Json

_STABILITY: Final = {"alpha": 0, "beta": 1, "": 2}
_FIXED: Final = {(one.group, one.version, one.plural): one for one in RESOURCES}
_FIXED_NAMES: Final = frozenset(one.qualified for one in RESOURCES)


class Kinds:
    """The rows of a sandbox's table; those that definitions add come and go."""

    def __init__(self) -> None:
        self._defined: dict[str, tuple[Resource, ...]] = {}  # by the definition's name
        self._by_place: dict[tuple[str, str, str], Resource] = {}

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The row that is served at this place, or None."""
        return _FIXED.get((group, version, plural)) or self._by_place.get((group, version, plural))

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """The row that serves a kind, or None."""
        return next((one for one in self if (one.api_version, one.kind) == (api_version, kind)), None)

    def __iter__(self) -> Iterator[Resource]:
        yield from RESOURCES
        for rows in self._defined.values():
            yield from rows

    def stored(self) -> Iterator[Resource]:
        """One row for each kind, however many versions of it are served."""
        seen: set[str] = set()
        for one in self:
            if one.qualified not in seen:
                seen.add(one.qualified)
                yield one

    def define(self, definition: Json) -> tuple[Resource, ...]:
        """Serve what a definition defines; the fixed kinds stay as they are. The first row is the stored one."""
        name = definition["metadata"]["name"]
        if name in _FIXED_NAMES:
            return ()
        self.forget(name)
        rows = tuple(rows_of(definition))
        self._defined[name] = rows
        self._by_place |= {(one.group, one.version, one.plural): one for one in rows if one.verbs}
        return rows

    def forget(self, name: str) -> None:
        """Serve no longer what the definition of this name defined."""
        for one in self._defined.pop(name, ()):
            self._by_place.pop((one.group, one.version, one.plural), None)

    def defines(self, name: str) -> bool:
        """Whether a definition of this name is at work."""
        return name in self._defined


def is_fixed(name: str) -> bool:
    """Whether a definition is of a kind that is served without it."""
    return name in _FIXED_NAMES


def rows_of(definition: Json) -> Iterator[Resource]:
    """The rows of a definition, the stored version first; what is not served has no verbs."""
    spec = definition["spec"]
    for version in sorted(spec["versions"], key=lambda one: not one.get("storage")):
        if version.get("storage") or version.get("served"):
            yield _row(spec, version)


def _row(spec: Json, version: Json) -> Resource:
    names, below = spec["names"], version.get("subresources") or {}
    more: Json = {} if version.get("served") else {"verbs": ()}
    return Resource(
        spec["group"],
        version["name"],
        names["plural"],
        names.get("singular", ""),
        names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        subresources=tuple(name for name in ("status", "scale") if below.get(name) is not None),
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        generation=True,
        custom=True,
        selectable=tuple(one["jsonPath"].lstrip(".") for one in version.get("selectableFields") or ()),
        schema=(version.get("schema") or {}).get("openAPIV3Schema"),
        columns=tuple(version.get("additionalPrinterColumns") or ()),
        scale=below.get("scale"),
        list_kind=names.get("listKind", ""),
        **more,
    )


def precedence(version: str) -> tuple[int, int, int]:
    """By which versions of a group are sorted, the preferred one last: v1alpha1, v1beta2, v1, v2."""
    import re

    found = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if found is None:
        return (-1, 0, 0)
    return (_STABILITY[found[2] or ""], int(found[1]), int(found[3] or 0))
