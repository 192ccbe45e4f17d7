"""Claims: those that a workflow makes for itself from its volumeClaimTemplates, and when they go again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hera_k8s_sandbox.workflows.language.substitution import substitute
from hera_k8s_sandbox.workflows.model.pod_spec import WORKFLOW_LABEL, owner_reference

if TYPE_CHECKING:
    from hera_k8s_sandbox.workflows.engine.operation import Operation

Json = dict[str, Any]

STRATEGIES: Final = ("OnWorkflowCompletion", "OnWorkflowSuccess")


def make(operation: Operation) -> None:
    """Make the claims that are not there yet, called WORKFLOW-NAME. Raises ApiError."""
    wanted = operation.spec.get("volumeClaimTemplates") or ()
    kept = operation.status.setdefault("persistentVolumeClaims", []) if wanted else []
    present = {one["name"] for one in kept}
    for template in wanted:
        claim: Json = substitute(template, operation.values())
        reference = claim["metadata"]["name"]
        if reference in present:
            continue
        name, labels = f"{operation.name}-{reference}", claim["metadata"].get("labels") or {}
        meta = {
            **claim["metadata"],
            "name": name,
            "labels": {**labels, WORKFLOW_LABEL: operation.name},
            "ownerReferences": [owner_reference(operation.workflow)],
        }
        operation.objects.create_claim({"spec": claim.get("spec") or {}, "metadata": meta})
        kept.append({"name": reference, "persistentVolumeClaim": {"claimName": name}})


def remove(operation: Operation, phase: str) -> None:
    """Remove them at the end, as volumeClaimGC says: after a success unless it says always."""
    strategy = (operation.spec.get("volumeClaimGC") or {}).get("strategy") or "OnWorkflowSuccess"
    if strategy == "OnWorkflowSuccess" and phase != "Succeeded":
        return
    for one in operation.status.pop("persistentVolumeClaims", ()):
        operation.objects.delete_claim(one["persistentVolumeClaim"]["claimName"])
