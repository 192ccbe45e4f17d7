"""A kubelet for tests on a real API server: one node, whose containers are processes of this machine.

It registers the node and keeps its lease, binds pending pods (there is no scheduler), runs them, writes their status
and events, serves their logs to the API server, passes signals on, and provides volumes for claims of the classes
`standard` and `wait`.
Jobs, Deployments and whatever else the controllers make pods of so truly run.

Pods are run by the sandbox's own `PodRun`: likeness of execution is shared with the sandbox, not shown by comparing
the two. What a test on this cluster shows is about everything around the pods: API server and controllers.

`controlplane.running(users, kubelet=True)` starts it as a child; it ends with its pods when its standard input closes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import sys
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientError, web
from kube_watch import Json, Key, KubeApi, Reflection, Refused
from kubelet_claims import Provisioner
from kubelet_exec import Doorman, signal_container
from kubelet_logs import application, secured
from kubelet_pod import NODE, ClusterHook, OverHttp
from kubelet_scheduling import LABELS, Scheduler, capacity, is_over

from hera_k8s_sandbox.kubelet.images import Images, Programs
from hera_k8s_sandbox.kubelet.mount_views import choose_view
from hera_k8s_sandbox.kubelet.pod_context import PodBlocked
from hera_k8s_sandbox.kubelet.pod_worker import SCRATCH, NodeRuntime, PodRun
from hera_k8s_sandbox.kubelet.process_runner import Runner

_LEASES: Final = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_RENEWAL: Final = 10.0  # seconds
_RETRY: Final = 1.0  # seconds until a pod that waits is looked at again
_SAMPLE: Final = 0.25  # seconds between looks at the logs of what runs
_VERSION: Final = "v1.36.2"


class Kubelet:
    """All pods of the node."""

    def __init__(
        self, api: KubeApi, directory: Path, extra_images: Path | None = None, image_programs: Path | None = None
    ) -> None:
        """extra_images: a table as the sandbox takes it. image_programs: see `controlplane.running`."""
        self._api = api
        self._image_programs = image_programs
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        images = Images(extra_images)
        runner = Runner(choose_view("auto", directory))
        self._runtime = NodeRuntime(runner, images, Programs(images, directory / "programs"))
        self._look = asyncio.Event()
        self._claims = Provisioner(api, directory / "claims", self._look.set)
        self._scheduler = Scheduler(api, self._claims)
        self._pods = Reflection(api, "/api/v1/pods", self._take)
        self._runs: dict[str, PodRun] = {}
        self._over: set[str] = set()
        self._jobs: set[asyncio.Task[Any]] = set()
        self._writers: dict[str, asyncio.Task[None]] = {}

    def find(self, key: Key) -> Json | None:
        """A pod by namespace and name."""
        return self._pods.objects.get(key)

    def directory_of(self, pod: Json) -> Path:
        """Where the files of a pod are."""
        return self._directory / "pods" / pod["metadata"]["uid"]

    async def run(self, port: int, tls: Any) -> None:
        """Serve and work until cancelled; says `ready` once it does."""
        runner = web.AppRunner(application(self.find, self.directory_of), access_log=None)
        await runner.setup()
        server = await asyncio.get_running_loop().create_server(
            lambda: Doorman(self._made_by(runner), self._signal), "127.0.0.1", port, ssl=tls
        )
        await self._claims.start()
        await self._register(port)
        work = [self._pods.run(), *self._claims.work(), self._schedule(), self._sample_logs(), self._renew_lease()]
        at_work = [asyncio.ensure_future(each) for each in work]
        await self._pods.synced.wait()
        await self._claims.claims.synced.wait()
        print("ready", flush=True)
        try:
            await asyncio.gather(*at_work)  # without end; whichever fails is the kubelet's end
        finally:
            for run in self._runs.values():
                run.close()
            server.close()
            await self._runtime.runner.close()
            await runner.cleanup()

    def _signal(self, namespace: str, pod: str, container: str, number: int) -> str:
        found = self.find((namespace, pod))
        if found is None:
            return f"there is no pod {pod}"
        return signal_container(self.directory_of(found), container, number)

    @staticmethod
    def _made_by(runner: web.AppRunner) -> Any:
        """What makes aiohttp's protocol for a connection."""
        assert runner.server is not None
        return runner.server

    # Pods

    def _take(self, kind: str, pod: Json) -> None:
        self._look.set()
        meta = pod["metadata"]
        run = self._runs.get(meta["uid"])
        if kind == "DELETED":
            self._over.discard(meta["uid"])
            self._stop_writing(meta["uid"])
            if run is not None:
                run.stop(0)
            else:
                shutil.rmtree(self.directory_of(pod), ignore_errors=True)
        elif pod["spec"].get("nodeName") != NODE:
            return
        elif meta.get("deletionTimestamp"):
            if run is None:
                self._start(self._remove(pod))
            else:
                run.stop(float(meta.get("deletionGracePeriodSeconds") or 0))
        elif run is None and not is_over(pod) and meta["uid"] not in self._over:
            context = self._context(pod)
            run = self._runs[meta["uid"]] = self._run_of(pod, context)
            self._start(self._run(run, context))

    def _run_of(self, pod: Json, context: OverHttp) -> PodRun:
        hook = ClusterHook(self._api.url, self._image_programs)
        return PodRun(pod, self.directory_of(pod), context, self._runtime, hook)

    def _context(self, pod: Json) -> OverHttp:
        context = OverHttp(self._api, self._claims, pod)
        uid = pod["metadata"]["uid"]
        self._stop_writing(uid)
        self._writers[uid] = self._start(context.write())
        return context

    def _stop_writing(self, uid: str) -> None:
        writer = self._writers.pop(uid, None)
        if writer is not None:
            writer.cancel()

    async def _run(self, run: PodRun, context: OverHttp) -> None:
        meta = run.pod["metadata"]
        context.record_event(
            "Scheduled", f"Successfully assigned {meta['namespace']}/{meta['name']} to {NODE}", "Normal"
        )
        try:
            if await self._prepared(run):
                await run.run()
        finally:
            del self._runs[meta["uid"]]
            self._over.add(meta["uid"])  # which its last report, still under way, will say
            found = self.find((meta["namespace"], meta["name"]))
            there = found is not None and found["metadata"]["uid"] == meta["uid"]
            for name in SCRATCH if there else ("",):  # logs stay for as long as the pod
                shutil.rmtree(run.directory / name, ignore_errors=True)
        if there:
            await context.flush()
            if run.stopping and not run.overdue:
                await self._remove(run.pod)

    async def _prepared(self, run: PodRun) -> bool:
        while not run.stopping:
            try:
                await run.prepare()
            except PodBlocked:
                await asyncio.sleep(_RETRY)
                continue
            return not run.stopping
        return False

    async def _remove(self, pod: Json) -> None:
        """Tell the API server that nothing of a deleted pod runs any more."""
        meta = pod["metadata"]
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": meta["uid"]}}
        await self._api.delete(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}", options)

    async def _schedule(self) -> None:
        left = False
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._look.wait(), _RETRY if left else None)
            self._look.clear()
            try:
                left = await self._scheduler.look(self._pods, self._context)
            except (Refused, ClientError, asyncio.TimeoutError) as error:
                print(f"scheduler: {type(error).__name__}: {error}", flush=True)
                left = True
                await asyncio.sleep(_RETRY)

    async def _sample_logs(self) -> None:
        while True:
            for run in self._runs.values():
                run.sample_logs()
            await asyncio.sleep(_SAMPLE)

    # The node

    async def _register(self, port: int) -> None:
        path = "/api/v1/nodes"
        await self._api.create(path, {"metadata": {"name": NODE, "labels": LABELS}})
        now = _now()
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "the test kubelet is ready"}
        status = {
            "capacity": capacity(),
            "allocatable": capacity(),
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": NODE}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "conditions": [ready | {"lastHeartbeatTime": now, "lastTransitionTime": now}],
            "nodeInfo": dict.fromkeys(_INFO, "") | {"kubeletVersion": _VERSION, "operatingSystem": "linux"},
        }
        await self._api.patch(f"{path}/{NODE}/status", {"status": status})
        spec = {"holderIdentity": NODE, "leaseDurationSeconds": 40, "renewTime": _now()}
        await self._api.create(_LEASES, {"metadata": {"name": NODE}, "spec": spec})

    async def _renew_lease(self) -> None:
        while True:
            await asyncio.sleep(_RENEWAL)
            await _telling(self._api.patch(f"{_LEASES}/{NODE}", {"spec": {"renewTime": _now()}}))

    def _start(self, work: Any) -> asyncio.Task[Any]:
        job: asyncio.Task[Any] = asyncio.ensure_future(_telling(work))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return job


_INFO: Final = (
    *("architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "machineID"),
    *("osImage", "systemUUID"),
)


async def _telling(work: Any) -> None:
    """Whatever goes wrong with one pod is told, and is not the end of the others."""
    try:
        await work
    except Exception as error:
        print(f"kubelet: {type(error).__name__}: {error}", flush=True)


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def _main(arguments: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    ending = asyncio.Event()

    def wait_for_the_end() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(ending.set)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    async with KubeApi(arguments.kubeconfig) as api:
        kubelet = Kubelet(api, arguments.directory, arguments.images, arguments.image_programs)
        tls = secured(arguments.certificate, arguments.key, arguments.client_ca)
        work = asyncio.ensure_future(kubelet.run(arguments.port, tls))
        await asyncio.wait([work, asyncio.ensure_future(ending.wait())], return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


def main() -> None:
    """Run until the standard input closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("kubeconfig", "directory", "certificate", "key", "client-ca"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("images", "image-programs"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
