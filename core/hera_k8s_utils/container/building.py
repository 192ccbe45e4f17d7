"""From an experiment and the effective options to what is submitted; everything here works without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_utils.config.conversion import parse_pairs
from hera_k8s_utils.config.options import ResolvedOptions, SourcePriority
from hera_k8s_utils.config.settings import CoreSettings
from hera_k8s_utils.errors import BuildError, HeraK8sError
from hera_k8s_utils.experiment.loading import LoadedExperiment
from hera_k8s_utils.experiment.manifest import Manifest
from hera_k8s_utils.experiment.model import (
    BuiltExperiment,
    Environment,
    Experiment,
    Requirement,
    Workflow,
    bind_requirements,
    qualify_image,
)
from hera_k8s_utils.experiment.run_ids import workflow_name
from hera_k8s_utils.experiment.scripts import failure
from hera_k8s_utils.labels import DIGEST_LABEL, EXPERIMENT_LABEL, RUN_LABEL
from hera_k8s_utils.offline.guards import RequestGuard
from hera_k8s_utils.offline.phase import ForeignCode, offline
from hera_k8s_utils.plugins.context import Context
from hera_k8s_utils.plugins.records import Site
from hera_k8s_utils.sweep.inputs import Inputs, parse_overrides
from hera_k8s_utils.sweep.layout import Layout, open_layout
from hera_k8s_utils.sweep.path_encoder import LayoutStrategy

if TYPE_CHECKING:
    from hera_k8s_utils.plugins.manager import PluginManager


def make_inputs(experiment: Experiment, core: CoreSettings) -> Inputs:
    """The experiment's inputs, with `--points` and `--set` in their place."""
    inputs = experiment.inputs
    if core.points:
        inputs = inputs.with_points(core.points)
    if core.set:
        inputs = inputs.override(parse_overrides(core.set))
    if len(inputs) > _MOST_POINTS:
        raise BuildError(
            f"{experiment.name} has too many points for one run",
            found=f"{len(inputs):,}; at most {_MOST_POINTS:,} are possible",
            hint="give each task a range of points, or split the sweep into several runs: --set NAME=V1,V2",
        )
    return inputs


_MOST_POINTS: Final = 1_000_000
"""Points of one run. Neither a Workflow of 1 MiB nor a Job, which has at most 100,000 indexes, holds more."""


def make_environment(
    experiment: Experiment, core: CoreSettings, resolved: ResolvedOptions, sites: Sequence[Site]
) -> Environment:
    """Names bound, images completed; no credential is asked for."""
    wanted = [*experiment.requires, *(r for site in sites for r in site.requires)]
    return Environment(
        requirements=bind_requirements(wanted, _bindings(core, resolved, wanted), _named(wanted, resolved)),
        image=qualify_image(core.image or experiment.image, core.registry),
        registry=core.registry,
        service_account=core.service_account,
        namespace=core.namespace,
        options=resolved.of(experiment.options) if experiment.options else None,
    )


def make_layout(
    experiment: Experiment,
    core: CoreSettings,
    inputs: Inputs,
    plugins: PluginManager,
    resolved: ResolvedOptions,
    run_id: str,
) -> Layout:
    """The strategy that the option or the experiment names, below the results' mount."""
    name, _, argument = (core.layout or experiment.layout).partition(":")
    strategy: LayoutStrategy = plugins.named("layout_strategies", name)
    settings = resolved.of(strategy.settings) if strategy.settings else None
    mounted = experiment.results_requirement
    root = None
    if mounted is not None:
        root = "/".join([str(getattr(mounted, "mount_path", "")).rstrip("/"), experiment.name, run_id])
    guards = plugins.records("request_guards", RequestGuard)
    return open_layout(strategy, settings, inputs, argument, root, guards)


def make_workflow(
    loaded: LoadedExperiment, environment: Environment, inputs: Inputs, layout: Layout, guards: Sequence[RequestGuard]
) -> Workflow:
    """What the experiment's own function returns; its failure is told with the line of the user's file."""
    try:
        with _imports_of(loaded), offline(_builder(loaded.experiment), guards):
            found = loaded.experiment.workflow(environment, inputs, layout)
            return list(found) if isinstance(found, Iterator) else found  # a builder may yield Jobs
    except (HeraK8sError, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit too: a builder that ends the program has built nothing
        raise BuildError(
            f"building the workflow of {loaded.experiment.name} failed",
            found=failure(error, _file_of(loaded.experiment.workflow)),
            hint=_build_hint(loaded, error),
        ) from error


def make_manifest(
    workflow: Workflow,
    loaded: LoadedExperiment,
    environment: Environment,
    run_id: str,
    sites: Sequence[Site],
    context: Callable[[], Context],
    guards: Sequence[RequestGuard],
) -> Manifest:
    """The workflow as plain data, named, labelled and amended by the sites; the digest label comes last."""
    experiment = loaded.experiment
    with _imports_of(loaded), offline(_builder(experiment), guards):  # Hera builds now, and calls the user's hooks
        manifest = Manifest.of(workflow)
    labels = {EXPERIMENT_LABEL: experiment.name, RUN_LABEL: label_of(run_id)}
    name = workflow_name(experiment.name, run_id) if manifest.is_runnable else ""
    manifest = manifest.for_run(name, labels)
    manifest = manifest.with_spec(_spec_additions(environment))
    for site in sites:
        if site.amend is not None:
            manifest = _amended(site, manifest, context(), guards)
    return manifest.labelled({DIGEST_LABEL: manifest.digest[:40]})


def build(
    loaded: LoadedExperiment,
    run_id: str,
    inputs: Inputs,
    layout: Layout,
    environment: Environment,
    workflow: Workflow,
    manifest: Manifest,
) -> BuiltExperiment:
    """All of it together."""
    return BuiltExperiment(
        name=manifest.name or loaded.experiment.name,
        run_id=run_id,
        experiment=loaded.experiment,
        inputs=inputs,
        layout=layout,
        environment=environment,
        workflow=workflow,
        manifest=manifest,
        source=loaded.source,
    )


def _spec_additions(environment: Environment) -> dict[str, Any]:
    """What configuration and requirements add to the workflow's spec."""
    additions: dict[str, Any] = {}
    if environment.service_account:
        additions["serviceAccountName"] = environment.service_account
    for requirement in environment.requirements:
        for key, value in requirement.workflow_fields().items():
            additions[key] = [*additions.get(key, []), *value] if isinstance(value, list) else value
    return additions


def _imports_of(loaded: LoadedExperiment) -> AbstractContextManager[None]:
    return loaded.file.importing() if loaded.file else nullcontext()


def _builder(experiment: Experiment) -> ForeignCode:
    hint = "return the workflow instead: `hera-k8s run` submits it, once"
    return ForeignCode(f"the builder of {experiment.name}", file=_file_of(experiment.workflow), hint=hint)


def _amended(site: Site, manifest: Manifest, context: Context, guards: Sequence[RequestGuard]) -> Manifest:
    try:
        with offline(ForeignCode(f"site {site.name}", "while it amends the workflow"), guards):
            amended = site.amend(manifest, context) if site.amend else manifest
    except (HeraK8sError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise BuildError(
            f"site {site.name} failed while amending the workflow", found=failure(error), hint="hera-k8s plugins"
        ) from error
    if not isinstance(amended, Manifest):
        raise BuildError(f"site {site.name} amended the workflow into a {type(amended).__name__}, not a Manifest")
    return amended


def _bindings(core: CoreSettings, resolved: ResolvedOptions, wanted: Sequence[Requirement]) -> dict[str, str]:
    """The bindings. A configuration file serves many experiments, so that it may bind roles that this one lacks;
    what stands on the command line or in the environment must be meant for this one."""
    roles = {requirement.role for requirement in wanted}
    said_for_all = [
        text for text, origin in resolved.entries(CoreSettings, "bind") if origin.rank >= SourcePriority.FILE
    ]
    spare = _parsed(said_for_all).keys() - roles
    return {role: name for role, name in _parsed(core.bind).items() if role not in spare}


def _parsed(bindings: Sequence[str]) -> dict[str, str]:
    return parse_pairs(bindings, "--bind", "ROLE=NAME", "results=my-claim")


def _named(wanted: Sequence[Requirement], resolved: ResolvedOptions) -> dict[str, str]:
    names = {r.binding_option for r in wanted if r.binding_option}
    return {name: str(value) for name in names if (value := resolved.by_name(name))}


def label_of(run_id: str) -> str:
    return run_id[:63].rstrip("-_.")


def _file_of(function: Any) -> Any:
    code = getattr(function, "__code__", None)
    return code.co_filename if code is not None else None


def _build_hint(loaded: LoadedExperiment, error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return "a builder returns the workflow, or raises an exception; nothing was submitted"
    if loaded.future_annotations and isinstance(error, TypeError):
        return f"remove `from __future__ import annotations` from {loaded.source}: Hera's @script reads annotations"
    return "--debug shows the traceback"
