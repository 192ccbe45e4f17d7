"""Resubmitting: a new workflow from an old one, if wished with what of it succeeded."""

from __future__ import annotations

import copy
import random
import string
from collections.abc import Iterable
from typing import Final

from hera_k8s_sandbox.foundation.labels import (
    ARCHIVING_LABEL,
    COMPLETED_LABEL,
    CREATOR_LABELS,
    PHASE_LABEL,
    RESUBMITTED_FROM,
)
from hera_k8s_sandbox.store.entries import now_text
from hera_k8s_sandbox.workflows.actions.submit_options import override_parameters
from hera_k8s_sandbox.workflows.model.naming import node_id
from hera_k8s_sandbox.workflows.model.nodes import FAILED
from hera_k8s_utils._types import Json

_NOT_CARRIED: Final = (
    *CREATOR_LABELS,
    PHASE_LABEL,
    COMPLETED_LABEL,
    ARCHIVING_LABEL,
)
_LETTERS: Final = string.ascii_lowercase + string.digits


class ResubmitError(ValueError):
    """The workflow cannot be resubmitted so; the message is Argo's."""


def resubmit_workflow(workflow: Json, *, memoized: bool, parameters: Iterable[str] = ()) -> Json:
    """The new workflow; memoized: what succeeded is not run again. Raises ResubmitError and SubmitOptionError."""
    meta = workflow["metadata"]
    new: Json = {
        "apiVersion": workflow["apiVersion"],
        "kind": workflow["kind"],
        "metadata": _metadata(meta),
        "spec": copy.deepcopy(workflow["spec"]),
    }
    new["spec"].pop("shutdown", None)
    if new["spec"].get("activeDeadlineSeconds") == 0:  # how it used to be terminated
        del new["spec"]["activeDeadlineSeconds"]
    override_parameters(new["spec"], parameters)
    if memoized:
        if (workflow.get("status") or {}).get("phase") not in FAILED:
            raise ResubmitError("workflow must be Failed/Error to resubmit in memoized mode")
        suffix = "".join(random.choices(_LETTERS, k=5))  # noqa: S311  a name, no secret
        new["metadata"]["name"] = f"{new['metadata']['generateName']}{suffix}"
        new["status"] = _status(workflow, new["metadata"]["name"])
    return new


def _metadata(meta: Json) -> Json:
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key not in _NOT_CARRIED}
    made: Json = {
        "generateName": meta.get("generateName") or f"{meta['name']}-",
        "labels": labels | {RESUBMITTED_FROM: meta["name"]},
    }
    for field in ("annotations", "ownerReferences"):
        if meta.get(field):
            made[field] = copy.deepcopy(meta[field])
    return made


def _status(workflow: Json, name: str) -> Json:
    old_name, old = workflow["metadata"]["name"], workflow["status"].get("nodes") or {}

    def renamed(text: str) -> str:
        return f"{name}{text[len(old_name) :]}" if text.startswith(old_name) else text

    ids = {key: node_id(name, renamed(node["name"])) for key, node in old.items()}
    nodes: dict[str, Json] = {}
    for key, node in old.items():
        if node["name"].startswith(f"{old_name}.onExit"):
            continue
        if node["type"] == "Skipped" and not _followed_by_success(old, node):
            continue
        made = copy.deepcopy(node) | {"id": ids[key], "name": renamed(node["name"])}
        made["displayName"] = name if node["name"] == old_name else node["displayName"]
        if node.get("boundaryID"):
            made["boundaryID"] = ids.get(node["boundaryID"], node["boundaryID"])
        for field in ("children", "outboundNodes"):
            if node.get(field):
                made[field] = [ids[each] for each in node[field] if each in ids]
        nodes[ids[key]] = _memoized(made, node)
    _drop_missing(nodes)
    status: Json = {"nodes": nodes, "conditions": [{"type": "Completed", "status": "False"}]}
    if workflow["status"].get("storedTemplates"):
        status["storedTemplates"] = copy.deepcopy(workflow["status"]["storedTemplates"])
    return status


def _memoized(made: Json, old: Json) -> Json:
    """A node of the new workflow: what succeeded is passed over, all else is still to come."""
    now, is_pod = now_text(), old["type"] == "Pod"
    if old["type"] in ("Pod", "Container") and old["phase"] not in FAILED:
        message = f"original pod: {old['id']}"
        return made | {"type": "Skipped", "phase": "Skipped", "message": message, "startedAt": now, "finishedAt": now}
    for field in ("message", *(("progress", "hostNodeName", "outputs") if is_pod else ())):
        made.pop(field, None)
    return made | {"phase": "Pending", "startedAt": None if is_pod else now, "finishedAt": None}


def _followed_by_success(nodes: dict[str, Json], node: Json) -> bool:
    seen: set[str] = set()
    stack = list(node.get("children") or ())
    while stack:
        key = stack.pop()
        if key in seen or key not in nodes:
            continue
        seen.add(key)
        if nodes[key]["phase"] == "Succeeded":
            return True
        stack.extend(nodes[key].get("children") or ())
    return False


def _drop_missing(nodes: dict[str, Json]) -> None:
    for node in nodes.values():
        for field in ("children", "outboundNodes"):
            if field in node:
                node[field] = [key for key in node[field] if key in nodes]
