"""Permissions of the workflows' service account, derived from the templates, and the objects that grant them."""

from __future__ import annotations

from typing import Final

from hera_k8s_arkouda import objects
from hera_k8s_arkouda.templates import WORKFLOWS_ACCOUNT, template_bodies
from hera_k8s_utils import Json, Manifest

ROLE: Final = "arkouda-workflows"
VERBS: Final = {
    "apply": ("get", "create", "patch"),
    "delete": ("get", "list", "watch", "delete"),
}
"""Verbs that kubectl needs for each action. It lists and watches while it waits for a deletion."""
_FORCE_VERBS: Final = ("list", "watch", "delete")
"""Further verbs that `--force` needs."""
_VERB_ORDER: Final = ("get", "list", "watch", "create", "update", "patch", "delete")
_RESULTS_RULE: Final = {
    "apiGroups": ["argoproj.io"],
    "resources": ["workflowtaskresults"],
    "verbs": ["create", "patch"],
}
"""Every pod of a workflow needs this to report its result."""


def group_of(api_version: str) -> str:
    """The group of an API version; empty for the core group."""
    return api_version.rpartition("/")[0]


def required_verbs() -> dict[tuple[str, str], set[str]]:
    """Verbs by (group, resource): what the templates do and what they grant (one may only grant what one has)."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for body in template_bodies().values():
        flags = {t["name"]: (t.get("resource") or {}).get("flags") or () for t in body["spec"]["templates"]}
        for part in Manifest.of(body).resources():
            found = verbs.setdefault((group_of(part.api_version), f"{part.kind.lower()}s"), set())
            found.update(VERBS[part.action])
            if "--force" in flags[part.template]:
                found.update(_FORCE_VERBS)
    for rule in objects.GRANTED_RULES:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                verbs.setdefault((group, resource), set()).update(rule["verbs"])
    return verbs


def rules() -> list[Json]:
    """The rules of the role, one for each group and set of verbs, never a cross product of unrelated groups."""
    grouped: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, resource), verbs in required_verbs().items():
        grouped.setdefault((group, tuple(verb for verb in _VERB_ORDER if verb in verbs)), []).append(resource)
    found = [
        {"apiGroups": [group], "resources": sorted(resources), "verbs": list(verbs)}
        for (group, verbs), resources in sorted(grouped.items())
    ]
    return [*found, dict(_RESULTS_RULE)]


def account_objects(name: str = WORKFLOWS_ACCOUNT) -> list[Json]:
    """ServiceAccount, Role and RoleBinding of the workflows."""
    api = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
        {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": {"name": ROLE}, "rules": rules()},
        {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": ROLE},
            "roleRef": {"apiGroup": api, "kind": "Role", "name": ROLE},
            "subjects": [{"kind": "ServiceAccount", "name": name}],
        },
    ]


def in_namespace(body: Json, namespace: str) -> Json:
    """The object with a namespace; the subjects of a binding get the same one."""
    placed: Json = {**body, "metadata": {**body["metadata"], "namespace": namespace}}
    if body["kind"] == "RoleBinding":
        placed["subjects"] = [{**subject, "namespace": namespace} for subject in body["subjects"]]
    return placed
