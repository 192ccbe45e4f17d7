"""Write a numerical experiment once, as Hera code, and run it on any Kubernetes cluster.

    from hera_k8s_utils import Experiment, Inputs, build_container, linspace

What plugins declare is in `hera_k8s_utils.declarations`, their hooks in `hera_k8s_utils.hookspecs`; both are here too.
"""

from __future__ import annotations

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
    SubmissionUnknown,
    SubmitError,
    Trouble,
    WorkflowFailed,
)
from .hookspecs import HOOK_API, hookimpl
from .k8s_cluster import cluster, k8s_cluster
from .num_exp_environment import Struct, num_exp_environment
from .options import option
from .parser import parse_arguments, parser
from .platforms import ARGO, KUBERNETES, Argo, Kubernetes, PlatformKey

if TYPE_CHECKING:
    from .commands import Session
    from .container import build_container, connect
    from .experiment import BuiltExperiment, Environment, Experiment, Requirement
    from .http import HttpClient, NetworkSettings
    from .inputs import Inputs, Point, linspace
    from .layout import Layout
    from .manifest import Manifest
    from .provisioning import provision
    from .variables import Unresolved

_LATER = {
    "Session": "commands",
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
    "Manifest": "manifest",
    "provision": "provisioning",
    "Unresolved": "variables",
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
    "HOOK_API",
    "KUBERNETES",
    "Argo",
    "BuildError",
    "BuiltExperiment",
    "CheckResult",
    "ChecksFailed",
    "Command",
    "Context",
    "Credential",
    "CredentialError",
    "CredentialProvider",
    "Demand",
    "Engine",
    "Environment",
    "ExecutionEngine",
    "Experiment",
    "Finding",
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
    "OptionsError",
    "Platform",
    "PlatformError",
    "PlatformKey",
    "PluginError",
    "Point",
    "Requirement",
    "ResourceChecker",
    "RunOver",
    "RunSummary",
    "RunUpdate",
    "Session",
    "Site",
    "Struct",
    "Submission",
    "SubmissionUnknown",
    "SubmitError",
    "Trouble",
    "Unresolved",
    "Verdict",
    "WorkflowFailed",
    "__version__",
    "argo_server",
    "build_container",
    "cluster",
    "connect",
    "fail",
    "hookimpl",
    "k8s_cluster",
    "linspace",
    "num_exp_environment",
    "ok",
    "option",
    "parse_arguments",
    "parser",
    "provision",
    "unknown",
    "warn",
]
