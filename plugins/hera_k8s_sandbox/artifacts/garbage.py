"""Artifact garbage: what is removed of a workflow's artifacts when it ends, or when it is deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from hera_k8s_sandbox.artifacts.store import ArtifactMissing, ArtifactStore
from hera_k8s_utils._types import Json

COMPLETION: Final = "OnWorkflowCompletion"
DELETION: Final = "OnWorkflowDeletion"


def garbage(spec: Json, status: Json, moment: str) -> Iterator[Json]:
    """The artifacts whose strategy names this moment."""
    for node in (status.get("nodes") or {}).values():
        for artifact in (node.get("outputs") or {}).get("artifacts") or ():
            has_key = (artifact.get("s3") or {}).get("key") and not artifact.get("deleted")
            if has_key and _strategy(spec, artifact) == moment:
                yield artifact


def collect(store: ArtifactStore, namespace: str, spec: Json, status: Json, moment: str) -> None:
    """Remove them, and mark them in `status`."""
    for artifact in garbage(spec, status, moment):
        with contextlib.suppress(ArtifactMissing):
            store.delete(namespace, artifact["s3"]["key"])
        artifact["deleted"] = True
    status["artifactGCStatus"] = {"strategiesProcessed": {moment: True}}


def _strategy(spec: Json, artifact: Json) -> str:
    own = (artifact.get("artifactGC") or {}).get("strategy")
    return str(own or (spec.get("artifactGC") or {}).get("strategy") or "Never")
