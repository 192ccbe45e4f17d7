"""Retry strategies: limits, policies and backoffs that make sense."""

from __future__ import annotations

import re
from typing import Final

from hera_k8s_sandbox.foundation.durations import duration_of
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid
from hera_k8s_sandbox.workflows.validation.references import check_expression
from hera_k8s_utils._types import Json

_POLICIES: Final = ("Always", "OnFailure", "OnError", "OnTransientError")


def check_retries(where: str, strategy: Json | None) -> None:
    """Whether a template can be tried again in this way."""
    if strategy is None:
        return
    if strategy.get("expression"):
        check_expression(f"{where}.retryStrategy.expression", str(strategy["expression"]))
    policy = strategy.get("retryPolicy") or "OnFailure"
    if policy not in _POLICIES:
        raise WorkflowInvalid(f"{where}.retryStrategy.retryPolicy: {policy} is not a valid RetryPolicy")
    limit = strategy.get("limit")
    if limit not in (None, "") and not re.fullmatch(r"\d+", str(limit)):
        raise WorkflowInvalid(f"{where}.retryStrategy.limit: '{limit}' is not a number")
    _backoff(where, strategy.get("backoff") or {})


def _backoff(where: str, backoff: Json) -> None:
    if backoff and not backoff.get("duration"):
        raise WorkflowInvalid(f"{where}.retryStrategy.backoff: no base duration specified for retryStrategy")
    for field in ("duration", "maxDuration", "cap"):
        if backoff.get(field):
            try:
                duration_of(backoff[field])
            except ValueError as error:
                raise WorkflowInvalid(f"{where}.retryStrategy.backoff.{field}: {error}") from None
