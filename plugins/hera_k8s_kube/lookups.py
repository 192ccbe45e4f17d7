"""Looking at the one named object: what all checkers share. Nothing here lists, and only what is named is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_k8s_kube.requirements import KubeRequirement
from hera_k8s_utils import CheckResult, Context, ErrorKind, Json, PlatformError, fail

if TYPE_CHECKING:
    from hera_k8s_utils.plugins import Scope


def find(context: Context, api_version: str, resource: str, name: str, *, scope: Scope = "namespace") -> Json | None:
    """The object, None when there is none. Other refusals pass: the core puts them into words."""
    try:
        return context.kubernetes.get(api_version, resource, name, scope=scope)
    except PlatformError as error:
        if error.trouble is ErrorKind.MISSING and error.reason == "NotFound":
            return None
        raise


def missing_result(
    context: Context, wanted: KubeRequirement, *, otherwise: str = "", can_be_made: bool = False
) -> CheckResult:
    """That it is not there, and what to type.

    can_be_made: the requirement says enough for `hera-k8s provision`. otherwise: a command that makes it by hand.
    """
    place = f"not found in {context.kubernetes.namespace}"
    if wanted.where:
        return fail(f"{place}; wanted by {wanted.where}", hint=otherwise)
    ways = ["hera-k8s provision" if can_be_made else otherwise, f"--bind {wanted.role}=NAME"]
    return fail(f"{wanted.label}{place}", hint="    or  ".join(way for way in ways if way))


def is_deleting(found: Json) -> bool:
    """Whether an object is being deleted."""
    return bool((found.get("metadata") or {}).get("deletionTimestamp"))


def kubectl_command(context: Context, words: str) -> str:
    """A kubectl command in the namespace at hand."""
    return f"kubectl -n {context.kubernetes.namespace} {words}"
