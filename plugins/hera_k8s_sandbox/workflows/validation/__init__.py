"""Validation: what is wrong with a workflow, and what in it the sandbox cannot do, before any task starts."""

from hera_k8s_sandbox.workflows.validation.cron import validate_cron
from hera_k8s_sandbox.workflows.validation.errors import TemplateNotFound, Unsupported, WorkflowInvalid
from hera_k8s_sandbox.workflows.validation.specs import validate, validate_template

__all__ = ["TemplateNotFound", "Unsupported", "WorkflowInvalid", "validate", "validate_cron", "validate_template"]
