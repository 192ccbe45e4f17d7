"""Pods on a sandbox: short manifests, creation, and waiting by watch."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from sandbox_api import Api, make_namespace

Json = dict[str, Any]
WAIT = 25  # seconds for a pod to come to a state
LOOP = "while :; do sleep 0.02; done"


def container(command: str = "true", name: str = "main", **more: Any) -> Json:
    """A container that runs a line of shell."""
    return {"name": name, "image": "busybox", "command": ["sh", "-c", command], **more}


class Pods:
    """The pods of one namespace of a sandbox, which is made for them."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.space = make_namespace(api, f"t-{uuid.uuid4().hex[:12]}")
        self.namespace = self.space.rpartition("/")[2]
        self.path = f"{self.space}/pods"

    def create(self, *containers: Json, name: str = "", metadata: Json | None = None, **spec: Any) -> str:
        """Create a pod that runs once unless its specification says otherwise; its name."""
        meta = {"name": name or f"p-{uuid.uuid4().hex[:8]}"} | (metadata or {})
        body = {"metadata": meta, "spec": {"restartPolicy": "Never", "containers": list(containers)} | spec}
        return str(self.api.create(self.path, body)["metadata"]["name"])

    def remove(self) -> None:
        """End them all, so that they do not take the places of others."""
        self.api.send("DELETE", f"{self.path}?gracePeriodSeconds=0")

    def get(self, name: str) -> Json:
        """The pod."""
        return self.api.get(f"{self.path}/{name}")

    def until(self, name: str, condition: Callable[[Json], Any]) -> Json:
        """Wait until a state of the pod satisfies a condition; that state."""
        path = f"{self.path}?watch=true&timeoutSeconds={WAIT}&fieldSelector=metadata.name={name}"
        last: Json = {}
        for event in self.api.watch(path):
            last = event["object"]
            if event["type"] != "DELETED" and condition(last):
                return dict(last)
        raise AssertionError(f"the pod has not come so far: {last.get('status')}")

    def until_gone(self, name: str) -> Json:
        """Wait until the pod is gone; its last state."""
        path = f"{self.path}?watch=true&timeoutSeconds={WAIT}&fieldSelector=metadata.name={name}"
        for event in self.api.watch(path):
            if event["type"] == "DELETED":
                return dict(event["object"])
        raise AssertionError("the pod is still there")

    def until_told(self, name: str, reason: str, message: str) -> None:
        """Wait until an event about the pod tells this."""
        path = f"{self.space}/events?watch=true&timeoutSeconds={WAIT}&fieldSelector=involvedObject.name={name}"
        told = []
        for event in self.api.watch(path):
            told.append((event["object"]["reason"], event["object"]["message"]))
            if told[-1] == (reason, message):
                return
        raise AssertionError(f"told was only {told}")

    def finish(self, name: str) -> Json:
        """Wait for the end; the pod."""
        return self.until(name, lambda pod: pod["status"]["phase"] in ("Succeeded", "Failed"))

    def run(self, *containers: Json, **more: Any) -> Json:
        """Create a pod and wait for its end."""
        return self.finish(self.create(*containers, **more))

    def log(self, name: str, query: str = "") -> list[str]:
        """The lines of a container's log."""
        answer = self.api.send("GET", f"{self.path}/{name}/log?{query}")
        assert answer.ok, answer.text
        return answer.text.splitlines()

    def says(self, command: str, **more: Any) -> list[str]:
        """What a line of shell writes in a pod that must succeed; of: the container; the rest is the pod's."""
        pod = self.run(container(command, **more.pop("of", {})), **more)
        lines = self.log(pod["metadata"]["name"])
        assert pod["status"]["phase"] == "Succeeded", (pod["status"], lines)
        return lines

    def events(self, name: str) -> list[tuple[str, str]]:
        """Reasons and messages of what is told about the pod."""
        found = self.api.get(f"{self.space}/events?fieldSelector=involvedObject.name%3D{name}")
        return [(one["reason"], one["message"]) for one in found["items"]]


def status_of(pod: Json, name: str = "main") -> Json:
    """The status of one container."""
    status = pod["status"]
    told = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return next((one for one in told if one["name"] == name), {})


def state_of(pod: Json, name: str = "main") -> Json:
    """The state of one container; empty while nothing is told of it."""
    return dict(status_of(pod, name).get("state") or {})


def conditions_of(pod: Json) -> dict[str, str]:
    """What holds of a pod, by the types of its conditions."""
    return {one["type"]: one["status"] for one in pod["status"].get("conditions") or ()}
