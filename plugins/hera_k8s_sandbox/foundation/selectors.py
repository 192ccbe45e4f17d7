"""Selectors: the label and field expressions by which a list or a watch is narrowed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from hera_k8s_sandbox.foundation.errors import bad_request
from hera_k8s_sandbox.foundation.metadata_validation import LABEL_VALUE, LABEL_VALUE_RULE

Lookup = Callable[[str], "str | None"]

_KEY = r"[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?"
_SET = re.compile(rf"^(?P<key>{_KEY})\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)$")
_EQUAL = re.compile(rf"^(?P<key>{_KEY})\s*(?P<operator>==|=|!=|>|<)\s*(?P<value>[A-Za-z0-9._-]*)$")
_EXISTS = re.compile(rf"^(?P<not>!?)\s*(?P<key>{_KEY})$")
_FIELD = re.compile(r"^(?P<key>[A-Za-z0-9._/-]+)(?P<operator>==|=|!=)(?P<value>.*)$")


@dataclass(frozen=True)
class Condition:
    """One term of a selector.

    operator: in, notin, exists, absent, > or <.
    """

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def holds(self, value: str | None) -> bool:
        """Whether a label of this value (None: no such label) satisfies the term."""
        if self.operator == "exists":
            return value is not None
        if self.operator == "absent":
            return value is None
        if self.operator == "in":
            return value in self.values
        if self.operator == "notin":
            return value not in self.values
        return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        if value is None or not value.lstrip("-").isdigit():
            return False
        (bound,) = self.values
        return int(value) > int(bound) if self.operator == ">" else int(value) < int(bound)


@dataclass(frozen=True)
class Selector:
    """A conjunction of terms."""

    conditions: tuple[Condition, ...]

    def matches(self, lookup: Lookup) -> bool:
        """Whether all terms hold; `lookup` gives a key's value or None."""
        return all(condition.holds(lookup(condition.key)) for condition in self.conditions)


def parse_labels(text: str) -> Selector | None:
    """Read a `labelSelector`; None when it is empty. Raises ApiError 400."""
    terms = [term.strip() for term in re.split(r",(?![^()]*\))", text)] if text.strip() else []
    return Selector(tuple(_label_condition(term, text) for term in terms)) if terms else None


def parse_fields(text: str) -> Selector | None:
    """Read a `fieldSelector`; None when it is empty. Raises ApiError 400."""
    terms = [term for term in text.split(",") if term]
    return Selector(tuple(_field_condition(term) for term in terms)) if terms else None


def labels_of(selector: dict[str, object]) -> Selector | None:
    """The Selector of a LabelSelector object (`matchLabels`, `matchExpressions`); TypeError, KeyError if it is none."""
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}
    labels = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or []
    if not isinstance(labels, dict) or not isinstance(expressions, list):
        raise TypeError("matchLabels is an object, matchExpressions a list")
    conditions = [Condition(key, "in", frozenset([value])) for key, value in labels.items()]
    conditions += [
        Condition(term["key"], operators[term["operator"]], frozenset(term.get("values") or ())) for term in expressions
    ]
    return Selector(tuple(conditions)) if conditions else None


def _label_condition(term: str, whole: str) -> Condition:
    if found := _SET.match(term):
        values = frozenset(value.strip() for value in found["values"].split(","))
        return Condition(found["key"], found["operator"], values)
    if found := _EXISTS.match(term):
        return Condition(found["key"], "absent" if found["not"] else "exists")
    if found := _EQUAL.match(term):
        if not re.fullmatch(LABEL_VALUE, found["value"]):
            message = f'values[0][{found["key"]}]: Invalid value: "{found["value"]}": {LABEL_VALUE_RULE}'
            raise bad_request(f"unable to parse requirement: {message}")
        operator = {"=": "in", "==": "in", "!=": "notin"}.get(found["operator"], found["operator"])
        if operator in "<>" and not found["value"].isdigit():
            raise bad_request(
                f"unable to parse requirement: for 'Gt', 'Lt' operators, the value must be an integer: {term}"
            )
        return Condition(found["key"], operator, frozenset([found["value"]]))
    raise bad_request(f"unable to parse requirement: found '{term}' in '{whole}', expected: a selector term")


def _field_condition(term: str) -> Condition:
    found = _FIELD.match(term)
    if found is None:
        raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    operator = "notin" if found["operator"] == "!=" else "in"
    return Condition(found["key"], operator, frozenset([found["value"]]))
