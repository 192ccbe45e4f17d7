"""Write a numerical experiment once, as Hera code, and run it on any Kubernetes cluster.

    from hera_k8s_utils import Experiment, Inputs, build_container, linspace

Records that plugins return are in `hera_k8s_utils.plugins.records`, the hooks in `hera_k8s_utils.plugins.hookspecs`;
both are exported here too. Authors of platforms and engines also find `hera_k8s_utils.network`, `.engines`, `.checks`,
`.plugins`, `.sweep`, `.trust` and `.redaction`, and the modules `.labels` and `.reading`.
"""

from hera_k8s_utils import _startup as _startup  # the first of all, `__future__` included: see there

# isort: split

from typing import TYPE_CHECKING, Any

from hera_k8s_utils import _moved, _moved_paths
from hera_k8s_utils._types import Json
from hera_k8s_utils._version import __version__
from hera_k8s_utils.argo_server import argo_server
from hera_k8s_utils.config.options import option
from hera_k8s_utils.errors import (
    BuildError,
    ChecksFailed,
    CredentialError,
    ErrorKind,
    HeraK8sError,
    NoCredential,
    NotApplicable,
    OptionsError,
    PlatformError,
    PluginError,
    RunAlreadyFinished,
    ScriptExit,
    SubmissionOutcomeUnknown,
    SubmitError,
    SubmittedInPart,
    WorkflowFailed,
    join_names,
)
from hera_k8s_utils.experiment.run_state import LogLine, NodeState, RunSummary, RunUpdate, Submission
from hera_k8s_utils.experiment.workload import PeakDemand, PlannedTasks, RunPlan
from hera_k8s_utils.experiment.workload_kinds import Workload, WorkloadAnalysis, WorkloadKind, load_kinds_with
from hera_k8s_utils.k8s_cluster import cluster, k8s_cluster
from hera_k8s_utils.num_exp_environment import Struct, num_exp_environment
from hera_k8s_utils.offline.guards import Replacement, RequestGuard
from hera_k8s_utils.parser import parse_arguments, parser
from hera_k8s_utils.plugins.clients import ARGO, KUBERNETES, Argo, Kubernetes, PlatformKey
from hera_k8s_utils.plugins.context import Context
from hera_k8s_utils.plugins.credentials import Credential
from hera_k8s_utils.plugins.hookspecs import HOOK_API, hookimpl
from hera_k8s_utils.plugins.records import (
    Command,
    CredentialProvider,
    Engine,
    ExecutionEngine,
    LifecycleEvent,
    Platform,
    ResourceChecker,
    Site,
)
from hera_k8s_utils.results import CheckResult, Finding, Verdict, fail, ok, unknown, warn
from hera_k8s_utils.sweep.path_encoder import LayoutStrategy, PathEncoder
from hera_k8s_utils.version import version

if TYPE_CHECKING:
    from hera_k8s_utils.config.options import OptionRow
    from hera_k8s_utils.config.settings import CoreSettings
    from hera_k8s_utils.container.console import Console
    from hera_k8s_utils.container.container import Connection, ExperimentContainer, build_container, connect, provision
    from hera_k8s_utils.container.session import Session, experiment_argument
    from hera_k8s_utils.engines.submission import SubmissionTarget, submit_once
    from hera_k8s_utils.experiment.manifest import Manifest
    from hera_k8s_utils.experiment.model import BuiltExperiment, Environment, Experiment, Requirement
    from hera_k8s_utils.experiment.workload import ObjectReference, Unresolved
    from hera_k8s_utils.formatting import parse_timestamp, pluralize
    from hera_k8s_utils.labels import DIGEST_LABEL
    from hera_k8s_utils.names import is_dns_label, is_dns_subdomain, nearest
    from hera_k8s_utils.network.http import HttpClient, NetworkSettings
    from hera_k8s_utils.network.retry import FailureBudget
    from hera_k8s_utils.offline.phase import HeldRequest, OfflineError, OfflinePhase, offline_phase
    from hera_k8s_utils.paths import expand_path
    from hera_k8s_utils.quantities import parse_quantity
    from hera_k8s_utils.reading import LARGEST_DOCUMENT, MIB, parse_json, read_file, read_text
    from hera_k8s_utils.sanitize import one_line
    from hera_k8s_utils.sweep.inputs import Inputs, Point, linspace
    from hera_k8s_utils.sweep.layout import Layout

__title__ = "hera_k8s_utils"

_LATER = {
    "Session": "hera_k8s_utils.container.session",
    "experiment_argument": "hera_k8s_utils.container.session",
    "Console": "hera_k8s_utils.container.console",
    "Connection": "hera_k8s_utils.container.container",
    "ExperimentContainer": "hera_k8s_utils.container.container",
    "build_container": "hera_k8s_utils.container.container",
    "connect": "hera_k8s_utils.container.container",
    "BuiltExperiment": "hera_k8s_utils.experiment.model",
    "Environment": "hera_k8s_utils.experiment.model",
    "Experiment": "hera_k8s_utils.experiment.model",
    "Requirement": "hera_k8s_utils.experiment.model",
    "HttpClient": "hera_k8s_utils.network.http",
    "NetworkSettings": "hera_k8s_utils.network.http",
    "Inputs": "hera_k8s_utils.sweep.inputs",
    "Point": "hera_k8s_utils.sweep.inputs",
    "linspace": "hera_k8s_utils.sweep.inputs",
    "Layout": "hera_k8s_utils.sweep.layout",
    "DIGEST_LABEL": "hera_k8s_utils.labels",
    "Manifest": "hera_k8s_utils.experiment.manifest",
    "is_dns_label": "hera_k8s_utils.names",
    "is_dns_subdomain": "hera_k8s_utils.names",
    "CoreSettings": "hera_k8s_utils.config.settings",
    "ObjectReference": "hera_k8s_utils.experiment.workload",
    "parse_timestamp": "hera_k8s_utils.formatting",
    "one_line": "hera_k8s_utils.sanitize",
    "nearest": "hera_k8s_utils.names",
    "HeldRequest": "hera_k8s_utils.offline.phase",
    "OfflineError": "hera_k8s_utils.offline.phase",
    "OfflinePhase": "hera_k8s_utils.offline.phase",
    "offline_phase": "hera_k8s_utils.offline.phase",
    "OptionRow": "hera_k8s_utils.config.options",
    "FailureBudget": "hera_k8s_utils.network.retry",
    "provision": "hera_k8s_utils.container.container",
    "parse_quantity": "hera_k8s_utils.quantities",
    "expand_path": "hera_k8s_utils.paths",
    "LARGEST_DOCUMENT": "hera_k8s_utils.reading",
    "MIB": "hera_k8s_utils.reading",
    "parse_json": "hera_k8s_utils.reading",
    "read_file": "hera_k8s_utils.reading",
    "read_text": "hera_k8s_utils.reading",
    "SubmissionTarget": "hera_k8s_utils.engines.submission",
    "submit_once": "hera_k8s_utils.engines.submission",
    "Unresolved": "hera_k8s_utils.experiment.workload",
    "pluralize": "hera_k8s_utils.formatting",
}
"""Names that `hera-k8s --help` does without: their modules are imported on first use."""


def _load_plugins() -> None:
    from hera_k8s_utils.plugins.manager import PluginManager

    PluginManager.load()


load_kinds_with(_load_plugins)  # for manifests that are made without a container
_moved.install(_moved_paths.MODULES, _moved_paths.NAMES)


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        return _moved.moved(__name__, name, stacklevel=3)
    from importlib import import_module

    value = getattr(import_module(_LATER[name]), name)
    globals()[name] = value
    return value


__all__ = [
    "ARGO",
    "DIGEST_LABEL",
    "HOOK_API",
    "KUBERNETES",
    "LARGEST_DOCUMENT",
    "MIB",
    "Argo",
    "BuildError",
    "BuiltExperiment",
    "CheckResult",
    "ChecksFailed",
    "Command",
    "Connection",
    "Console",
    "Context",
    "CoreSettings",
    "Credential",
    "CredentialError",
    "CredentialProvider",
    "Engine",
    "Environment",
    "ErrorKind",
    "ExecutionEngine",
    "Experiment",
    "ExperimentContainer",
    "FailureBudget",
    "Finding",
    "HeldRequest",
    "HeraK8sError",
    "HttpClient",
    "Inputs",
    "Json",
    "Kubernetes",
    "Layout",
    "LayoutStrategy",
    "LifecycleEvent",
    "LogLine",
    "Manifest",
    "NetworkSettings",
    "NoCredential",
    "NodeState",
    "NotApplicable",
    "ObjectReference",
    "OfflineError",
    "OfflinePhase",
    "OptionRow",
    "OptionsError",
    "PathEncoder",
    "PeakDemand",
    "PlannedTasks",
    "Platform",
    "PlatformError",
    "PlatformKey",
    "PluginError",
    "Point",
    "Replacement",
    "RequestGuard",
    "Requirement",
    "ResourceChecker",
    "RunAlreadyFinished",
    "RunPlan",
    "RunSummary",
    "RunUpdate",
    "ScriptExit",
    "Session",
    "Site",
    "Struct",
    "Submission",
    "SubmissionOutcomeUnknown",
    "SubmissionTarget",
    "SubmitError",
    "SubmittedInPart",
    "Unresolved",
    "Verdict",
    "WorkflowFailed",
    "Workload",
    "WorkloadAnalysis",
    "WorkloadKind",
    "__title__",
    "__version__",
    "argo_server",
    "build_container",
    "cluster",
    "connect",
    "expand_path",
    "experiment_argument",
    "fail",
    "hookimpl",
    "is_dns_label",
    "is_dns_subdomain",
    "join_names",
    "k8s_cluster",
    "linspace",
    "nearest",
    "num_exp_environment",
    "offline_phase",
    "ok",
    "one_line",
    "option",
    "parse_arguments",
    "parse_json",
    "parse_quantity",
    "parse_timestamp",
    "parser",
    "pluralize",
    "provision",
    "read_file",
    "read_text",
    "submit_once",
    "unknown",
    "version",
    "warn",
]
