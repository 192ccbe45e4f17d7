"""The hook kernel: the hooks, the records that they return, and the manager that loads plugins."""

from typing import TYPE_CHECKING

from hera_k8s_utils._public import names_of

if TYPE_CHECKING:
    from hera_k8s_utils.plugins.clients import ARGO, KUBERNETES, Argo, Kubernetes, PlatformKey, Scope
    from hera_k8s_utils.plugins.context import Context
    from hera_k8s_utils.plugins.credentials import Credential
    from hera_k8s_utils.plugins.hookspecs import HOOK_API, hookimpl
    from hera_k8s_utils.plugins.option_admission import admit
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

__getattr__ = names_of(
    __name__,
    {
        "clients": ["ARGO", "KUBERNETES", "Argo", "Kubernetes", "PlatformKey", "Scope"],
        "context": ["Context"],
        "credentials": ["Credential"],
        "hookspecs": ["HOOK_API", "hookimpl"],
        "option_admission": ["admit"],
        "records": [
            "Command",
            "CredentialProvider",
            "Engine",
            "ExecutionEngine",
            "LifecycleEvent",
            "Platform",
            "ResourceChecker",
            "Site",
        ],
    },
)

__all__ = [
    "ARGO",
    "HOOK_API",
    "KUBERNETES",
    "Argo",
    "Command",
    "Context",
    "Credential",
    "CredentialProvider",
    "Engine",
    "ExecutionEngine",
    "Kubernetes",
    "LifecycleEvent",
    "Platform",
    "PlatformKey",
    "ResourceChecker",
    "Scope",
    "Site",
    "admit",
    "hookimpl",
]
