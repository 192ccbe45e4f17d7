"""Write a numerical experiment once, as Hera code, and run it on any Kubernetes cluster.

    from hera_k8s_utils import Experiment, Inputs, build_container, linspace

What plugins declare is in `hera_k8s_utils.declarations`, their hooks in `hera_k8s_utils.hookspecs`; both are here too.
"""

from . import _startup as _startup  # the first of all, `__future__` included: see there

# isort: split

from typing import TYPE_CHECKING, Any

from ._version import __version__
from .argo_server import argo_server
from .context import Context, Demand
from .declarations import (
    CheckResult,
    Command,
    Credential,
    CredentialProvider,
    Engine,
    ExecutionEngine,
    Finding,
    Json,
    LayoutStrategy,
    LifecycleEvent,
    LogLine,
    Naming,
    NodeState,
    Platform,
    Replacement,
    RequestGuard,
    ResourceChecker,
    RunSummary,
    RunUpdate,
    Site,
    Submission,
    Verdict,
    fail,
    ok,
    unknown,
    warn,
)
from .errors import (
    BuildError,
    ChecksFailed,
    CredentialError,
    HeraK8sError,
    NoCredential,
    NotApplicable,
    OptionsError,
    PlatformError,
    PluginError,
    RunOver,
    ScriptExit,
    SubmissionUnknown,
    SubmitError,
    SubmittedInPart,
    Trouble,
    WorkflowFailed,
    listed,
)
from .hookspecs import HOOK_API, hookimpl
from .k8s_cluster import cluster, k8s_cluster
from .num_exp_environment import Struct, num_exp_environment
from .options import option
from .parser import parse_arguments, parser
from .platforms import ARGO, KUBERNETES, Argo, Kubernetes, PlatformKey

if TYPE_CHECKING:
    from .commands import Session
    from .console import Console
    from .container import Connection, ExperimentContainer, build_container, connect
    from .experiment import BuiltExperiment, Environment, Experiment, Requirement
    from .http import HttpClient, NetworkSettings
    from .inputs import Inputs, Point, linspace
    from .layout import Layout
    from .manifest import DIGEST_LABEL, Manifest
    from .naming import is_dns_subdomain, nearest
    from .offline import HeldRequest, OfflineError, OfflinePhase, offline_phase
    from .options import OptionRow
    from .patience import Strain
    from .provisioning import provision
    from .quantity import parse_quantity
    from .reading import LARGEST_DOCUMENT, MIB, parse_json, read_file, read_text
    from .submitting import Desk, submit_once
    from .variables import Unresolved
    from .words import counted

_LATER = {
    "Session": "commands",
    "Console": "console",
    "Connection": "container",
    "ExperimentContainer": "container",
    "build_container": "container",
    "connect": "container",
    "BuiltExperiment": "experiment",
    "Environment": "experiment",
    "Experiment": "experiment",
    "Requirement": "experiment",
    "HttpClient": "http",
    "NetworkSettings": "http",
    "Inputs": "inputs",
    "Point": "inputs",
    "linspace": "inputs",
    "Layout": "layout",
    "DIGEST_LABEL": "manifest",
    "Manifest": "manifest",
    "is_dns_subdomain": "naming",
    "nearest": "naming",
    "HeldRequest": "offline",
    "OfflineError": "offline",
    "OfflinePhase": "offline",
    "offline_phase": "offline",
    "OptionRow": "options",
    "Strain": "patience",
    "provision": "provisioning",
    "parse_quantity": "quantity",
    "LARGEST_DOCUMENT": "reading",
    "MIB": "reading",
    "parse_json": "reading",
    "read_file": "reading",
    "read_text": "reading",
    "Desk": "submitting",
    "submit_once": "submitting",
    "Unresolved": "variables",
    "counted": "words",
}
"""Names that `hera-k8s --help` does without: their modules are imported on first use."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_LATER[name]}", __name__), name)
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
    "Credential",
    "CredentialError",
    "CredentialProvider",
    "Demand",
    "Desk",
    "Engine",
    "Environment",
    "ExecutionEngine",
    "Experiment",
    "ExperimentContainer",
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
    "Naming",
    "NetworkSettings",
    "NoCredential",
    "NodeState",
    "NotApplicable",
    "OfflineError",
    "OfflinePhase",
    "OptionRow",
    "OptionsError",
    "Platform",
    "PlatformError",
    "PlatformKey",
    "PluginError",
    "Point",
    "Replacement",
    "RequestGuard",
    "Requirement",
    "ResourceChecker",
    "RunOver",
    "RunSummary",
    "RunUpdate",
    "ScriptExit",
    "Session",
    "Site",
    "Strain",
    "Struct",
    "Submission",
    "SubmissionUnknown",
    "SubmitError",
    "SubmittedInPart",
    "Trouble",
    "Unresolved",
    "Verdict",
    "WorkflowFailed",
    "__version__",
    "argo_server",
    "build_container",
    "cluster",
    "connect",
    "counted",
    "fail",
    "hookimpl",
    "is_dns_subdomain",
    "k8s_cluster",
    "linspace",
    "listed",
    "nearest",
    "num_exp_environment",
    "offline_phase",
    "ok",
    "option",
    "parse_arguments",
    "parse_json",
    "parse_quantity",
    "parser",
    "provision",
    "read_file",
    "read_text",
    "submit_once",
    "unknown",
    "warn",
]
