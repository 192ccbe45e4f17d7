"""Jobs: what their specification is completed with, and what it is refused for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from hera_k8s_sandbox.admission.job_indexes import count_indexes
from hera_k8s_sandbox.admission.pods import set_template_defaults, validate_template
from hera_k8s_sandbox.foundation.errors import Cause
from hera_k8s_sandbox.foundation.field_errors import duplicate, invalid_value, required, unsupported_value
from hera_k8s_sandbox.foundation.labels import JOB_CONTROLLER_UID, JOB_NAME
from hera_k8s_sandbox.foundation.metadata_validation import LABEL, SUBDOMAIN_RULE
from hera_k8s_sandbox.foundation.selectors import labels_of
from hera_k8s_utils._types import Json

MANAGER: Final = "kubernetes.io/job-controller"  # ours, as spec.managedBy names it
INDEXED: Final = "Indexed"
_OLD_JOB_NAME: Final = "job-name"
_OLD_CONTROLLER_UID: Final = "controller-uid"
_BACKOFF_LIMIT: Final = 6
_UNLIMITED: Final = (1 << 31) - 1
_MODES: Final = ("NonIndexed", INDEXED)
_REPLACEMENTS: Final = ("Failed", "TerminatingOrFailed")
_ACTIONS: Final = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS: Final = ("In", "NotIn")
_TRUTHS: Final = ("False", "True", "Unknown")
_COUNTS: Final = (
    *("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"),
    *("backoffLimitPerIndex", "maxFailedIndexes"),
)
_FIXED: Final = ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")
_MOST_PARALLEL: Final = 100_000  # pods of an indexed job at a time
_MANY: Final = 100_000  # completions above which a back-off limit for each index is bounded
_MOST_OF_MANY: Final = 10_000
_MOST_RULES: Final = 20
_MOST_EXIT_CODES: Final = 255
_IMMUTABLE: Final = "field is immutable"


def set_job_defaults(obj: Json) -> None:
    """Fill in, in place, what the API server fills in; the name and the uid are known."""
    spec = obj.setdefault("spec", {})
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    defaults: Json = {
        "parallelism": 1,
        "backoffLimit": _BACKOFF_LIMIT if spec.get("backoffLimitPerIndex") is None else _UNLIMITED,
        "completionMode": _MODES[0],
        "suspend": False,
        "podReplacementPolicy": _REPLACEMENTS[0 if spec.get("podFailurePolicy") else 1],
        "manualSelector": False,
    }
    for field, value in defaults.items():
        if spec.get(field) is None:
            spec[field] = value
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern.setdefault("status", "True")
    set_template_defaults(spec)
    if not spec["manualSelector"] and "status" not in obj:  # it is new: a change must bring the selector along
        _select_own(obj)
    if not obj["metadata"].get("labels") and spec["template"]["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(spec["template"]["metadata"]["labels"])
    obj.setdefault("status", {})


def _select_own(obj: Json) -> None:
    """Select pods by a label that only this job's pods have; what the user wrote is left, to be refused."""
    meta, template = obj["metadata"], obj["spec"]["template"]["metadata"]
    labels = template["labels"] = template.get("labels") or {}
    for key in (_OLD_JOB_NAME, JOB_NAME):
        labels.setdefault(key, meta["name"])
    for key in (_OLD_CONTROLLER_UID, JOB_CONTROLLER_UID):
        labels.setdefault(key, meta["uid"])
    selector = obj["spec"]["selector"] = obj["spec"].get("selector") or {}
    selector["matchLabels"] = selector.get("matchLabels") or {}
    selector["matchLabels"].setdefault(JOB_CONTROLLER_UID, meta["uid"])


def validate_job(obj: Json) -> Iterator[Cause]:
    """What is wrong with a job."""
    spec = obj["spec"]
    yield from _validate_own_selector(obj)
    yield from _validate_spec(spec)
    yield from _validate_selector(spec)
    if spec["completionMode"] == INDEXED and (spec.get("completions") or 0) > 0:
        name = obj["metadata"]["name"]
        hostname = f"{name}-{spec['completions'] - 1}"
        if len(hostname) > 63 or not re.fullmatch(LABEL, hostname):
            yield invalid_value(
                "metadata.name", name, f"will not able to create pod with invalid DNS label: {hostname}"
            )


def validate_job_update(old: Json, new: Json) -> Iterator[Cause]:
    """What is wrong with a change of a job."""
    before, after = old["spec"], new["spec"]
    yield from _validate_spec(after)  # the API server validates twice, and lists each error twice
    yield from _validate_selector(after)
    yield from _validate_scaling(before, after)
    if before.get("selector") != after.get("selector"):
        yield invalid_value("spec.selector", _sorted(after.get("selector")), _IMMUTABLE)
    if not _template_may_be(old, after["template"]):
        yield invalid_value("spec.template", after["template"], _IMMUTABLE)
    for field in _FIXED:
        if before.get(field) != after.get(field):
            yield invalid_value(f"spec.{field}", _internal(field, after.get(field)), _IMMUTABLE)


def _validate_scaling(before: Json, after: Json) -> Iterator[Cause]:
    """An indexed job is scaled by changing completions and parallelism together; others are not."""
    completions = after.get("completions")
    if before.get("completions") == completions:
        return
    if after["completionMode"] != INDEXED:
        yield invalid_value("spec.completions", completions, _IMMUTABLE)
    elif completions is not None and completions != after["parallelism"]:
        yield invalid_value("spec.completions", completions, "can only be modified in tandem with spec.parallelism")


def _template_may_be(old: Json, after: Json) -> bool:
    """Scheduling and resources of pods may change only while a job is suspended and nothing runs."""
    before = old["spec"]["template"]
    status = old.get("status") or {}
    suspended = any(one["type"] == "Suspended" and one["status"] == "True" for one in status.get("conditions") or ())
    free = old["spec"]["suspend"] and (suspended or not status.get("startTime")) and not status.get("active")
    return before == after or bool(free and _fixed_part(before) == _fixed_part(after))


def _fixed_part(template: Json) -> Json:
    """What of a template stays even while its job is suspended."""
    meta = {key: value for key, value in template["metadata"].items() if key not in ("labels", "annotations")}
    free = ("nodeSelector", "tolerations", "schedulingGates", "affinity")
    spec = {key: value for key, value in template["spec"].items() if key not in free}
    for field in ("containers", "initContainers"):
        spec[field] = [{key: one[key] for key in one if key != "resources"} for one in spec.get(field) or ()]
    affinity = {key: value for key, value in (template["spec"].get("affinity") or {}).items() if key != "nodeAffinity"}
    return {"metadata": meta, "spec": spec, "affinity": affinity}


def _validate_own_selector(obj: Json) -> Iterator[Cause]:
    meta, spec = obj["metadata"], obj["spec"]
    if spec["manualSelector"] or not spec.get("selector"):
        return
    wanted = {
        _OLD_CONTROLLER_UID: meta["uid"],
        _OLD_JOB_NAME: meta["name"],
        JOB_CONTROLLER_UID: meta["uid"],
        JOB_NAME: meta["name"],
    }
    labels = spec["template"]["metadata"].get("labels") or {}
    for key, value in wanted.items():
        if key not in labels:
            yield required("spec.template.metadata.labels", f"must be '{value}'")
        elif labels[key] != value:
            yield invalid_value(f"spec.template.metadata.labels[{key}]", _sorted(labels), f"must be '{value}'")
    selector = labels_of(spec["selector"])
    if selector is not None and not selector.matches(wanted.get):
        yield invalid_value("spec.selector", _sorted(spec["selector"]), "`selector` not auto-generated")


def _validate_selector(spec: Json) -> Iterator[Cause]:
    wanted, labels = spec.get("selector"), spec["template"]["metadata"].get("labels")
    if wanted is None:
        yield required("spec.selector")
    selector = None if wanted is None else labels_of(wanted)
    if wanted is None or (selector is not None and not selector.matches((labels or {}).get)):
        yield invalid_value(
            "spec.template.metadata.labels", _sorted(labels), "`selector` does not match template `labels`"
        )


def _validate_spec(spec: Json) -> Iterator[Cause]:
    for field in _COUNTS:
        if (spec.get(field) or 0) < 0:
            yield invalid_value(f"spec.{field}", spec[field], "must be greater than or equal to 0")
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        yield required("spec.backoffLimitPerIndex", "when maxFailedIndexes is specified")
    yield from _validate_manager(spec.get("managedBy"))
    yield from _validate_mode(spec)
    if spec.get("podFailurePolicy"):
        yield from _validate_failure_policy(spec)
    if spec.get("successPolicy"):
        yield from _validate_success_policy(spec)
    replacements = _REPLACEMENTS[:1] if spec.get("podFailurePolicy") else _REPLACEMENTS
    if spec["podReplacementPolicy"] not in replacements:
        yield unsupported_value("spec.podReplacementPolicy", spec["podReplacementPolicy"], replacements)
    policy, where = spec["template"]["spec"]["restartPolicy"], "spec.template.spec.restartPolicy"
    yield from validate_template(spec["template"])
    if policy == "Always":
        yield required(where, 'valid values: "OnFailure", "Never"')
    elif policy not in ("OnFailure", "Never"):
        yield unsupported_value(where, policy, ("OnFailure", "Never"))
    elif spec.get("podFailurePolicy") and policy != "Never":
        yield invalid_value(where, policy, 'only "Never" is supported when podFailurePolicy is specified')


def _validate_manager(manager: str | None) -> Iterator[Cause]:
    if manager is None:
        return
    domain, slash, path = manager.partition("/")
    if not slash or not domain or not path:
        yield invalid_value("spec.managedBy", manager, 'must be a domain-prefixed path (such as "acme.io/foo")')
    elif not re.fullmatch(rf"{LABEL}(\.{LABEL})*", domain):
        yield invalid_value("spec.managedBy", domain, SUBDOMAIN_RULE)
    if len(manager) > 63:
        yield Cause("spec.managedBy", "Too long: may not be more than 63 bytes", "FieldValueTooLong")


def _validate_mode(spec: Json) -> Iterator[Cause]:
    mode, completions, parallelism = spec["completionMode"], spec.get("completions"), spec["parallelism"]
    per_index, most_failed = spec.get("backoffLimitPerIndex"), spec.get("maxFailedIndexes")
    if mode not in _MODES:
        yield unsupported_value("spec.completionMode", mode, (_MODES[0], _MODES[1]))
    if mode == _MODES[0]:
        for field in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(field) is not None:
                yield invalid_value(f"spec.{field}", spec[field], "requires indexed completion mode")
    if mode != INDEXED:
        return
    if completions is None:
        yield required("spec.completions", "when completion mode is Indexed")
    if parallelism > _MOST_PARALLEL:
        message = f"must be less than or equal to {_MOST_PARALLEL} when completion mode is Indexed"
        yield invalid_value("spec.parallelism", parallelism, message)
    if completions is not None and most_failed is not None and most_failed > completions:
        yield invalid_value("spec.maxFailedIndexes", most_failed, "must be less than or equal to completions")
    if most_failed is not None and most_failed > _MOST_PARALLEL:
        yield invalid_value("spec.maxFailedIndexes", most_failed, f"must be less than or equal to {_MOST_PARALLEL}")
    if completions is None or completions <= _MANY or per_index is None:
        return
    if most_failed is None:
        yield required("spec.maxFailedIndexes", f"must be specified when completions is above {_MANY}")
    for field, value in (("parallelism", parallelism), ("maxFailedIndexes", most_failed)):
        if value is not None and value > _MOST_OF_MANY:
            message = f"when completions are above {_MANY} and used with backoff limit per index"
            yield invalid_value(f"spec.{field}", value, f"must be less than or equal to {_MOST_OF_MANY} {message}")


def _validate_failure_policy(spec: Json) -> Iterator[Cause]:
    where, rules = "spec.podFailurePolicy.rules", spec["podFailurePolicy"].get("rules") or ()
    if len(rules) > _MOST_RULES:
        yield _too_many(where, len(rules), _MOST_RULES)
    pod = spec["template"]["spec"]
    names = {one.get("name") for field in ("containers", "initContainers") for one in pod.get(field) or ()}
    for index, rule in enumerate(rules):
        yield from _validate_failure_rule(spec, rule, f"{where}[{index}]", names)


def _validate_failure_rule(spec: Json, rule: Json, where: str, names: set[Any]) -> Iterator[Cause]:
    action = rule.get("action") or ""
    if not action:
        yield required(f"{where}.action", _valid(_ACTIONS))
    elif action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
        yield invalid_value(f"{where}.action", action, "requires the backoffLimitPerIndex to be set")
    elif action not in _ACTIONS:
        yield unsupported_value(f"{where}.action", action, _ACTIONS)
    codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or ()
    if codes is not None:
        yield from _validate_exit_code(codes, f"{where}.onExitCodes", names)
    for index, pattern in enumerate(conditions):
        status = pattern.get("status", "True")
        if status not in _TRUTHS:
            yield unsupported_value(f"{where}.onPodConditions[{index}].status", status, _TRUTHS)
    if codes is not None and conditions:
        yield Cause(where, "Invalid value: specifying both OnExitCodes and OnPodConditions is not supported")
    if codes is None and not conditions:
        yield Cause(where, "Invalid value: specifying one of OnExitCodes and OnPodConditions is required")


def _validate_exit_code(codes: Json, where: str, names: set[Any]) -> Iterator[Cause]:
    operator, name, values = codes.get("operator") or "", codes.get("containerName"), codes.get("values") or []
    if not operator:
        yield required(f"{where}.operator", _valid(_OPERATORS))
    elif operator not in _OPERATORS:
        yield unsupported_value(f"{where}.operator", operator, _OPERATORS)
    if name is not None and name not in names:
        message = "must be one of the container or initContainer names in the pod template"
        yield invalid_value(f"{where}.containerName", name, message)
    if not values:
        yield invalid_value(f"{where}.values", codes.get("values"), "at least one value is required")
    elif len(values) > _MOST_EXIT_CODES:
        yield _too_many(f"{where}.values", len(values), _MOST_EXIT_CODES)
    for index, value in enumerate(values):
        if operator == "In" and value == 0:
            yield invalid_value(f"{where}.values[{index}]", value, "must not be 0 for the In operator")
        if value in values[:index]:
            yield duplicate(f"{where}.values[{index}]", value)
    if values != sorted(values):
        yield invalid_value(f"{where}.values", values, "must be ordered")


def _validate_success_policy(spec: Json) -> Iterator[Cause]:
    where, rules = "spec.successPolicy.rules", spec["successPolicy"].get("rules") or ()
    if spec["completionMode"] != INDEXED:
        shown = _internal("successPolicy", spec["successPolicy"])
        yield invalid_value("spec.successPolicy", shown, "requires indexed completion mode")
        return
    if not rules:
        yield required(where, "at least one rules must be specified when the successPolicy is specified")
    if len(rules) > _MOST_RULES:
        yield _too_many(where, len(rules), _MOST_RULES)
    for index, rule in enumerate(rules):
        yield from _validate_success_rule(rule, f"{where}[{index}]", spec.get("completions") or 0)


def _validate_success_rule(rule: Json, where: str, completions: int) -> Iterator[Cause]:
    count, indexes = rule.get("succeededCount"), rule.get("succeededIndexes")
    if count is None and indexes is None:
        yield required(where, "at least one of succeededCount or succeededIndexes must be specified")
    total = 0
    if indexes is not None:
        try:
            total = count_indexes(indexes, completions)
        except ValueError as error:
            yield invalid_value(f"{where}.succeededIndexes", indexes, f"error parsing succeededIndexes: {error}")
    if count is None:
        return
    if count < 0:
        yield invalid_value(f"{where}.succeededCount", count, "must be greater than or equal to 0")
    limits = [(completions, "specified completions")]
    if indexes is not None:
        limits.append((total, "indexes in the specified succeededIndexes field"))
    for most, what in limits:
        if count > most:
            message = f"must be less than or equal to {most} (the number of {what})"
            yield invalid_value(f"{where}.succeededCount", count, message)


def _sorted(value: Any) -> Any:
    """A value with its keys in order, as messages show it."""
    return {key: _sorted(value[key]) for key in sorted(value)} if isinstance(value, dict) else value


def _internal(field: str, value: Any) -> Any:
    """A policy as messages show it: in the server's own form, unset fields included."""
    if isinstance(value, list):
        return [_internal(field, each) for each in value]
    if not isinstance(value, dict):
        return value
    below = {"rules": f"{field}.rules"}
    return {name[0].upper() + name[1:]: _internal(below.get(name, name), value.get(name)) for name in _PARTS[field]}


_PARTS: Final = {
    "successPolicy": ("rules",),
    "successPolicy.rules": ("succeededIndexes", "succeededCount"),
    "podFailurePolicy": ("rules",),
    "podFailurePolicy.rules": ("action", "onExitCodes", "onPodConditions"),
    "onExitCodes": ("containerName", "operator", "values"),
    "onPodConditions": ("type", "status"),
}


def _valid(values: tuple[str, ...]) -> str:
    return "valid values: [" + " ".join(f'"{value}"' for value in values) + "]"


def _too_many(where: str, count: int, most: int) -> Cause:
    return Cause(where, f"Too many: {count}: must have at most {most} items", "FieldValueTooMany")
