"""What a new sandbox holds: namespaces, storage classes, one node, roles, and the definitions of Argo's kinds."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from typing import Final

from hera_k8s_sandbox.foundation.labels import IS_DEFAULT_CLASS, REPLACES_OTHER_CLASSES
from hera_k8s_sandbox.foundation.resource_types import (
    CUSTOM_RESOURCE_DEFINITIONS,
    NAMESPACES,
    NODES,
    RESOURCES,
    STORAGE_CLASSES,
    Resource,
)
from hera_k8s_sandbox.operations import operations
from hera_k8s_sandbox.operations.volume_claims import PROVISIONER
from hera_k8s_sandbox.rbac.default_roles import aggregate, default_roles, executor_role
from hera_k8s_sandbox.schema.discovery import KUBERNETES_VERSION
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.store import now_text
from hera_k8s_utils._types import Json

NODE: Final = "sandbox"
_NAMESPACES: Final = ("default", "kube-system", "kube-public", "argo")
_RUN_WORKFLOWS: Final = ("default", "argo")  # namespaces whose account `default` may run workflows


def bootstrap(state: SandboxState) -> None:
    """Create what belongs to the server, and at the first start also what users may remove."""
    is_new = state.store.count(NAMESPACES) == 0
    for resource, obj in _furniture(is_new=is_new):
        meta = obj["metadata"]
        namespace = meta.get("namespace", "")
        if state.store.find(resource, namespace, meta["name"]) is not None:
            continue
        if "status" in obj:  # which the API does not take from a creator
            state.store.create(resource, obj)
        else:
            operations.create(state, resource, namespace, obj)
    aggregate(state.store)


def _furniture(*, is_new: bool) -> Iterator[tuple[Resource, Json]]:
    for name in _NAMESPACES if is_new else ():
        yield NAMESPACES, {"metadata": {"name": name}}
    yield from default_roles()
    for resource in RESOURCES:
        if resource.custom:
            yield CUSTOM_RESOURCE_DEFINITIONS, _definition(resource)
    yield NODES, _node()
    if not is_new:
        return
    yield STORAGE_CLASSES, _storage_class("standard", "Immediate", default=True)
    yield STORAGE_CLASSES, _storage_class("wait", "WaitForFirstConsumer")
    for namespace in _RUN_WORKFLOWS:
        yield from executor_role(namespace)


def _storage_class(name: str, binding: str, *, default: bool = False) -> Json:
    meta: Json = {"name": name}
    if default:
        meta["annotations"] = {IS_DEFAULT_CLASS: "true", REPLACES_OTHER_CLASSES: "true"}
    return {"metadata": meta, "provisioner": PROVISIONER, "volumeBindingMode": binding}


def _node() -> Json:
    capacity = {"cpu": str(os.cpu_count() or 1), "memory": f"{_memory_kib()}Ki", "pods": "110"}
    return {
        "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}},
        "spec": {},
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "SandboxReady",
                    "message": "this machine",
                    "lastHeartbeatTime": now_text(),
                    "lastTransitionTime": now_text(),
                }
            ],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": NODE}],
            "nodeInfo": {
                "architecture": platform.machine(),
                "bootID": "",
                "containerRuntimeVersion": "processes://1",
                "kernelVersion": platform.release(),
                "kubeProxyVersion": "",
                "kubeletVersion": KUBERNETES_VERSION,
                "machineID": "",
                "operatingSystem": platform.system().lower(),
                "osImage": platform.platform(),
                "systemUUID": "",
            },
        },
    }


def _memory_kib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024


def _definition(resource: Resource) -> Json:
    names: Json = {
        "plural": resource.plural,
        "singular": resource.singular,
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
    }
    if resource.short_names:
        names["shortNames"] = list(resource.short_names)
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    conditions = [
        {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now_text()}
        for kind, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
    return {
        "metadata": {"name": resource.qualified},
        "spec": {
            "group": resource.group,
            "names": names,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": [version],
            "conversion": {"strategy": "None"},
        },
        "status": {"acceptedNames": names, "conditions": conditions, "storedVersions": [resource.version]},
    }
