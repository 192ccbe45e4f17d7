"""The Argo server's REST API: what is served where, reading, and the streams of events and logs."""

from __future__ import annotations

import contextlib
from typing import Final

from aiohttp import web

from hera_k8s_sandbox.apiserver.requests import number
from hera_k8s_sandbox.argo_server.artifacts import ArtifactHandlers
from hera_k8s_sandbox.argo_server.cron_workflows import CronHandlers
from hera_k8s_sandbox.argo_server.field_mask import FieldFilter
from hera_k8s_sandbox.argo_server.handlers import ArgoHandlers, Handler, Routes, answering, json_answer, resource_of
from hera_k8s_sandbox.argo_server.streams import LogReader, Stream
from hera_k8s_sandbox.argo_server.submission import Submission
from hera_k8s_sandbox.argo_server.templates import TemplateHandlers
from hera_k8s_sandbox.argo_server.workflow_actions import Control
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.resource_types import PODS, WORKFLOWS
from hera_k8s_sandbox.foundation.selectors import Selector, parse_fields, parse_labels
from hera_k8s_sandbox.operations import operations
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_utils._types import Json

VERSION: Final = "v4.1.2"
_UNSERVED: Final = ("archived-workflows", "event-sources", "sensors", "sync")


def add_routes(app: web.Application, state: SandboxState) -> None:
    """Serve the Argo API; to be added before the Kubernetes API, whose paths below /api/v1 are more general."""
    api = ArgoApi(state)
    routes = [
        *Submission(state).routes(),
        *Control(state).routes(),
        *TemplateHandlers(state).routes(),
        *CronHandlers(state).routes(),
        *ArtifactHandlers(state).routes(),
        *api.routes(),
    ]
    for method, path, handler in routes:
        app.router.add_route(method, path, answering(handler, state))
    for base in _UNSERVED:
        handler = answering(api.unimplemented(base), state)
        app.router.add_route("*", f"/api/v1/{base}", handler)
        app.router.add_route("*", f"/api/v1/{base}/{{rest:.*}}", handler)


class ArgoApi(ArgoHandlers):
    """What is the same for all kinds, streams, and the server itself."""

    def routes(self) -> Routes:
        """Where they are served."""
        routes: Routes = [
            ("GET", "/api/v1/version", self.version),
            ("GET", "/api/v1/info", self.info),
            ("GET", "/api/v1/userinfo", self.userinfo),
            ("GET", "/api/v1/workflows/{namespace}/{name}/log", self.log),
            ("GET", "/api/v1/workflows/{namespace}/{name}/{pod}/log", self.log),
            ("GET", "/api/v1/workflow-events/{namespace}", self.events),
            ("GET", "/api/v1/workflow-events/", self.events),
        ]
        for kind in ("workflows", "workflow-templates", "cron-workflows"):
            routes += [("GET", f"/api/v1/{kind}/", self.list), *self._reading(f"/api/v1/{kind}/{{namespace}}")]
        return [*routes, *self._reading("/api/v1/cluster-workflow-templates")]

    def _reading(self, base: str) -> Routes:
        return [
            ("GET", base, self.list),
            ("GET", f"{base}/{{name}}", self.get),
            ("DELETE", f"{base}/{{name}}", self.delete),
        ]

    # About the server

    async def version(self, _: web.Request) -> web.Response:
        """The version that the sandbox stands in for; the build says whose it is."""
        return json_answer(
            {
                "version": VERSION,
                "buildDate": "1970-01-01T00:00:00Z",
                "gitCommit": "hera-k8s-sandbox",
                "gitTag": VERSION,
                "gitTreeState": "clean",
                "goVersion": "none",
                "compiler": "none",
                "platform": "hera-k8s/sandbox",
            }
        )

    async def info(self, request: web.Request) -> web.Response:
        """What the server manages: all namespaces."""
        self._identify(request)
        return json_answer({"links": [], "modals": {}, "navColor": "", "columns": []})

    async def userinfo(self, request: web.Request) -> web.Response:
        """As whom the request is made."""
        identity = self._identify(request)
        answer: Json = {"subject": identity.name, "groups": list(identity.groups)}
        if identity.name.startswith("system:serviceaccount:"):
            _, _, namespace, name = identity.name.split(":")
            answer |= {"serviceAccountName": name, "serviceAccountNamespace": namespace}
        return json_answer(answer)

    # Anything that is listed

    async def list(self, request: web.Request) -> web.Response:
        """List workflows or templates."""
        resource, namespace = resource_of(request), request.match_info.get("namespace", "")
        identity = self._identify(request)
        self._state.access.require(identity, "list", resource, namespace or None)
        options = _list_options(request)
        found = self._store.entries(
            resource, namespace or None, labels=options["labels"], fields=_own_fields(options["fields"])
        )
        if resource is WORKFLOWS:  # Argo's server shows the newest first
            found.sort(key=lambda entry: (entry.meta["creationTimestamp"], entry.meta["name"]), reverse=True)
        offset, limit = number(request, "listOptions.continue") or 0, number(request, "listOptions.limit") or 0
        page = found[offset : offset + limit] if limit else found[offset:]
        meta: Json = {"resourceVersion": str(self._store.version)}
        if limit and offset + limit < len(found):
            meta["continue"] = str(offset + limit)
        wanted = FieldFilter.parse(request.query.get("fields", ""))
        items = [wanted.inside("items").apply(entry.object) for entry in page] if wanted.keeps("items") else []
        answer = wanted.apply({"metadata": meta, "items": []})
        if wanted.keeps("items"):
            answer["items"] = items or None  # as Go writes an empty list
        return json_answer(answer)

    async def get(self, request: web.Request) -> web.Response:
        """One workflow or template."""
        resource, namespace = resource_of(request), request.match_info.get("namespace", "")
        name = request.match_info["name"]
        self._require(request, "get", resource, namespace, name)
        found = self._store.get(resource, namespace, name)
        return json_answer(FieldFilter.parse(request.query.get("fields", "")).apply(found))

    async def delete(self, request: web.Request) -> web.Response:
        """Remove a workflow with its pods, or a template."""
        resource, namespace = resource_of(request), request.match_info.get("namespace", "")
        name = request.match_info["name"]
        self._require(request, "delete", resource, namespace, name)
        operations.delete(self._state, resource, namespace, name)
        return json_answer({})

    # Streams

    async def events(self, request: web.Request) -> web.StreamResponse:
        """What happens to workflows, as a stream that begins with those that are there."""
        namespace = request.match_info.get("namespace", "")
        identity = self._identify(request)
        self._state.access.require(identity, "watch", WORKFLOWS, namespace or None)
        options = _list_options(request)
        since = number(request, "listOptions.resourceVersion") or None
        stream = Stream(request)
        try:
            subscription = self._store.watch(
                WORKFLOWS,
                namespace or None,
                since=since,
                labels=options["labels"],
                fields=_own_fields(options["fields"]),
            )
            with contextlib.closing(subscription):
                while await stream.alive(subscription.wait()):
                    for event in subscription.pending():
                        await stream.send_event(event)
        except ApiError as error:  # the version is too old, or the client fell too far behind
            await stream.fail(error)
            return stream.response
        # a stream that the server ends says so like this; clients connect again
        await stream.fail(ApiError(429, "ResourceExhausted", "EOF"))
        return stream.response

    async def log(self, request: web.Request) -> web.StreamResponse:
        """What the containers of a workflow write."""
        namespace, name = request.match_info["namespace"], request.match_info["name"]
        identity = self._identify(request)
        self._state.access.require(identity, "get", WORKFLOWS, namespace, name)
        self._store.get(WORKFLOWS, namespace, name)
        self._state.access.require(identity, "list", PODS, namespace)
        self._state.access.require(identity, "get", PODS, namespace, "", "log")
        stream = Stream(request)
        reader = LogReader(self._state, namespace, name, request)
        lines = reader.lines()
        try:
            async with contextlib.aclosing(lines):
                while True:
                    following = await stream.alive(anext(lines, None))
                    if following is None:
                        break
                    await stream.send(following)
        except ApiError as error:
            await stream.fail(error)
        await stream.open()
        return stream.response

    def unimplemented(self, what: str) -> Handler:
        """A handler of an unsupported request, which rejects it by name."""

        async def refuse(request: web.Request) -> web.StreamResponse:
            self._identify(request)
            raise ApiError(501, "NotImplemented", f"the sandbox does not support {what}")

        return refuse


def _list_options(request: web.Request) -> Json:
    labels: Selector | None = parse_labels(request.query.get("listOptions.labelSelector", ""))
    fields = request.query.get("listOptions.fieldSelector", "")
    return {"labels": labels, "fields": fields}


def _own_fields(text: str) -> Selector | None:
    """The terms that are about the object; `ext...` are of the server's own and change nothing here."""
    terms = [term for term in text.split(",") if term and not term.startswith("ext.")]
    return parse_fields(",".join(terms))
