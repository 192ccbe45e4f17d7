"""Metadata: the labels and annotations that a spec gives to its workflows."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hera_k8s_sandbox.foundation.metadata_validation import LABEL_VALUE, LABEL_VALUE_RULE
from hera_k8s_sandbox.workflows.expressions import ExpressionError, evaluate
from hera_k8s_sandbox.workflows.expressions.values import kind_of
from hera_k8s_sandbox.workflows.language.substitution import substitute
from hera_k8s_utils._types import Json


class MetadataError(ValueError):
    """A label cannot be had, or cannot be one; the message is Argo's."""


def workflow_metadata(spec: Json, values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The labels and annotations of `spec.workflowMetadata`; values: what tags stand for. Raises MetadataError."""
    wanted: Json = spec.get("workflowMetadata") or {}
    labels = dict(substitute(wanted.get("labels") or {}, values))
    annotations = dict(substitute(wanted.get("annotations") or {}, values))
    known = {**values, **{f"workflow.labels.{key}": value for key, value in labels.items()}}
    for name, source in (wanted.get("labelsFrom") or {}).items():
        labels[name] = _evaluated(name, str(source.get("expression", "")), known)
    for name, value in labels.items():
        if len(value) > 63 or not re.fullmatch(LABEL_VALUE, value):
            raise MetadataError(f'invalid label value "{value}" for label "{name}": {LABEL_VALUE_RULE}')
    return {"labels": labels, "annotations": annotations}


def _evaluated(name: str, expression: str, values: Mapping[str, str]) -> str:
    try:
        found = evaluate(expression, values)
    except ExpressionError as error:
        raise MetadataError(f'failed to evaluate label "{name}" expression "{expression}": {error}') from None
    if not isinstance(found, str):
        message = f"evaluted to {kind_of(found)} but must be a string"  # so it is spelt in Argo
        raise MetadataError(f'failed to evaluate label "{name}" expression "{expression}" {message}')
    return found
