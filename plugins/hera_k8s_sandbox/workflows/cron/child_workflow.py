"""Cron children: the workflow that a CronWorkflow stands for."""

from __future__ import annotations

import copy

from hera_k8s_sandbox.foundation.labels import CREATOR_LABELS, CRON_LABEL, SCHEDULED_TIME
from hera_k8s_sandbox.store.entries import now_text
from hera_k8s_utils._types import Json


def cron_workflow(cron: Json) -> Json:
    """A workflow of a CronWorkflow that is submitted now, apart from its schedule."""
    meta = cron["metadata"]
    return _child(cron, {"generateName": f"{meta.get('name', '')}-", "labels": {}}, now_text())


def scheduled_workflow(cron: Json, seconds: int, scheduled: str) -> Json:
    """The workflow of one scheduled time, in seconds since the epoch and as text."""
    meta = cron["metadata"]
    labels = meta.get("labels") or {}
    kept = {key: labels[key] for key in CREATOR_LABELS if key in labels}
    return _child(cron, {"name": f"{meta['name']}-{seconds}", "labels": kept}, scheduled)


def _child(cron: Json, meta: Json, scheduled: str) -> Json:
    own, spec = cron["metadata"], cron.get("spec") or {}
    name = own.get("name", "")
    more = spec.get("workflowMetadata") or {}
    meta["labels"] |= {CRON_LABEL: name} | (more.get("labels") or {})
    meta["annotations"] = {SCHEDULED_TIME: scheduled} | (more.get("annotations") or {})
    if more.get("finalizers"):
        meta["finalizers"] = list(more["finalizers"])
    if own.get("uid"):
        meta["ownerReferences"] = [
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "CronWorkflow",
                "name": name,
                "uid": own["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": meta,
        "spec": copy.deepcopy(spec.get("workflowSpec") or {}),
    }
