"""Retries: a Retry node and the attempts below it."""

from __future__ import annotations

import re
from typing import Any, Final

from hera_k8s_sandbox.foundation.durations import duration_of
from hera_k8s_sandbox.foundation.json_values import seconds_of
from hera_k8s_sandbox.workflows.engine.run_context import RunContext
from hera_k8s_sandbox.workflows.engine.scope import values_of_inputs
from hera_k8s_sandbox.workflows.expressions import ExpressionError, holds
from hera_k8s_sandbox.workflows.language.substitution import substitute
from hera_k8s_sandbox.workflows.model.nodes import NodeError, failed, fulfilled
from hera_k8s_utils._types import Json

_TRANSIENT: Final = re.compile(
    r"exceeded quota|i/o timeout|TLS handshake timeout|connection (?:refused|reset)|connection timed out"
    r"|too many requests|the object has been modified|http2: client connection lost"
    r"|etcdserver: (?:leader changed|request timed out)"
)  # what Argo takes for transient when it reads a message


def execute(
    run: RunContext, name: str, template: Json, holder: Json, arguments: Json, boundary: str, owner: str
) -> Json:
    """Execute a template again until it succeeds or its strategy is exhausted; the Retry node.

    Raises ParallelismReached and NodeError.
    """
    nodes = run.nodes
    parent = nodes.get(name)
    if parent is None:
        run.admission.require_room(template, boundary)
        parent = run.add_retry_node(name, template, holder, arguments, boundary, owner)
    strategy: Json = substitute(run.retry_strategy(template) or {}, run.values() | values_of_inputs(parent))
    while not fulfilled(parent):
        attempts = _attempts(run, parent)
        last = attempts[-1] if attempts else None
        try:
            if last is not None and fulfilled(last) and not _goes_on(run, parent, strategy, attempts):
                break
        except (ExpressionError, ValueError) as error:  # the latter: what a tag stands for is no number or duration
            nodes.mark(parent, "Error", str(error))
            raise NodeError(str(error)) from None
        attempt_name = last["name"] if last is not None and not fulfilled(last) else f"{name}({len(attempts)})"
        number = int(attempt_name.rpartition("(")[2][:-1])
        local = {"retries": str(number)} | _last_values(attempts[:number])
        try:
            attempt = run.execute_once(attempt_name, template, holder, arguments, boundary, parent["id"], local=local)
        except NodeError:
            attempt = nodes.get(attempt_name)  # in error; the strategy decides
        if attempt is None:
            break
        nodes.connect(parent, attempt)
        if not fulfilled(attempt):
            break
    return parent


def _attempts(run: RunContext, parent: Json) -> list[Json]:
    return run.nodes.attempts(parent)


def _last_values(attempts: list[Json]) -> dict[str, str]:
    if not attempts or not fulfilled(attempts[-1]):  # the latter: taken over from an earlier workflow
        return {"lastRetry.exitCode": "0", "lastRetry.duration": "0", "lastRetry.status": "", "lastRetry.message": ""}
    last = attempts[-1]
    return {
        "lastRetry.exitCode": (last.get("outputs") or {}).get("exitCode", "-1"),
        "lastRetry.status": last["phase"],
        "lastRetry.message": last.get("message", ""),
        "lastRetry.duration": str(int(seconds_of(last["finishedAt"]) - seconds_of(last["startedAt"]))),
    }


def _goes_on(run: RunContext, parent: Json, strategy: Json, attempts: list[Json]) -> bool:
    """Whether another attempt is due now; otherwise the Retry node has ended or waits."""
    nodes, last = run.nodes, attempts[-1]
    if not failed(last):
        run.take_outputs(parent, last.get("outputs"))
        nodes.mark(parent, "Succeeded", "")
        return False
    why = _gives_up(run, strategy, attempts)
    if why is not None:
        run.take_outputs(parent, last.get("outputs"))
        nodes.mark(parent, last["phase"], why)
        return False
    wait = _wait(strategy, attempts)
    if wait is None:
        return True
    due = seconds_of(last["finishedAt"]) + wait
    if run.now() >= due:
        nodes.mark(parent, parent["phase"], "")
        return True
    run.wake(due)
    nodes.mark(parent, parent["phase"], f"Backoff for {_humanized(wait)}")
    return False


def _gives_up(run: RunContext, strategy: Json, attempts: list[Json]) -> str | None:
    """Why there is no further attempt, or None."""
    last = attempts[-1]
    deadline = run.deadline
    if run.shutdown:
        return f"Stopped with strategy '{run.shutdown}'"
    if deadline is not None and run.now() > deadline:
        return "retry exceeded workflow deadline"
    longest = (strategy.get("backoff") or {}).get("maxDuration")
    if longest:
        end = seconds_of(attempts[0]["startedAt"]) + duration_of(longest)
        if run.now() > end:
            return "Max duration limit exceeded"
        if seconds_of(last["finishedAt"]) + (_wait(strategy, attempts) or 0) > end:
            return "Backoff would exceed max duration limit"
    if not _is_retried(strategy, last):
        return str(last.get("message", ""))
    limit = strategy.get("limit")
    if limit not in (None, "") and len(attempts) > _number(limit):
        return "No more retries left"
    known = {"retries": str(len(attempts) - 1)} | _last_values(attempts)
    if strategy.get("expression") and not holds(str(strategy["expression"]), known):
        return "retryStrategy.expression evaluated to false"
    return None


def _number(text: Any) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _is_retried(strategy: Json, last: Json) -> bool:
    """Whether the policy retries what the last attempt ended as; with an expression, the default is `Always`."""
    policy = strategy.get("retryPolicy") or ("Always" if strategy.get("expression") else "OnFailure")
    if policy == "OnTransientError":
        return _TRANSIENT.search(str(last.get("message", ""))) is not None
    retried = {"Always": ("Failed", "Error"), "OnFailure": ("Failed",), "OnError": ("Error",)}[policy]
    return last["phase"] in retried


def _wait(strategy: Json, attempts: list[Json]) -> float | None:
    backoff = strategy.get("backoff")
    if not backoff:
        return None
    wait = duration_of(backoff.get("duration", "0"))
    factor = backoff.get("factor")
    if factor not in (None, "") and _number(factor) > 0:
        wait *= _number(factor) ** (len(attempts) - 1)
    return min(wait, duration_of(backoff["cap"])) if backoff.get("cap") else wait


def _humanized(seconds: float) -> str:
    """In the format of Argo's controller: `1 minutes 5 seconds`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} seconds"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} minutes {rest} seconds"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} hours {minutes} minutes"
