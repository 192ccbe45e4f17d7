"""The object that the engines submit: a workflow with its name, its digest and the controller's instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hera_k8s_utils import Json, SubmitError
from hera_k8s_utils.labels import DIGEST_LABEL

if TYPE_CHECKING:
    from hera_k8s_utils import BuiltExperiment


INSTANCE: Final = "workflows.argoproj.io/controller-instanceid"


def prepared(built: BuiltExperiment, namespace: str, *, instance: str = "") -> Json:
    """The object to create: named, labelled with its digest, and with the controller's instance where there is one.

    Raises `SubmitError` when the workflow itself names another namespace than the one that was checked.
    """
    manifest = built.manifest
    if manifest.namespace and manifest.namespace != namespace:
        raise SubmitError(
            f"{built.name} was not submitted",
            found=f"the workflow's namespace is {manifest.namespace}, but the run's is {namespace}",
            hint=f"-n {manifest.namespace}, or omit the namespace in the workflow",
        )
    labels = {**(manifest.metadata.get("labels") or {}), DIGEST_LABEL: manifest.digest[:40]}
    if instance:
        labels[INSTANCE] = instance
    metadata = {**manifest.metadata, "name": built.name, "namespace": namespace, "labels": labels}
    metadata.pop("generateName", None)
    if manifest.kind == "ClusterWorkflowTemplate":
        del metadata["namespace"]
    return {"apiVersion": "argoproj.io/v1alpha1", **manifest.body, "metadata": metadata}
