"""Functions of plugins that return something that cannot be used: the plugin is named, and what it must return."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from hera_k8s_utils import Experiment, PluginError, Requirement, ResourceChecker, Site, build_container, hookimpl
from hera_k8s_utils.checks.runner import Check, run_checks
from hera_k8s_utils.plugins.manager import PluginManager
from hera_k8s_utils.results import Verdict

JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "one"}}


@dataclass(frozen=True)
class Quota(Requirement):
    """A requirement of ACME's."""

    role: str


class Acme:
    """A plugin whose functions return the values that a test sets."""

    def __init__(self, returned: Any) -> None:
        self.returned = returned

    @hookimpl
    def resource_checkers(self) -> Iterator[ResourceChecker[Any]]:
        yield ResourceChecker(kind="Quota", requirement=Quota, check=lambda *_: self.returned)

    @hookimpl
    def sites(self) -> Iterator[Site]:
        yield Site(name="acme", amend=lambda *_: self.returned)


@pytest.mark.parametrize(
    ("returned", "found"), [(True, "True"), (None, "None"), ("fine", "a str"), ({"ok": 1}, "a dict"), ([], "a list")]
)
def test_a_checker_that_returns_no_result_is_an_error_that_names_its_plugin(returned: Any, found: str) -> None:
    checkers = PluginManager.load(extra={"acme": Acme(returned)}).records("resource_checkers", ResourceChecker)
    (checker,) = (each for each in checkers if each.kind == "Quota")
    (row,) = run_checks([Check("Environment", "quota gpu", lambda: checker.check(None, None, None))]).rows  # type: ignore[arg-type]
    assert row.result.verdict is Verdict.ERROR
    assert f"checker Quota of plugin acme (given by the program) cannot be used: its check returned {found}" in (
        row.result.detail
    )
    assert "must return a CheckResult" in row.result.hint


def test_a_site_that_forgets_to_return_the_manifest_is_named() -> None:
    experiment = Experiment(name="one", workflow=lambda *_: JOB)
    plugins = PluginManager.load(extra={"acme": Acme(None)})
    named = pytest.raises(PluginError, match=r"site acme of plugin acme .*: its amend returned None")
    with build_container(experiment, plugins=plugins, environ={}) as container, named:
        container.manifest()


@pytest.mark.parametrize("returned", [True, "site", 3])
def test_a_hook_that_returns_no_records_is_refused_with_what_it_must_yield(returned: Any) -> None:
    class Wrong:
        @hookimpl
        def sites(self) -> Any:
            return returned

    problems = PluginManager.load(extra={"wrong": Wrong()}).problems
    assert any("wrong" in each and "sites returned a" in each and "must yield Site" in each for each in problems)


def test_an_observer_that_fails_says_why_once(caplog: pytest.LogCaptureFixture) -> None:
    class Observer:
        @hookimpl
        def on_event(self, event: Any) -> None:
            raise ConnectionError("chat.acme.example refused the connection")

    plugins = PluginManager.load(extra={"chat": Observer()})
    with caplog.at_level(logging.WARNING):
        for name in ("built", "updated", "updated", "finished"):
            plugins.notify(name)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["plugin chat failed on the event built: ConnectionError: chat.acme.example refused the connection"]
