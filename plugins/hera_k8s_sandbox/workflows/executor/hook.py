"""Execution: what Argo's executor does beside the containers of a workflow's pod, as a hook of the kubelet.

It hands a script to its interpreter, catches the outputs that a container leaves in files, and takes its standard
output for a result.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import posixpath
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from hera_k8s_sandbox.artifacts.store import ArtifactStore
from hera_k8s_sandbox.foundation.json_values import text_of
from hera_k8s_sandbox.foundation.labels import NODE_ID, OUTPUTS_ANNOTATION, TEMPLATE_ANNOTATION
from hera_k8s_sandbox.kubelet import logs
from hera_k8s_sandbox.kubelet.mounts import Launch, Task
from hera_k8s_sandbox.kubelet.pod_worker import PodHook, PodRun
from hera_k8s_sandbox.kubelet.process_runner import Ended
from hera_k8s_sandbox.store.entries import LARGEST_OBJECT, TOO_LARGE_FOR_ETCD, now_text
from hera_k8s_sandbox.workflows.executor.artifact_files import ArtifactFiles
from hera_k8s_sandbox.workflows.executor.kubectl.pod import as_executor, outputs_of, write_task
from hera_k8s_sandbox.workflows.model.pod_spec import MAIN
from hera_k8s_utils._types import Json

MOUNTS_ANNOTATION: Final = "hera-k8s-utils/sandbox-mounts"  # how the pod saw its mounts
LARGEST_RESULT: Final = 256 * 1024  # bytes, Argo's own limit
_LARGEST_PARAMETER: Final = 1 << 20  # bytes of a file that is a parameter
_PLACE: Final = 3  # parts of a path that name a pod or a claim: `claims`, its namespace, its name
_PROCESSES: Final = Path("/proc")


def is_of_a_workflow(pod: Json) -> bool:
    """Whether a pod is that of a workflow's node."""
    return NODE_ID in (pod["metadata"].get("annotations") or {})


class WorkflowHook(PodHook):
    """What is Argo's about one pod.

    sandbox: the state directory.
    view: how the pod sees its mounts.
    """

    def __init__(self, pod: Json, sandbox: Path, view: str) -> None:
        self._template: Json = json.loads((pod["metadata"].get("annotations") or {}).get(TEMPLATE_ANNOTATION) or "{}")
        super().__init__(lasting=bool(self._template.get("daemon")))
        self._sandbox = sandbox
        self._outputs: Json = {}
        self._resource: Path | None = None
        self._run: PodRun | None = None
        names = [container["name"] for container in pod["spec"]["containers"]]
        self._graph: dict[str, list[str]] = self._template.get("graph") or {}
        self._mains = set(self._graph) or {MAIN}
        self._sidecars = set(names) - self._mains
        self._exits: dict[str, asyncio.Future[int]] = {}
        self._artifacts = ArtifactFiles(ArtifactStore(sandbox / "artifacts"), pod, self._template)
        self._with_result: dict[str, bool] = {}
        self.annotations[MOUNTS_ANNOTATION] = view

    def amend(self, container: Json, task: Task) -> Task:
        """The script of the template and the paths of its outputs belong to the main container."""
        self._with_result[container["name"]] = task.env.get("ARGO_INCLUDE_SCRIPT_OUTPUT") == "true"
        if container["name"] != MAIN:
            return task
        if self._resource is not None:
            return as_executor(task, self._resource)
        script = (self._template.get("script") or {}).get("source")
        return replace(
            task,
            script=script,
            outputs=tuple(_output_path(one) for one in _file_outputs(self._template)),
            results=self._artifacts.paths,
        )

    async def supply(self, container: Json, task: Task) -> Task:
        """The main container finds its input artifacts."""
        if container["name"] != MAIN or self._resource is not None:
            return task
        return replace(task, mounts=(*task.mounts, *await self._artifacts.mounts(task.mounts)))

    async def admit(self, container: Json) -> str | None:
        """A container of a set waits for those that it depends on, and is not started when one of them fails."""
        for name in self._graph.get(container["name"]) or ():
            code = await asyncio.shield(self._exit(name))
            if code != 0:
                return f'dependency "{name}" exited with non-zero code: {code}'
        return None

    def separates(self, container: Json) -> bool:
        """Only what is written to the standard output is a result."""
        return self._with_result.get(container["name"], False)

    async def prepare(self, run: PodRun) -> None:
        """Hand a resource template's executor what it is to do, and a container its input artifacts."""
        self._run = run
        if "resource" in self._template:
            self._resource = await write_task(run, self._template, self._sandbox)
        await self._artifacts.stage(run.directory / "volumes" / ".inputs")

    async def ended(self, container: Json, ended: Ended, launch: Launch | None, output: Path) -> None:
        """Take the outputs of the main container; with the last one of them, the sidecars end."""
        name = container["name"]
        if name == MAIN:
            await self._take(ended, launch, output)
        if name in self._mains:
            self._exit(name).set_result(ended.exit_code)
            if all(self._exit(each).done() for each in self._mains) and self._run is not None:
                self._run.end_containers(self._sidecars)

    def _exit(self, name: str) -> asyncio.Future[int]:
        """How a container will have ended."""
        if name not in self._exits:
            self._exits[name] = asyncio.get_running_loop().create_future()
        return self._exits[name]

    async def _take(self, ended: Ended, launch: Launch | None, output: Path) -> None:
        if self._resource is not None:
            self._outputs = outputs_of(self._resource)
            return
        problem = ""
        if launch is not None:
            self._outputs, problem = await asyncio.to_thread(_collect, self._template, launch.outputs, self._sandbox)
            problem = problem if ended.exit_code == 0 else ""
        made, lost = await self._artifacts.keep_logs([output, output.with_name(logs.ERRORS)])
        problem = problem or lost
        if launch is not None:
            places = {
                path: place for path, place in launch.outputs.items() if _is_its_own(place, self._sandbox.resolve())
            }
            kept, missing = await self._artifacts.collect(places, succeeded=ended.exit_code == 0)
            made, problem = [*kept, *made], problem or missing
        if made:
            self._outputs["artifacts"] = made
        if problem:
            self.statuses.append(_wait_container(problem))
        if self._with_result.get(MAIN) and ended.started is not None:
            self._outputs["result"] = logs.read_result(output, LARGEST_RESULT)

    async def finish(self, run: PodRun) -> None:  # noqa: ARG002
        """Write down what was found."""
        if self._outputs:
            self.annotations[OUTPUTS_ANNOTATION] = json.dumps(self._outputs, ensure_ascii=False)


def _file_outputs(template: Json) -> list[Json]:
    declared = (template.get("outputs") or {}).get("parameters") or ()
    return [one for one in declared if (one.get("valueFrom") or {}).get("path")]


def _output_path(output: Json) -> str:
    """Where a container leaves an output; `..` leads nowhere that the container could not see."""
    return posixpath.normpath(str(output["valueFrom"]["path"]))


def _collect(template: Json, places: Mapping[str, Path], sandbox: Path) -> tuple[Json, str]:
    """The output parameters of a container, and what is wrong with the first that cannot be had.

    sandbox: the state directory.
    """
    collected, size = [], 0
    for one in (template.get("outputs") or {}).get("parameters") or ():
        source = one.get("valueFrom") or {}
        if not source.get("path"):
            collected.append(one | ({"value": text_of(one["value"])} if "value" in one else {}))
            continue
        path = places[_output_path(one)]
        try:
            found = _read_output(path) if _is_its_own(path, sandbox.resolve()) else None
        except (OSError, _Unreadable) as error:
            why = error.strerror if isinstance(error, OSError) else error
            return _parameters(collected), f"open {source['path']}: {why}"
        value = source.get("default") if found is None else found
        if value is None:
            return _parameters(collected), f"open {source['path']}: no such file or directory"
        size += len(str(value).encode("utf-8", "surrogateescape"))
        if size > LARGEST_OBJECT:  # of a WorkflowTaskResult
            return _parameters(
                collected
            ), f"the output parameters have more than {LARGEST_OBJECT} bytes: {TOO_LARGE_FOR_ETCD}"
        collected.append(one | {"value": value})
    return _parameters(collected), ""


def _parameters(collected: list[Json]) -> Json:
    return {"parameters": collected} if collected else {}


def _is_its_own(path: Path, sandbox: Path) -> bool:
    """Whether a file is where it seems to be: by a link, a task could name what of the sandbox it does not see.

    That is its state, and below /proc what the server's own process holds.
    """
    real = path.resolve()
    if _PROCESSES in real.parents:
        return False
    if sandbox not in real.parents:
        return True
    if sandbox not in path.parents:
        return False
    return real.relative_to(sandbox).parts[:_PLACE] == path.relative_to(sandbox).parts[:_PLACE]


class _Unreadable(Exception):
    """What a container has left is not what a parameter can be."""


def _read_output(path: Path) -> str | None:
    """The text of a file; None when it was not written. A pipe would never end, nor would some devices."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            return None
        if not stat.S_ISREG(found.st_mode):
            raise _Unreadable("not a regular file")
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            content = file.read(_LARGEST_PARAMETER + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if len(content) > _LARGEST_PARAMETER:
        raise _Unreadable(f"larger than {_LARGEST_PARAMETER} bytes")
    with io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", errors="replace") as text:
        return text.read().removesuffix("\n")


def _wait_container(problem: str) -> Json:
    """The state that Argo's executor container ends in when an output is missing."""
    now = now_text()
    ended = {"exitCode": 1, "reason": "Error", "message": problem, "startedAt": now, "finishedAt": now}
    return {"name": "wait", "state": {"terminated": ended}, "ready": False, "restartCount": 0}
