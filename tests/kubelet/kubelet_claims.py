"""A provisioner for the test kubelet: volumes of the classes `standard` and `wait` are directories of this machine."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from kube_watch import Json, KubeApi, Reflection, Refused

NAME: Final = "hera-k8s-utils.test/directories"
CLASSES: Final = "/apis/storage.k8s.io/v1/storageclasses"
VOLUMES: Final = "/api/v1/persistentvolumes"
CLAIMS: Final = "/api/v1/persistentvolumeclaims"
SELECTED_NODE: Final = "volume.kubernetes.io/selected-node"
_PROVISIONER: Final = "volume.kubernetes.io/storage-provisioner"
_PROVISIONED_BY: Final = "pv.kubernetes.io/provisioned-by"
_DEFAULT: Final = "storageclass.kubernetes.io/is-default-class"


class Provisioner:
    """Makes a volume for each claim that the controller manager hands to it, and removes those that are released."""

    def __init__(self, api: KubeApi, directory: Path, changed: Callable[[], None]) -> None:
        """directory: for the claims' directories. changed: called when a claim has changed."""
        self._api = api
        self._directory = directory
        self._changed = changed
        self._at_work: set[asyncio.Task[None]] = set()
        self._taken: set[str] = set()
        self.claims = Reflection(api, CLAIMS, self._take_claim)
        self._volumes = Reflection(api, VOLUMES, self._take_volume)

    def directory_of(self, namespace: str, name: str, uid: str) -> Path:
        """Where the files of a claim are, whoever wrote its volume: no path that a manifest names is opened."""
        directory = self._directory / namespace / f"{name}-{uid[:8]}"
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    async def start(self) -> None:
        """Create the storage classes, as the sandbox has them."""
        for name, binding, default in (("standard", "Immediate", "true"), ("wait", "WaitForFirstConsumer", "false")):
            meta = {"name": name, "annotations": {_DEFAULT: default}}
            await self._api.create(CLASSES, {"metadata": meta, "provisioner": NAME, "volumeBindingMode": binding})

    def work(self) -> Iterator[Any]:
        """What is to be run for as long as there are pods."""
        yield self.claims.run()
        yield self._volumes.run()

    def _take_claim(self, kind: str, claim: Json) -> None:
        self._changed()
        meta = claim["metadata"]
        wanted = (meta.get("annotations") or {}).get(_PROVISIONER) == NAME and not claim["spec"].get("volumeName")
        if kind != "DELETED" and wanted and not meta.get("deletionTimestamp") and meta["uid"] not in self._taken:
            self._taken.add(meta["uid"])
            self._start(self._provide(claim))

    def _take_volume(self, kind: str, volume: Json) -> None:
        meta, status = volume["metadata"], volume.get("status") or {}
        ours = (meta.get("annotations") or {}).get(_PROVISIONED_BY) == NAME
        retained = volume["spec"]["persistentVolumeReclaimPolicy"] != "Delete"
        if kind != "DELETED" and ours and status.get("phase") == "Released" and not retained:
            self._start(self._remove(volume))

    async def _provide(self, claim: Json) -> None:
        meta, spec = claim["metadata"], claim["spec"]
        directory = self.directory_of(meta["namespace"], meta["name"], meta["uid"])
        of = await self._api.send("GET", f"{CLASSES}/{spec['storageClassName']}")
        volume = {
            "metadata": {"name": f"pvc-{meta['uid']}", "annotations": {_PROVISIONED_BY: NAME}},
            "spec": {
                "capacity": {"storage": spec["resources"]["requests"]["storage"]},
                "accessModes": spec["accessModes"],
                "persistentVolumeReclaimPolicy": of.get("reclaimPolicy") or "Delete",
                "storageClassName": spec["storageClassName"],
                "volumeMode": spec.get("volumeMode") or "Filesystem",
                "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
                | {key: meta[key] for key in ("namespace", "name", "uid", "resourceVersion")},
                "hostPath": {"path": str(directory)},
            },
        }
        await self._api.create(VOLUMES, volume)

    async def _remove(self, volume: Json) -> None:
        reference = volume["spec"]["claimRef"]
        directory = self.directory_of(*(reference[key] for key in ("namespace", "name", "uid")))
        await asyncio.get_running_loop().run_in_executor(None, lambda: shutil.rmtree(directory, ignore_errors=True))
        await self._api.delete(f"{VOLUMES}/{volume['metadata']['name']}")

    def _start(self, work: Any) -> None:
        job = asyncio.ensure_future(_heeding_refusals(work))
        self._at_work.add(job)
        job.add_done_callback(self._at_work.discard)


async def _heeding_refusals(work: Any) -> None:
    try:
        await work
    except Refused as refused:
        print(f"provisioner: {refused}", flush=True)
