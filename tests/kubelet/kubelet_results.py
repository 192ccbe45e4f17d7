"""Pods of Argo's controller on the test kubelet: the executor's part is played, and told by WorkflowTaskResults.

In such a pod Argo's executor wraps the main container's command (`argoexec emissary -- COMMAND`), an init container of
its own brings the script, and the container `wait` reports outputs. Here its containers are left out, and what they do
is the sandbox's own hook. The result object is written with the rights of the pod's account, as `wait` does (Argo 4.1:
named after the node, labelled `report-outputs-completed`: false at first, true with the outputs).
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Final

from kube_watch import Json, KubeApi, Refused
from kubelet_pod import ClusterHook, OverHttp

from hera_k8s_sandbox.foundation.labels import NODE_ID, OUTPUTS_ANNOTATION, TEMPLATE_ANNOTATION, WORKFLOW_LABEL
from hera_k8s_sandbox.kubelet.environment import config_error
from hera_k8s_sandbox.kubelet.mounts import Task
from hera_k8s_sandbox.kubelet.pod_worker import PodRun
from hera_k8s_sandbox.workflows.executor.hook import MOUNTS_ANNOTATION, WorkflowHook
from hera_k8s_sandbox.workflows.model.pod_spec import MAIN

_COMPLETED: Final = "workflows.argoproj.io/report-outputs-completed"
_EXECUTOR: Final = "argoexec"
_OURS: Final = ("init", "wait")
_UNSUPPORTED: Final = ("resource", "data", "http", "plugin")


def is_of_argo(pod: Json) -> bool:
    """Whether a pod is that of a workflow's node, as Argo's controller makes it."""
    return NODE_ID in (pod["metadata"].get("annotations") or {}) and bool(_template_of(pod))


def without_executor(pod: Json) -> Json:
    """The pod with what the user wrote alone: without the executor's containers, and its wrapping of commands."""
    made = copy.deepcopy(pod)
    made["metadata"].setdefault("annotations", {})[TEMPLATE_ANNOTATION] = _template_of(pod)
    spec = made["spec"]
    for field in ("initContainers", "containers"):
        spec[field] = [one for one in spec.get(field) or () if one["name"] not in _OURS]
        for one in spec[field]:
            words = list(one.get("command") or ())
            if words and words[0].endswith(f"/{_EXECUTOR}") and "--" in words:
                one["command"] = words[words.index("--") + 1 :]
    return made


def _template_of(pod: Json) -> str:
    for container in pod["spec"]["containers"]:
        for one in container.get("env") or ():
            if one["name"] == "ARGO_TEMPLATE":
                return str(one.get("value") or "")
    return ""


class ResultsHook(WorkflowHook):
    """What Argo's executor does for one pod of a real API server."""

    def __init__(self, api: KubeApi, context: OverHttp, pod: Json, directory: Path, view: str) -> None:
        super().__init__(pod, directory, view)
        self.annotations.pop(MOUNTS_ANNOTATION, None)
        self._api = api
        self._context = context
        self._service = ClusterHook(api.url)
        self._result = pod["metadata"]["annotations"][NODE_ID]
        self._workflow = pod["metadata"]["labels"][WORKFLOW_LABEL]
        self._path = f"/apis/argoproj.io/v1alpha1/namespaces/{pod['metadata']['namespace']}/workflowtaskresults"

    def amend(self, container: Json, task: Task) -> Task:
        """Script and outputs are the executor's; where the API server is, the cluster's."""
        return self._service.amend(container, super().amend(container, task))

    async def prepare(self, run: PodRun) -> None:
        """Announce a result that is not complete."""
        for kind in _UNSUPPORTED:
            if kind in self._template:
                raise config_error(
                    f"the test kubelet does not support templates of the kind {kind}", event_message=None
                )
        await super().prepare(run)
        labels = {"workflows.argoproj.io/workflow": self._workflow, _COMPLETED: "false"}
        body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTaskResult"}
        await self._tell("POST", self._path, body | {"metadata": {"name": self._result, "labels": labels}})

    async def finish(self, run: PodRun) -> None:
        """Report the outputs."""
        await super().finish(run)
        outputs = json.loads(self.annotations.pop(OUTPUTS_ANNOTATION, "{}"))
        ended = run.ended().get(MAIN)
        if ended is not None:
            outputs["exitCode"] = str(ended.exit_code)
        change = {"metadata": {"labels": {_COMPLETED: "true"}}, "outputs": outputs}
        await self._tell("PATCH", f"{self._path}/{self._result}", change)

    async def _tell(self, method: str, path: str, body: Any) -> None:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            await self._api.send(method, path, body, kind=kind, token=await self._context.token("", 600))
        except Refused as refused:  # Argo's executor says no more than this either, in its log
            if refused.reason != "AlreadyExists":
                self._context.record_event("FailedResult", f"WorkflowTaskResult {self._result}: {refused}")
