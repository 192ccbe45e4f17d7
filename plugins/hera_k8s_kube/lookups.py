"""Reading one named object, for all checkers: nothing is listed, so that no wider permission is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_k8s_kube.requirements import KubeRequirement
from hera_k8s_utils import CheckResult, Context, ErrorKind, Json, PlatformError, fail

if TYPE_CHECKING:
    from hera_k8s_utils.plugins import Scope


def find(context: Context, api_version: str, resource: str, name: str, *, scope: Scope = "namespace") -> Json | None:
    """The object, None when it does not exist. Other errors are raised; core describes them."""
    try:
        return context.kubernetes.get(api_version, resource, name, scope=scope)
    except PlatformError as error:
        if error.kind is ErrorKind.MISSING and error.reason == "NotFound":
            return None
        raise


def missing_result(
    context: Context, wanted: KubeRequirement, *, otherwise: str = "", can_be_made: bool = False
) -> CheckResult:
    """The result for a missing object, with what to type.

    otherwise: a command that creates it by hand.
    can_be_made: whether `hera-k8s provision` can create it.
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
