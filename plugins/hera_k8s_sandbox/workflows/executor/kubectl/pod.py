"""The pod of a resource template: input and outputs of its one process."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

import hera_k8s_sandbox
import hera_k8s_utils
from hera_k8s_sandbox.foundation import files
from hera_k8s_sandbox.kubelet.mounts import Mount, Task
from hera_k8s_sandbox.kubelet.pod_worker import PodRun
from hera_k8s_utils._types import Json

_PROGRAM: Final = "/argo/program"
_TASK: Final = "/argo/resource"
_LOG: Final = "/dev/termination-log"
_LIFETIME: Final = 7 * 24 * 3600  # seconds of the token: a template may wait that long for its condition


async def write_task(run: PodRun, template: Json, sandbox: Path) -> Path:
    """Write what the executor is to do, with a token of the pod's account; the directory."""
    directory = run.directory / "volumes" / ".resource"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, mode=0o700)
    task = {
        "url": json.loads((sandbox / files.SERVER).read_text(encoding="utf-8"))["url"],
        "token": await run.token(_LIFETIME),
        "namespace": run.pod["metadata"]["namespace"],
        "resource": template["resource"],
        "outputs": (template.get("outputs") or {}).get("parameters") or [],
        "owner": _owner(run.pod) if template["resource"].get("setOwnerReference") else None,
    }
    path = directory / "task.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(task), encoding="utf-8")
    return directory


def as_executor(task: Task, directory: Path) -> Task:
    """The task of the main container: this package's executor in place of Argo's."""
    packages = [Path(file).parent for file in (hera_k8s_sandbox.__file__, hera_k8s_utils.__file__)]
    programs = [Mount(package, f"{_PROGRAM}/{package.name}", read_only=True) for package in packages]
    mounts = (*programs, Mount(directory, _TASK))
    command = ("python3", "-m", "hera_k8s_sandbox.workflows.executor.kubectl.executor", _TASK)
    env = {**task.env, "PYTHONPATH": _PROGRAM, "PYTHONDONTWRITEBYTECODE": "1", "TERMINATION_LOG": _LOG}
    return replace(task, command=command, env=env, mounts=(*task.mounts, *mounts))


def outputs_of(directory: Path) -> Json:
    """The outputs that the executor has left; empty when it failed. Its token goes."""
    (directory / "task.json").unlink(missing_ok=True)
    path = directory / "outputs.json"
    if os.path.islink(path) or not path.is_file():
        return {}
    found: Json = json.loads(path.read_text(encoding="utf-8"))
    return {key: value for key, value in found.items() if value}


def _owner(pod: Json) -> Json:
    """The workflow, as the pod's own reference names it."""
    found: Json = next(one for one in pod["metadata"]["ownerReferences"] if one.get("controller"))
    return found
