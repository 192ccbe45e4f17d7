"""Flags: what a resource template may add to kubectl's command line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

_VALUED: Final = {
    "-n": "namespace",
    "--namespace": "namespace",
    "-l": "selector",
    "--selector": "selector",
    "--field-manager": "field_manager",
    "--cascade": "cascade",
    "--grace-period": "ignored",
    "--timeout": "ignored",
    "--request-timeout": "ignored",
    "--validate": "ignored",
}
_SWITCHES: Final = {
    "--ignore-not-found": "ignore_not_found",
    "--wait": "wait",
    "--force": "force",
    "--all": "all",
    "--server-side": "server_side",
    "--force-conflicts": "force_conflicts",
    "--now": "ignored",
    "--overwrite": "ignored",
    "--save-config": "ignored",
}


@dataclass
class Flags:
    """The flags of a template, and the words that name resources: `configmap NAME`, `configmap/NAME`."""

    words: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    switches: dict[str, bool] = field(default_factory=dict)

    def has(self, name: str, *, otherwise: bool = False) -> bool:
        """Whether a switch is on."""
        return self.switches.get(name, otherwise)


def read_flags(given: Iterable[str]) -> Flags:
    """Read the flags of a template. Raises ValueError for one that is not known."""
    found = Flags()
    rest = [str(one) for one in given]
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            found.words.append(word)
            continue
        name, equals, value = word.partition("=")
        if name in _VALUED:
            if not equals and not rest:
                raise ValueError(f"flag needs an argument: {name}")
            found.values[_VALUED[name]] = value if equals else rest.pop(0)
        elif name in _SWITCHES:
            if value not in ("", "true", "false"):
                raise ValueError(f'invalid argument "{value}" for "{name}"')
            found.switches[_SWITCHES[name]] = value != "false"
        else:
            raise ValueError(f"unknown flag: {name}")
    return found
