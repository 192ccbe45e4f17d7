"""Template source: finds the WorkflowTemplates that workflows of one namespace refer to."""

from __future__ import annotations

from collections.abc import Callable

from hera_k8s_sandbox.foundation.resource_types import CLUSTER_WORKFLOW_TEMPLATES, WORKFLOW_TEMPLATES, Resource
from hera_k8s_sandbox.store.store import Store
from hera_k8s_sandbox.workflows.model.templates import Source
from hera_k8s_utils._types import Json

Require = Callable[[Resource, str, str], None]
"""Raises ApiError unless a resource of a namespace (empty: of the cluster) and a name may be read."""


def templates_of(store: Store, namespace: str, require: Require | None = None) -> Source:
    """The source of a namespace's workflows.

    require: asked first, when it is a user's rights that count and not the controller's.
    """

    def find(name: str, cluster: bool) -> Json | None:
        resource = CLUSTER_WORKFLOW_TEMPLATES if cluster else WORKFLOW_TEMPLATES
        place = "" if cluster else namespace
        if require is not None:
            require(resource, place, name)
        return store.find(resource, place, name)

    return find
