"""Retry strategies: limits, policies and backoffs that make sense."""

from __future__ import annotations

import re
from typing import Any, Final

from hera_k8s_sandbox.workflows.retries import duration_of
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid, unsupported

Json = dict[str, Any]

_POLICIES: Final = ("Always", "OnFailure", "OnError")


def check_retries(where: str, strategy: Json | None) -> None:
    """Whether a template can be tried again in this way."""
    if strategy is None:
        return
    for field in ("expression", "affinity"):
        if strategy.get(field):
            raise unsupported(f"{where}.retryStrategy.{field}")
    policy = strategy.get("retryPolicy") or "OnFailure"
    if policy == "OnTransientError":
        raise unsupported(f"{where}.retryStrategy.retryPolicy OnTransientError")
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
