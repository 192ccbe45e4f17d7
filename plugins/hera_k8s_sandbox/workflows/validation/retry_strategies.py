"""Retry strategies: limits, policies and backoffs that make sense."""

from __future__ import annotations

import re
from typing import Final

from hera_k8s_sandbox.foundation.durations import duration_of
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid
from hera_k8s_sandbox.workflows.validation.references import check_expression
from hera_k8s_utils._types import Json

_TAG: Final = "{{"  # what has one is known only at run time
_POLICIES: Final = ("Always", "OnFailure", "OnError", "OnTransientError")


def check_retries(where: str, strategy: Json | None) -> None:
    """Whether a template can be tried again in this way."""
    if strategy is None:
        return
    expression = str(strategy.get("expression") or "")
    if expression and _TAG not in expression:
        check_expression(f"{where}.retryStrategy.expression", expression)
    policy = strategy.get("retryPolicy") or "OnFailure"
    if policy not in _POLICIES:
        raise WorkflowInvalid(f"{where}.retryStrategy.retryPolicy: {policy} is not a valid RetryPolicy")
    limit = strategy.get("limit")
    if limit not in (None, "") and _TAG not in str(limit) and not re.fullmatch(r"\d+", str(limit)):
        raise WorkflowInvalid(f"{where}.retryStrategy.limit: '{limit}' is not a number")
    _backoff(where, strategy.get("backoff") or {})


def _backoff(where: str, backoff: Json) -> None:
    if backoff and not backoff.get("duration"):
        raise WorkflowInvalid(f"{where}.retryStrategy.backoff: no base duration specified for retryStrategy")
    for field in ("duration", "maxDuration", "cap"):
        if backoff.get(field) and _TAG not in str(backoff[field]):
            try:
                duration_of(backoff[field])
            except ValueError as error:
                raise WorkflowInvalid(f"{where}.retryStrategy.backoff.{field}: {error}") from None
