"""A workflow as a listing shows it, whichever engine reads it."""

from __future__ import annotations

from hera_k8s_utils import Json, RunSummary


def summary(workflow: Json) -> RunSummary:
    """A workflow as a listing shows it."""
    metadata, status = workflow.get("metadata") or {}, workflow.get("status") or {}
    return RunSummary(
        name=str(metadata.get("name") or ""),
        phase=str(status.get("phase") or "Pending"),
        progress=str(status.get("progress") or ""),
        started_at=str(status.get("startedAt") or metadata.get("creationTimestamp") or ""),
        finished_at=str(status.get("finishedAt") or ""),
        labels=dict(metadata.get("labels") or {}),
    )
