"""The Kubernetes API: paths and verbs over the resources that are served."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from hera_k8s_sandbox.apiserver import access_reviews, pod_logs, scale, tables
from hera_k8s_sandbox.apiserver import watch as watches
from hera_k8s_sandbox.apiserver.binding import BINDINGS, bind
from hera_k8s_sandbox.apiserver.bodies import (
    APPLIES,
    as_patch_error,
    check_unknown,
    patch_options,
    patched,
    read_patch,
    require_typed,
    require_version,
)
from hera_k8s_sandbox.apiserver.delete_options import PODS_KEPT, grace, keeps_pods, propagation, read_options
from hera_k8s_sandbox.apiserver.requests import (
    Query,
    Target,
    as_object,
    check_fields,
    check_list_options,
    flag,
    number,
    parse_target,
    read_object,
    read_version,
)
from hera_k8s_sandbox.apiserver.responses import (
    check_acceptable,
    event_renderer,
    json_answer,
    no_page,
    page_of,
    raw_answer,
    read_continue,
    row_objects,
    wanted_form,
)
from hera_k8s_sandbox.foundation.errors import (
    ApiError,
    bad_request,
    method_not_allowed,
    no_such_resource,
    not_found,
    unsupported,
)
from hera_k8s_sandbox.foundation.files import PID_HEADER, TOKEN_PATH
from hera_k8s_sandbox.foundation.resource_types import (
    CLAIMS,
    NAMESPACES,
    PERSISTENT_VOLUMES,
    PODS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STORAGE_CLASSES,
    Resource,
)
from hera_k8s_sandbox.foundation.review_types import REVIEWS, TOKEN_REQUESTS, find_review
from hera_k8s_sandbox.foundation.selectors import parse_fields
from hera_k8s_sandbox.operations import operations
from hera_k8s_sandbox.operations.escalation import check_grant
from hera_k8s_sandbox.rbac.authorizer import Identity
from hera_k8s_sandbox.schema.decoding import check_types
from hera_k8s_sandbox.schema.discovery import known_group_version as knows
from hera_k8s_sandbox.schema.documents import document
from hera_k8s_sandbox.schema.openapi_fields import preload
from hera_k8s_sandbox.schema.server_side_apply import apply
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.store import Entry, as_served, dumps

if TYPE_CHECKING:
    from hera_k8s_sandbox.store.store import Json


@dataclass(frozen=True)
class RequestContext:
    """One authorized request for a resource."""

    request: web.Request
    identity: Identity
    resource: Resource
    target: Target


log = logging.getLogger(__name__)
Handler = Callable[[RequestContext], Awaitable[web.StreamResponse]]

# A deletion answers with the object for these, with a Status for all others.
_RETURNS_DELETED: Final = frozenset(
    {PODS, NAMESPACES, CLAIMS, PERSISTENT_VOLUMES, SERVICE_ACCOUNTS, SERVICES, STORAGE_CLASSES}
)
# What a cluster has and the sandbox has not, refused by its name.
_REFUSED_SUBRESOURCES: Final = frozenset(
    {"attach", "ephemeralcontainers", "eviction", "exec", "portforward", "proxy", "resize"}
)
_REFUSED_KINDS: Final = frozenset({("batch", "v1", "cronjobs")})
_OPEN_PATHS: Final = ("/healthz", "/livez", "/readyz")


def add_routes(app: web.Application, state: SandboxState) -> None:
    """Serve the Kubernetes API. Comes after all other routes, for it takes every path that is left."""

    async def load_models(_: web.Application) -> None:
        """Beside the server's start: the first who writes an object would wait for it."""
        asyncio.get_running_loop().run_in_executor(None, preload)

    app.on_startup.append(load_models)
    app.router.add_route("*", "/{path:.*}", KubeApi(state).handle)


class KubeApi:
    """Answers the requests; errors become Status objects."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._store = state.store
        self._kinds = state.store.kinds
        self._verbs: dict[str, Handler] = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        try:
            return await self._route(request)
        except ApiError as error:
            return json_answer(error.status(), error.code, error.headers)
        except web.HTTPException:
            raise
        except Exception as error:  # reported as the API server reports its own internal errors
            log.exception("%s %s failed", request.method, _shown_path(request))
            fault = ApiError(500, "InternalError", f"Internal error occurred: {type(error).__name__}")
            return json_answer(fault.status(), fault.code)

    async def _route(self, request: web.Request) -> web.StreamResponse:
        segments = request.rel_url.raw_path.strip("/").split("/")
        identity = self._state.access.authenticate(request)
        if segments[0] == TOKEN_PATH and len(segments) > 1:
            if identity.anonymous:
                identity = self._state.access.identify(segments[1])
            segments = segments[2:] or [""]
        identity = self._state.access.impersonated(request, identity)
        group = version = None
        if segments[0] == "api" and len(segments) > 2:
            group, version, rest = "", segments[1], segments[2:]
        elif segments[0] == "apis" and len(segments) > 3:
            group, version, rest = segments[1], segments[2], segments[3:]
        if group is None or version is None:
            return self._plain(request, identity, segments)
        target = parse_target(group, version, rest)
        if not knows(self._kinds, group, version):
            if target is not None:
                self._require_unknown(request, identity, target)
            return no_page()
        if target is None:
            raise no_such_resource()
        return await self._serve(request, identity, target)

    def _require_unknown(self, request: web.Request, identity: Identity, target: Target) -> None:
        """Refuse what the caller may not do before answering 404, as the API server does."""
        verb = target.verb(request.method, watch=request.method == "GET" and flag(request, "watch"))
        named = Resource(target.group, target.version, target.plural, "", "")
        self._state.access.require(identity, verb, named, target.namespace, target.name, target.subresource)

    async def _serve(self, request: web.Request, identity: Identity, target: Target) -> web.StreamResponse:
        watch = request.method == "GET" and flag(request, "watch")
        verb = target.verb(request.method, watch=watch)
        place = (target.group, target.version, target.plural)
        resource = self._kinds.find(*place) or find_review(*place)
        named = resource or Resource(target.group, target.version, target.plural, "", "")
        self._state.access.require(identity, verb, named, target.namespace, target.name, target.subresource)
        if resource is not None and target.subresource != "log":
            check_acceptable(request)
        if resource is None and any(one.custom and one.group == target.group for one in self._kinds):
            # a group of custom kinds knows no other paths at all
            return no_page()
        if resource is None and place in _REFUSED_KINDS:
            raise unsupported(".".join(filter(None, (target.plural, target.group))))
        if resource is None:
            raise no_such_resource()
        if resource in REVIEWS:
            return await self._review(RequestContext(request, identity, resource, target))
        if target.subresource in _REFUSED_SUBRESOURCES and target.subresource not in resource.subresources:
            raise unsupported(f"{resource.plural}/{target.subresource}")
        if target.subresource and target.subresource not in resource.subresources:
            raise not_found(resource, target.name) if resource.custom else no_such_resource()
        if target.subresource == "token":
            return await self._token(request, target)
        if target.subresource == "scale":
            return await scale.serve(request, self._state, resource, target)
        if target.subresource == "binding":
            return await self._bind(request, target)
        if target.subresource == "log":
            return await pod_logs.answer(request, self._state, target.namespace, target.name)
        if verb not in resource.verbs:
            raise method_not_allowed()
        if verb == "create" and (target.name or (resource.namespaced and not target.namespace)):
            raise method_not_allowed()
        if not resource.namespaced and target.namespace and resource is not NAMESPACES:
            if resource.custom:
                return no_page()
            raise no_such_resource()
        if not resource.namespaced:
            target = Target(*place, "", target.name, target.subresource)
        return await self._answer(verb, RequestContext(request, identity, resource, target))

    async def _answer(self, verb: str, call: RequestContext) -> web.StreamResponse:
        """Do what is asked, and say if what it is asked of has had its day."""
        headers = dict(_warnings([call.resource.deprecated] if call.resource.deprecated else []))
        try:
            answer = await self._verbs[verb](call)
        except ApiError as error:
            error.headers |= headers
            raise
        if not answer.prepared:
            answer.headers.extend(headers)
        return answer

    # Reading

    async def _get(self, call: RequestContext) -> web.StreamResponse:
        request, resource, target = call.request, call.resource, call.target
        if request.query_string:
            read_version(request.query.get("resourceVersion", ""), self._store.version)
        entry = self._store.entry(resource, target.namespace, target.name)
        return self._object(request, as_served(entry, resource))

    async def _list(self, call: RequestContext) -> web.StreamResponse:
        request, resource, target = call.request, call.resource, call.target
        query = Query.read(request)
        check_fields(resource, query.fields)
        namespace = target.namespace or None
        selection = {"labels": query.labels, "fields": query.fields}
        token = request.query.get("continue", "") if request.query_string else ""
        if token:  # what is left of a list that was begun at an earlier version
            found = self._store.entries_at(resource, read_continue(token).version, namespace, **selection)
        else:
            found = self._store.entries(resource, namespace, **selection)
        found = [as_served(entry, resource) for entry in found] if resource.custom else found
        meta: Json = {"resourceVersion": str(self._store.version)}
        if request.query_string:
            check_list_options(request, watch=False)
            read_version(request.query.get("resourceVersion", ""), self._store.version)
            found, meta = page_of(request, found, meta)
        if resource.custom:
            meta.setdefault("continue", "")
        form = wanted_form(request)
        if form == "PartialObjectMetadata":
            message = (
                f"you requested PartialObjectMetadata, but the requested object is a list (*core.{resource.kind}List)"
            )
            raise ApiError(406, "NotAcceptable", message)
        if form == "Table":
            shown = tables.table(resource, found, objects=row_objects(request), version=self._store.version)
            return json_answer(shown | {"metadata": meta})
        if form.startswith("PartialObjectMetadata"):
            head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
            return json_answer(head | {"items": [tables.partial(entry) for entry in found]})
        items = b",".join(entry.text if resource.custom else entry.item_text for entry in found)
        body = b'{"kind":"%s","apiVersion":"%s","metadata":%s,"items":[%s]}' % (
            (resource.list_kind or f"{resource.kind}List").encode(),
            resource.api_version.encode(),
            dumps(meta),
            items,
        )
        return raw_answer(body)

    async def _watch(self, call: RequestContext) -> web.StreamResponse:
        request, resource, target = call.request, call.resource, call.target
        query = Query.read(request)
        check_fields(resource, query.fields)
        check_list_options(request, watch=True)
        since = read_version(request.query.get("resourceVersion", ""), self._store.version, watch=True) or None
        initial = flag(request, "sendInitialEvents")
        fields = query.fields
        if target.name:
            fields = parse_fields(f"metadata.name={target.name}")
        seconds = number(request, "timeoutSeconds")
        stream = watches.Stream(
            resource,
            event_renderer(request, resource),
            initial,
            flag(request, "allowWatchBookmarks"),
            watches.default_timeout() if seconds is None else seconds,
        )
        try:
            subscription = self._store.watch(
                resource,
                target.namespace or None,
                since=None if initial else since,
                labels=query.labels,
                fields=fields,
            )
        except ApiError as error:  # too old: reported within the stream, as the API server does
            return raw_answer(watches.error_line(error))
        return await watches.serve(request, self._store, subscription, stream)

    # Writing

    async def _create(self, call: RequestContext) -> web.StreamResponse:
        request, resource, target = call.request, call.resource, call.target
        query = Query.read(request)
        obj = await read_object(request, resource)
        warnings = check_unknown(request, resource, obj)
        check_grant(self._state, call.identity, resource, target.namespace, None, obj)
        entry = operations.create(self._state, resource, target.namespace, obj, dry_run=query.dry_run)
        return self._object(request, as_served(entry, resource), 201, warnings)

    async def _update(self, call: RequestContext) -> web.StreamResponse:
        request, resource, target = call.request, call.resource, call.target
        query = Query.read(request)
        obj = await read_object(request, resource)
        warnings = check_unknown(request, resource, obj)
        old = self._store.entry(resource, target.namespace, target.name)
        require_version(resource, target.name, obj)
        check_grant(self._state, call.identity, resource, target.namespace, old.object, obj)
        entry = operations.update(
            self._state, resource, old, obj, subresource=target.subresource, dry_run=query.dry_run
        )
        return self._object(request, as_served(entry, resource), 200, warnings)

    async def _patch(self, call: RequestContext) -> web.StreamResponse:
        request, resource, target = call.request, call.resource, call.target
        query = Query.read(request)
        kind = request.content_type
        patch = await read_patch(request, resource)
        if kind in APPLIES:
            return await self._apply(call, patch, query)
        if "force" in request.query:
            raise patch_options("force", "Forbidden: may not be specified for non-apply patch", "FieldValueForbidden")
        old = self._store.entry(resource, target.namespace, target.name)
        obj = patched(kind, resource, as_served(old, resource).copy(), patch)
        with as_patch_error(resource, obj):
            as_object(obj, resource)
            warnings = check_unknown(request, resource, obj)
            check_types(resource, obj)
        check_grant(self._state, call.identity, resource, target.namespace, old.object, obj)
        entry = operations.update(
            self._state, resource, old, obj, subresource=target.subresource, dry_run=query.dry_run
        )
        return self._object(request, as_served(entry, resource), 200, warnings)

    async def _apply(self, call: RequestContext, wanted: Json, query: Query) -> web.StreamResponse:
        request, resource, target = call.request, call.resource, call.target
        manager = request.query.get("fieldManager", "")
        if not manager:
            message = "Required value: is required for apply patch"
            raise patch_options("fieldManager", message, "FieldValueRequired")
        require_typed(resource, target, wanted)
        found = self._store.find(resource, target.namespace, target.name)
        old = None if found is None else self._store.entry(resource, target.namespace, target.name)
        meta = wanted.setdefault("metadata", {})
        if meta.setdefault("name", target.name) != target.name:
            message = f"the name of the object ({meta['name']}) does not match the name on the URL ({target.name})"
            raise bad_request(message)
        live = None if old is None else as_served(old, resource).copy()
        obj = apply(resource, live, wanted, manager=manager, force=flag(request, "force"))
        before = None if old is None else old.object
        check_grant(self._state, call.identity, resource, target.namespace, before, obj)
        if old is None:
            self._state.access.require(call.identity, "create", resource, target.namespace, target.name)
            entry = operations.create(self._state, resource, target.namespace, obj, dry_run=query.dry_run)
            return self._object(request, as_served(entry, resource), 201)
        entry = operations.update(
            self._state, resource, old, obj, subresource=target.subresource, dry_run=query.dry_run
        )
        return self._object(request, as_served(entry, resource), 200)

    async def _delete(self, call: RequestContext) -> web.StreamResponse:
        request, resource, target = call.request, call.resource, call.target
        query = Query.read(request)
        options = await read_options(request)
        last, gone = operations.delete(
            self._state,
            resource,
            target.namespace,
            target.name,
            preconditions=options.get("preconditions"),
            propagation=propagation(request, resource, options),
            grace=grace(request, options),
            dry_run=query.dry_run or options.get("dryRun") == ["All"],
        )
        self._store.flush()
        headers = _warnings([PODS_KEPT] if keeps_pods(request, resource, options) else [])
        if not gone or resource in _RETURNS_DELETED:
            return json_answer(last, headers=headers)
        details = {
            "name": target.name,
            "group": resource.group,
            "kind": resource.plural,
            "uid": last["metadata"]["uid"],
        }
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return json_answer(status | {"details": {key: value for key, value in details.items() if value}})

    async def _delete_collection(self, call: RequestContext) -> web.StreamResponse:
        request, resource, target = call.request, call.resource, call.target
        query = Query.read(request)
        check_fields(resource, query.fields)
        options = await read_options(request)
        if resource.namespaced and not target.namespace:
            raise method_not_allowed()
        found = self._store.entries(resource, target.namespace or None, labels=query.labels, fields=query.fields)
        for entry in found:
            if self._store.find(resource, *entry.key) is not None:
                operations.delete(
                    self._state,
                    resource,
                    *entry.key,
                    propagation=propagation(request, resource, options),
                    grace=grace(request, options),
                    dry_run=query.dry_run or options.get("dryRun") == ["All"],
                )
        self._store.flush()
        meta = {"resourceVersion": str(self._store.version)}
        kind = resource.list_kind or f"{resource.kind}List"
        head = {"kind": kind, "apiVersion": resource.api_version, "metadata": meta}
        unheaded = () if resource.custom else ("kind", "apiVersion")
        items = [{key: value for key, value in entry.object.items() if key not in unheaded} for entry in found]
        headers = _warnings([PODS_KEPT] if keeps_pods(request, resource, options) else [])
        return json_answer(head | {"items": items}, headers=headers)

    # Other resources

    async def _review(self, call: RequestContext) -> web.StreamResponse:
        request, resource, target = call.request, call.resource, call.target
        if request.method != "POST" or target.name:
            raise method_not_allowed()
        question = await read_object(request, resource)
        return json_answer(access_reviews.answer(self._state, call.identity, resource, target.namespace, question), 201)

    async def _token(self, request: web.Request, target: Target) -> web.StreamResponse:
        if request.method != "POST":
            raise method_not_allowed()
        question = await read_object(request, TOKEN_REQUESTS)
        return json_answer(access_reviews.request_token(self._state, target.namespace, target.name, question), 201)

    async def _bind(self, request: web.Request, target: Target) -> web.StreamResponse:
        if request.method != "POST":
            raise method_not_allowed()
        query = Query.read(request)
        wanted = await read_object(request, BINDINGS)
        answer = bind(self._store, target.namespace, target.name, wanted, dry_run=query.dry_run)
        self._store.flush()
        return json_answer(answer, 201)

    # Paths that are no resources

    def _plain(self, request: web.Request, identity: Identity, segments: list[str]) -> web.StreamResponse:
        path = "/" + "/".join(segments)
        self._state.access.require_path(identity, request.method.lower(), path)
        if path.startswith(_OPEN_PATHS):
            return web.Response(text="ok", headers={PID_HEADER: str(os.getpid())})
        answer = document(self._kinds, segments, request.host)
        return no_page() if answer is None else json_answer(answer)

    def _object(
        self, request: web.Request, entry: Entry, code: int = 200, warnings: list[str] | None = None
    ) -> web.StreamResponse:
        self._store.flush()
        headers = _warnings(warnings or [])
        form = wanted_form(request)
        if form == "Table":
            version = entry.version
            shown = tables.table(entry.resource, [entry], objects=row_objects(request), version=version)
            return json_answer(shown, code, headers)
        if form.startswith("PartialObjectMetadata"):
            return json_answer(tables.partial(entry), code, headers)
        return raw_answer(entry.text, code, headers)


def _shown_path(request: web.Request) -> str:
    """The path without the token that it may hold."""
    path = request.path
    return "/" + path.split("/", 3)[-1] if path.startswith(f"/{TOKEN_PATH}/") else path


def _warnings(texts: list[str]) -> list[tuple[str, str]]:
    return [("Warning", f'299 - "{text}"') for text in texts]
