"""What a server says of a workflow, as both engines report it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hera_k8s_utils import CheckResult, PlatformError, RunSummary, Trouble, fail, ok, unknown, warn

Json = dict[str, Any]


def tried(create: Callable[[], Any]) -> CheckResult:
    """What a dry run comes to. Troubles that say nothing of the workflow are raised on as `PlatformError`."""
    try:
        create()
    except PlatformError as error:
        said = error.found or error.wanted
        if error.trouble is Trouble.INVALID:
            return fail(said, hint="hera-k8s render shows what is submitted")
        if error.trouble is Trouble.FORBIDDEN:
            return fail(said, hint=error.hint or "ask those who run the cluster for the right to create workflows")
        if error.trouble is Trouble.CONFLICT:
            return warn(f"said of a dry run: {said}", hint="submitting tells whether it is the same run or another one")
        if error.trouble is Trouble.MISSING:
            return unknown(f"a dry run is not served: {said}")
        raise
    return ok("dry run accepted")


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
