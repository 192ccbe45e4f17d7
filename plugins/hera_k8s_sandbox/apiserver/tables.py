"""Tables: the columns in which `kubectl get` prints each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from hera_k8s_sandbox.apiserver.columns import AGE, Column, age_of, path_of
from hera_k8s_sandbox.apiserver.workload_columns import WORKLOADS
from hera_k8s_sandbox.foundation.jsonpath import JsonPathError, found_at
from hera_k8s_sandbox.foundation.labels import IS_DEFAULT_CLASS
from hera_k8s_sandbox.foundation.resource_types import (
    CLAIMS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    CRON_WORKFLOWS,
    CUSTOM_RESOURCE_DEFINITIONS,
    EVENTS,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUMES,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    STORAGE_CLASSES,
    WORKFLOWS,
    Resource,
)
from hera_k8s_sandbox.store.store import Entry
from hera_k8s_utils._types import Json


def table(resource: Resource, entries: Iterable[Entry], *, objects: str, version: int | None) -> Json:
    """The entries as a meta.k8s.io/v1 Table.

    objects: what each row carries: `None`, `Metadata` or `Object`. version: of the list; None inside a watch.
    """
    columns = COLUMNS.get(resource) or tuple(_defined_columns(resource)) or (AGE,)
    if all(column.name != _NAME.name for column in columns):
        columns = (_NAME, *columns)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {} if version is None else {"resourceVersion": str(version)},
        "columnDefinitions": [_definition(column) for column in columns],
        "rows": [_row(columns, entry, objects) for entry in entries],
    }


def _defined_columns(resource: Resource) -> Iterator[Column]:
    """The columns that a definition asks for; the age, when it asks for none."""
    for column in resource.columns:
        path, kind = column["jsonPath"], column["type"]
        message = column.get("description") or f"Custom resource definition column (in JSONPath format): {path}"
        read = age_of(path.lstrip("."), None) if kind == "date" else _cell_of(path)
        yield Column(column["name"], read, column.get("priority", 0), kind, column.get("format", ""), message)


def _cell_of(path: str) -> Callable[[Json], object]:
    def cell(obj: Json) -> object:
        try:
            found = found_at(obj, path)
        except JsonPathError:  # leads nowhere in this object
            return None
        return found[0] if found else None

    return cell


def partial(entry: Entry) -> Json:
    """The entry as PartialObjectMetadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": entry.meta}


def _definition(column: Column) -> Json:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _row(columns: tuple[Column, ...], entry: Entry, objects: str) -> Json:
    row: Json = {"cells": [column.cell(entry.object) for column in columns]}
    if objects == "Object":
        row["object"] = entry.object
    elif objects != "None":
        row["object"] = partial(entry)
    return row


def _joined(path: str) -> Callable[[Json], object]:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    read = path_of(path, ())
    return lambda obj: ",".join(short.get(mode, mode) for mode in read(obj))  # type: ignore[attr-defined]


def _number_of(*paths: str) -> Callable[[Json], object]:
    reads = [path_of(path, {}) for path in paths]
    return lambda obj: sum(len(read(obj)) for read in reads)  # type: ignore[misc, arg-type]


def _involved(event: Json) -> str:
    about = event.get("involvedObject") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _bound_claim(volume: Json) -> str:
    claim = volume["spec"].get("claimRef") or {}
    return f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else ""


def _role(binding: Json) -> str:
    return f"{binding['roleRef']['kind']}/{binding['roleRef']['name']}"


def _subjects(kind: str) -> Callable[[Json], object]:
    def cell(binding: Json) -> str:
        found = [one for one in binding.get("subjects") or () if one.get("kind") == kind]
        if kind == "ServiceAccount":
            return ", ".join(f"{one.get('namespace', '')}/{one['name']}" for one in found)
        return ", ".join(one["name"] for one in found)

    return cell


def _class_name(storage_class: Json) -> str:
    annotations = storage_class["metadata"].get("annotations") or {}
    default = annotations.get(IS_DEFAULT_CLASS) == "true"
    return f"{storage_class['metadata']['name']}{' (default)' if default else ''}"


def _node_status(node: Json) -> str:
    conditions = node.get("status", {}).get("conditions") or ()
    return "Ready" if any(one["type"] == "Ready" and one["status"] == "True" for one in conditions) else "NotReady"


_NAME: Final = Column(
    "Name",
    lambda obj: _class_name(obj) if obj["kind"] == "StorageClass" else obj["metadata"]["name"],
    format="name",
)
_BINDING: Final = (
    Column("Role", _role),
    AGE,
    Column("Users", _subjects("User"), priority=1),
    Column("Groups", _subjects("Group"), priority=1),
    Column("ServiceAccounts", _subjects("ServiceAccount"), priority=1),
)

COLUMNS: Final[Mapping[Resource, tuple[Column, ...]]] = {
    **WORKLOADS,
    CONFIG_MAPS: (Column("Data", _number_of("data", "binaryData")), AGE),
    SECRETS: (Column("Type", path_of("type")), Column("Data", _number_of("data")), AGE),
    CLAIMS: (
        Column("Status", path_of("status.phase")),
        Column("Volume", path_of("spec.volumeName")),
        Column("Capacity", path_of("status.capacity.storage")),
        Column("Access Modes", _joined("status.accessModes")),
        Column("StorageClass", path_of("spec.storageClassName")),
        Column("VolumeAttributesClass", path_of("spec.volumeAttributesClassName", "<unset>")),
        AGE,
        Column("VolumeMode", path_of("spec.volumeMode"), priority=1),
    ),
    PERSISTENT_VOLUMES: (
        Column("Capacity", path_of("spec.capacity.storage")),
        Column("Access Modes", _joined("spec.accessModes")),
        Column("Reclaim Policy", path_of("spec.persistentVolumeReclaimPolicy")),
        Column("Status", path_of("status.phase")),
        Column("Claim", _bound_claim),
        Column("StorageClass", path_of("spec.storageClassName")),
        AGE,
    ),
    STORAGE_CLASSES: (
        Column("Provisioner", path_of("provisioner")),
        Column("ReclaimPolicy", path_of("reclaimPolicy")),
        Column("VolumeBindingMode", path_of("volumeBindingMode")),
        Column("AllowVolumeExpansion", path_of("allowVolumeExpansion", False)),
        AGE,
    ),
    SERVICE_ACCOUNTS: (AGE,),
    EVENTS: (
        Column("Last Seen", age_of("lastTimestamp")),
        Column("Type", path_of("type")),
        Column("Reason", path_of("reason")),
        Column("Object", _involved),
        Column("Source", path_of("source.component"), priority=1),
        Column("Message", lambda event: str(event.get("message") or "").strip()),
        Column("First Seen", age_of("firstTimestamp"), priority=1),
        Column("Count", path_of("count", 1), priority=1, type="integer"),
        replace(_NAME, priority=1),
    ),
    NAMESPACES: (Column("Status", path_of("status.phase")), AGE),
    NODES: (
        Column("Status", _node_status),
        Column("Roles", lambda _: "<none>"),
        AGE,
        Column("Version", path_of("status.nodeInfo.kubeletVersion")),
    ),
    CUSTOM_RESOURCE_DEFINITIONS: (Column("Created At", path_of("metadata.creationTimestamp"), type="date"),),
    ROLES: (Column("Created At", path_of("metadata.creationTimestamp")),),
    CLUSTER_ROLES: (Column("Created At", path_of("metadata.creationTimestamp")),),
    ROLE_BINDINGS: _BINDING,
    CLUSTER_ROLE_BINDINGS: _BINDING,
    WORKFLOWS: (
        Column("Status", path_of("status.phase")),
        Column("Age", age_of("status.startedAt", None), type="date"),
        Column("Message", path_of("status.message")),
    ),
    CRON_WORKFLOWS: (Column("Schedule", path_of("spec.schedule")), AGE),
}
