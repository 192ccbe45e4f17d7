"""Submit options: what a caller changes of a workflow that is made from a template, a cron workflow or an old one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hera_k8s_utils._types import Json

_SPEC: Final = {
    "entryPoint": "entrypoint",
    "serviceAccount": "serviceAccountName",
    "podPriorityClassName": "podPriorityClassName",
    "priority": "priority",
}


class SubmitOptionError(ValueError):
    """An option cannot be read; the message is Argo's."""


def apply_options(workflow: Json, options: Json) -> None:
    """Change a workflow according to submit options. Raises SubmitOptionError."""
    meta, spec = workflow["metadata"], workflow["spec"]
    for option, field in _SPEC.items():
        if options.get(option) not in (None, ""):
            spec[field] = options[option]
    for field in ("labels", "annotations"):
        if options.get(field):
            meta[field] = {**(meta.get(field) or {}), **_pairs(options[field], field)}
    override_parameters(spec, options.get("parameters") or ())
    for field in ("generateName", "name"):
        if options.get(field):
            meta[field] = options[field]
    if options.get("ownerReference"):
        meta["ownerReferences"] = [*(meta.get("ownerReferences") or ()), options["ownerReference"]]


def override_parameters(spec: Json, given: Iterable[str]) -> None:
    """Set parameters of a workflow from texts `NAME=VALUE`; they come first. Raises SubmitOptionError."""
    values: dict[str, str] = {}
    for text in given:
        name, equals, value = str(text).partition("=")
        if not equals:
            raise SubmitOptionError(f"expected parameter of the form: NAME=VALUE. Received: {text}")
        values[name] = value
    if not values:
        return
    arguments = spec.get("arguments") or {}
    kept = [one for one in arguments.get("parameters") or () if one.get("name") not in values]
    new = [{"name": name, "value": value} for name, value in values.items()]
    spec["arguments"] = {**arguments, "parameters": [*new, *kept]}


def _pairs(text: str, field: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in str(text).split(","):
        key, equals, value = pair.partition("=")
        if not equals or not key:
            message = (
                f"expected {field if field == 'labels' else 'Annotations'} of the form: NAME1=VALUE2,NAME2=VALUE2."
            )
            raise SubmitOptionError(f"{message} Received: {text}")
        found[key] = value
    return found
