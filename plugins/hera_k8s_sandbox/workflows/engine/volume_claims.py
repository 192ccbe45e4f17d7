"""Claims: those that a workflow makes for itself from its volumeClaimTemplates, and when they go again."""

from __future__ import annotations

from hera_k8s_sandbox.foundation.labels import WORKFLOW_LABEL
from hera_k8s_sandbox.workflows.engine.run_context import RunContext
from hera_k8s_sandbox.workflows.language.substitution import substitute
from hera_k8s_sandbox.workflows.model.pod_spec import owner_reference
from hera_k8s_utils._types import Json


def make(run: RunContext) -> None:
    """Make the claims that are not there yet, called WORKFLOW-NAME. Raises ApiError."""
    wanted = run.spec.get("volumeClaimTemplates") or ()
    kept = run.status.setdefault("persistentVolumeClaims", []) if wanted else []
    present = {one["name"] for one in kept}
    for template in wanted:
        claim: Json = substitute(template, run.values())
        reference = claim["metadata"]["name"]
        if reference in present:
            continue
        name, labels = f"{run.name}-{reference}", claim["metadata"].get("labels") or {}
        meta = {
            **claim["metadata"],
            "name": name,
            "labels": {**labels, WORKFLOW_LABEL: run.name},
            "ownerReferences": [owner_reference(run.workflow)],
        }
        run.cluster.create_claim({"spec": claim.get("spec") or {}, "metadata": meta})
        kept.append({"name": reference, "persistentVolumeClaim": {"claimName": name}})


def remove(run: RunContext, phase: str) -> None:
    """Remove them at the end according to volumeClaimGC; by default after a success."""
    strategy = (run.spec.get("volumeClaimGC") or {}).get("strategy") or "OnWorkflowSuccess"
    if strategy == "OnWorkflowSuccess" and phase != "Succeeded":
        return
    for one in run.status.pop("persistentVolumeClaims", ()):
        run.cluster.delete_claim(one["persistentVolumeClaim"]["claimName"])
