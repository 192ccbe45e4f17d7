"""Requests: what a path, a query and a body of the Kubernetes API ask for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from hera_k8s_sandbox.apiserver.protobuf import decoder
from hera_k8s_sandbox.foundation.errors import (
    ApiError,
    Cause,
    bad_request,
    invalid,
    method_not_allowed,
    too_large,
    too_new,
)
from hera_k8s_sandbox.foundation.field_errors import forbidden_field, invalid_value, unsupported_value
from hera_k8s_sandbox.foundation.reading import LARGEST_BODY, read_json, read_yaml
from hera_k8s_sandbox.foundation.resource_types import JOBS, Resource
from hera_k8s_sandbox.foundation.selectors import Selector, parse_fields, parse_labels
from hera_k8s_sandbox.operations import garbage
from hera_k8s_utils._types import Json

if TYPE_CHECKING:
    from aiohttp import web


_NAMESPACE_SUBRESOURCES: Final = ("status", "finalize")
_OBJECT_VERBS: Final = {"GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_COLLECTION_VERBS: Final = {"GET": "list", "HEAD": "list", "POST": "create", "DELETE": "deletecollection"}


@dataclass(frozen=True)
class Target:
    """What a path names: plural, and an object or a collection of it.

    namespace: empty for cluster-scoped resources and for collections over all namespaces.
    """

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    def verb(self, method: str, *, watch: bool) -> str:
        """The verb that roles speak of. Raises ApiError 405."""
        if self.subresource and method == "POST":
            return "create"
        verb = (_OBJECT_VERBS if self.name else _COLLECTION_VERBS).get(method)
        if verb is None:
            raise method_not_allowed()
        return "watch" if watch and verb in ("list", "get") else verb


def parse_target(group: str, version: str, segments: list[str]) -> Target | None:
    """What the part of a path after the version names; None when it names nothing."""
    parts = [unquote(segment) for segment in segments]
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces" and parts[2] not in _NAMESPACE_SUBRESOURCES:
        namespace, parts = parts[1], parts[2:]
    if not 1 <= len(parts) <= 3 or not all(parts):
        return None
    plural, name, subresource = (*parts, "", "")[:3]
    if (group, plural) == ("", "namespaces") and name:
        namespace = name
    return Target(group, version, plural, namespace, name, subresource)


@dataclass(frozen=True)
class Query:
    """The parameters that reads and writes have in common."""

    labels: Selector | None = None
    fields: Selector | None = None
    dry_run: bool = False

    @staticmethod
    def read(request: web.Request) -> Query:
        """From a request. Raises ApiError 400."""
        if not request.query_string:
            return _PLAIN
        query = request.query
        dry_run = query.getall("dryRun", [])
        if any(value not in ("All", "") for value in dry_run):
            raise _bad_dry_run(request.method, dry_run)
        return Query(
            parse_labels(query.get("labelSelector", "")),
            parse_fields(query.get("fieldSelector", "")),
            "All" in dry_run,
        )


_PLAIN: Final = Query()


def _bad_dry_run(method: str, values: list[str]) -> ApiError:
    kind = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions"}.get(method, "DeleteOptions")
    shown = json.dumps(values, separators=(",", ":"))
    cause = Cause("dryRun", f'Unsupported value: {shown}: supported values: "All"', "FieldValueNotSupported")
    return invalid(_options(kind), "", [cause])


def bad_policy(policy: object) -> ApiError:
    """422: a deletion has an unknown propagation policy."""
    cause = unsupported_value("propagationPolicy", policy, (*garbage.POLICIES, "nil"))
    return invalid(_options("DeleteOptions"), "", [cause])


def _options(kind: str) -> Resource:
    return Resource("meta.k8s.io", "v1", "", "", kind)


def check_list_options(request: web.Request, *, watch: bool) -> None:
    """Refuse combinations of a list's or watch's parameters that have no meaning. Raises ApiError 422."""
    query = request.query
    match = query.get("resourceVersionMatch", "")
    initial = "sendInitialEvents" in query
    cause = None
    if match and not query.get("resourceVersion") and not (watch and initial):
        cause = forbidden_field(
            "resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"
        )
    elif match and match not in ("Exact", "NotOlderThan"):
        cause = unsupported_value("resourceVersionMatch", match, ("Exact", "NotOlderThan", ""))
    elif initial and not watch:
        cause = forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for list")
    elif initial and match != "NotOlderThan":
        message = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        cause = forbidden_field("resourceVersionMatch", message)
    if cause is not None:
        raise invalid(_options("ListOptions"), "", [cause])


def check_fields(resource: Resource, selector: Selector | None) -> None:
    """Refuse a field selector that names what the kind cannot be selected by. Raises ApiError 400."""
    for condition in selector.conditions if selector else ():
        if condition.key not in ("metadata.name", "metadata.namespace", *resource.selectable):
            message = f"field label not supported: {condition.key}"
            if not resource.custom:
                message = f'"{condition.key}" is not a known field selector: only "metadata.name", "metadata.namespace"'
                message = message if not resource.selectable else f"field label not supported: {condition.key}"
            if resource is JOBS:
                message = f'field label "{condition.key}" not supported for Job'
            raise bad_request(message)


def read_version(text: str, current: int, *, watch: bool = False) -> int | None:
    """A `resourceVersion` parameter; None when it is not given. Raises ApiError 400 (of a watch: 500), 504."""
    if not text:
        return None
    if not text.isdigit():
        message = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        if watch:  # which the API server does not translate
            raise ApiError(500, "", message)
        raise bad_request(f"invalid resource version: {message}")
    if int(text) > current and not watch:
        raise too_new(int(text), current)
    return int(text)


def flag(request: web.Request, name: str) -> bool:
    """A boolean parameter: given, and not a word for no."""
    text = request.query.get(name) if request.query_string else None
    return text is not None and text.lower() not in ("false", "0")


def number(request: web.Request, name: str) -> int | None:
    """A whole number as a parameter; None when it is not given. Raises ApiError 400."""
    text = request.query.get(name, "") if request.query_string else ""
    if not text:
        return None
    if not re.fullmatch(r"[+-]?\d+", text):
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


async def bytes_of(request: web.Request) -> bytes:
    """The request's body. Raises ApiError 413."""
    from aiohttp import web

    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise too_large(f"limit is {LARGEST_BODY}") from None


async def read_body(request: web.Request) -> Any:
    """The request's body, JSON or YAML by its content type; None when it is empty. Raises ApiError 400, 415."""
    raw = await bytes_of(request)
    if not raw:
        return None
    kind = request.content_type
    if "yaml" in kind:
        return _read_yaml(raw)
    if "json" in kind or kind == "application/octet-stream":
        return _read_json(raw)
    if kind == decoder.MEDIA_TYPE:
        return _read_protobuf(raw)
    message = (
        "the body of the request was in an unknown format - accepted media types include: application/json, "
        "application/yaml, application/vnd.kubernetes.protobuf"
    )
    raise ApiError(415, "UnsupportedMediaType", message)


def _read_protobuf(raw: bytes) -> Any:
    try:
        return decoder.decode(raw)
    except ValueError as error:
        raise ApiError(415, "UnsupportedMediaType", str(error), details={}) from None


def _read_json(raw: bytes) -> Any:
    try:
        return read_json(raw)
    except ValueError as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from None


def _read_yaml(raw: bytes) -> Any:
    import yaml

    try:
        documents = read_yaml(raw)
    except (ValueError, yaml.YAMLError) as error:
        raise bad_request(f"yaml: {error}") from None
    if len(documents) > 1:
        raise bad_request("yaml: expected a single document in the stream")
    return documents[0] if documents else None


async def read_object(request: web.Request, resource: Resource) -> Json:
    """The object that a request brings. Raises ApiError 400 when it is not of this kind."""
    unrecognized = f"the object provided is unrecognized (must be of type {resource.kind})"
    try:
        body = await read_body(request)
    except ApiError as error:
        if error.code != 400:
            raise
        raise bad_request(f"{unrecognized}: {error.message}") from None
    if body is None and await request.read():  # a body `null` is an empty object
        body = {}
    if not isinstance(body, dict):
        raise bad_request(f"{unrecognized}: couldn't get version/kind; json parse error: it is not an object")
    return as_object(body, resource)


def as_object(body: Any, resource: Resource) -> Json:
    """A body as an object of the kind. Raises ApiError 400."""
    if not isinstance(body, dict):
        raise bad_request(f"the request body is not an object of kind {resource.kind}")
    kind, version = body.get("kind"), body.get("apiVersion")
    if resource.custom and not kind:
        message = "Object 'Kind' is missing"
        raise bad_request(f"the object provided is unrecognized (must be of type {resource.kind}): {message}")
    if resource.custom and version != resource.api_version:
        message = f"the API version in the data ({version or ''}) does not match the expected API version"
        raise bad_request(f"{message} ({resource.api_version})")
    if resource.custom and kind != resource.kind:
        named = Resource(resource.group, resource.version, "", "", str(kind))
        name = (body.get("metadata") or {}).get("name", "")
        raise invalid(named, name, [invalid_value("kind", kind, f"must be {resource.kind}")])
    if kind not in (None, "", resource.kind):
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f'the body is of kind "{kind}"'
        )
    if version not in (None, "", resource.api_version):
        message = f"the API version in the data ({version}) does not match the expected API version"
        raise bad_request(f"{message} ({resource.api_version})")
    return body
