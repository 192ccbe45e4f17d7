"""Argo handlers: what all handlers of the Argo server share, from who asks to how errors are written."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from hera_k8s_sandbox.apiserver.requests import bytes_of
from hera_k8s_sandbox.argo_server.streams import grpc_code, http_code
from hera_k8s_sandbox.controllers.template_lookup import templates_of
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.labels import ARGO_PREFIX, CREATOR_LABEL
from hera_k8s_sandbox.foundation.reading import read_json
from hera_k8s_sandbox.foundation.resource_types import (
    CLUSTER_WORKFLOW_TEMPLATES,
    CRON_WORKFLOWS,
    WORKFLOW_TEMPLATES,
    WORKFLOWS,
    Resource,
)
from hera_k8s_sandbox.rbac.authorizer import Identity
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.workflows.model.templates import Source
from hera_k8s_sandbox.workflows.validation import TemplateNotFound, Unsupported, WorkflowInvalid, validate
from hera_k8s_utils._types import Json

log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Routes = list[tuple[str, str, Handler]]

_ACTOR: Final = f"{ARGO_PREFIX}actor"
_ACTION: Final = f"{ARGO_PREFIX}action"


class ArgoHandlers:
    """The handlers of one part of the API; each answers with JSON or raises ApiError."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._store = state.store

    def _identify(self, request: web.Request) -> Identity:
        """The identity of a request; the Argo server of a cluster rejects requests without a token."""
        identity = self._state.access.authenticate(request, bare=True)
        if identity.anonymous:
            message = "token not valid. see https://argo-workflows.readthedocs.io/en/latest/faq/"
            raise ApiError(401, "Unauthorized", message)
        return identity

    def _require(self, request: web.Request, verb: str, resource: Resource, namespace: str, name: str) -> Identity:
        identity = self._identify(request)
        self._state.access.require(identity, verb, resource, namespace or None, name)
        return identity

    def _source(self, identity: Identity, namespace: str) -> Source:
        """The templates that workflows refer to, as far as the caller may read them: so does Argo's server."""

        def require(resource: Resource, place: str, name: str) -> None:
            self._state.access.require(identity, "get", resource, place or None, name)

        return templates_of(self._store, namespace, require)

    def _check(self, workflow: Json, identity: Identity, namespace: str, *, lint: bool = False) -> None:
        with_source = self._source(identity, namespace)
        checked(lambda: validate(workflow, lint=lint, source=with_source))


def checked(check: Callable[[], None]) -> None:
    """Run a validation; what it finds is an answer."""
    try:
        check()
    except TemplateNotFound as error:
        raise ApiError(404, "NotFound", str(error)) from None
    except (WorkflowInvalid, Unsupported) as error:
        raise ApiError(400, "BadRequest", str(error)) from None


def answering(handler: Handler, state: SandboxState) -> Handler:
    """The handler, with errors as the Argo server writes them; what it answers is kept, whatever happens next."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            answered = await handler(request)
            state.store.flush()
            return answered
        except ApiError as error:
            return _error(error)
        except (web.HTTPException, ConnectionError):  # the latter: the reader of a stream has disconnected
            raise
        except Exception as error:  # an internal error
            log.exception("%s %s failed", request.method, request.path)
            return _error(ApiError(500, "InternalError", f"the sandbox failed: {type(error).__name__}"))

    return answer


def _error(error: ApiError) -> web.Response:
    code = grpc_code(error)
    return json_answer({"code": code, "message": error.message}, http_code(code))


def internal(message: str) -> ApiError:
    """What Argo's server answers where its code has no better word for an error."""
    return ApiError(500, "InternalError", message)


def json_answer(body: Any, code: int = 200) -> web.Response:
    """An answer of JSON."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return web.Response(status=code, text=text, content_type="application/json")


async def body_of(request: web.Request) -> Json:
    """The JSON object in a request's body; empty when there is none. Raises ApiError 400."""
    try:
        body = read_json(await bytes_of(request) or b"{}")
    except ValueError as error:
        raise ApiError(400, "BadRequest", str(error)) from None
    if not isinstance(body, dict):
        raise ApiError(400, "BadRequest", "expected a JSON object")
    return body


def object_in(body: Json, key: str) -> Json:
    """The object that a request's body holds under a key, with metadata. Raises ApiError 400."""
    obj = body.get(key)
    if not isinstance(obj, dict):
        raise ApiError(400, "BadRequest", f"{key} body not specified")
    meta = obj.setdefault("metadata", {})
    if not isinstance(meta, dict):
        raise ApiError(400, "BadRequest", f"{key}.metadata is not an object")
    return obj


def resource_of(request: web.Request) -> Resource:
    """The resource that a request's path names."""
    place = request.path.split("/")[3]
    return {
        "workflows": WORKFLOWS,
        "workflow-templates": WORKFLOW_TEMPLATES,
        "cluster-workflow-templates": CLUSTER_WORKFLOW_TEMPLATES,
        "cron-workflows": CRON_WORKFLOWS,
    }[place]


def place_of(request: web.Request) -> tuple[str, str]:
    """Namespace (empty for what is of the cluster) and name in a request's path."""
    return request.match_info.get("namespace", ""), request.match_info["name"]


def label_creator(obj: Json, identity: Identity) -> None:
    """Label an object with its creator, overwriting labels of the request."""
    obj["metadata"].setdefault("labels", {})[CREATOR_LABEL] = _label_of(identity)


def label_actor(obj: Json, identity: Identity, action: str) -> None:
    """Say on a workflow who did something with it last, and what."""
    labels = obj["metadata"].setdefault("labels", {})
    labels[_ACTOR] = _label_of(identity)
    if action:
        labels[_ACTION] = action


def _label_of(identity: Identity) -> str:
    """A user's name as a label value."""
    kept = "".join(each if each.isalnum() or each in "-_." else "-" for each in identity.name)
    return kept[-63:].strip("-_.")
