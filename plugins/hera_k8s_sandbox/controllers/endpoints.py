"""Endpoints: which ready pods stand behind a service, in the old form and in slices.

Traffic to a service's address is not forwarded: all pods have this machine's loopback for an address.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

from hera_k8s_sandbox.controllers.jobs.pods import has_ended, is_ready
from hera_k8s_sandbox.controllers.owner_references import controller_of, reference_to
from hera_k8s_sandbox.controllers.work_queue import Key, WorkQueue
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.labels import SERVICE_NAME
from hera_k8s_sandbox.foundation.resource_types import ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES
from hera_k8s_sandbox.foundation.selectors import labels_of
from hera_k8s_sandbox.kubelet.pod_context import containers_of
from hera_k8s_sandbox.operations import operations
from hera_k8s_sandbox.operations.service_addresses import HEADLESS
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.informer import reconcile
from hera_k8s_sandbox.store.store import Event
from hera_k8s_utils._types import Json

_SLICES_BY: Final = {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
_ENDPOINTS_BY: Final = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}
_HEADLESS_MARK: Final = "service.kubernetes.io/headless"
_TRIGGERED: Final = "endpoints.kubernetes.io/last-change-trigger-time"


class EndpointsController:
    """Keeps the Endpoints and EndpointSlices of a sandbox's services."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._store = state.store
        self._queue = WorkQueue("service", self._sync)
        self._triggers: dict[
            Key, dict[str, str]
        ] = {}  # when what is behind a service last became or ceased to be ready
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start to watch, beginning with the objects that exist."""
        work = (reconcile(self._store, SERVICES, self._take), reconcile(self._store, PODS, self._take_pod))
        self._tasks = [asyncio.create_task(each) for each in work]

    async def stop(self) -> None:
        """Look at nothing any more."""
        self._queue.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self, event: Event) -> None:
        if event.type != "DELETED":
            self._queue.enqueue(event.entry.key)
            return
        self._queue.forget(event.entry.key)
        self._triggers.pop(event.entry.key, None)
        with contextlib.suppress(ApiError):  # it had no selector, and so none
            operations.delete(self._state, ENDPOINTS, *event.entry.key)

    def _take_pod(self, event: Event) -> None:
        namespace = event.entry.meta["namespace"]
        for entry in self._store.entries(SERVICES, namespace):
            selector = _selector_of(entry.object)
            if selector is None:
                continue
            if selector.matches(event.entry.label) or self._is_listed(entry.key, event.entry.meta["name"]):
                self._queue.enqueue(entry.key)  # it is behind the service, or was

    def _is_listed(self, key: Key, pod: str) -> bool:
        return any(
            (one.get("targetRef") or {}).get("name") == pod
            for slice_ in self._slices(key)
            for one in slice_.get("endpoints") or ()
        )

    def _slices(self, key: Key) -> list[Json]:
        service = self._store.find(SERVICES, *key)
        if service is None:
            return []
        dependents = self._store.dependents(service["metadata"]["uid"])
        return [entry.object for entry in dependents if entry.resource is ENDPOINT_SLICES]

    def _sync(self, key: Key) -> float | None:
        service = self._store.get(SERVICES, *key)
        selector = _selector_of(service)
        if selector is None or "deletionTimestamp" in service["metadata"]:
            return None
        pods = [
            entry.object
            for entry in self._store.entries(PODS, key[0], labels=selector)
            if (entry.object.get("status") or {}).get("podIP") and not has_ended(entry.object)
        ]
        groups = _grouped(service, pods)
        trigger = self._trigger(key, service, pods)
        self._write_endpoints(service, groups, trigger)
        self._write_slices(service, groups, trigger)
        return None

    def _trigger(self, key: Key, service: Json, pods: list[Json]) -> Json:
        """The annotation with the time of the change that triggered the write, if known."""
        now = {"": service["metadata"]["creationTimestamp"]} | {pod["metadata"]["name"]: _since(pod) for pod in pods}
        before = self._triggers.get(key, {})
        self._triggers[key] = now
        times = [time for name, time in now.items() if time and before.get(name) != time]
        return {_TRIGGERED: min(times)} if times else {}

    def _write_endpoints(self, service: Json, groups: list[_Group], trigger: Json) -> None:
        meta = service["metadata"]
        subsets = [subset for group in groups if (subset := _subset(service, group))]
        labels = {**(meta.get("labels") or {}), **_ENDPOINTS_BY}
        if service["spec"].get("clusterIP") == HEADLESS:
            labels[_HEADLESS_MARK] = ""
        found = self._store.find(ENDPOINTS, meta["namespace"], meta["name"])
        if found is not None and found.get("subsets", []) == subsets and found["metadata"].get("labels") == labels:
            return
        if found is None:
            made: Json = {"metadata": {"name": meta["name"], "labels": labels, "annotations": trigger}}
            operations.create(
                self._state, ENDPOINTS, meta["namespace"], made | ({"subsets": subsets} if subsets else {})
            )
            return

        def write(obj: Json) -> None:
            obj["metadata"]["labels"] = labels
            _retrigger(obj, trigger)
            obj.pop("subsets", None)
            obj |= {"subsets": subsets} if subsets else {}

        self._store.change(ENDPOINTS, meta["namespace"], meta["name"], write)

    def _write_slices(self, service: Json, groups: list[_Group], trigger: Json) -> None:
        """One slice for each set of ports; what is left of others goes."""
        meta = service["metadata"]
        left = [one for one in self._slices((meta["namespace"], meta["name"])) if controller_of(one) is not None]
        labels = {**(meta.get("labels") or {}), **_SLICES_BY, SERVICE_NAME: meta["name"]}
        if service["spec"].get("clusterIP") == HEADLESS:
            labels[_HEADLESS_MARK] = ""
        for group in groups or [_Group(None, [])]:
            endpoints = [_endpoint(service, pod) for pod in group.pods]
            known = next((one for one in left if one["ports"] == group.ports), left[0] if left else None)
            if known is None:
                self._create_slice(service, labels, endpoints, group.ports, trigger)
                continue
            left.remove(known)
            if (known["endpoints"], known["ports"], known["metadata"]["labels"]) == (endpoints, group.ports, labels):
                continue

            def write(obj: Json, endpoints: list[Json] = endpoints, ports: list[Json] | None = group.ports) -> None:
                obj["metadata"]["labels"] = labels
                _retrigger(obj, trigger)
                obj |= {"endpoints": endpoints, "ports": ports}

            self._store.change(ENDPOINT_SLICES, meta["namespace"], known["metadata"]["name"], write)
        for one in left:
            with contextlib.suppress(ApiError):  # gone already
                operations.delete(self._state, ENDPOINT_SLICES, meta["namespace"], one["metadata"]["name"])

    def _create_slice(
        self, service: Json, labels: Json, endpoints: list[Json], ports: list[Json] | None, trigger: Json
    ) -> None:
        meta = service["metadata"]
        made: Json = {
            "metadata": {
                "generateName": f"{meta['name']}-",
                "labels": labels,
                "annotations": trigger,
                "ownerReferences": [reference_to(SERVICES, service)],
            },
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": ports,
        }
        operations.create(self._state, ENDPOINT_SLICES, meta["namespace"], made)


class _Group:
    """Pods that serve on the same ports."""

    def __init__(self, ports: list[Json] | None, pods: list[Json]) -> None:
        self.ports = ports
        self.pods = pods


def _selector_of(service: Json) -> Any:
    spec = service["spec"]
    if spec.get("type") == "ExternalName" or not spec.get("selector"):
        return None
    return labels_of({"matchLabels": spec["selector"]})


def _grouped(service: Json, pods: list[Json]) -> list[_Group]:
    """Pods by the numbers of their ports: a port that is asked for by name may differ from pod to pod."""
    groups: list[_Group] = []
    for pod in pods:
        ports = [found for port in service["spec"].get("ports") or () if (found := _port(port, pod)) is not None]
        if service["spec"].get("ports") and not ports:
            continue
        group = next((one for one in groups if one.ports == ports), None)
        if group is None:
            groups.append(_Group(ports, [pod]))
        else:
            group.pods.append(pod)
    return groups


def _port(port: Json, pod: Json) -> Json | None:
    target = port.get("targetPort", port["port"])
    if not isinstance(target, int):
        named = [one for container in containers_of(pod) for one in container.get("ports") or ()]
        target = next(
            (
                one["containerPort"]
                for one in named
                if one.get("name") == target and one.get("protocol", "TCP") == port["protocol"]
            ),
            None,
        )
    if target is None:
        return None
    found = {"name": port.get("name", ""), "port": target, "protocol": port["protocol"]}
    return found | ({"appProtocol": port["appProtocol"]} if port.get("appProtocol") else {})


def _since(pod: Json) -> str:
    """When a pod last became or ceased to be ready; empty when it does not say."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((str(one.get("lastTransitionTime") or "") for one in conditions if one["type"] == "Ready"), "")


def _retrigger(obj: Json, trigger: Json) -> None:
    annotations = obj["metadata"].setdefault("annotations", {})
    annotations.pop(_TRIGGERED, None)
    annotations |= trigger
    if not annotations:
        del obj["metadata"]["annotations"]


def _target(pod: Json) -> Json:
    meta = pod["metadata"]
    return {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}


def _endpoint(service: Json, pod: Json) -> Json:
    leaves = "deletionTimestamp" in pod["metadata"]
    serving = is_ready(pod)
    ready = bool(service["spec"].get("publishNotReadyAddresses")) or (serving and not leaves)
    made: Json = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": serving, "terminating": leaves},
        "targetRef": _target(pod),
    }
    if pod["spec"].get("nodeName"):
        made["nodeName"] = pod["spec"]["nodeName"]
    if pod["spec"].get("hostname") and pod["spec"].get("subdomain") == service["metadata"]["name"]:
        made["hostname"] = pod["spec"]["hostname"]
    return made


def _subset(service: Json, group: _Group) -> Json:
    """The subset of an Endpoints object that lists these pods; empty for none."""
    ready: list[Json] = []
    others: list[Json] = []
    for pod in group.pods:
        if "deletionTimestamp" in pod["metadata"] and not service["spec"].get("publishNotReadyAddresses"):
            continue
        address: Json = {"ip": pod["status"]["podIP"], "targetRef": _target(pod)}
        if pod["spec"].get("nodeName"):
            address["nodeName"] = pod["spec"]["nodeName"]
        is_told = is_ready(pod) or service["spec"].get("publishNotReadyAddresses")
        (ready if is_told else others).append(address)
    ports = [{key: value for key, value in one.items() if value != ""} for one in group.ports or ()]
    made = {"addresses": ready, "notReadyAddresses": others, "ports": ports}
    return {key: value for key, value in made.items() if value} if ready or others else {}
