"""Submission: workflows as they come to the Argo server, whole or from a template or a cron workflow."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from hera_k8s_sandbox.argo_server.handlers import ArgoHandlers, Routes, body_of, json_answer, label_creator, object_in
from hera_k8s_sandbox.foundation.errors import ApiError, unsupported
from hera_k8s_sandbox.foundation.labels import ARGO_PREFIX, COMPLETED_LABEL, PHASE_LABEL
from hera_k8s_sandbox.foundation.resource_types import CRON_WORKFLOWS, WORKFLOWS
from hera_k8s_sandbox.operations import operations
from hera_k8s_sandbox.rbac.authorizer import Identity
from hera_k8s_sandbox.workflows.actions.submit_options import SubmitOptionError, apply_options
from hera_k8s_sandbox.workflows.cron.child_workflow import cron_workflow
from hera_k8s_utils._types import Json

_CRON_KINDS: Final = ("CronWorkflow", "cronworkflow", "cronworkflows", "cronwf")
_TEMPLATE_KINDS: Final = ("WorkflowTemplate", "workflowtemplate", "workflowtemplates", "wftmpl")
_CLUSTER_KINDS: Final = ("ClusterWorkflowTemplate", "clusterworkflowtemplate", "clusterworkflowtemplates", "cwftmpl")


class Submission(ArgoHandlers):
    """Create, lint and submit."""

    def routes(self) -> Routes:
        """Where they are served."""
        base = "/api/v1/workflows/{namespace}"
        return [
            ("POST", f"{base}/lint", self.lint),
            ("POST", f"{base}/submit", self.submit),
            ("POST", base, self.create),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Take a workflow, or with serverDryRun only say how it would be taken."""
        namespace, identity = request.match_info["namespace"], self._identify(request)
        body = await body_of(request)
        workflow = object_in(body, "workflow")
        self._state.access.require(identity, "create", WORKFLOWS, namespace)
        self._check(workflow, identity, namespace)
        _prepare(workflow, body)
        workflow.pop("status", None)
        dry_run = bool(body.get("serverDryRun")) or _dry_run(body)
        return self._made(namespace, identity, workflow, dry_run=dry_run)

    async def lint(self, request: web.Request) -> web.Response:
        """Say what is wrong with a workflow."""
        namespace, identity = request.match_info["namespace"], self._identify(request)
        workflow = object_in(await body_of(request), "workflow")
        self._state.access.require(identity, "get", WORKFLOWS, namespace)  # to lint, Argo asks for no more
        self._check(workflow, identity, namespace, lint=True)
        workflow["metadata"].setdefault("namespace", namespace)
        return json_answer(workflow)

    async def submit(self, request: web.Request) -> web.Response:
        """Make a workflow from a template or a cron workflow."""
        namespace, identity = request.match_info["namespace"], self._identify(request)
        body = await body_of(request)
        options = body.get("submitOptions") or {}
        if options.get("artifacts"):
            raise unsupported("submitOptions.artifacts")
        workflow = self._from(namespace, identity, str(body.get("resourceKind", "")), str(body.get("resourceName", "")))
        label_creator(workflow, identity)
        try:
            apply_options(workflow, options)
        except SubmitOptionError as error:
            raise ApiError(500, "InternalError", str(error)) from None
        self._state.access.require(identity, "create", WORKFLOWS, namespace)
        self._check(workflow, identity, namespace)
        if options.get("dryRun"):
            return json_answer(workflow)
        return self._made(namespace, identity, workflow, dry_run=bool(options.get("serverDryRun")))

    def _from(self, namespace: str, identity: Identity, kind: str, name: str) -> Json:
        if kind in _CRON_KINDS:
            self._state.access.require(identity, "get", CRON_WORKFLOWS, namespace, name)
            return cron_workflow(self._store.get(CRON_WORKFLOWS, namespace, name))
        if kind in _TEMPLATE_KINDS:
            return _of_template(name, cluster=False)
        if kind in _CLUSTER_KINDS:
            return _of_template(name, cluster=True)
        raise ApiError(400, "BadRequest", f"Resource kind '{kind}' is not supported for submitting")

    def _made(self, namespace: str, identity: Identity, workflow: Json, *, dry_run: bool) -> web.Response:
        label_creator(workflow, identity)
        return json_answer(operations.create(self._state, WORKFLOWS, namespace, workflow, dry_run=dry_run).object)


def _of_template(name: str, *, cluster: bool) -> Json:
    reference: Json = {"name": name}
    if cluster:
        reference["clusterScope"] = True
    label = f"{ARGO_PREFIX}{'cluster-' if cluster else ''}workflow-template"
    return {
        "apiVersion": WORKFLOWS.api_version,
        "kind": WORKFLOWS.kind,
        "metadata": {"generateName": f"{name}-", "labels": {label: name}},
        "spec": {"workflowTemplateRef": reference},
    }


def _prepare(workflow: Json, body: Json) -> None:
    """Argo's server makes a generated name already for a dry run, so nothing is done here but to insist on one."""
    meta = workflow["metadata"]
    if not meta.get("name") and not meta.get("generateName"):
        raise ApiError(400, "BadRequest", "metadata.name or metadata.generateName is required")
    meta.setdefault("labels", {}).pop(PHASE_LABEL, None)
    meta["labels"].pop(COMPLETED_LABEL, None)
    if body.get("instanceID"):
        meta["labels"].setdefault(f"{ARGO_PREFIX}controller-instanceid", body["instanceID"])


def _dry_run(body: Json) -> bool:
    return "All" in ((body.get("createOptions") or {}).get("dryRun") or ())
