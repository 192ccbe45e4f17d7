"""An API server of a few lines that keeps Jobs and fails where a test says so."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from fault_server import Answer, FaultServer, Request, cut, reply

from hera_k8s_kube.client import KubernetesClient
from hera_k8s_kube.jobs import Jobs
from hera_k8s_utils import Credential
from hera_k8s_utils.network.http import NetworkSettings
from hera_k8s_utils.network.retry import RetryPolicy

Json = dict[str, Any]

JOBS = "/apis/batch/v1/namespaces/vcity/jobs"
PODS = "/api/v1/namespaces/vcity/pods"
HURRIED = RetryPolicy(max_failures=3, reset_after=3600, sleep=lambda seconds: None)
"""Waits for nothing, so that tests do not either."""


def job(name: str = "hello", command: str = "true", **spec: Any) -> Json:
    """A Job of one container."""
    container = {"name": "main", "image": "busybox", "command": ["sh", "-ec", command]}
    pod = {"restartPolicy": "Never", "containers": [container]}
    template = {"metadata": {"labels": {"app": "try"}}, "spec": pod}
    metadata = {"name": name, "labels": {"app": "try"}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {**spec, "template": template}}


def ended(kind: str = "Complete", **more: str) -> Json:
    """The status of a Job that is over."""
    return {"conditions": [{"type": kind, "status": "True", **more}]}


def event(kind: str, found: Json) -> str:
    """A line of a watch."""
    return json.dumps({"type": kind, "object": found})


def status(code: int, reason: str, message: str = "") -> Json:
    """A refusal as the API server words it."""
    said = {"status": "Failure", "code": code, "reason": reason, "message": message or reason}
    return {"kind": "Status", "apiVersion": "v1", **said}


class JobsPeer(FaultServer):
    """Creates, gives and lists Jobs; `on` puts a fault in the place of any of them."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Json] = {}
        self._versions = 100
        self._keeping = threading.Lock()
        self.otherwise = self._get
        self.on("POST", JOBS, self.accept)
        self.on("GET", JOBS, self.list)

    def keep(self, found: Json) -> Json:
        """Keep a Job as it is now, under the next version."""
        with self._keeping:
            self._versions += 1
            metadata = {**found["metadata"], "resourceVersion": str(self._versions)}
            metadata.setdefault("uid", f"uid-{metadata['name']}")
            self.kept[metadata["name"]] = {**found, "metadata": metadata}
            return self.kept[metadata["name"]]

    def accept(self, request: Request, handler: Any) -> None:
        """What the server does when all is well, a conflict of names included."""
        name = request.json()["metadata"]["name"]
        if name in self.kept:
            said = status(409, "AlreadyExists", f'jobs.batch "{name}" already exists')
            reply(409, said)(request, handler)
        else:
            reply(201, self.keep(request.json()))(request, handler)

    def accept_and_cut(self) -> Answer:
        """Create it, and lose the answer."""
        return cut(after=lambda request: self.keep(request.json()))

    def list(self, request: Request, handler: Any) -> None:
        """The Jobs, or a stream that ends at once."""
        items = list(self.kept.values())
        reply(200, {"kind": "JobList", "apiVersion": "batch/v1", "metadata": {}, "items": items})(request, handler)

    def watched(self, *streams: Answer) -> None:
        """Answer watches by these streams, one after another, and lists as they come in between."""
        waiting = list(streams)

        def answer(request: Request, handler: Any) -> None:
            if "watch" not in request.query:
                self.list(request, handler)
            else:
                (waiting.pop(0) if len(waiting) > 1 else waiting[0])(request, handler)

        self.on("GET", JOBS, answer)

    @property
    def watches(self) -> list[Request]:
        """The requests for streams, in order."""
        return [request for request in self.asked("GET", JOBS) if "watch" in request.query]

    def _get(self, request: Request, handler: Any) -> None:
        name = request.path.removeprefix(f"{JOBS}/")
        if request.method == "GET" and name in self.kept:
            reply(200, self.kept[name])(request, handler)
        else:
            reply(404, status(404, "NotFound", f'jobs.batch "{name}" not found'))(request, handler)


def jobs_on(peer: FaultServer, *, renew: Callable[[Credential], Credential] | None = None, timeout: float = 20) -> Jobs:
    """The Jobs of a peer, read by a client that does not wait long."""
    network = NetworkSettings(http_timeout=timeout, http_retries=0)
    credential = Credential(server=peer.url, secret="t0ken", source="test")
    return Jobs(KubernetesClient(credential, namespace="vcity", network=network, renew=renew), HURRIED)
