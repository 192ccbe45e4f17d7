"""Columns of pods, and of what makes them or leads to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hera_k8s_sandbox.apiserver.columns import AGE, Column, age, duration, path_of, seconds_of
from hera_k8s_sandbox.foundation.resource_types import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    JOBS,
    PODS,
    REPLICA_SETS,
    SERVICES,
    Resource,
)
from hera_k8s_utils._types import Json


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
    statuses = {one["name"]: one for one in status.get("initContainerStatuses") or ()}
    for number, container in enumerate(specs if statuses else ()):
        one = statuses.get(container["name"]) or {}
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
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return sum(one.get("restartCount", 0) for one in statuses)


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
    return duration(int(seconds_of(status["completionTime"]) - seconds_of(status["startTime"])))


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


WORKLOADS: Final[Mapping[Resource, tuple[Column, ...]]] = {
    PODS: (
        Column("Ready", _ready),
        Column("Status", _pod_status),
        Column("Restarts", _restarts),
        AGE,
        Column("IP", path_of("status.podIP", "<none>"), priority=1),
        Column("Node", path_of("spec.nodeName", "<none>"), priority=1),
    ),
    JOBS: (
        Column("Status", _job_status),
        Column("Completions", _completions),
        Column("Duration", _job_duration),
        AGE,
        Column("Containers", lambda job: _template(job, "name"), priority=1),
        Column("Images", lambda job: _template(job, "image"), priority=1),
        Column("Selector", _selector, priority=1),
    ),
    REPLICA_SETS: (
        Column("Desired", path_of("spec.replicas", 0), type="integer"),
        Column("Current", path_of("status.replicas", 0), type="integer"),
        Column("Ready", path_of("status.readyReplicas", 0), type="integer"),
        AGE,
        Column("Containers", lambda owner: _template(owner, "name"), priority=1),
        Column("Images", lambda owner: _template(owner, "image"), priority=1),
        Column("Selector", _selector, priority=1),
    ),
    DEPLOYMENTS: (
        Column("Ready", lambda obj: f"{_told(obj, 'readyReplicas')}/{obj['spec'].get('replicas', 0)}"),
        Column("Up-to-date", path_of("status.updatedReplicas", 0), type="integer"),
        Column("Available", path_of("status.availableReplicas", 0), type="integer"),
        AGE,
        Column("Containers", lambda owner: _template(owner, "name"), priority=1),
        Column("Images", lambda owner: _template(owner, "image"), priority=1),
        Column("Selector", _selector, priority=1),
    ),
    SERVICES: (
        Column("Type", path_of("spec.type")),
        Column("Cluster-IP", path_of("spec.clusterIP", "<none>")),
        Column("External-IP", _external_address),
        Column("Port(s)", _ports),
        AGE,
        Column("Selector", lambda service: _pairs(service["spec"].get("selector") or {}), priority=1),
    ),
    ENDPOINTS: (Column("Endpoints", _addresses), AGE),
    ENDPOINT_SLICES: (
        Column("AddressType", path_of("addressType")),
        Column("Ports", _slice_ports),
        Column("Endpoints", _slice_addresses),
        AGE,
    ),
}
