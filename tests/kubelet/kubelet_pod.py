"""One pod of a real API server as `PodRun` sees it: its surroundings are looked up and told over HTTP."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

import aiohttp
from kube_watch import Json, KubeApi, Refused
from kubelet_claims import Provisioner

from hera_k8s_sandbox.kubelet.mounts import Mount, Task
from hera_k8s_sandbox.kubelet.pod_context import PodBlocked
from hera_k8s_sandbox.kubelet.pod_worker import PodHook

IMAGE_PROGRAMS: Final = "/.image"
NODE: Final = "test-node"
_PLURALS: Final = {"ConfigMap": "configmaps", "Secret": "secrets"}
_TRIES: Final = 5
_PAUSE: Final = 0.2  # seconds between them


class OverHttp:
    """The `PodContext` of a pod. What is reported is written in its order, by one task; only the newest status."""

    def __init__(self, api: KubeApi, claims: Provisioner, pod: Json) -> None:
        meta = pod["metadata"]
        self._api = api
        self._claims = claims
        self._base = f"/api/v1/namespaces/{meta['namespace']}"
        self._path = f"{self._base}/pods/{meta['name']}"
        self._account = pod["spec"].get("serviceAccountName") or "default"
        self._pod = {"kind": "Pod", "apiVersion": "v1"} | {key: meta[key] for key in ("namespace", "name", "uid")}
        self._status: Json | None = None
        self._annotations: dict[str, str] = {}
        self._events: dict[tuple[str, str], _Recorded] = {}
        self._unwritten: list[_Recorded] = []
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    # Looking up

    async def find(self, kind: str, name: str) -> Json | None:
        """A ConfigMap or Secret of the pod's namespace."""
        return await self._api.find(f"{self._base}/{_PLURALS[kind]}/{name}")

    async def claim(self, name: str) -> Path:
        """The directory of a bound claim. Raises PodBlocked."""
        found = await self._api.find(f"{self._base}/persistentvolumeclaims/{name}")
        if found is None or (found.get("status") or {}).get("phase") != "Bound":
            raise PodBlocked("ContainerCreating", "", event="FailedMount", event_message=f'claim "{name}" is not bound')
        return self._claims.directory_of(self._pod["namespace"], name, found["metadata"]["uid"])

    async def token(self, audience: str, seconds: int) -> str:
        """A token of the pod's account, which ends with the pod."""
        bound = {key: self._pod[key] for key in ("kind", "apiVersion", "name", "uid")}
        spec: Json = {"expirationSeconds": seconds, "boundObjectRef": bound}
        if audience:
            spec["audiences"] = [audience]
        made = await self._api.send("POST", f"{self._base}/serviceaccounts/{self._account}/token", {"spec": spec})
        return str(made["status"]["token"])

    # Reporting

    def report(self, status: Json, annotations: Mapping[str, str]) -> None:
        """Write the status soon."""
        self._status = status
        self._annotations = dict(annotations)
        self._work()

    def record_event(self, reason: str, message: str, type: str = "Warning") -> None:
        """Record an event soon; the same one again counts."""
        told = self._events.setdefault((reason, message), _Recorded(reason, message, type))
        told.count += 1
        self._unwritten.append(told)
        self._work()

    def _work(self) -> None:
        self._idle.clear()
        self._changed.set()

    async def flush(self) -> None:
        """Wait until all that was reported is written."""
        await self._idle.wait()

    async def write(self) -> None:
        """Write what is reported, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            unwritten, self._unwritten = self._unwritten, []
            for told in unwritten:
                await self._try(self._write_event(told))
            status, self._status = self._status, None
            if status is not None:
                await self._write_status(status)
            if not self._changed.is_set():
                self._idle.set()

    async def _write_status(self, status: Json) -> None:
        change: Json = {"metadata": {"uid": self._pod["uid"]}, "status": status}
        if self._annotations:
            change["metadata"]["annotations"] = self._annotations
        for _ in range(_TRIES):
            if await self._try(self._api.patch(f"{self._path}/status", change)):
                return
            await asyncio.sleep(_PAUSE)

    async def _write_event(self, recorded: _Recorded) -> None:
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        if recorded.name:
            change = {"count": recorded.count, "lastTimestamp": now}
            await self._api.patch(f"{self._base}/events/{recorded.name}", change)
            return
        recorded.name = f"{self._pod['name']}.{secrets.token_hex(8)}"
        source = {
            "component": "default-scheduler" if recorded.reason == "FailedScheduling" else "kubelet",
            "host": NODE,
        }
        event = {
            "metadata": {"name": recorded.name},
            "involvedObject": self._pod,
            "source": source,
            "count": recorded.count,
        }
        event |= {"reason": recorded.reason, "message": recorded.message, "type": recorded.type}
        await self._api.create(f"{self._base}/events", event | {"firstTimestamp": now, "lastTimestamp": now})

    async def _try(self, request: Any) -> bool:
        """Whether there is nothing more to try: it succeeded, or the pod is gone or another one by now."""
        try:
            await request
        except Refused as refused:
            if refused.status not in (403, 404, 409):  # 403: its namespace is being removed
                print(f"kubelet: {self._path}: {refused}", flush=True)
            return refused.status < 500 and refused.status != 429
        except (aiohttp.ClientError, asyncio.TimeoutError):
            return False
        return True


@dataclass
class _Recorded:
    """An event that was recorded; name: once it is written."""

    reason: str
    message: str
    type: str
    name: str = ""
    count: int = 0


class ClusterHook(PodHook):
    """What every pod of a cluster finds: in its environment where the API server is, and the programs of images."""

    def __init__(self, url: str, image_programs: Path | None = None) -> None:
        super().__init__()
        host, _, port = url.removeprefix("https://").rpartition(":")
        service = {"HOST": host, "PORT": port, "PORT_HTTPS": port}
        self._service = {f"KUBERNETES_SERVICE_{name}": value for name, value in service.items()}
        self._mounts = () if image_programs is None else (Mount(image_programs, IMAGE_PROGRAMS, read_only=True),)

    def amend(self, container: Json, task: Task) -> Task:
        """The task of a container, which knows the API server unless it says otherwise."""
        return replace(task, env=self._service | dict(task.env), mounts=(*task.mounts, *self._mounts))
