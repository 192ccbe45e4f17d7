"""The container: from an experiment, options and plugins to a BuiltExperiment, its report and its engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dependency_injector import containers, providers

from hera_k8s_utils.checks import preflight, provisioning
from hera_k8s_utils.checks.runner import Report, Row
from hera_k8s_utils.config.conversion import parse_pairs
from hera_k8s_utils.config.options import ParsedFlags, ResolvedOptions
from hera_k8s_utils.config.settings import CoreSettings
from hera_k8s_utils.container import building
from hera_k8s_utils.container.recording import RecordingEngine
from hera_k8s_utils.container.request import ContainerRequest, resolve_for
from hera_k8s_utils.errors import BuildError, attribute_errors_to
from hera_k8s_utils.experiment.loading import LoadedExperiment, as_experiment, load_experiment
from hera_k8s_utils.experiment.manifest import Manifest
from hera_k8s_utils.experiment.model import BuiltExperiment, Environment, Experiment, Workflow
from hera_k8s_utils.experiment.run_ids import new_run_id
from hera_k8s_utils.experiment.scripts import failure
from hera_k8s_utils.offline.guards import RequestGuard
from hera_k8s_utils.offline.phase import ForeignCode, offline
from hera_k8s_utils.plugins.context import Context
from hera_k8s_utils.plugins.manager import PluginManager
from hera_k8s_utils.plugins.platforms import PlatformRegistry
from hera_k8s_utils.plugins.records import (
    CredentialProvider,
    Engine,
    ExecutionEngine,
    Platform,
    ResourceChecker,
    Site,
)
from hera_k8s_utils.runs.records import RunStore
from hera_k8s_utils.sweep.inputs import Inputs
from hera_k8s_utils.sweep.layout import Layout

T = TypeVar("T")


@dataclass(frozen=True)
class OpenEngine:
    """An engine that was opened for one context.

    declaration: the plugin's record.
    engine: what its `open` returned.
    """

    declaration: ExecutionEngine
    engine: Engine


class ExperimentContainer(containers.DeclarativeContainer):
    """Every part of a run, made once on first use. The first rows need no server, those below `context` may ask one.

    Each provider can be overridden, in a test or by a plugin's `configure_container`.
    """

    __self__: providers.Self[Any] = providers.Self()
    request: providers.Dependency[ContainerRequest] = providers.Dependency(instance_of=ContainerRequest)
    plugins: providers.Dependency[PluginManager] = providers.Dependency(instance_of=PluginManager)

    guards: providers.Singleton[list[RequestGuard]] = providers.Singleton(
        lambda p: p.records("request_guards", RequestGuard), plugins
    )
    definition: providers.Singleton[LoadedExperiment | None] = providers.Singleton(
        lambda *a: _definition(*a), request, guards
    )
    settings: providers.Singleton[ResolvedOptions] = providers.Singleton(lambda *a: _settings(*a), request, definition)
    core: providers.Singleton[CoreSettings] = providers.Singleton(lambda s: s.of(CoreSettings), settings)
    sites: providers.Singleton[list[Site]] = providers.Singleton(lambda p: p.records("sites", Site), plugins)
    runs: providers.Singleton[RunStore] = providers.Singleton(
        lambda core, settings: RunStore(core.runs_dir, settings.secrets), core, settings
    )
    run_id: providers.Singleton[str] = providers.Singleton(lambda core: core.run_id or new_run_id(), core)

    platforms: providers.Singleton[PlatformRegistry] = providers.Singleton(
        lambda *a: _platforms(*a), plugins, settings, core
    )
    offline: providers.Singleton[Context] = providers.Singleton(Context, settings, platforms)

    described: providers.Singleton[Experiment] = providers.Singleton(lambda d: _wanted(d).experiment, definition)
    inputs: providers.Singleton[Inputs] = providers.Singleton(
        lambda *a: _offline(building.make_inputs, *a), guards, described, core
    )
    environment: providers.Singleton[Environment] = providers.Singleton(
        lambda *a: _offline(building.make_environment, *a), guards, described, core, settings, sites
    )
    layout: providers.Singleton[Layout] = providers.Singleton(
        building.make_layout, described, core, inputs, plugins, settings, run_id
    )
    workflow: providers.Singleton[Workflow] = providers.Singleton(
        building.make_workflow, definition, environment, inputs, layout, guards
    )
    manifest: providers.Singleton[Manifest] = providers.Singleton(
        building.make_manifest, workflow, definition, environment, run_id, sites, offline.provider, guards
    )
    experiment: providers.Singleton[BuiltExperiment] = providers.Singleton(
        building.build, definition, run_id, inputs, layout, environment, workflow, manifest
    )
    checkers: providers.Singleton[list[ResourceChecker[Any]]] = providers.Singleton(
        lambda p: p.records("resource_checkers", ResourceChecker), plugins
    )
    requirements: providers.Singleton[list[preflight.RequiredResource]] = providers.Singleton(
        lambda *a: _offline(preflight.collect_requirements, *a), guards, experiment, checkers
    )

    context: providers.Singleton[Context] = providers.Singleton(
        lambda *a: _context(*a), settings, platforms, definition, experiment.provider
    )
    running: providers.Singleton[OpenEngine] = providers.Singleton(
        lambda *a: _running(*a), plugins, core, platforms, context, definition, manifest.provider
    )
    engine: providers.Singleton[Engine] = providers.Singleton(
        lambda running, container: RecordingEngine(running.engine, container), running, __self__
    )
    report: providers.Factory[Report] = providers.Factory(
        lambda *a, **k: _report(*a, **k), experiment, requirements, running, platforms, context, core
    )


@contextmanager
def build_container(
    experiment: Any = None,
    *,
    argv: Sequence[str] | ParsedFlags = (),
    environ: Mapping[str, str] | None = None,
    config: Path | str | None = None,
    plugins: PluginManager | None = None,
    script_arguments: Sequence[str] = (),
    **settings: Any,
) -> Iterator[ExperimentContainer]:
    """A container for one experiment; what it opened is closed at the end of the `with` block.

        with build_container("experiment.py") as container:
            built = container.experiment()
            container.report().raise_if_failed()
            submission = container.engine().submit(built)

    experiment: FILE[:NAME], an `Experiment`, a Hera Workflow, or None for a container that only talks to servers.
    argv: flags, as on a command line; `sys.argv` is never read.
    script_arguments: words of the command line that a script in FILE sees, after its name.
    environ: variables, by default the process's own.
    config: a configuration file, stronger than those found.
    plugins: loaded already; by default all are loaded now.
    settings: options by name (`sandbox=True`, `namespace="vcity"`), as strong as flags.

    Raises `PluginError`, `OptionsError` or `BuildError`, here or when a provider is first called.
    """
    connected = connect(
        experiment,
        argv=argv,
        environ=environ,
        config=config,
        plugins=plugins,
        script_arguments=script_arguments,
        **settings,
    )
    try:
        yield connected.container
    finally:
        connected.close()


@dataclass(frozen=True)
class Connection:
    """A container without a `with` block, for notebooks: `close()` when done."""

    container: ExperimentContainer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.container, name)

    def close(self) -> None:
        """Close the platforms that were opened."""
        self.container.platforms().close()


def connect(
    experiment: Any = None,
    *,
    argv: Sequence[str] | ParsedFlags = (),
    environ: Mapping[str, str] | None = None,
    config: Path | str | None = None,
    plugins: PluginManager | None = None,
    script_arguments: Sequence[str] = (),
    tolerant: bool = False,
    **settings: Any,
) -> Connection:
    """`build_container` without a `with` block; the same parameters.

    tolerant: accept unknown names and keys, for callers whose own options stand in the same files.
    """
    environ = os.environ if environ is None else environ
    plugins = PluginManager.load(environ=environ) if plugins is None else plugins
    request = ContainerRequest(
        plugins=plugins,
        experiment=experiment,
        argv=argv if isinstance(argv, ParsedFlags) else tuple(argv),
        environ=environ,
        config=config,
        keywords=settings,
        script_arguments=tuple(script_arguments),
        ignore_unknown=tolerant,
    )
    container = ExperimentContainer(
        request=providers.Object(request),
        plugins=providers.Object(plugins),
    )
    container.check_dependencies()
    plugins.configure(container)
    container.settings()  # wrong options are told at once, before anything is built,
    container.platforms()  # and those of credentials not as late as when it is closed
    return Connection(container)


def provision(container: ExperimentContainer) -> list[provisioning.Step]:
    """Create what the container's experiment declares and its cluster lacks; returns what was done.

    `hera-k8s run` does so unasked on the sandbox only. Raises as `plan` and `apply` of `hera_k8s_utils.checks` do.
    """
    planned = provisioning.plan(container.requirements(), container.context(), container.platforms())
    return provisioning.apply(planned, container.context())


def _definition(request: ContainerRequest, guards: Sequence[RequestGuard]) -> LoadedExperiment | None:
    target = request.experiment
    if target is None:
        return None
    if isinstance(target, (str, Path)):
        return load_experiment(target, guards, request.script_arguments)
    return LoadedExperiment(as_experiment(target), source="")


def _offline(step: Callable[..., T], guards: Sequence[RequestGuard], *arguments: Any) -> T:
    """A step of building in which code of the experiment or of plugins may run: it must send nothing."""
    try:
        with offline(ForeignCode("the experiment", "while it is built"), guards):
            return step(*arguments)
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit and the like
        raise BuildError("building the experiment failed", found=failure(error)) from error


def _wanted(definition: LoadedExperiment | None) -> LoadedExperiment:
    if definition is None:
        raise BuildError("there is no experiment here", hint="build_container('experiment.py')")
    return definition


def _settings(request: ContainerRequest, definition: LoadedExperiment | None) -> ResolvedOptions:
    return resolve_for(request, definition.experiment if definition else None)


def _platforms(plugins: PluginManager, settings: ResolvedOptions, core: CoreSettings) -> PlatformRegistry:
    return PlatformRegistry(
        plugins.records("platforms", Platform),
        plugins.records("credential_providers", CredentialProvider),
        settings,
        parse_pairs(core.credentials, "--credentials", "PLATFORM=PROVIDER", "argo=service-account-token"),
    )


def _context(
    settings: ResolvedOptions,
    platforms: PlatformRegistry,
    definition: LoadedExperiment | None,
    experiment: Callable[[], BuiltExperiment],
) -> Context:
    if definition is None:
        return Context(settings, platforms)
    built = experiment()
    return Context(settings, platforms, built, built.manifest.demand())


def _running(
    plugins: PluginManager,
    core: CoreSettings,
    platforms: PlatformRegistry,
    context: Context,
    definition: LoadedExperiment | None,
    manifest: Callable[[], Manifest],
) -> OpenEngine:
    kind = manifest().engine_kind if definition is not None else ""
    declaration = preflight.choose_engine(plugins, core, platforms, context, kind)
    with attribute_errors_to(f"the execution engine {declaration.name}"):
        engine = declaration.open(platforms.settings(declaration), context)
    return OpenEngine(declaration, engine)


def _report(
    built: BuiltExperiment,
    wanted: Sequence[preflight.RequiredResource],
    running: OpenEngine,
    platforms: PlatformRegistry,
    context: Context,
    core: CoreSettings,
    on_row: Callable[[Row], None] | None = None,
) -> Report:
    pair = (running.declaration, running.engine)
    return preflight.check_all(built, wanted, pair, platforms, context, core, on_row)
