"""Bodies: what a write brings, a whole object or a patch, and whether it is of its kind."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_sandbox.apiserver.requests import Target, as_object, read_body
from hera_k8s_sandbox.foundation.errors import ApiError, Cause, bad_request, invalid
from hera_k8s_sandbox.foundation.resource_types import CUSTOM_RESOURCE_DEFINITIONS, Resource
from hera_k8s_sandbox.schema.decoding import cannot_be_handled, go_name
from hera_k8s_sandbox.schema.openapi_fields import model_of
from hera_k8s_sandbox.schema.openapi_validation import check_types, decode, undeclared
from hera_k8s_sandbox.schema.patches import json_patch, merge_patch, strategic_merge
from hera_k8s_sandbox.schema.structural_schema import prune
from hera_k8s_sandbox.store.store import dumps
from hera_k8s_utils._types import Json

if TYPE_CHECKING:
    from aiohttp import web


APPLIES: Final = ("application/apply-patch+yaml", "application/apply-patch+cbor")
_PATCHES: Final = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)


def check_unknown(request: web.Request, resource: Resource, obj: Json) -> list[str]:
    """Drop the fields that the kind does not have, at any depth; refuse or warn as the client asked.

    Raises ApiError 400, also for values of other types than the kind's.
    """
    unknown = _drop_unknown(resource, obj)
    if not unknown:
        return []
    errors = [f'unknown field "{name}"' for name in unknown]
    policy = request.query.get("fieldValidation", "Warn") if request.query_string else "Warn"
    if policy == "Strict":
        raise cannot_be_handled(resource, f"strict decoding error: {', '.join(errors)}")
    return [text.replace('"', '\\"') for text in errors] if policy == "Warn" else []


def _drop_unknown(resource: Resource, obj: Json) -> list[str]:
    model = model_of(resource)
    if model is not None:
        check_types(resource, model, obj)
        return list(decode(model, obj))
    return [] if resource.schema is None else prune(dict(resource.schema), obj)


def require_version(resource: Resource, name: str, obj: Json) -> None:
    """Refuse a whole new state of a custom object that does not say which one it replaces. Raises ApiError 422."""
    defined = resource.custom or resource is CUSTOM_RESOURCE_DEFINITIONS
    meta = obj.get("metadata")
    if defined and isinstance(meta, dict) and not meta.get("resourceVersion"):
        named = Resource(resource.group, resource.version, resource.plural, "", resource.plural)
        cause = Cause("metadata.resourceVersion", "Invalid value: 0: must be specified for an update")
        raise invalid(named, name, [cause])


def patch_options(field: str, message: str, reason: str) -> ApiError:
    return invalid(Resource("meta.k8s.io", "v1", "", "", "PatchOptions"), "", [Cause(field, message, reason)])


async def read_patch(request: web.Request, resource: Resource) -> Any:
    """The body of a PATCH. Raises ApiError 400, 415."""
    kind = request.content_type
    if kind not in (*APPLIES, *_PATCHES):
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})
    try:
        patch = await read_body(request)
    except ApiError as error:
        message = "error decoding YAML" if kind in APPLIES else "error decoding patch"
        raise bad_request(f"{message}: {error.message}") from None
    if kind == "application/strategic-merge-patch+json" and not isinstance(patch, dict) and not resource.custom:
        found = go_name(patch)
        raise bad_request(f"json: cannot unmarshal {found} into Go value of type map[string]interface {{}}")
    return patch


@contextlib.contextmanager
def as_patch_error(resource: Resource, obj: Json) -> Iterator[None]:
    """Report a patched object that is no longer an object of its kind as an error of the patch."""
    try:
        yield
    except ApiError as error:
        if error.code != 400 or resource.custom:
            raise
        why = error.message.partition(f"cannot be handled as a {resource.kind}: ")[2] or error.message
        shown = json.dumps(dumps(obj).decode(), ensure_ascii=False)
        cause = Cause("patch", f"Invalid value: {shown}: {why}")
        message = f' "" is invalid: patch: {cause.message}'
        raise ApiError(422, "Invalid", message, details={"causes": [cause.as_json()]}) from None


def require_typed(resource: Resource, target: Target, wanted: Any) -> None:
    """Refuse a declaration that is not of the kind's schema. Raises ApiError 400, 500."""
    if not isinstance(wanted, dict) or not wanted.get("kind") or not wanted.get("apiVersion"):
        found = wanted if isinstance(wanted, dict) else {}
        group, _, version = str(found.get("apiVersion") or "").rpartition("/")
        raise bad_request(f"invalid object type: {group}/{version}, Kind={found.get('kind') or ''}")
    as_object(wanted, resource)
    if (wanted.get("metadata") or {}).get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    for why in sorted(_undeclared(resource, wanted))[:1]:
        raise _untyped(resource, wanted, why)


def _undeclared(resource: Resource, wanted: Json) -> Iterator[str]:
    model = model_of(resource)
    if model is not None:
        yield from undeclared(model, wanted)
    elif resource.schema is not None:
        schema, declared = dict(resource.schema), copy.deepcopy(wanted)
        yield from (f".{path}: field not declared in schema" for path in prune(schema, declared))


def _untyped(resource: Resource, wanted: Json, why: str) -> ApiError:
    meta = wanted.get("metadata") or {}
    place = f"{meta.get('namespace', '')}/{meta.get('name', '')}"
    kind = f"{resource.group}/{resource.version}, Kind={resource.kind}"
    return ApiError(500, "", f"failed to create typed patch object ({place}; {kind}): {why}")


def patched(content_type: str, resource: Resource, obj: Json, patch: Any) -> Json:
    if content_type == "application/json-patch+json":
        return json_patch(obj, patch)
    if not isinstance(patch, dict):
        raise bad_request("error decoding patch: it is not an object")
    if content_type == "application/merge-patch+json":
        merged: Json = merge_patch(obj, patch)
        return merged
    if content_type == "application/strategic-merge-patch+json" and not resource.custom:
        return strategic_merge(obj, patch)
    accepted = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"]
    if not resource.custom:
        accepted.insert(2, "application/strategic-merge-patch+json")
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    raise ApiError(415, "UnsupportedMediaType", message)
