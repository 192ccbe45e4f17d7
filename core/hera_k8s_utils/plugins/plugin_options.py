"""Who declares options: the framework, plugins, commands and experiments, and what is known of plugins left out."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hera_k8s_utils.config.options import OptionSpec, Owner, canonical, specs_of
from hera_k8s_utils.errors import PluginError
from hera_k8s_utils.plugins.manager import RECORDS, PluginInfo, Plugins, is_own

if TYPE_CHECKING:
    from hera_k8s_utils.experiment.model import Experiment


@dataclass(frozen=True)
class Unloaded:
    """A plugin whose options nobody knows now. names: its options, where they can be told."""

    blame: str
    plugin: str
    state: str
    names: frozenset[str] = frozenset()

    def has(self, name: str) -> bool:
        """Whether an option is probably this plugin's: it is one of its names, or begins with the plugin's."""
        return name in self.names or name.startswith(canonical(self.plugin) + "-")


def owners_of(plugins: Plugins, experiment: Experiment | None = None) -> list[Owner]:
    """Everybody who declares options: the framework, the plugins, and the experiment where there is one."""
    owners = [*core_owners(), *_plugin_owners(plugins), *_command_owners(plugins)]
    if experiment is not None and experiment.options is not None:
        owners.append(Owner(experiment.options, title=f"the experiment {experiment.name}"))
    return owners


def core_owners() -> list[Owner]:
    """The options that belong to no plugin."""
    from hera_k8s_utils.config.settings import CoreSettings
    from hera_k8s_utils.network.http import NetworkSettings

    return [Owner(CoreSettings), Owner(NetworkSettings)]


def _plugin_owners(plugins: Plugins) -> list[Owner]:
    hooks = [hook for hook in RECORDS if hook != "commands"]
    return [
        Owner(each.record.settings, each.plugin, each.distribution)
        for hook in hooks
        for each in plugins.all(hook)
        if getattr(each.record, "settings", None) is not None
    ]


def _command_owners(plugins: Plugins) -> list[Owner]:
    return [
        Owner(each.record.settings, each.plugin, each.distribution, command=each.record.name)
        for each in plugins.all("commands")
        if each.record.settings is not None
    ]


def all_specs(owners: Sequence[Owner]) -> list[OptionSpec]:
    """The options of the owners; raises `PluginError` when two declare the same flag."""
    classes: dict[type, Owner] = {}
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


def owner_title(owner: Owner) -> str:
    """How the help heads the options of an owner."""
    return f"options of {owner.blame}"


def _meet(one: Owner, other: Owner) -> bool:
    """Whether the flags of two owners stand on the same command line; those of two commands never do."""
    return not (one.command and other.command and one.command != other.command)


def _clash(name: str, one: OptionSpec, other: OptionSpec) -> PluginError:
    plugin = other.owner.plugin or one.owner.plugin
    return PluginError(
        f"two declare the flag {name}",
        found=f"{one.owner.blame} ({one.owner.settings.__name__}.{one.field}) and "
        f"{other.owner.blame} ({other.owner.settings.__name__}.{other.field})",
        hint=f"--no-plugin {plugin}" if plugin else f"rename the field {other.field} or its aliases",
    )


def unloaded_plugins(plugins: Plugins) -> list[Unloaded]:
    """The plugins that were not loaded. Those of this distribution that are merely disabled are asked for the names of
    their options; others are somebody's code that was turned off for a reason, and only recognised by their prefix."""
    return [
        Unloaded(info.blame, info.name, info.state, _names_of(info))
        for info in plugins.listing()
        if info.state in ("disabled", "broken", "refused")
    ]


def _names_of(info: PluginInfo) -> frozenset[str]:
    if info.state != "disabled" or not is_own(info.distribution):
        return frozenset()
    try:
        module = importlib.import_module(info.module)
    except ImportError:
        return frozenset()
    records = [record for hook in RECORDS if hasattr(module, hook) for record in getattr(module, hook)() or ()]
    classes = {record.settings for record in records if getattr(record, "settings", None) is not None}
    return frozenset(name for cls in classes for spec in specs_of(Owner(cls, info.name)) for name in spec.names)
