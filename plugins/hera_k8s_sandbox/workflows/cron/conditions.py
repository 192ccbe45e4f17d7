"""Cron conditions: what `when` and `stopStrategy` of a CronWorkflow say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from hera_k8s_sandbox.foundation.json_values import go_json, seconds_of
from hera_k8s_sandbox.workflows import expressions
from hera_k8s_sandbox.workflows.expressions import ExpressionError
from hera_k8s_sandbox.workflows.expressions.times import Moment
from hera_k8s_sandbox.workflows.expressions.values import formatted
from hera_k8s_sandbox.workflows.language.when import ConditionError, holds
from hera_k8s_utils._types import Json

_TAG: Final = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)


class CronConditionError(ValueError):
    """A condition cannot be read or evaluated."""


def wants_to_run(cron: Json) -> bool:
    """Whether `spec.when` allows a run now. Raises CronConditionError."""
    text = str((cron.get("spec") or {}).get("when") or "")
    values = _values(cron)
    try:
        return holds(_TAG.sub(lambda found: _shown(found[1], values), text))
    except (ConditionError, ExpressionError) as error:
        raise CronConditionError(str(error)) from None


def is_to_stop(cron: Json) -> bool:
    """Whether `spec.stopStrategy` ends further runs. Raises CronConditionError."""
    strategy = (cron.get("spec") or {}).get("stopStrategy")
    if not strategy:
        return False
    try:
        return expressions.holds(str(strategy.get("expression", "")), _values(cron))
    except ExpressionError as error:
        raise CronConditionError(f"failed to evaluate stop expression: {error}") from None


def _values(cron: Json) -> dict[str, Any]:
    meta, status = cron["metadata"], cron.get("status") or {}
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    last = status.get("lastScheduledTime")
    return {
        "cronworkflow.name": meta["name"],
        "cronworkflow.namespace": meta["namespace"],
        "cronworkflow.labels": labels,
        "cronworkflow.labels.json": go_json(labels),
        "cronworkflow.annotations": annotations,
        "cronworkflow.annotations.json": go_json(annotations),
        "cronworkflow.failed": int(status.get("failed") or 0),
        "cronworkflow.succeeded": int(status.get("succeeded") or 0),
        "cronworkflow.lastScheduledTime": None if last is None else Moment(seconds_of(last)),
    }


def _shown(tag: str, values: Mapping[str, Any]) -> str:
    if tag.startswith("="):
        return formatted(expressions.evaluate(tag[1:], values))
    if tag not in values:
        raise ExpressionError(f"failed to resolve {{{{{tag}}}}}")
    return formatted(values[tag])
