"""The objects of a task: its Job, a Secret with the files of its pod, and an optional pull secret."""

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
"""Prefix of labels."""
ATTEMPT: Final = f"{GROUP}/attempt"
_TASK: Final = "/run/covalent-task"
_ABANDONED: Final = 24 * 3600
"""Seconds after which the cluster removes a finished Job that was left behind, with what it owns."""


@dataclass(frozen=True)
class TaskSpec:
    """The values of a task's Job.

    name: name of the Job.
    attempt: unique identifier of this try.
    process: identifier of the process, whose tasks share a watch.
    dispatch_id: Covalent's dispatch.
    node_id: Covalent's node within it.
    image: image of the pod.
    vcpu: CPU, requested and limited; empty: neither.
    memory: memory, requested and limited; empty: neither.
    time_limit: seconds; 0: none.
    service_account: service account of the pod; empty: the namespace's default, without its token.
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
        """The name of objects of this try."""
        return f"{self.name}-{self.attempt}"

    @property
    def labels(self) -> Json:
        """The labels of all objects of the task, including its pod."""
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
    """Authenticates the outcome of a task.

    key: HMAC key, known only to its pod.
    nonce: marks the lines of the outcome in the log.
    """

    key: bytes = field(repr=False)
    nonce: str


def task_secret(task_spec: TaskSpec, task: Task, digest: str, bundle: TaskBundle, sealing: SealingKey) -> Json:
    """The Secret that the pod mounts: the runner, cloudpickle, the ticket, and the task if it is small."""
    ticket = {
        "key": sealing.key.hex(),
        "nonce": sealing.nonce,
        "digest": digest,
        "python": task.python,
        "keep": bundle.keep,
        "task": bundle.task,
        "outcome": bundle.outcome,
    }
    files = {
        "runner.py": Path(__file__).with_name("runner.py").read_bytes(),
        "cloudpickle.zip": cloudpickle_archive(),
        "ticket.json": json.dumps(ticket).encode(),
        **bundle.files,
    }
    data = {name: base64.b64encode(content).decode("ascii") for name, content in files.items()}
    return _secret(task_spec, task_spec.unique, "Opaque", data)


def pull_secret(task_spec: TaskSpec, config: Json) -> Json:
    """The pull secret with a login of the image's registry."""
    data = {".dockerconfigjson": base64.b64encode(json.dumps(config).encode()).decode("ascii")}
    return _secret(task_spec, f"{task_spec.unique}-pull", "kubernetes.io/dockerconfigjson", data)


def _secret(task_spec: TaskSpec, name: str, kind: str, data: Json) -> Json:
    metadata = {"name": name, "labels": task_spec.labels}
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


def job(task_spec: TaskSpec, bundle: TaskBundle, *, pull: bool) -> Json:
    """The Job: one pod, no retries. pull: whether there is a pull secret."""
    spec: Json = {
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "ttlSecondsAfterFinished": _ABANDONED,
        "template": {"metadata": {"labels": task_spec.labels}, "spec": _pod(task_spec, bundle, pull=pull)},
    }
    if task_spec.time_limit > 0:
        spec["activeDeadlineSeconds"] = task_spec.time_limit
    metadata = {"name": task_spec.name, "labels": task_spec.labels}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def _pod(task_spec: TaskSpec, bundle: TaskBundle, *, pull: bool) -> Json:
    resources = {name: value for name, value in (("cpu", task_spec.vcpu), ("memory", task_spec.memory)) if value}
    container: Json = {
        "name": "task",
        "image": task_spec.image,
        "command": ["python3", f"{_TASK}/runner.py"],
        "volumeMounts": [{"name": "task", "mountPath": _TASK, "readOnly": True}, *bundle.mounts],
    }
    if bundle.mounts:
        container["env"] = [{"name": "COVALENT_STORE", "value": STORE}]
    if resources:
        container["resources"] = {"requests": resources, "limits": resources}
    pod: Json = {
        "restartPolicy": "Never",
        "enableServiceLinks": False,
        "containers": [container],
        "volumes": [{"name": "task", "secret": {"secretName": task_spec.unique}}, *bundle.volumes],
    }
    if task_spec.service_account:
        pod["serviceAccountName"] = task_spec.service_account
    else:
        pod["automountServiceAccountToken"] = False  # the runner does not use the Kubernetes API
    if pull:
        pod["imagePullSecrets"] = [{"name": f"{task_spec.unique}-pull"}]
    return pod


def owned_by(name: str, uid: str) -> Json:
    """A patch that makes the Job the owner of an object."""
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid}
    return {"metadata": {"ownerReferences": [owner]}}
