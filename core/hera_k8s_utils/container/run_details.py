"""What a record holds besides the experiment: where its run went, what leads back there, where its results lie."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_utils.checks.preflight import head
from hera_k8s_utils.config.options import MISSING, OptionType, ResolvedOption, ResolvedOptions, SourcePriority
from hera_k8s_utils.config.settings import CoreSettings
from hera_k8s_utils.errors import HeraK8sError
from hera_k8s_utils.paths import expand_path, expand_paths
from hera_k8s_utils.plugins.manager import PluginManager
from hera_k8s_utils.plugins.records import CredentialProvider, Platform
from hera_k8s_utils.redaction import secrets_in

if TYPE_CHECKING:
    from hera_k8s_utils.container.container import ExperimentContainer

_OF_THE_CORE: Final = ("namespace", "credentials")
"""Options of the framework that say where a run is; those of credentials and platforms all do."""
_PATHS: Final = ("FILE", "DIR")
"""How the metavariables of options begin whose texts are paths."""


def run_details(container: ExperimentContainer) -> dict[str, Any]:
    """What a record holds besides the experiment: where it went, and what leads back there."""
    plugins = container.plugins()
    return {
        "engine": container.running().declaration.name,
        "platforms": head(container.platforms(), container.context()),
        "plugins": {info.name: info.distribution for info in plugins.listing() if info.state == "loaded"},
        "back": connection_options(container.settings(), plugins),
        "results": results_of(container),
    }


def results_of(container: ExperimentContainer) -> Mapping[str, str]:
    """Where the results will lie: the claim, the path in the pod, and the directory on this disk where there is one."""
    built = container.experiment()
    declared = built.experiment.results_requirement
    if declared is None:
        return {}
    requirement = built.environment[declared.role]
    mount = str(getattr(requirement, "mount_path", "")).rstrip("/")
    path = built.layout.root
    found = {"title": f"{requirement.word or requirement.kind} {requirement.name}", "path": path}
    checker = next((c for c in container.checkers() if isinstance(requirement, c.requirement)), None)
    if checker is None or checker.locate is None:
        return found
    try:
        local = checker.locate(container.platforms().settings(checker), container.context(), requirement)
    except HeraK8sError:  # a courtesy: not knowing it stops nothing
        return found
    return {**found, "local": local.rstrip("/") + path[len(mount) :]} if local else found


def connection_options(resolved: ResolvedOptions, plugins: PluginManager) -> dict[str, Any]:
    """The options given for this command that led to its server, without secrets, for the record of a run."""
    return {
        each.spec.key: plain_value(each)
        for each in settings_of_connection(resolved, plugins)
        if each.origin.rank == SourcePriority.GIVEN and not each.spec.info.secret and each.value is not MISSING
        if not _holds_secret(each)
    }


def _holds_secret(each: ResolvedOption) -> bool:
    """Whether an address holds one: half of it leads nowhere, so that it must be given again."""
    return each.spec.info.address and any(secrets_in(str(each.value)))


def settings_of_connection(resolved: ResolvedOptions, plugins: PluginManager) -> Iterator[ResolvedOption]:
    """The options that say where a run is, given or not."""
    classes = {record.settings for record in plugins.records("platforms", Platform)}
    classes |= {record.settings for record in plugins.records("credential_providers", CredentialProvider)}
    for (settings, name), each in resolved.effective.items():
        if settings in classes or (settings is CoreSettings and name in _OF_THE_CORE):
            yield each


def plain_value(each: ResolvedOption) -> Any:
    """A value as JSON holds it; paths are absolute, since whoever comes back may be in another directory."""
    value = each.value
    if isinstance(value, Path):
        return str(expand_path(value).resolve())
    if value and each.spec.kind is OptionType.TEXT and each.spec.info.metavar.startswith(_PATHS):
        return os.pathsep.join(os.path.abspath(part) for part in expand_paths(value))
    return list(value) if isinstance(value, tuple) else value
