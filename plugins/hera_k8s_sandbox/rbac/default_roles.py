"""The roles that a cluster with Argo has from its start."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from hera_k8s_sandbox.foundation.resource_types import (
    ARGO,
    BATCH,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    RBAC,
    ROLE_BINDINGS,
    ROLES,
    Resource,
)
from hera_k8s_sandbox.foundation.selectors import labels_of
from hera_k8s_sandbox.store.store import Store
from hera_k8s_utils._types import Json

_READ: Final = ["get", "list", "watch"]
_WRITE: Final = ["create", "delete", "deletecollection", "patch", "update"]
_ARGO_KINDS: Final = [
    "workflows",
    "workflows/finalizers",
    "workflowtemplates",
    "workflowtemplates/finalizers",
    "cronworkflows",
    "cronworkflows/finalizers",
    "clusterworkflowtemplates",
    "clusterworkflowtemplates/finalizers",
    "workflowtasksets",
    "workflowtasksets/finalizers",
    "workflowtaskresults",
    "workflowtaskresults/finalizers",
    "workflowartifactgctasks",
]
_PLAIN_KINDS: Final = ["configmaps", "persistentvolumeclaims", "pods", "serviceaccounts"]
_SEEN_KINDS: Final = [*_PLAIN_KINDS, "events", "namespaces", "pods/log", "pods/status"]
_BATCH_KINDS: Final = ["jobs", "jobs/status"]
_AGGREGATE: Final = "rbac.authorization.k8s.io/aggregate-to-"
_OPEN_PATHS: Final = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
_DISCOVERY_PATHS: Final = ["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *_OPEN_PATHS]


def default_roles() -> Iterator[tuple[Resource, Json]]:
    """The ClusterRoles and ClusterRoleBindings, as (resource, object)."""
    yield _cluster_role("cluster-admin", [_rule(["*"], ["*"], ["*"]), _paths(["*"], ["*"])])
    yield _cluster_role("system:basic-user", _basic_user_rules())
    yield _cluster_role("system:discovery", [_paths(_DISCOVERY_PATHS, ["get"])])
    yield _cluster_role("system:public-info-viewer", [_paths(_OPEN_PATHS, ["get"])])
    yield _aggregated("admin")
    yield _aggregated("edit")
    yield _aggregated("view")
    seen = [_rule([""], _SEEN_KINDS, _READ), _rule([BATCH], _BATCH_KINDS, _READ)]
    yield _part("system:aggregate-to-view", "view", seen)
    yield _part("system:aggregate-to-edit", "edit", _edit_rules())
    yield _part("system:aggregate-to-admin", "admin", _admin_rules())
    yield _part("argo-aggregate-to-view", "view", [_rule([ARGO], _ARGO_KINDS, _READ)])
    for name in ("edit", "admin"):
        rule = _rule([ARGO], _ARGO_KINDS, [*_WRITE, *_READ])
        yield _part(f"argo-aggregate-to-{name}", name, [rule])
    yield _cluster_binding("cluster-admin", ["system:masters"])
    yield _cluster_binding("system:basic-user", ["system:authenticated"])
    yield _cluster_binding("system:discovery", ["system:authenticated"])
    yield _cluster_binding("system:public-info-viewer", ["system:authenticated", "system:unauthenticated"])


def executor_role(namespace: str) -> Iterator[tuple[Resource, Json]]:
    """What lets the account `default` of a namespace run workflows: Argo's own minimum."""
    rule = _rule([ARGO], ["workflowtaskresults"], ["create", "patch"])
    yield ROLES, {"metadata": {"name": "executor", "namespace": namespace}, "rules": [rule]}
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
    yield (
        ROLE_BINDINGS,
        {
            "metadata": {"name": "executor-default", "namespace": namespace},
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "executor"},
            "subjects": [subject],
        },
    )


def aggregate(store: Store) -> None:
    """Give every ClusterRole with an aggregationRule the rules of the roles that it selects."""
    changed = True
    while changed:  # `edit` selects `view`, which selects in its turn
        before = store.version
        for role in store.list(CLUSTER_ROLES):
            if role.get("aggregationRule"):
                combined = {"rules": _selected_rules(store, role)}
                store.change(CLUSTER_ROLES, "", role["metadata"]["name"], partial(dict.update, **combined))
        changed = store.version != before


def _selected_rules(store: Store, role: Json) -> list[Json]:
    rules: list[Json] = []
    for selector in role["aggregationRule"].get("clusterRoleSelectors") or ():
        for part in store.list(CLUSTER_ROLES, labels=labels_of(selector)):
            if part["metadata"]["name"] != role["metadata"]["name"]:
                rules += [rule for rule in part.get("rules") or () if rule not in rules]
    return rules


def _edit_rules() -> list[Json]:
    return [
        _rule([""], [*_PLAIN_KINDS, "secrets", "events"], _WRITE),
        _rule([""], ["secrets", *_SEEN_KINDS], _READ),
        _rule([""], ["serviceaccounts/token"], ["create"]),
        _rule([""], ["serviceaccounts"], ["impersonate"]),
        _rule([BATCH], ["jobs"], _WRITE),
    ]


def _admin_rules() -> list[Json]:
    return [
        _rule([RBAC], ["roles", "rolebindings"], [*_WRITE, *_READ]),
        _rule(["authorization.k8s.io"], ["localsubjectaccessreviews"], ["create"]),
    ]


def _basic_user_rules() -> list[Json]:
    reviews = ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]
    return [
        _rule(["authorization.k8s.io"], reviews, ["create"]),
        _rule(["authentication.k8s.io"], ["selfsubjectreviews"], ["create"]),
    ]


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> Json:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


def _paths(paths: list[str], verbs: list[str]) -> Json:
    return {"nonResourceURLs": paths, "verbs": verbs}


def _cluster_role(name: str, rules: list[Json], labels: Json | None = None) -> tuple[Resource, Json]:
    labels = {"kubernetes.io/bootstrapping": "rbac-defaults"} | (labels or {})
    return CLUSTER_ROLES, {"metadata": {"name": name, "labels": labels}, "rules": rules}


def _part(name: str, whole: str, rules: list[Json]) -> tuple[Resource, Json]:
    return _cluster_role(name, rules, {f"{_AGGREGATE}{whole}": "true"})


def _aggregated(name: str) -> tuple[Resource, Json]:
    labels = {f"{_AGGREGATE}{_ABOVE[name]}": "true"} if name in _ABOVE else {}
    resource, role = _cluster_role(name, [], labels)
    selector = {"matchLabels": {f"{_AGGREGATE}{name}": "true"}}
    return resource, role | {"aggregationRule": {"clusterRoleSelectors": [selector]}}


_ABOVE: Final = {"view": "edit", "edit": "admin"}


def _cluster_binding(role: str, groups: list[str]) -> tuple[Resource, Json]:
    return CLUSTER_ROLE_BINDINGS, {
        "metadata": {"name": role, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": group} for group in groups],
    }
