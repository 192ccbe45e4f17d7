"""Escalation: a role or binding may only grant permissions that its author has."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from hera_k8s_sandbox.foundation.errors import forbidden
from hera_k8s_sandbox.foundation.resource_types import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    RBAC,
    ROLE_BINDINGS,
    ROLES,
    Resource,
)
from hera_k8s_utils._types import Json

if TYPE_CHECKING:
    from hera_k8s_sandbox.rbac.authorizer import Identity
    from hera_k8s_sandbox.state import SandboxState


_ROLES: Final = frozenset({ROLES, CLUSTER_ROLES})
_BINDINGS: Final = frozenset({ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS})


def check_grant(
    state: SandboxState, identity: Identity, resource: Resource, namespace: str, old: Json | None, new: Json
) -> None:
    """Refuse a role or binding that gives away what its author has not. Raises ApiError 403.

    The verbs `escalate` (on roles) and `bind` (on the role that is bound) are the right to do so all the same.
    """
    if resource not in _ROLES | _BINDINGS:
        return
    meta = new.get("metadata")
    name = meta.get("name", "") if isinstance(meta, dict) else ""
    if resource in _ROLES:
        granted = [rule for rule in new.get("rules") or () if old is None or rule not in (old.get("rules") or ())]
        excused = state.access.allowed(identity, "escalate", RBAC, resource.plural, namespace, name)
    else:
        reference = new.get("roleRef") or {}
        role = _role(state, reference, namespace)
        granted = [] if role is None else list(role.get("rules") or ())
        plural = f"{str(reference.get('kind', '')).lower()}s"
        excused = state.access.allowed(identity, "bind", RBAC, plural, namespace, reference.get("name", ""))
    if excused:
        return
    missing = [one for rule in granted for one in _single_rules(rule) if not _has(state, identity, namespace, one)]
    if missing:
        groups = ",".join(json.dumps(group) for group in identity.groups)
        message = "\n".join(_shown(rule) for rule in missing)
        why = f'user "{identity.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:'
        raise forbidden(resource, name, f"{why}\n{message}")


def _role(state: SandboxState, reference: Json, namespace: str) -> Json | None:
    if reference.get("kind") == "ClusterRole":
        return state.store.find(CLUSTER_ROLES, "", reference.get("name", ""))
    return state.store.find(ROLES, namespace, reference.get("name", ""))


def _single_rules(rule: Json) -> Iterator[Json]:
    """A rule as rules of one group, one resource (or path) and one name each."""
    verbs = rule.get("verbs") or []
    for path in rule.get("nonResourceURLs") or ():
        yield {"verbs": verbs, "nonResourceURLs": [path]}
    names = [[name] for name in rule.get("resourceNames") or ()] or [[]]
    for group, resource, name in itertools.product(rule.get("apiGroups") or (), rule.get("resources") or (), names):
        yield {"verbs": verbs, "apiGroups": [group], "resources": [resource], "resourceNames": name}


def _has(state: SandboxState, identity: Identity, namespace: str, rule: Json) -> bool:
    access = state.access
    if "nonResourceURLs" in rule:
        return all(access.allowed_path(identity, verb, rule["nonResourceURLs"][0]) for verb in rule["verbs"])
    (group,), (resource,) = rule["apiGroups"], rule["resources"]
    plural, _, subresource = resource.partition("/")
    name = rule["resourceNames"][0] if rule["resourceNames"] else ""
    return all(
        access.allowed(identity, verb, group, plural, namespace or None, name, subresource) for verb in rule["verbs"]
    )


def _shown(rule: Json) -> str:
    fields = (
        ("APIGroups", rule.get("apiGroups")),
        ("Resources", rule.get("resources")),
        ("ResourceNames", rule.get("resourceNames")),
        ("NonResourceURLs", rule.get("nonResourceURLs")),
        ("Verbs", rule.get("verbs")),
    )
    return "{" + ", ".join(f"{name}:{json.dumps(value)}" for name, value in fields if value) + "}"
