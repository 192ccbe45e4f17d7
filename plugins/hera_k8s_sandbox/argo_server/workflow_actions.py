"""Control: what the Argo server does with workflows that are there: stop, suspend, resume, set, retry, resubmit."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from aiohttp import web

from hera_k8s_sandbox.argo_server.handlers import (
    ArgoHandlers,
    Routes,
    body_of,
    internal,
    json_answer,
    label_actor,
    label_creator,
    place_of,
)
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.resource_types import PODS, WORKFLOWS
from hera_k8s_sandbox.foundation.selectors import Selector, parse_fields
from hera_k8s_sandbox.operations import operations
from hera_k8s_sandbox.rbac.authorizer import Identity
from hera_k8s_sandbox.workflows.actions.resubmit import ResubmitError, resubmit_workflow
from hera_k8s_sandbox.workflows.actions.retry import RetryError, retry_workflow
from hera_k8s_sandbox.workflows.actions.submit_options import SubmitOptionError
from hera_k8s_sandbox.workflows.engine.suspend import SuspensionError, resume, set_nodes
from hera_k8s_sandbox.workflows.model.nodes import FULFILLED
from hera_k8s_utils._types import Json

_PHASES_TO_SET: Final = ("Succeeded", "Failed", "Error", "")


class Control(ArgoHandlers):
    """The verbs below one workflow."""

    def routes(self) -> Routes:
        """Where they are served."""
        verbs = (self.stop, self.terminate, self.suspend, self.resume, self.set, self.retry, self.resubmit)
        return [("PUT", f"/api/v1/workflows/{{namespace}}/{{name}}/{verb.__name__}", verb) for verb in verbs]

    async def stop(self, request: web.Request) -> web.Response:
        """End a workflow's pods, exit handlers run; with nodeFieldSelector only let nodes fail that wait."""
        body = await body_of(request)
        selector = str(body.get("nodeFieldSelector") or "")
        if not selector:
            return await self._shut_down(request, "Stop")
        message = str(body.get("message") or "")
        return await self._set(request, selector, "Stop", phase="Failed", message=message, outputs={})

    async def terminate(self, request: web.Request) -> web.Response:
        """End a workflow's pods and its exit handlers."""
        return await self._shut_down(request, "Terminate")

    async def suspend(self, request: web.Request) -> web.Response:
        """Start no further task until the workflow is resumed."""

        def edit(workflow: Json) -> None:
            if _phase(workflow) in FULFILLED:
                raise ApiError(400, "BadRequest", "cannot suspend completed workflows")
            workflow["spec"]["suspend"] = True

        return await self._changed(request, "Suspend", edit)

    async def resume(self, request: web.Request) -> web.Response:
        """Go on with a suspended workflow and its waiting nodes, or with those that nodeFieldSelector names."""
        selector = str((await body_of(request)).get("nodeFieldSelector") or "")
        message = f"Resumed by: map[User:{self._identify(request).name}]"
        if selector:
            return await self._set(request, selector, "Resume", phase="Succeeded", message=message, outputs={})

        def edit(workflow: Json) -> None:
            if not resume(workflow, message):
                raise _Nothing

        return await self._changed(request, "Resume", edit)

    async def set(self, request: web.Request) -> web.Response:
        """Supply outputs of nodes that wait, and end them if a phase is given."""
        body = await body_of(request)
        phase = str(body.get("phase") or "")
        if phase not in _PHASES_TO_SET:
            raise ApiError(400, "BadRequest", f"{phase} is an invalid phase to set to")
        outputs = _outputs(str(body.get("outputParameters") or ""))
        selector = str(body.get("nodeFieldSelector") or "")
        if not selector:
            raise internal("'set' currently only targets suspend nodes, use a node field selector to target them")
        message = str(body.get("message") or "")
        return await self._set(request, selector, "", phase=phase, message=message, outputs=outputs)

    async def retry(self, request: web.Request) -> web.Response:
        """Run again what failed of a workflow that has ended."""
        namespace, name = place_of(request)
        body = await body_of(request)
        identity = self._require(request, "update", WORKFLOWS, namespace, name)
        workflow = self._store.get(WORKFLOWS, namespace, name)
        with _told():
            new, pods = retry_workflow(
                workflow,
                restart_successful=bool(body.get("restartSuccessful")),
                selector=parse_fields(str(body.get("nodeFieldSelector") or "")),
                parameters=body.get("parameters") or (),
            )
        for pod in pods:
            self._state.access.require(identity, "delete", PODS, namespace, pod)
            with contextlib.suppress(ApiError):  # gone already, by podGC perhaps
                operations.delete(self._state, PODS, namespace, pod, grace=0)  # its name is used again at once
        return json_answer(self._store.replace(WORKFLOWS, new))

    async def resubmit(self, request: web.Request) -> web.Response:
        """Make a new workflow of one that is there."""
        namespace, name = place_of(request)
        body = await body_of(request)
        identity = self._require(request, "get", WORKFLOWS, namespace, name)
        with _told():
            new = resubmit_workflow(
                self._store.get(WORKFLOWS, namespace, name),
                memoized=bool(body.get("memoized")),
                parameters=body.get("parameters") or (),
            )
        label_creator(new, identity)
        self._state.access.require(identity, "create", WORKFLOWS, namespace)
        self._check(new, identity, namespace)
        return json_answer(operations.create(self._state, WORKFLOWS, namespace, new).object)

    async def _shut_down(self, request: web.Request, strategy: str) -> web.Response:
        def edit(workflow: Json) -> None:
            if _phase(workflow) in FULFILLED:
                raise ApiError(400, "BadRequest", f"cannot {strategy.lower()} a completed workflow")
            workflow["spec"]["shutdown"] = strategy

        return await self._changed(request, strategy, edit)

    async def _set(self, request: web.Request, text: str, action: str, **values: Any) -> web.Response:
        selector: Selector | None = parse_fields(text)

        def edit(workflow: Json) -> None:
            with _told():
                set_nodes(workflow, selector, text, **values)

        return await self._changed(request, action, edit)

    async def _changed(self, request: web.Request, action: str, edit: Callable[[Json], None]) -> web.Response:
        namespace, name = place_of(request)
        identity = self._require(request, "update", WORKFLOWS, namespace, name)
        return json_answer(self._change(namespace, name, action, identity, edit))

    def _change(self, namespace: str, name: str, action: str, identity: Identity, edit: Callable[[Json], None]) -> Json:
        def with_actor(workflow: Json) -> None:
            with _told():
                edit(workflow)
            label_actor(workflow, identity, action)

        try:
            return self._store.change(WORKFLOWS, namespace, name, with_actor)
        except _Nothing:
            return self._store.get(WORKFLOWS, namespace, name)


class _Nothing(Exception):
    """There is nothing to change, which is no error."""


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What cannot be done, as Argo's server answers it."""
    try:
        yield
    except (RetryError, ResubmitError) as error:
        raise ApiError(400, "BadRequest", str(error)) from None
    except (SuspensionError, SubmitOptionError) as error:
        raise internal(str(error)) from None


def _phase(workflow: Json) -> str:
    return str((workflow.get("status") or {}).get("phase", ""))


def _outputs(text: str) -> dict[str, str]:
    if not text:
        return {}
    message = "unable to parse output parameter set request"
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ApiError(400, "BadRequest", f"{message}: {error}") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ApiError(400, "BadRequest", f"{message}: json: cannot unmarshal it into a map of strings")
    return found
