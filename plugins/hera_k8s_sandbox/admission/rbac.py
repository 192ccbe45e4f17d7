"""Roles and their bindings: what they are completed with, and what they are refused for."""

from __future__ import annotations

from collections.abc import Iterator

from hera_k8s_sandbox.foundation.errors import Cause
from hera_k8s_sandbox.foundation.field_errors import invalid_value, required, unsupported_value
from hera_k8s_sandbox.foundation.resource_types import RBAC
from hera_k8s_sandbox.foundation.selectors import labels_of
from hera_k8s_utils._types import Json


def validate_role(obj: Json) -> Iterator[Cause]:
    """What a role is refused for."""
    for selector in (obj.get("aggregationRule") or {}).get("clusterRoleSelectors") or ():
        labels_of(selector)
    for index, rule in enumerate(obj.get("rules") or []):
        _require_texts(rule)
        where = f"rules[{index}]"
        if not rule.get("verbs"):
            yield required(f"{where}.verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs") and obj["metadata"].get("namespace"):
            message = "namespaced rules cannot apply to non-resource URLs"
            yield invalid_value(f"{where}.nonResourceURLs", rule["nonResourceURLs"], message)
        if rule.get("nonResourceURLs"):
            continue
        if not rule.get("apiGroups"):
            yield required(f"{where}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            yield required(f"{where}.resources", "resource rules must supply at least one resource")


def _require_texts(rule: Json) -> None:
    for field, values in rule.items():
        if values is not None and not (isinstance(values, list) and all(isinstance(one, str) for one in values)):
            raise TypeError(f"rules.{field} is a list of strings")


def set_role_defaults(obj: Json) -> None:
    """A role without rules has null for them."""
    obj["rules"] = obj.get("rules") or None


def set_binding_defaults(obj: Json) -> None:
    """Fill in, in place, what the API server fills in."""
    if isinstance(obj.get("roleRef"), dict):
        obj["roleRef"].setdefault("apiGroup", RBAC)
    for subject in obj.get("subjects") or []:
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", RBAC)


def validate_binding(obj: Json) -> Iterator[Cause]:
    """What a binding is refused for."""
    role = obj.get("roleRef") or {}
    kinds = ("ClusterRole",) if not obj["metadata"].get("namespace") else ("Role", "ClusterRole")
    if role.get("kind") not in kinds:
        yield unsupported_value("roleRef.kind", role.get("kind", ""), kinds)
    if not role.get("name"):
        yield required("roleRef.name")
    for index, subject in enumerate(obj.get("subjects") or []):
        where = f"subjects[{index}]"
        if not subject.get("name"):
            yield required(f"{where}.name")
        if subject.get("kind") not in ("ServiceAccount", "User", "Group"):
            yield unsupported_value(f"{where}.kind", subject.get("kind"), ("ServiceAccount", "User", "Group"))
        elif subject["kind"] == "ServiceAccount" and not (subject.get("namespace") or obj["metadata"].get("namespace")):
            yield required(f"{where}.namespace")


def validate_binding_update(old: Json, new: Json) -> Iterator[Cause]:
    """What a change of a binding is refused for."""
    if old["roleRef"] != new.get("roleRef"):
        shown = {name[0].upper() + name[1:]: value for name, value in (new.get("roleRef") or {}).items()}
        if "ApiGroup" in shown:  # the message shows the server's own form of it
            shown = {"APIGroup": shown.pop("ApiGroup"), **shown}
        yield invalid_value("roleRef", shown, "cannot change roleRef")
