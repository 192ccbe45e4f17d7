"""The Argo server's REST API: workflows, their events and logs, and templates."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from hera_k8s_sandbox import operations
from hera_k8s_sandbox.access import Identity
from hera_k8s_sandbox.argo_streams import LogReader, Stream, grpc_code, http_code
from hera_k8s_sandbox.errors import ApiError
from hera_k8s_sandbox.fields import FieldFilter
from hera_k8s_sandbox.requests import number
from hera_k8s_sandbox.resources import (
    CLUSTER_WORKFLOW_TEMPLATES,
    PODS,
    WORKFLOW_TEMPLATES,
    WORKFLOWS,
    Resource,
)
from hera_k8s_sandbox.selectors import Selector, parse_fields, parse_labels
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.workflows.nodes import FULFILLED
from hera_k8s_sandbox.workflows.pods import COMPLETED_LABEL, CREATOR_LABEL, PHASE_LABEL
from hera_k8s_sandbox.workflows.validation import Unsupported, WorkflowInvalid, validate, validate_template

log = logging.getLogger(__name__)
Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

VERSION: Final = "v4.1.2"
_UNIMPLEMENTED: Final = ("retry", "resubmit", "suspend", "resume", "set")


def add_routes(app: web.Application, state: SandboxState) -> None:
    """Serve the Argo API; to be added before the Kubernetes API, whose paths below /api/v1 are more general."""
    api = ArgoApi(state)
    workflows = "/api/v1/workflows/{namespace}"
    one = f"{workflows}/{{name}}"
    templates = "/api/v1/workflow-templates/{namespace}"
    cluster_templates = "/api/v1/cluster-workflow-templates"
    routes: list[tuple[str, str, Handler]] = [
        ("GET", "/api/v1/version", api.version),
        ("GET", "/api/v1/info", api.info),
        ("GET", "/api/v1/userinfo", api.userinfo),
        ("POST", f"{workflows}/lint", api.lint),
        ("POST", f"{workflows}/submit", api.unimplemented("submitting from a template")),
        ("POST", workflows, api.create),
        ("GET", workflows, api.list),
        ("GET", "/api/v1/workflows/", api.list),
        ("GET", one, api.get),
        ("DELETE", one, api.delete),
        ("PUT", f"{one}/stop", api.stop),
        ("PUT", f"{one}/terminate", api.terminate),
        ("GET", f"{one}/log", api.log),
        ("GET", f"{one}/{{pod}}/log", api.log),
        ("GET", "/api/v1/workflow-events/{namespace}", api.events),
        ("GET", "/api/v1/workflow-events/", api.events),
        ("POST", f"{templates}/lint", api.lint_template),
        ("POST", f"{cluster_templates}/lint", api.lint_template),
    ]
    for base in (templates, cluster_templates):
        routes += [
            ("POST", base, api.create_template),
            ("GET", base, api.list),
            ("GET", f"{base}/{{name}}", api.get),
            ("DELETE", f"{base}/{{name}}", api.delete),
        ]
    for verb in _UNIMPLEMENTED:
        routes.append(("PUT", f"{one}/{verb}", api.unimplemented(f"`{verb}` of workflows")))
    for method, path, handler in routes:
        app.router.add_route(method, path, _answering(handler, state))
    for base in ("cron-workflows", "archived-workflows", "event-sources", "sensors", "sync"):
        handler = _answering(api.unimplemented(base), state)
        app.router.add_route("*", f"/api/v1/{base}", handler)
        app.router.add_route("*", f"/api/v1/{base}/{{rest:.*}}", handler)


class ArgoApi:
    """The handlers; each answers with JSON or raises ApiError."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._store = state.store

    # About the server

    async def version(self, _: web.Request) -> web.Response:
        """The version that the sandbox stands in for; the build says whose it is."""
        return _json(
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
        return _json({"links": [], "modals": {}, "navColor": "", "columns": []})

    async def userinfo(self, request: web.Request) -> web.Response:
        """As whom the request is made."""
        identity = self._identify(request)
        answer: Json = {"subject": identity.name, "groups": list(identity.groups)}
        if identity.name.startswith("system:serviceaccount:"):
            _, _, namespace, name = identity.name.split(":")
            answer |= {"serviceAccountName": name, "serviceAccountNamespace": namespace}
        return _json(answer)

    # Workflows

    async def create(self, request: web.Request) -> web.Response:
        """Take a workflow, or with serverDryRun only say how it would be taken."""
        namespace, identity = request.match_info["namespace"], self._identify(request)
        body = await _body(request)
        workflow = _object(body, "workflow")
        self._state.access.require(identity, "create", WORKFLOWS, namespace)
        _check(workflow)
        _name_from(workflow, body)
        labels = workflow["metadata"].setdefault("labels", {})
        labels.setdefault(CREATOR_LABEL, _label_of(identity))
        workflow.pop("status", None)
        dry_run = bool(body.get("serverDryRun")) or _dry_run(body)
        entry = operations.create(self._state, WORKFLOWS, namespace, workflow, dry_run=dry_run)
        return _json(entry.object)

    async def lint(self, request: web.Request) -> web.Response:
        """Say what is wrong with a workflow."""
        namespace, identity = request.match_info["namespace"], self._identify(request)
        workflow = _object(await _body(request), "workflow")
        self._state.access.require(identity, "get", WORKFLOWS, namespace)  # Argo lints for whoever may read
        _check(workflow, lint=True)
        workflow["metadata"].setdefault("namespace", namespace)
        return _json(workflow)

    async def stop(self, request: web.Request) -> web.Response:
        """End a workflow's pods; exit handlers would run."""
        return await self._shut_down(request, "Stop")

    async def terminate(self, request: web.Request) -> web.Response:
        """End a workflow's pods and its exit handlers."""
        return await self._shut_down(request, "Terminate")

    async def _shut_down(self, request: web.Request, strategy: str) -> web.Response:
        namespace, name = request.match_info["namespace"], request.match_info["name"]
        self._require(request, "update", WORKFLOWS, namespace, name)
        workflow = self._store.get(WORKFLOWS, namespace, name)
        if (workflow.get("status") or {}).get("phase") in FULFILLED:
            verb = "stop" if strategy == "Stop" else "terminate"
            raise ApiError(400, "BadRequest", f"cannot {verb} a completed workflow")

        def edit(obj: Json) -> None:
            obj["spec"]["shutdown"] = strategy

        return _json(self._store.change(WORKFLOWS, namespace, name, edit))

    # Anything that is listed

    async def list(self, request: web.Request) -> web.Response:
        """List workflows or templates."""
        resource, namespace = _resource(request), request.match_info.get("namespace", "")
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
        return _json(answer)

    async def get(self, request: web.Request) -> web.Response:
        """One workflow or template."""
        resource, namespace = _resource(request), request.match_info.get("namespace", "")
        name = request.match_info["name"]
        self._require(request, "get", resource, namespace, name)
        found = self._store.get(resource, namespace, name)
        return _json(FieldFilter.parse(request.query.get("fields", "")).apply(found))

    async def delete(self, request: web.Request) -> web.Response:
        """Remove a workflow with its pods, or a template."""
        resource, namespace = _resource(request), request.match_info.get("namespace", "")
        name = request.match_info["name"]
        self._require(request, "delete", resource, namespace, name)
        operations.delete(self._state, resource, namespace, name)
        return _json({})

    async def create_template(self, request: web.Request) -> web.Response:
        """Take a template."""
        resource, namespace = _resource(request), request.match_info.get("namespace", "")
        identity = self._identify(request)
        body = await _body(request)
        template = _object(body, "template")
        self._state.access.require(identity, "create", resource, namespace or None)
        _check(template, template=True)
        template["metadata"].setdefault("labels", {}).setdefault(CREATOR_LABEL, _label_of(identity))
        return _json(operations.create(self._state, resource, namespace, template).object)

    async def lint_template(self, request: web.Request) -> web.Response:
        """Say what is wrong with a template."""
        resource, namespace = _resource(request), request.match_info.get("namespace", "")
        identity = self._identify(request)
        template = _object(await _body(request), "template")
        self._state.access.require(identity, "get", resource, namespace or None)
        _check(template, template=True)
        return _json(template)

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
        """A handler that refuses by name."""

        async def refuse(request: web.Request) -> web.StreamResponse:
            self._identify(request)
            raise ApiError(501, "NotImplemented", f"the sandbox does not support {what}")

        return refuse

    # Inside

    def _identify(self, request: web.Request) -> Identity:
        """As whom the request is made; the Argo server of a cluster lets nobody in without a token."""
        identity = self._state.access.authenticate(request, bare=True)
        if identity.anonymous:
            told = "token not valid. see https://argo-workflows.readthedocs.io/en/latest/faq/"
            raise ApiError(401, "Unauthorized", told)
        return identity

    def _require(self, request: web.Request, verb: str, resource: Resource, namespace: str, name: str) -> None:
        self._state.access.require(self._identify(request), verb, resource, namespace or None, name)


def _answering(handler: Handler, state: SandboxState) -> Handler:
    """The handler, with errors as the Argo server writes them; what it answers is kept, whatever happens next."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            answered = await handler(request)
            state.store.flush()
            return answered
        except ApiError as error:
            return _error(error)
        except (web.HTTPException, ConnectionError):  # the latter: whoever read a stream has left
            raise
        except Exception as error:  # a fault of ours
            log.exception("%s %s failed", request.method, request.path)
            return _error(ApiError(500, "InternalError", f"the sandbox failed: {type(error).__name__}"))

    return answer


def _error(error: ApiError) -> web.Response:
    code = grpc_code(error)
    return _json({"code": code, "message": error.message}, http_code(code))


def _json(body: Any, code: int = 200) -> web.Response:
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return web.Response(status=code, text=text, content_type="application/json")


async def _body(request: web.Request) -> Json:
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError as error:
        raise ApiError(400, "BadRequest", str(error)) from None
    if not isinstance(body, dict):
        raise ApiError(400, "BadRequest", "expected a JSON object")
    return body


def _object(body: Json, key: str) -> Json:
    obj = body.get(key)
    if not isinstance(obj, dict):
        raise ApiError(400, "BadRequest", f"{key} body not specified")
    meta = obj.setdefault("metadata", {})
    if not isinstance(meta, dict):
        raise ApiError(400, "BadRequest", f"{key}.metadata is not an object")
    return obj


def _check(obj: Json, *, lint: bool = False, template: bool = False) -> None:
    try:
        if template:
            validate_template(obj)
        else:
            validate(obj, lint=lint)
    except (WorkflowInvalid, Unsupported) as error:
        raise ApiError(400, "BadRequest", str(error)) from None


def _name_from(workflow: Json, body: Json) -> None:
    """Argo's server makes a generated name already for a dry run, so nothing is done here but to insist on one."""
    meta = workflow["metadata"]
    if not meta.get("name") and not meta.get("generateName"):
        raise ApiError(400, "BadRequest", "metadata.name or metadata.generateName is required")
    meta.setdefault("labels", {}).pop(PHASE_LABEL, None)
    meta["labels"].pop(COMPLETED_LABEL, None)
    if body.get("instanceID"):
        meta["labels"].setdefault("workflows.argoproj.io/controller-instanceid", body["instanceID"])


def _dry_run(body: Json) -> bool:
    return "All" in ((body.get("createOptions") or {}).get("dryRun") or ())


def _label_of(identity: Identity) -> str:
    """A user's name as a label value."""
    kept = "".join(each if each.isalnum() or each in "-_." else "-" for each in identity.name)
    return kept[-63:].strip("-_.")


def _resource(request: web.Request) -> Resource:
    place = request.path.split("/")[3]
    return {
        "workflows": WORKFLOWS,
        "workflow-templates": WORKFLOW_TEMPLATES,
        "cluster-workflow-templates": CLUSTER_WORKFLOW_TEMPLATES,
    }[place]


def _list_options(request: web.Request) -> Json:
    labels: Selector | None = parse_labels(request.query.get("listOptions.labelSelector", ""))
    fields = request.query.get("listOptions.fieldSelector", "")
    return {"labels": labels, "fields": fields}


def _own_fields(text: str) -> Selector | None:
    """The terms that are about the object; `ext...` are of the server's own and change nothing here."""
    terms = [term for term in text.split(",") if term and not term.startswith("ext.")]
    return parse_fields(",".join(terms))
