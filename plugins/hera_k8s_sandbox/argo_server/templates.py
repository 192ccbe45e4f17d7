"""Templates of the Argo server: WorkflowTemplates and ClusterWorkflowTemplates."""

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
    resource_of,
)
from hera_k8s_sandbox.operations import operations
from hera_k8s_sandbox.workflows.validation import validate_template
from hera_k8s_utils._types import Json


class TemplateHandlers(ArgoHandlers):
    """Create, lint and update; to read and to delete is the same for all kinds."""

    def routes(self) -> Routes:
        """Where they are served."""
        routes: Routes = []
        for base in ("/api/v1/workflow-templates/{namespace}", "/api/v1/cluster-workflow-templates"):
            routes += [
                ("POST", f"{base}/lint", self.lint),
                ("POST", base, self.create),
                ("PUT", f"{base}/{{name}}", self.update),
            ]
        return routes

    async def create(self, request: web.Request) -> web.Response:
        """Take a template."""
        resource, namespace = resource_of(request), request.match_info.get("namespace", "")
        template = await self._checked(request, "create")
        return json_answer(operations.create(self._state, resource, namespace, template).object)

    async def lint(self, request: web.Request) -> web.Response:
        """Say what is wrong with a template."""
        return json_answer(await self._checked(request, "get"))

    async def update(self, request: web.Request) -> web.Response:
        """Write a template anew."""
        resource, (namespace, name) = resource_of(request), place_of(request)
        template = await self._checked(request, "update")
        named = template["metadata"].get("name") or name
        entry = self._store.entry(resource, namespace, named)
        require_version(resource, named, template)
        return json_answer(operations.update(self._state, resource, entry, template).object)

    async def _checked(self, request: web.Request, verb: str) -> Json:
        resource, namespace = resource_of(request), request.match_info.get("namespace", "")
        identity = self._identify(request)
        template = object_in(await body_of(request), "template")
        self._state.access.require(identity, verb, resource, namespace or None)
        source = self._source(identity, namespace)
        checked(lambda: validate_template(template, source=source))
        if verb != "update":
            label_creator(template, identity)
        return template
