"""Validation: what is wrong with a workflow, and what in it the sandbox cannot do, before any task starts."""

from hera_k8s_sandbox.workflows.validation.errors import Unsupported, WorkflowInvalid
from hera_k8s_sandbox.workflows.validation.specs import validate, validate_template

__all__ = ["Unsupported", "WorkflowInvalid", "validate", "validate_template"]
