"""Cron workflows of the Argo server."""

from __future__ import annotations

from aiohttp import web

from hera_k8s_sandbox.apiserver.bodies import require_version
from hera_k8s_sandbox.argo_server.handlers import (
    ArgoHandlers,
    Routes,
    body_of,
    checked,
    json_answer,
    label_creator,
    object_in,
    place_of,
)
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.resource_types import CRON_WORKFLOWS
from hera_k8s_sandbox.operations import operations
from hera_k8s_sandbox.workflows.validation import validate_cron
from hera_k8s_utils._types import Json


class CronHandlers(ArgoHandlers):
    """Create, lint, update, suspend and resume; to read and to delete is the same for all kinds."""

    def routes(self) -> Routes:
        """Where they are served."""
        base = "/api/v1/cron-workflows/{namespace}"
        return [
            ("POST", f"{base}/lint", self.lint),
            ("POST", base, self.create),
            ("PUT", f"{base}/{{name}}", self.update),
            ("PUT", f"{base}/{{name}}/suspend", self.suspend),
            ("PUT", f"{base}/{{name}}/resume", self.resume),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Take a cron workflow."""
        cron = await self._checked(request, "create")
        return json_answer(operations.create(self._state, CRON_WORKFLOWS, request.match_info["namespace"], cron).object)

    async def lint(self, request: web.Request) -> web.Response:
        """Say what is wrong with a cron workflow."""
        return json_answer(await self._checked(request, "get"))

    async def update(self, request: web.Request) -> web.Response:
        """Write a cron workflow anew."""
        namespace, name = place_of(request)
        cron = await self._checked(request, "update")
        named = cron["metadata"].get("name") or name
        entry = self._store.entry(CRON_WORKFLOWS, namespace, named)
        require_version(CRON_WORKFLOWS, named, cron)
        return json_answer(operations.update(self._state, CRON_WORKFLOWS, entry, cron).object)

    async def suspend(self, request: web.Request) -> web.Response:
        """Make no workflows until it is resumed."""
        return self._set_suspend(request, value=True)

    async def resume(self, request: web.Request) -> web.Response:
        """Make workflows again."""
        return self._set_suspend(request, value=False)

    def _set_suspend(self, request: web.Request, *, value: bool) -> web.Response:
        namespace, name = place_of(request)
        self._require(request, "patch", CRON_WORKFLOWS, namespace, name)

        def edit(cron: Json) -> None:
            cron["spec"]["suspend"] = value

        return json_answer(self._store.change(CRON_WORKFLOWS, namespace, name, edit))

    async def _checked(self, request: web.Request, verb: str) -> Json:
        namespace, identity = request.match_info["namespace"], self._identify(request)
        body = await body_of(request)
        if "cronWorkflow" not in body:
            raise ApiError(404, "NotFound", "cron workflow was not found in the request body")
        cron = object_in(body, "cronWorkflow")
        self._state.access.require(identity, verb, CRON_WORKFLOWS, namespace)
        source = self._source(identity, namespace)
        checked(lambda: validate_cron(cron, source=source))
        if verb != "update":
            label_creator(cron, identity)
        return cron
