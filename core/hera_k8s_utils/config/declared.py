"""Declared options: of the framework, of plugins, and of plugins that are not loaded; names that meet are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hera_k8s_utils.config.options import OptionSpec, SettingsOwner, canonical, specs_of
from hera_k8s_utils.errors import PluginError


@dataclass(frozen=True)
class UnavailablePlugin:
    """A plugin whose options nobody knows now. names: its options, where they can be told."""

    display_name: str
    plugin: str
    state: str
    names: frozenset[str] = frozenset()

    def has(self, name: str) -> bool:
        """Whether an option is probably this plugin's: it is one of its names, or begins with the plugin's."""
        return name in self.names or name.startswith(canonical(self.plugin) + "-")


def all_specs(owners: Sequence[SettingsOwner]) -> list[OptionSpec]:
    """The options of the owners; raises `PluginError` when two declare the same flag."""
    classes: dict[type, SettingsOwner] = {}
    for owner in owners:
        classes.setdefault(owner.settings, owner)
    specs = [spec for owner in classes.values() for spec in specs_of(owner)]
    _refuse_clashes(specs)
    return specs


def _refuse_clashes(specs: Sequence[OptionSpec]) -> None:
    taken: dict[str, list[OptionSpec]] = {}
    for spec in specs:
        for name in spec.flags:
            for other in taken.setdefault(name, []):
                if _meet(spec.owner, other.owner):
                    raise _clash(name, other, spec)
            taken[name].append(spec)


def owner_title(owner: SettingsOwner) -> str:
    """How the help heads the options of an owner."""
    return f"options of {owner.display_name}"


def _meet(one: SettingsOwner, other: SettingsOwner) -> bool:
    """Whether the flags of two owners stand on the same command line; those of two commands never do."""
    return not (one.command and other.command and one.command != other.command)


def _clash(name: str, one: OptionSpec, other: OptionSpec) -> PluginError:
    plugin = other.owner.plugin or one.owner.plugin
    return PluginError(
        f"two declare the flag {name}",
        found=f"{one.owner.display_name} ({one.owner.settings.__name__}.{one.field}) and "
        f"{other.owner.display_name} ({other.owner.settings.__name__}.{other.field})",
        hint=f"--no-plugin {plugin}" if plugin else f"rename the field {other.field} or its aliases",
    )
