"""The objects of a task: its Job, the Secret with what its pod needs, and perhaps a pull secret."""

from __future__ import annotations

import base64
import functools
import io
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from covalent_kubernetes_plugin.names import label_value
from covalent_kubernetes_plugin.stores import STORE, TaskBundle
from covalent_kubernetes_plugin.tasks import Task

Json = dict[str, Any]

GROUP: Final = "hera-k8s-covalent"
"""Prefix of our labels."""
ATTEMPT: Final = f"{GROUP}/attempt"
_TASK: Final = "/run/covalent-task"
_ABANDONED: Final = 24 * 3600
"""Seconds after which the cluster removes a finished Job that nobody removed, and with it what it owns."""


@dataclass(frozen=True)
class TaskSpec:
    """What the Job of a task is made of.

    name: of the Job. attempt: a word that no other try of this task has. process: whose tasks are watched together.
    vcpu, memory: requested and limited; empty: neither. time_limit: seconds; 0: none.
    """

    name: str
    attempt: str
    process: str
    dispatch_id: str
    node_id: str
    image: str
    vcpu: str
    memory: str
    time_limit: int
    service_account: str

    @property
    def unique(self) -> str:
        """The name of what belongs to this try alone."""
        return f"{self.name}-{self.attempt}"

    @property
    def labels(self) -> Json:
        """Of all objects of the task, its pod included."""
        labels = {
            "app.kubernetes.io/managed-by": GROUP,
            f"{GROUP}/process": self.process,
            ATTEMPT: self.attempt,
            f"{GROUP}/dispatch": label_value(self.dispatch_id),
            f"{GROUP}/node": label_value(self.node_id),
        }
        return {name: value for name, value in labels.items() if value}


@dataclass(frozen=True)
class SealingKey:
    """What makes an outcome the one of this task: a key that only its pod is told, and a word that marks its lines."""

    key: bytes = field(repr=False)
    nonce: str


def task_secret(wanted: TaskSpec, task: Task, digest: str, parcel: TaskBundle, sealing: SealingKey) -> Json:
    """The Secret that the pod mounts: the runner, cloudpickle, the ticket, and the task when it is small."""
    ticket = {
        "key": sealing.key.hex(),
        "nonce": sealing.nonce,
        "digest": digest,
        "python": task.python,
        "keep": parcel.keep,
        "task": parcel.task,
        "outcome": parcel.outcome,
    }
    files = {
        "runner.py": Path(__file__).with_name("runner.py").read_bytes(),
        "cloudpickle.zip": cloudpickle_archive(),
        "ticket.json": json.dumps(ticket).encode(),
        **parcel.files,
    }
    data = {name: base64.b64encode(content).decode("ascii") for name, content in files.items()}
    return _secret(wanted, wanted.unique, "Opaque", data)


def pull_secret(wanted: TaskSpec, config: Json) -> Json:
    """A login of the image's registry."""
    data = {".dockerconfigjson": base64.b64encode(json.dumps(config).encode()).decode("ascii")}
    return _secret(wanted, f"{wanted.unique}-pull", "kubernetes.io/dockerconfigjson", data)


def _secret(wanted: TaskSpec, name: str, kind: str, data: Json) -> Json:
    metadata = {"name": name, "labels": wanted.labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "immutable": True, "data": data}


@functools.cache
def cloudpickle_archive() -> bytes:
    """The source of the installed cloudpickle, as a zip file that Python imports from."""
    import cloudpickle

    directory = Path(cloudpickle.__file__).parent
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(directory.glob("*.py")):
            archive.writestr(zipfile.ZipInfo(f"cloudpickle/{file.name}"), file.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def job(wanted: TaskSpec, parcel: TaskBundle, *, pull: bool) -> Json:
    """The Job: one pod, once. pull: there is a pull secret."""
    spec: Json = {
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "ttlSecondsAfterFinished": _ABANDONED,
        "template": {"metadata": {"labels": wanted.labels}, "spec": _pod(wanted, parcel, pull=pull)},
    }
    if wanted.time_limit > 0:
        spec["activeDeadlineSeconds"] = wanted.time_limit
    metadata = {"name": wanted.name, "labels": wanted.labels}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def _pod(wanted: TaskSpec, parcel: TaskBundle, *, pull: bool) -> Json:
    resources = {name: value for name, value in (("cpu", wanted.vcpu), ("memory", wanted.memory)) if value}
    container: Json = {
        "name": "task",
        "image": wanted.image,
        "command": ["python3", f"{_TASK}/runner.py"],
        "volumeMounts": [{"name": "task", "mountPath": _TASK, "readOnly": True}, *parcel.mounts],
    }
    if parcel.mounts:
        container["env"] = [{"name": "COVALENT_STORE", "value": STORE}]
    if resources:
        container["resources"] = {"requests": resources, "limits": resources}
    pod: Json = {
        "restartPolicy": "Never",
        "enableServiceLinks": False,
        "containers": [container],
        "volumes": [{"name": "task", "secret": {"secretName": wanted.unique}}, *parcel.volumes],
    }
    if wanted.service_account:
        pod["serviceAccountName"] = wanted.service_account
    else:
        pod["automountServiceAccountToken"] = False  # the runner asks the cluster for nothing
    if pull:
        pod["imagePullSecrets"] = [{"name": f"{wanted.unique}-pull"}]
    return pod


def owned_by(name: str, uid: str) -> Json:
    """A patch that lets an object go with the Job of this name."""
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid}
    return {"metadata": {"ownerReferences": [owner]}}
