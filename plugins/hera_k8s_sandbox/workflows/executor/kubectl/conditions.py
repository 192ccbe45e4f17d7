"""Conditions: when a resource is what a template waits for, as label selectors over its JSON (Argo 4.1)."""

from __future__ import annotations

import json
import re

from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.jsonpath import dotted
from hera_k8s_sandbox.foundation.selectors import Condition, Selector, parse_labels
from hera_k8s_utils._types import Json


class ConditionFailed(Exception):
    """The failure condition holds; the message is Argo's."""


def parse_condition(kind: str, text: str) -> Selector | None:
    """The condition `success` or `fail` of a template; None when it is empty. Raises ValueError."""
    try:
        return parse_labels(re.sub(r"\s+", " ", text).strip())
    except ApiError as error:
        raise ValueError(f"{kind} condition '{text}' failed to parse: {error.message}") from None


def is_met(resource: Json, success: Selector | None, failure: Selector | None) -> bool:
    """Whether what is waited for has come. Raises ConditionFailed when any term of the failure condition holds."""

    def lookup(path: str) -> str | None:
        found = dotted(resource, path)
        if found is None:
            return None
        return found if isinstance(found, str) else json.dumps(found, separators=(",", ":"))

    for one in failure.conditions if failure is not None else ():
        if one.holds(lookup(one.key)):
            raise ConditionFailed(f"failure condition '{{{_shown(one)}}}' evaluated true")
    return success is None or success.matches(lookup)


def _shown(condition: Condition) -> str:
    """A term as Go prints its struct."""
    operator = {"in": "==", "exists": "exists", "absent": "!"}.get(condition.operator, condition.operator)
    return f"{condition.key} {operator} [{' '.join(sorted(condition.values))}]"
