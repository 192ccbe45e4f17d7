"""Label selectors of Kubernetes: `matchLabels` and `matchExpressions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a selector matches these labels; an empty one matches everything."""
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _matches_expression(each, labels) for each in selector.get("matchExpressions") or ()
    )


def _matches_expression(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression.get("key"), expression.get("values") or ()
    operator, there = expression.get("operator"), key in labels
    if operator == "Exists":
        return there
    if operator == "DoesNotExist":
        return not there
    if operator == "In":
        return there and labels[str(key)] in values
    return operator == "NotIn" and (not there or labels[str(key)] not in values)
