"""Tables: the columns in which `kubectl get` prints each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, Final

from hera_k8s_sandbox.clock import CLOCK
from hera_k8s_sandbox.resources import (
    CLAIMS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    CRON_WORKFLOWS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    EVENTS,
    JOBS,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUMES,
    PODS,
    REPLICA_SETS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STORAGE_CLASSES,
    WORKFLOWS,
    Resource,
)
from hera_k8s_sandbox.store import Entry
from hera_k8s_sandbox.workflows.jsonpath import JsonPathError, found_at

Json = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """One column; priority 1 shows with `-o wide` only."""

    name: str
    cell: Callable[[Json], object]
    priority: int = 0
    type: str = "string"
    format: str = ""
    description: str = ""


def table(resource: Resource, entries: Iterable[Entry], *, objects: str, version: int | None) -> Json:
    """The entries as a meta.k8s.io/v1 Table.

    objects: what each row carries: `None`, `Metadata` or `Object`. version: of the list; None inside a watch.
    """
    columns = COLUMNS.get(resource) or tuple(_defined_columns(resource)) or (_AGE,)
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
        told = column.get("description") or f"Custom resource definition column (in JSONPath format): {path}"
        read = _age_of(path.lstrip("."), None) if kind == "date" else _cell_of(path)
        yield Column(column["name"], read, column.get("priority", 0), kind, column.get("format", ""), told)


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


def age(text: str | None) -> str:
    """How long ago a time was, in the short form of kubectl: 45s, 3m20s, 5h, 2d."""
    return duration(max(0, int(CLOCK.now() - _seconds_of(text)))) if text else "<unknown>"


def _seconds_of(text: str) -> float:
    """A time as clients write it, with or without parts of a second, in seconds since the epoch."""
    return datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()


def duration(seconds: int) -> str:
    """A duration in the short form of kubectl; seconds: whole."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    return f"{days}d" if days < 730 else f"{days // 365}y{days % 365}d"


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


def _path(path: str, default: object = "") -> Callable[[Json], object]:
    def cell(obj: Json) -> object:
        value: Any = obj
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return default if value is None else value

    return cell


def _age_of(path: str, default: object = "<unknown>") -> Callable[[Json], object]:
    read = _path(path)
    return lambda obj: age(str(read(obj))) if read(obj) else default


def _joined(path: str) -> Callable[[Json], object]:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    read = _path(path, ())
    return lambda obj: ",".join(short.get(mode, mode) for mode in read(obj))  # type: ignore[attr-defined]


def _number_of(*paths: str) -> Callable[[Json], object]:
    reads = [_path(path, {}) for path in paths]
    return lambda obj: sum(len(read(obj)) for read in reads)  # type: ignore[misc, arg-type]


def _ready(pod: Json) -> str:
    statuses = pod.get("status", {}).get("containerStatuses") or []
    ready = sum(bool(one.get("ready")) for one in statuses)
    return f"{ready}/{len(pod['spec'].get('containers') or ())}"


def _pod_status(pod: Json) -> str:
    status = pod.get("status") or {}
    if "deletionTimestamp" in pod["metadata"]:
        return "Terminating"
    if init := _init_status(pod):
        return init
    for one in status.get("containerStatuses") or ():
        state = one.get("state") or {}
        reason = (state.get("waiting") or {}).get("reason") or (state.get("terminated") or {}).get("reason")
        if reason:
            return str(reason)
    return str(status.get("reason") or status.get("phase") or "Unknown")


def _init_status(pod: Json) -> str:
    """How far the init containers are; empty when the others have their turn."""
    status, specs = pod.get("status") or {}, pod["spec"].get("initContainers") or ()
    told = {one["name"]: one for one in status.get("initContainerStatuses") or ()}
    for number, container in enumerate(specs if told else ()):
        one = told.get(container["name"]) or {}
        state = one.get("state") or {}
        end, waiting = state.get("terminated"), (state.get("waiting") or {}).get("reason")
        if (end and end["exitCode"] == 0) or (container.get("restartPolicy") == "Always" and one.get("started")):
            continue
        if container.get("restartPolicy") == "Always" and end:
            continue
        if end:
            return f"Init:{end.get('reason') or 'ExitCode:' + str(end['exitCode'])}"
        if waiting and waiting != "PodInitializing":
            return f"Init:{waiting}"
        return f"Init:{number}/{len(specs)}"
    return ""


def _restarts(pod: Json) -> int:
    status = pod.get("status", {})
    told = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return sum(one.get("restartCount", 0) for one in told)


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


def _job_status(job: Json) -> str:
    conditions = job.get("status", {}).get("conditions") or ()
    true = {one["type"] for one in conditions if one["status"] == "True"}
    if "Complete" in true or "Failed" in true:
        return "Complete" if "Complete" in true else "Failed"
    if "deletionTimestamp" in job["metadata"]:
        return "Terminating"
    for kind in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if kind in true:
            return kind
    return "Running"


def _completions(job: Json) -> str:
    spec, done = job["spec"], job.get("status", {}).get("succeeded", 0)
    if spec.get("completions") is not None:
        return f"{done}/{spec['completions']}"
    parallelism = spec.get("parallelism", 0)
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def _job_duration(job: Json) -> str:
    """How long a job took; of one that has failed, how long ago it began."""
    status = job.get("status") or {}
    if not status.get("startTime"):
        return ""
    if not status.get("completionTime"):
        return age(status["startTime"])
    return duration(int(_seconds_of(status["completionTime"]) - _seconds_of(status["startTime"])))


def _template(job: Json, field: str) -> str:
    return ",".join(str(one.get(field, "")) for one in job["spec"]["template"]["spec"].get("containers") or ())


def _selector(job: Json) -> str:
    selector = job["spec"].get("selector") or {}
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    return ",".join(terms) or "<none>"


def _told(obj: Json, field: str) -> int:
    return int((obj.get("status") or {}).get(field) or 0)


def _pairs(labels: Json) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or "<none>"


def _external_address(service: Json) -> str:
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName"))
    return ",".join(spec.get("externalIPs") or ()) or ("<pending>" if spec.get("type") == "LoadBalancer" else "<none>")


def _ports(service: Json) -> str:
    shown = []
    for one in service["spec"].get("ports") or ():
        node = f":{one['nodePort']}" if one.get("nodePort") else ""
        shown.append(f"{one['port']}{node}/{one.get('protocol', 'TCP')}")
    return ",".join(shown) or "<none>"


def _addresses(endpoints: Json) -> str:
    found = [
        f"{address['ip']}:{port['port']}" if port else str(address["ip"])
        for subset in endpoints.get("subsets") or ()
        for port in subset.get("ports") or (None,)
        for address in subset.get("addresses") or ()
    ]
    return _first(found)


def _slice_addresses(slice_: Json) -> str:
    return _first(
        [address for one in slice_.get("endpoints") or () for address in one.get("addresses") or ()], "<unset>"
    )


def _slice_ports(slice_: Json) -> str:
    return _first([str(one.get("port", "*")) for one in slice_.get("ports") or ()], "<unset>")


def _first(found: list[str], nothing: str = "<none>") -> str:
    """Three of many, and how many more there are."""
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    return ",".join(found[:3]) + more or nothing


def _class_name(storage_class: Json) -> str:
    annotations = storage_class["metadata"].get("annotations") or {}
    default = annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
    return f"{storage_class['metadata']['name']}{' (default)' if default else ''}"


def _node_status(node: Json) -> str:
    conditions = node.get("status", {}).get("conditions") or ()
    return "Ready" if any(one["type"] == "Ready" and one["status"] == "True" for one in conditions) else "NotReady"


_NAME: Final = Column(
    "Name",
    lambda obj: _class_name(obj) if obj["kind"] == "StorageClass" else obj["metadata"]["name"],
    format="name",
)
_AGE: Final = Column("Age", _age_of("metadata.creationTimestamp"))
_BINDING: Final = (
    Column("Role", _role),
    _AGE,
    Column("Users", _subjects("User"), priority=1),
    Column("Groups", _subjects("Group"), priority=1),
    Column("ServiceAccounts", _subjects("ServiceAccount"), priority=1),
)

COLUMNS: Final[Mapping[Resource, tuple[Column, ...]]] = {
    CONFIG_MAPS: (Column("Data", _number_of("data", "binaryData")), _AGE),
    SECRETS: (Column("Type", _path("type")), Column("Data", _number_of("data")), _AGE),
    CLAIMS: (
        Column("Status", _path("status.phase")),
        Column("Volume", _path("spec.volumeName")),
        Column("Capacity", _path("status.capacity.storage")),
        Column("Access Modes", _joined("status.accessModes")),
        Column("StorageClass", _path("spec.storageClassName")),
        Column("VolumeAttributesClass", _path("spec.volumeAttributesClassName", "<unset>")),
        _AGE,
        Column("VolumeMode", _path("spec.volumeMode"), priority=1),
    ),
    PERSISTENT_VOLUMES: (
        Column("Capacity", _path("spec.capacity.storage")),
        Column("Access Modes", _joined("spec.accessModes")),
        Column("Reclaim Policy", _path("spec.persistentVolumeReclaimPolicy")),
        Column("Status", _path("status.phase")),
        Column("Claim", _bound_claim),
        Column("StorageClass", _path("spec.storageClassName")),
        _AGE,
    ),
    STORAGE_CLASSES: (
        Column("Provisioner", _path("provisioner")),
        Column("ReclaimPolicy", _path("reclaimPolicy")),
        Column("VolumeBindingMode", _path("volumeBindingMode")),
        Column("AllowVolumeExpansion", _path("allowVolumeExpansion", False)),
        _AGE,
    ),
    SERVICE_ACCOUNTS: (_AGE,),
    PODS: (
        Column("Ready", _ready),
        Column("Status", _pod_status),
        Column("Restarts", _restarts),
        _AGE,
        Column("IP", _path("status.podIP", "<none>"), priority=1),
        Column("Node", _path("spec.nodeName", "<none>"), priority=1),
    ),
    EVENTS: (
        Column("Last Seen", _age_of("lastTimestamp")),
        Column("Type", _path("type")),
        Column("Reason", _path("reason")),
        Column("Object", _involved),
        Column("Source", _path("source.component"), priority=1),
        Column("Message", lambda event: str(event.get("message") or "").strip()),
        Column("First Seen", _age_of("firstTimestamp"), priority=1),
        Column("Count", _path("count", 1), priority=1, type="integer"),
        replace(_NAME, priority=1),
    ),
    JOBS: (
        Column("Status", _job_status),
        Column("Completions", _completions),
        Column("Duration", _job_duration),
        _AGE,
        Column("Containers", lambda job: _template(job, "name"), priority=1),
        Column("Images", lambda job: _template(job, "image"), priority=1),
        Column("Selector", _selector, priority=1),
    ),
    REPLICA_SETS: (
        Column("Desired", _path("spec.replicas", 0), type="integer"),
        Column("Current", _path("status.replicas", 0), type="integer"),
        Column("Ready", _path("status.readyReplicas", 0), type="integer"),
        _AGE,
        Column("Containers", lambda owner: _template(owner, "name"), priority=1),
        Column("Images", lambda owner: _template(owner, "image"), priority=1),
        Column("Selector", _selector, priority=1),
    ),
    DEPLOYMENTS: (
        Column("Ready", lambda obj: f"{_told(obj, 'readyReplicas')}/{obj['spec'].get('replicas', 0)}"),
        Column("Up-to-date", _path("status.updatedReplicas", 0), type="integer"),
        Column("Available", _path("status.availableReplicas", 0), type="integer"),
        _AGE,
        Column("Containers", lambda owner: _template(owner, "name"), priority=1),
        Column("Images", lambda owner: _template(owner, "image"), priority=1),
        Column("Selector", _selector, priority=1),
    ),
    SERVICES: (
        Column("Type", _path("spec.type")),
        Column("Cluster-IP", _path("spec.clusterIP", "<none>")),
        Column("External-IP", _external_address),
        Column("Port(s)", _ports),
        _AGE,
        Column("Selector", lambda service: _pairs(service["spec"].get("selector") or {}), priority=1),
    ),
    ENDPOINTS: (Column("Endpoints", _addresses), _AGE),
    ENDPOINT_SLICES: (
        Column("AddressType", _path("addressType")),
        Column("Ports", _slice_ports),
        Column("Endpoints", _slice_addresses),
        _AGE,
    ),
    NAMESPACES: (Column("Status", _path("status.phase")), _AGE),
    NODES: (
        Column("Status", _node_status),
        Column("Roles", lambda _: "<none>"),
        _AGE,
        Column("Version", _path("status.nodeInfo.kubeletVersion")),
    ),
    CUSTOM_RESOURCE_DEFINITIONS: (Column("Created At", _path("metadata.creationTimestamp"), type="date"),),
    ROLES: (Column("Created At", _path("metadata.creationTimestamp")),),
    CLUSTER_ROLES: (Column("Created At", _path("metadata.creationTimestamp")),),
    ROLE_BINDINGS: _BINDING,
    CLUSTER_ROLE_BINDINGS: _BINDING,
    WORKFLOWS: (
        Column("Status", _path("status.phase")),
        Column("Age", _age_of("status.startedAt", None), type="date"),
        Column("Message", _path("status.message")),
    ),
    CRON_WORKFLOWS: (Column("Schedule", _path("spec.schedule")), _AGE),
}
