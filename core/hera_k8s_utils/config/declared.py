"""The declared options of all owners, without duplicate flags; and plugins whose options are unavailable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hera_k8s_utils.config.options import OptionSpec, SettingsOwner, canonical, specs_of
from hera_k8s_utils.errors import PluginError


@dataclass(frozen=True)
class UnavailablePlugin:
    """A plugin that is not loaded, and so its options.

    display_name: the plugin's name in messages.
    plugin: its name.
    state: why it is not loaded: `disabled`, `broken` or `refused`.
    names: names of its options, if they are known.
    """

    display_name: str
    plugin: str
    state: str
    names: frozenset[str] = frozenset()

    def has(self, name: str) -> bool:
        """Whether an option is probably this plugin's: it is in `names`, or begins with the plugin's name."""
        return name in self.names or name.startswith(canonical(self.plugin) + "-")


def all_specs(owners: Sequence[SettingsOwner]) -> list[OptionSpec]:
    """The options of the owners. Raises `PluginError` when two declare the same flag."""
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
    """The heading of an owner's options in the help."""
    return f"options of {owner.display_name}"


def _meet(one: SettingsOwner, other: SettingsOwner) -> bool:
    """Whether the flags of two owners can be on the same command line; those of two commands cannot."""
    return not (one.command and other.command and one.command != other.command)


def _clash(name: str, one: OptionSpec, other: OptionSpec) -> PluginError:
    plugin = other.owner.plugin or one.owner.plugin
    return PluginError(
        f"flag {name} is declared twice",
        found=f"{one.owner.display_name} ({one.owner.settings.__name__}.{one.field}) and "
        f"{other.owner.display_name} ({other.owner.settings.__name__}.{other.field})",
        hint=f"--no-plugin {plugin}" if plugin else f"rename the field {other.field} or its aliases",
    )
