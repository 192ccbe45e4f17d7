"""ReplicaSets and Deployments: what their specifications are completed with, and what they are refused for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from hera_k8s_sandbox.admission.pods import set_template_defaults, validate_template
from hera_k8s_sandbox.foundation.errors import Cause
from hera_k8s_sandbox.foundation.field_errors import forbidden_field, invalid_value, required, unsupported_value
from hera_k8s_sandbox.foundation.metadata_validation import LABEL_VALUE, LABEL_VALUE_RULE
from hera_k8s_sandbox.foundation.selectors import labels_of
from hera_k8s_utils._types import Json

RECREATE: Final = "Recreate"
ROLLING: Final = "RollingUpdate"
_STRATEGIES: Final = (RECREATE, ROLLING)
_HISTORY: Final = 10
_DEADLINE: Final = 600  # seconds
_SHARE: Final = "25%"
_PERCENT: Final = re.compile(r"[0-9]+%")
_PERCENT_RULE: Final = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
    "validation is '[0-9]+%')"
)
_NOT_NEGATIVE: Final = "must be greater than or equal to 0"


def set_replica_set_defaults(obj: Json) -> None:
    """Fill in, in place, what the API server fills in."""
    spec = obj.setdefault("spec", {})
    if spec.get("replicas") is None:
        spec["replicas"] = 1
    set_template_defaults(spec)
    obj.setdefault("status", {"replicas": 0})


def set_deployment_defaults(obj: Json) -> None:
    """Fill in, in place, what the API server fills in."""
    spec = obj.setdefault("spec", {})
    defaults = {"replicas": 1, "revisionHistoryLimit": _HISTORY, "progressDeadlineSeconds": _DEADLINE}
    for field, value in defaults.items():
        if spec.get(field) is None:
            spec[field] = value
    if not spec.get("paused"):
        spec.pop("paused", None)
    strategy = spec.setdefault("strategy", {})
    if not strategy.get("type"):
        strategy["type"] = ROLLING
    if strategy["type"] == ROLLING:
        rolling = strategy.get("rollingUpdate") or {}
        strategy["rollingUpdate"] = rolling
        for field in ("maxUnavailable", "maxSurge"):
            if rolling.get(field) is None:
                rolling[field] = _SHARE
    set_template_defaults(spec)
    obj.setdefault("status", {})


def validate_replica_set(obj: Json) -> Iterator[Cause]:
    """What is wrong with a ReplicaSet."""
    spec = obj["spec"]
    yield from _validate_count(spec, ("replicas", "minReadySeconds"))
    yield from _validate_selector(spec)
    yield from _validate_template(spec)


def validate_deployment(obj: Json) -> Iterator[Cause]:
    """What is wrong with a Deployment."""
    spec = obj["spec"]
    yield from _validate_count(spec, ("replicas",))
    yield from _validate_selector(spec)
    yield from _validate_template(spec)
    yield from _validate_strategy(spec["strategy"])
    yield from _validate_count(spec, ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"))
    if (spec.get("progressDeadlineSeconds") or 0) <= (spec.get("minReadySeconds") or 0):
        message = "must be greater than minReadySeconds"
        yield invalid_value("spec.progressDeadlineSeconds", spec.get("progressDeadlineSeconds"), message)


def validate_selector_update(old: Json, new: Json) -> Iterator[Cause]:
    """What is wrong with a change: the selector stays."""
    if old["spec"].get("selector") != new["spec"].get("selector"):
        yield invalid_value("spec.selector", new["spec"].get("selector"), "field is immutable")


def _validate_count(spec: Json, fields: tuple[str, ...]) -> Iterator[Cause]:
    for field in fields:
        value = spec.get(field)
        if value is not None and value < 0:
            yield invalid_value(f"spec.{field}", value, _NOT_NEGATIVE)


def _validate_selector(spec: Json) -> Iterator[Cause]:
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector")
        return
    for key, value in (selector.get("matchLabels") or {}).items():
        if not re.fullmatch(LABEL_VALUE, value or ""):
            yield (
                invalid_value("spec.selector.matchLabels", value, LABEL_VALUE_RULE)
                if key
                else required("spec.selector")
            )
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield invalid_value("spec.selector", selector, "empty selector is invalid for deployment")


def _validate_template(spec: Json) -> Iterator[Cause]:
    template = spec["template"]
    selector = labels_of(spec.get("selector") or {})
    labels = (template.get("metadata") or {}).get("labels") or {}
    is_given = spec.get("selector") is None or selector is not None
    if is_given and (selector is None or not selector.matches(labels.get)):
        yield invalid_value("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from validate_template(template)
    policy = template["spec"].get("restartPolicy")
    if policy != "Always" and policy in ("OnFailure", "Never"):
        yield unsupported_value("spec.template.spec.restartPolicy", policy, ("Always",))
    if template["spec"].get("activeDeadlineSeconds") is not None:
        yield forbidden_field(
            "spec.template.spec.activeDeadlineSeconds", "activeDeadlineSeconds in ReplicaSet is not Supported"
        )


def _validate_strategy(strategy: Json) -> Iterator[Cause]:
    where, rolling = "spec.strategy", strategy.get("rollingUpdate")
    if strategy["type"] == RECREATE and rolling is not None:
        message = "may not be specified when strategy `type` is 'Recreate'"
        yield forbidden_field(f"{where}.rollingUpdate", message)
    if strategy["type"] not in _STRATEGIES:
        shown = {"Type": strategy["type"], "RollingUpdate": rolling}  # as the server's own form of it has them
        yield unsupported_value(where, shown, _STRATEGIES)
    if strategy["type"] != ROLLING:
        return
    given = {field: (rolling or {}).get(field) for field in ("maxUnavailable", "maxSurge")}
    for field, value in given.items():
        if isinstance(value, str) and not _PERCENT.fullmatch(value):
            yield invalid_value(f"{where}.rollingUpdate.{field}", value, _PERCENT_RULE)
        elif isinstance(value, int) and value < 0:
            yield invalid_value(f"{where}.rollingUpdate.{field}", value, _NOT_NEGATIVE)
    if all(value in (0, "0%") for value in given.values()):
        message = "may not be 0 when `maxSurge` is 0"
        yield invalid_value(f"{where}.rollingUpdate.maxUnavailable", given["maxUnavailable"], message)
    share = str(given["maxUnavailable"])
    if _PERCENT.fullmatch(share) and int(share[:-1]) > 100:
        yield invalid_value(f"{where}.rollingUpdate.maxUnavailable", share, "must not be greater than 100%")
