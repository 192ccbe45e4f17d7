"""Answers: the forms in which objects and lists are sent, and the pages of long lists."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from hera_k8s_sandbox import tables
from hera_k8s_sandbox.errors import bad_request
from hera_k8s_sandbox.requests import number
from hera_k8s_sandbox.resources import Resource
from hera_k8s_sandbox.store import Entry, Event, dumps

Json = dict[str, Any]


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
    return lambda event: event.text


def page_of(request: web.Request, found: list[Entry], meta: Json) -> tuple[list[Entry], Json]:
    """The page of a list that `limit` and `continue` ask for, and the list's metadata. Raises ApiError 400."""
    token, limit = request.query.get("continue", ""), number(request, "limit")
    if token:
        version, namespace, name = _read_continue(token)
        meta = {"resourceVersion": version}
        found = [entry for entry in found if entry.key > (namespace, name)]
    if limit is None or limit <= 0 or len(found) <= limit:
        return found, meta
    page = found[:limit]
    mark = json.dumps([meta["resourceVersion"], *page[-1].key]).encode()
    more: Json = {"continue": base64.urlsafe_b64encode(mark).decode()}
    if not request.query.get("labelSelector") and not request.query.get("fieldSelector"):
        more["remainingItemCount"] = len(found) - limit
    return page, meta | more


def _read_continue(token: str) -> tuple[str, str, str]:
    try:
        version, namespace, name = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, binascii.Error):
        raise bad_request("continue key is not valid: the continue token is not one of this server's") from None
    return version, namespace, name
