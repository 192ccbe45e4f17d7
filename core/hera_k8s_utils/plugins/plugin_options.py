"""The declarers of options: the framework, plugins, commands and experiments; and the options of unloaded plugins."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from hera_k8s_utils.config.declared import UnavailablePlugin
from hera_k8s_utils.config.options import SettingsOwner, specs_of
from hera_k8s_utils.plugins.manager import RECORDS, PluginInfo, PluginManager, is_builtin

if TYPE_CHECKING:
    from hera_k8s_utils.experiment.model import Experiment


def owners_of(plugins: PluginManager, experiment: Experiment | None = None) -> list[SettingsOwner]:
    """The declarers of options: the framework, the plugins, and the experiment where there is one."""
    owners = [*core_owners(), *_plugin_owners(plugins), *_command_owners(plugins)]
    if experiment is not None and experiment.options is not None:
        owners.append(SettingsOwner(experiment.options, title=f"the experiment {experiment.name}"))
    return owners


def core_owners() -> list[SettingsOwner]:
    """The options that belong to no plugin."""
    from hera_k8s_utils.config.settings import CoreSettings
    from hera_k8s_utils.network.http import NetworkSettings

    return [SettingsOwner(CoreSettings), SettingsOwner(NetworkSettings)]


def _plugin_owners(plugins: PluginManager) -> list[SettingsOwner]:
    hooks = [hook for hook in RECORDS if hook != "commands"]
    return [
        SettingsOwner(each.record.settings, each.plugin, each.distribution)
        for hook in hooks
        for each in plugins.all(hook)
        if getattr(each.record, "settings", None) is not None
    ]


def _command_owners(plugins: PluginManager) -> list[SettingsOwner]:
    return [
        SettingsOwner(each.record.settings, each.plugin, each.distribution, command=each.record.name)
        for each in plugins.all("commands")
        if each.record.settings is not None
    ]


def unloaded_plugins(plugins: PluginManager) -> list[UnavailablePlugin]:
    """The plugins that were not loaded.

    A disabled plugin of this distribution is imported for the names of its options. Third-party plugins stay off; their
    options are recognised by the plugin's prefix.
    """
    return [
        UnavailablePlugin(info.display_name, info.name, info.state, _names_of(info))
        for info in plugins.listing()
        if info.state in ("disabled", "broken", "refused")
    ]


def _names_of(info: PluginInfo) -> frozenset[str]:
    if info.state != "disabled" or not is_builtin(info.distribution):
        return frozenset()
    try:
        module = importlib.import_module(info.module)
    except ImportError:
        return frozenset()
    records = [record for hook in RECORDS if hasattr(module, hook) for record in getattr(module, hook)() or ()]
    classes = {record.settings for record in records if getattr(record, "settings", None) is not None}
    return frozenset(name for cls in classes for spec in specs_of(SettingsOwner(cls, info.name)) for name in spec.names)
