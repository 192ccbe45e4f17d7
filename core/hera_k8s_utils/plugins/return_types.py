"""What the functions in a plugin's records must return, and the error that names the plugin when they do not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any, Final

from hera_k8s_utils.errors import PluginError
from hera_k8s_utils.experiment.manifest import Manifest
from hera_k8s_utils.experiment.run_state import RunUpdate, Submission
from hera_k8s_utils.plugins.records import Platform, ResourceChecker, Site
from hera_k8s_utils.results import CheckResult, Finding

_MUST: Final[Mapping[type, Mapping[str, tuple[type | tuple[type, ...], str]]]] = {
    ResourceChecker: {
        "check": (CheckResult, "a CheckResult, such as ok(...) or fail(...)"),
        "references": (Iterable, "requirements, in a list or by yield"),
        "provision": ((Mapping, type(None)), "an object as a mapping, or None"),
        "locate": ((str, type(None)), "a path as a str, or None"),
    },
    Platform: {"probe": (Iterable, "findings, in a list or by yield")},
    Site: {"amend": (Manifest, "a Manifest")},
}


def with_return_types(record: Any, plugin: str) -> Any:
    """The same record, whose functions raise `PluginError` instead of returning something that cannot be used.

    plugin: its name and distribution, for the error.
    """
    musts = _MUST.get(type(record), {})
    name = getattr(record, "name", None) or getattr(record, "kind", "")
    checked = {
        field: _checked(function, f"{_noun(record)} {name} of plugin {plugin}", field, *musts[field])
        for field in musts
        if (function := getattr(record, field)) is not None
    }
    return replace(record, **checked) if checked else record


def require_type(value: Any, expected: type | tuple[type, ...], must: str, *, whose: str, function: str) -> None:
    """Raise `PluginError` unless a plugin's function returned what it must."""
    if isinstance(value, expected) and not (expected is Iterable and isinstance(value, (str, bytes, CheckResult))):
        return
    found = "None" if value is None else f"{value!r}" if isinstance(value, bool) else f"a {type(value).__name__}"
    raise PluginError(
        f"{whose} cannot be used",
        found=f"its {function} returned {found}",
        hint=f"{function} must return {must}",
    )


def require_submission(value: Any, engine: str) -> None:
    """Raise `PluginError` unless an engine's `submit` returned a submission."""
    require_type(value, Submission, "a Submission", whose=f"the execution engine {engine}", function="submit")


def require_update(value: Any, engine: str) -> None:
    """Raise `PluginError` unless an engine's `follow` yielded an update."""
    require_type(
        value, RunUpdate, "an iterator of RunUpdate", whose=f"the execution engine {engine}", function="follow"
    )


def require_findings(value: Any, whose: str, function: str) -> None:
    """Raise `PluginError` unless everything that a check came to is a finding."""
    for each in value:
        right = isinstance(each, Finding) and isinstance(each.result, CheckResult)
        if not right:
            require_type(each, Finding, "findings, each a Finding with a CheckResult", whose=whose, function=function)


def _checked(
    function: Callable[..., Any], whose: str, name: str, expected: type | tuple[type, ...], must: str
) -> Callable[..., Any]:
    @wraps(function)
    def call(*arguments: Any) -> Any:
        value = function(*arguments)
        require_type(value, expected, must, whose=whose, function=name)
        if name == "probe":
            value = list(value)
            require_findings(value, whose, name)
        return value

    return call


def _noun(record: Any) -> str:
    nouns = {ResourceChecker: "checker", Platform: "platform", Site: "site"}
    return nouns.get(type(record), "record")
