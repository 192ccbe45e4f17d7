"""Answers: the forms in which objects and lists are sent, and the pages of long lists."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from aiohttp import web

from hera_k8s_sandbox.apiserver import tables
from hera_k8s_sandbox.apiserver.requests import number
from hera_k8s_sandbox.foundation.errors import ApiError, bad_request
from hera_k8s_sandbox.foundation.resource_types import Resource
from hera_k8s_sandbox.store.store import Entry, Event, as_served, dumps
from hera_k8s_utils._types import Json


def raw_answer(body: bytes, code: int = 200, headers: Any = None) -> web.Response:
    """JSON text as it is."""
    return web.Response(body=body, status=code, headers=headers, content_type="application/json")


def json_answer(value: Any, code: int = 200, headers: Any = None) -> web.Response:
    """A value as JSON."""
    return raw_answer(dumps(value), code, headers)


def no_page() -> web.Response:
    """How the API server answers for a path that it does not have."""
    return web.Response(text="404 page not found\n", status=404)


def wanted_form(request: web.Request) -> str:
    """The form that the client likes best and we have: Table, PartialObjectMetadata(List), or empty for plain."""
    accept = request.headers.get("Accept", "")
    if "as=" not in accept:
        return ""
    for choice in accept.split(","):
        kind, *parameters = (part.strip() for part in choice.split(";"))
        given = dict(part.split("=", 1) for part in parameters if "=" in part)
        if kind != "application/json":
            continue
        form = given.get("as", "")
        if not form:
            return ""
        if given.get("g") == "meta.k8s.io" and given.get("v") == "v1":
            return form
    return ""


def row_objects(request: web.Request) -> str:
    """What each row of a table is to carry: `None`, `Metadata` or `Object`."""
    return request.query.get("includeObject", "Metadata") if request.query_string else "Metadata"


def event_renderer(request: web.Request, resource: Resource) -> Callable[[Event], bytes]:
    """How a watch writes the object of an event, in the form that the client asked for."""
    form, objects = wanted_form(request), row_objects(request)
    if form == "Table":
        return lambda event: dumps(tables.table(resource, [event.entry], objects=objects, version=None))
    if form.startswith("PartialObjectMetadata"):
        return lambda event: dumps(tables.partial(event.entry))
    if resource.schema is not None:
        return lambda event: as_served(event.entry, resource).text
    return lambda event: event.text


def page_of(request: web.Request, found: list[Entry], meta: Json) -> tuple[list[Entry], Json]:
    """The page of a list that `limit` and `continue` ask for, and the list's metadata. Raises ApiError 400."""
    token, limit = request.query.get("continue", ""), number(request, "limit")
    if token:
        mark = read_continue(token)
        meta = {"resourceVersion": str(mark.version)}
        found = [entry for entry in found if entry.key > mark.key]
    if limit is None or limit <= 0 or len(found) <= limit:
        return found, meta
    page = found[:limit]
    text = json.dumps([int(meta["resourceVersion"]), *page[-1].key]).encode()
    more: Json = {"continue": base64.urlsafe_b64encode(text).decode()}
    if not request.query.get("labelSelector") and not request.query.get("fieldSelector"):
        more["remainingItemCount"] = len(found) - limit
    return page, meta | more


class ContinueToken(NamedTuple):
    """Where a page ended: the list's version, and the key of the last object."""

    version: int
    key: tuple[str, str]


def read_continue(token: str) -> ContinueToken:
    """The place that a `continue` token stands for. Raises ApiError 400."""
    try:
        version, namespace, name = json.loads(base64.urlsafe_b64decode(token))
        return ContinueToken(int(version), (str(namespace), str(name)))
    except (TypeError, ValueError, binascii.Error):
        message = "invalid continue token: continue key is not valid: it is not one of this server's"
        raise bad_request(message) from None


_OFFERED: Final = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")


def check_acceptable(request: web.Request) -> None:
    """Refuse a client that takes nothing of what is served. Raises ApiError 406."""
    accept = request.headers.get("Accept", "")
    kinds = [choice.partition(";")[0].strip() for choice in accept.split(",") if choice.strip()]
    if kinds and not any(kind in ("*/*", "application/*", *_OFFERED) or "json" in kind for kind in kinds):
        message = f"406: Not Acceptable\n\nAvailable representations: {', '.join(_OFFERED)}"
        raise ApiError(406, "NotAcceptable", message, details={})
