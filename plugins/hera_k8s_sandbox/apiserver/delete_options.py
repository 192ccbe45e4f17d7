"""Delete options: propagation policy, grace period and their defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hera_k8s_sandbox.apiserver.requests import bad_policy, number, read_body
from hera_k8s_sandbox.foundation.errors import bad_request
from hera_k8s_sandbox.foundation.resource_types import JOBS, Resource
from hera_k8s_sandbox.operations import garbage
from hera_k8s_utils._types import Json

if TYPE_CHECKING:
    from aiohttp import web


PODS_KEPT: Final = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)


async def read_options(request: web.Request) -> Json:
    """The DeleteOptions of a request; none are empty ones. Raises ApiError 400."""
    options = await read_body(request)
    if options is None:
        return {}
    if not isinstance(options, dict):
        raise bad_request("the request body is not a DeleteOptions object")
    return options


def grace(request: web.Request, options: Json) -> int | None:
    """The seconds that are left to what is deleted; None: as many as it asks for itself."""
    given = options.get("gracePeriodSeconds")
    return number(request, "gracePeriodSeconds") if given is None else int(given)


def propagation(request: web.Request, resource: Resource, options: Json) -> str:
    """What is to become of what a deleted object owns. Raises ApiError 422."""
    policy = options.get("propagationPolicy") or request.query.get("propagationPolicy")
    orphans = options.get("orphanDependents")
    if orphans is not None:
        return garbage.ORPHAN if orphans else garbage.BACKGROUND
    if policy is None:
        return garbage.ORPHAN if keeps_pods(request, resource, options) else garbage.BACKGROUND
    if policy not in garbage.POLICIES:
        raise bad_policy(policy)
    return str(policy)


def keeps_pods(request: web.Request, resource: Resource, options: Json) -> bool:
    """Whether jobs are deleted without a propagation policy: for the sake of old clients their pods are kept."""
    policy = options.get("propagationPolicy") or request.query.get("propagationPolicy")
    return resource is JOBS and not policy and options.get("orphanDependents") is None
