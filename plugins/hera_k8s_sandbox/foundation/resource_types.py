"""Resources: the table of what the sandbox serves, one row a kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

ALL_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
CORE = ""
RBAC = "rbac.authorization.k8s.io"
ARGO = "argoproj.io"
BATCH = "batch"
APPS = "apps"
DISCOVERY = "discovery.k8s.io"


@dataclass(frozen=True, eq=False)  # rows are compared and hashed by identity, which is fast
class Resource:
    """One kind of object and where it is served.

    group: empty for the core group.
    subresources: names below an object, such as `status`.
    generation: `metadata.generation` counts the changes of what is not metadata, and of what `counted` names of it.
    deprecated: the warning that every answer carries.
    custom: defined by a CustomResourceDefinition, which shows in lists.
    selectable: the fields, besides name and namespace, that a fieldSelector may name.
    counts: for some of these, the path of the number that they stand for.
    schema, columns, list_kind: of a defined kind, as its definition has them.
    scale: the paths of the subresource.
    """

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool = True
    subresources: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    generation: bool = False
    counted: tuple[str, ...] = ()
    deprecated: str = ""
    custom: bool = False
    selectable: tuple[str, ...] = ()
    counts: tuple[tuple[str, str], ...] = ()
    schema: Mapping[str, Any] | None = None
    columns: tuple[Mapping[str, Any], ...] = ()
    list_kind: str = ""
    scale: Mapping[str, str] | None = None

    @cached_property
    def api_version(self) -> str:
        """`v1`, `rbac.authorization.k8s.io/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @cached_property
    def qualified(self) -> str:
        """`configmaps`, `workflows.argoproj.io`: how messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def _core(plural: str, kind: str, **more: object) -> Resource:
    return Resource(CORE, "v1", plural, kind.lower(), kind, **more)  # type: ignore[arg-type]


def _rbac(plural: str, kind: str, **more: object) -> Resource:
    return Resource(RBAC, "v1", plural, kind.lower(), kind, **more)  # type: ignore[arg-type]


def _argo(plural: str, kind: str, short: tuple[str, ...] = (), **more: object) -> Resource:
    return Resource(
        ARGO,
        "v1alpha1",
        plural,
        kind.lower(),
        kind,
        short_names=short,
        generation=True,
        custom=True,
        **more,  # type: ignore[arg-type]
    )


CONFIG_MAPS: Final = _core("configmaps", "ConfigMap", short_names=("cm",))
EVENTS: Final = _core(
    "events",
    "Event",
    short_names=("ev",),
    selectable=(
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
)
NAMESPACES: Final = _core(
    "namespaces",
    "Namespace",
    namespaced=False,
    short_names=("ns",),
    subresources=("status",),
    verbs=tuple(verb for verb in ALL_VERBS if verb != "deletecollection"),
    selectable=("status.phase",),
)
NODES: Final = _core("nodes", "Node", namespaced=False, short_names=("no",), subresources=("status",))
CLAIMS: Final = _core("persistentvolumeclaims", "PersistentVolumeClaim", short_names=("pvc",), subresources=("status",))
PERSISTENT_VOLUMES: Final = _core(
    "persistentvolumes", "PersistentVolume", namespaced=False, short_names=("pv",), subresources=("status",)
)
PODS: Final = _core(
    "pods",
    "Pod",
    short_names=("po",),
    categories=("all",),
    subresources=("binding", "log", "status"),
    generation=True,
    selectable=(
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
)
SECRETS: Final = _core("secrets", "Secret", selectable=("type",))
SERVICE_ACCOUNTS: Final = _core("serviceaccounts", "ServiceAccount", short_names=("sa",), subresources=("token",))
STORAGE_CLASSES: Final = Resource(
    "storage.k8s.io",
    "v1",
    "storageclasses",
    "storageclass",
    "StorageClass",
    namespaced=False,
    short_names=("sc",),
)
JOBS: Final = Resource(
    BATCH,
    "v1",
    "jobs",
    "job",
    "Job",
    categories=("all",),
    subresources=("status",),
    generation=True,
    selectable=("status.successful",),
    counts=(("status.successful", "status.succeeded"),),
)
REPLICA_SETS: Final = Resource(
    APPS,
    "v1",
    "replicasets",
    "replicaset",
    "ReplicaSet",
    short_names=("rs",),
    categories=("all",),
    subresources=("scale", "status"),
    generation=True,
    selectable=("status.replicas",),
)
DEPLOYMENTS: Final = Resource(
    APPS,
    "v1",
    "deployments",
    "deployment",
    "Deployment",
    short_names=("deploy",),
    categories=("all",),
    subresources=("scale", "status"),
    generation=True,
    counted=("annotations",),
)
SERVICES: Final = _core(
    "services",
    "Service",
    short_names=("svc",),
    categories=("all",),
    subresources=("status",),
    selectable=("spec.clusterIP", "spec.type"),
)
ENDPOINTS: Final = _core(
    "endpoints",
    "Endpoints",
    short_names=("ep",),
    deprecated="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
)
ENDPOINT_SLICES: Final = Resource(
    DISCOVERY, "v1", "endpointslices", "endpointslice", "EndpointSlice", generation=True, counted=("labels",)
)
CUSTOM_RESOURCE_DEFINITIONS: Final = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "customresourcedefinition",
    "CustomResourceDefinition",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    subresources=("status",),
    generation=True,
)
ROLES: Final = _rbac("roles", "Role")
ROLE_BINDINGS: Final = _rbac("rolebindings", "RoleBinding")
CLUSTER_ROLES: Final = _rbac("clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDINGS: Final = _rbac("clusterrolebindings", "ClusterRoleBinding", namespaced=False)
WORKFLOWS: Final = _argo("workflows", "Workflow", ("wf",))
WORKFLOW_TEMPLATES: Final = _argo("workflowtemplates", "WorkflowTemplate", ("wftmpl",))
CLUSTER_WORKFLOW_TEMPLATES: Final = _argo(
    "clusterworkflowtemplates", "ClusterWorkflowTemplate", ("clusterwftmpl", "cwft"), namespaced=False
)
CRON_WORKFLOWS: Final = _argo("cronworkflows", "CronWorkflow", ("cwf", "cronwf"))
WORKFLOW_TASK_RESULTS: Final = _argo("workflowtaskresults", "WorkflowTaskResult")

RESOURCES: Final = (
    CONFIG_MAPS,
    EVENTS,
    NAMESPACES,
    NODES,
    CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
    STORAGE_CLASSES,
    JOBS,
    REPLICA_SETS,
    DEPLOYMENTS,
    SERVICES,
    ENDPOINTS,
    ENDPOINT_SLICES,
    CUSTOM_RESOURCE_DEFINITIONS,
    ROLES,
    ROLE_BINDINGS,
    CLUSTER_ROLES,
    CLUSTER_ROLE_BINDINGS,
    WORKFLOWS,
    WORKFLOW_TEMPLATES,
    CLUSTER_WORKFLOW_TEMPLATES,
    CRON_WORKFLOWS,
    WORKFLOW_TASK_RESULTS,
)
