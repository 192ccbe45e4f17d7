"""What a container is built from, and the options that follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hera_k8s_utils.config.resolution import resolve
from hera_k8s_utils.plugins.plugin_options import owners_of, unloaded_plugins

if TYPE_CHECKING:
    from hera_k8s_utils.config.options import ParsedFlags, ResolvedOptions
    from hera_k8s_utils.experiment.model import Experiment
    from hera_k8s_utils.plugins.manager import PluginManager


@dataclass(frozen=True, kw_only=True)
class ContainerRequest:
    """What a container is built from.

    plugins: the loaded plugins.
    experiment: FILE[:NAME], an `Experiment`, a Hera Workflow, or None for a container that only talks to servers.
    argv: flags, as on a command line, or as the command line parsed them.
    environ: environment variables; None for the process's own.
    config: a configuration file; overrides those that are found.
    keywords: options by name, as strong as flags.
    script_arguments: words of the command line that a script sees, after its name.
    ignore_unknown: accept unknown flags and keys, for callers whose own options stand in the same places.
    """

    plugins: PluginManager = field(repr=False)
    experiment: Any = None
    argv: Sequence[str] | ParsedFlags = field(default=(), repr=False)
    environ: Mapping[str, str] | None = field(default=None, repr=False)
    config: Path | str | None = None
    keywords: Mapping[str, Any] = field(default_factory=dict, repr=False)
    script_arguments: Sequence[str] = field(default=(), repr=False)
    ignore_unknown: bool = False


def resolve_for(request: ContainerRequest, experiment: Experiment | None = None) -> ResolvedOptions:
    """Resolve the framework's own options, those of all plugins, and those of an experiment.

    experiment: the one that the request names, once it is loaded.
    """
    plugins = request.plugins
    return resolve(
        owners_of(plugins, experiment),
        argv=request.argv,
        environ=request.environ,
        config=request.config,
        keywords=request.keywords,
        sites={each.record.name: each.record.defaults for each in plugins.all("sites")},
        unloaded=lambda: unloaded_plugins(plugins),
        ignore_unknown=request.ignore_unknown,
    )
