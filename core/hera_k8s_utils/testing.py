"""For authors of plugins: classes to inherit in tests, each of which holds one kind of declaration to its contract.

    from hera_k8s_utils.testing import CheckerContract

    class TestQuota(CheckerContract):
        @pytest.fixture
        def checker(self): return quota_checker
        @pytest.fixture
        def fit(self): return Quota("team")

Loaded in every pytest run of the environment, as an entry point of pytest's: it imports nothing but pytest.
"""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

_HEAVY = ("hera", "kubernetes", "requests", "aiohttp", "rich", "dependency_injector")


class PluginContract:
    """A plugin, installed under the name that `plugin` gives, loads cheaply and declares something.

    Override the fixture `plugin`.
    """

    @pytest.fixture
    def plugin(self) -> str:
        """The name of the entry point."""
        raise NotImplementedError("override the fixture `plugin`")

    def test_it_is_loaded_and_declares_something(self, plugin: str) -> None:
        from hera_k8s_utils.plugins.manager import PluginManager

        listed = {info.name: info for info in PluginManager.load().listing()}
        assert plugin in listed, f"no plugin {plugin} is installed here; there are {sorted(listed)}"
        assert (listed[plugin].state, listed[plugin].reason) == ("loaded", "")
        assert listed[plugin].declares

    def test_importing_it_imports_nothing_heavy(self, plugin: str) -> None:
        code = (
            "import importlib.metadata as m, json, sys\n"
            f"[e.load() for e in m.entry_points(group='hera_k8s_utils') if e.name == {plugin!r}]\n"
            f"print(json.dumps([name for name in {_HEAVY!r} if name in sys.modules]))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == [], "import these inside the functions that need them"


class CheckerContract:
    """A checker passes what is fit and fails what is absent. Override `checker`, `context`, `fit` and `absent`."""

    @pytest.fixture
    def checker(self) -> Any:
        """The `ResourceChecker`."""
        raise NotImplementedError("override the fixture `checker`")

    @pytest.fixture
    def settings(self, checker: Any) -> Any:
        """An instance of the checker's settings class, where it has one."""
        return checker.settings() if checker.settings else None

    @pytest.fixture
    def context(self) -> Any:
        """A `Context`, for example `build_container(sandbox=True)`'s."""
        raise NotImplementedError("override the fixture `context`")

    @pytest.fixture
    def fit(self) -> Any:
        """A requirement that the cluster of `context` meets."""
        raise NotImplementedError("override the fixture `fit`")

    @pytest.fixture
    def absent(self) -> Any:
        """A requirement that it does not meet."""
        raise NotImplementedError("override the fixture `absent`")

    def test_its_requirement_names_its_kind(self, checker: Any, fit: Any) -> None:
        assert checker.kind
        assert isinstance(fit, checker.requirement)

    def test_what_is_fit_is_not_failed(self, checker: Any, settings: Any, context: Any, fit: Any) -> None:
        assert self.verdict(checker, settings, context, fit) in ("passed", "warning")

    def test_what_is_absent_fails(self, checker: Any, settings: Any, context: Any, absent: Any) -> None:
        assert self.verdict(checker, settings, context, absent) == "failed"

    @staticmethod
    def verdict(checker: Any, settings: Any, context: Any, wanted: Any) -> str:
        """The verdict as a run comes to it: through the same code, with the server's refusals translated."""
        from hera_k8s_utils.checks.runner import Check, run_checks

        check = Check("Environment", wanted.title, lambda: checker.check(settings, context, wanted))
        report = run_checks([check])
        return str(report.rows[0].result.verdict.value)


class LayoutContract:
    """A layout strategy names every point apart, below its root, and reads the names back. Override `strategy`."""

    @pytest.fixture
    def strategy(self) -> Any:
        """The `LayoutStrategy`."""
        raise NotImplementedError("override the fixture `strategy`")

    @pytest.fixture
    def argument(self) -> str:
        """What follows the colon in the layout's name."""
        return ""

    @pytest.fixture
    def inputs(self) -> Any:
        """A sweep with the values that make trouble in names."""
        from hera_k8s_utils import Inputs

        return Inputs(parameters={"text": ["plain", "a/b", "ü", ".."], "number": [1, 2.5, -3], "flag": [True, False]})

    def test_it_fits_the_sweep(self, strategy: Any, argument: str, inputs: Any) -> None:
        from hera_k8s_utils.sweep.layout import open_layout

        settings = strategy.settings() if strategy.settings else None
        layout = open_layout(strategy, settings, inputs, argument, "/results/contract/run")
        layout.verify()
        for point in inputs:
            assert layout.path(point).startswith("/results/contract/run/")


class CredentialProviderContract:
    """A provider passes where it has nothing, and keeps its secret. Override `provider`, `context`, `ready`."""

    @pytest.fixture
    def provider(self) -> Any:
        """The `CredentialProvider`."""
        raise NotImplementedError("override the fixture `provider`")

    @pytest.fixture
    def context(self) -> Any:
        """A `Context`."""
        raise NotImplementedError("override the fixture `context`")

    @pytest.fixture
    def ready(self) -> Any:
        """Settings with which the provider has a credential."""
        raise NotImplementedError("override the fixture `ready`")

    def test_its_secret_is_not_shown(self, provider: Any, context: Any, ready: Any) -> None:
        credential = provider.load(ready, context)
        is_given = bool(credential.secret) or credential.handle is not None
        is_shown = bool(credential.secret) and credential.secret in repr(credential)
        assert is_given, "it has neither a secret nor a handle"
        assert not is_shown, "its secret is in its repr"  # pytest would print what an assertion compares

    def test_without_settings_it_passes(self, provider: Any, context: Any) -> None:
        from hera_k8s_utils import NotApplicable

        with pytest.raises(NotApplicable):
            provider.load(provider.settings() if provider.settings else None, context)


class WorkloadKindContract:
    """A kind reads and describes its objects, and changes them in copies only. Override `kind` and `body`."""

    @pytest.fixture
    def kind(self) -> Any:
        """The `WorkloadKind`."""
        raise NotImplementedError("override the fixture `kind`")

    @pytest.fixture
    def body(self) -> Any:
        """A valid object of this kind, as plain data."""
        raise NotImplementedError("override the fixture `body`")

    def test_a_valid_body_is_valid(self, kind: Any, body: Any) -> None:
        assert body["kind"] == kind.name
        assert kind.validate(body) == ""
        assert kind.complete(body)["kind"] == kind.name

    def test_a_misshapen_body_is_refused_with_the_place(self, kind: Any, body: Any) -> None:
        assert "metadata" in kind.validate({**body, "metadata": "text"})

    def test_a_run_has_its_name_and_labels_and_the_body_has_not_changed(self, kind: Any, body: Any) -> None:
        before = json.dumps(body)
        run = kind.for_run(body, "contract-k3f9", {"acme/run": "k3f9"})
        for each in kind.analyse(run).objects:
            assert each["metadata"]["labels"]["acme/run"] == "k3f9"
        if kind.is_runnable:
            assert run["metadata"]["name"] == "contract-k3f9"
        assert kind.validate(run) == ""
        assert json.dumps(body) == before

    def test_a_field_of_the_spec_is_added_and_a_stated_one_stays(self, kind: Any, body: Any) -> None:
        before = json.dumps(body)
        once = kind.with_spec(body, {"serviceAccountName": "first"})
        assert '"serviceAccountName": "first"' in json.dumps(once)
        assert kind.with_spec(once, {"serviceAccountName": "second"}) == once
        assert json.dumps(body) == before

    def test_the_analysis_answers_every_question(self, kind: Any, body: Any) -> None:
        from hera_k8s_utils import PeakDemand, WorkloadAnalysis

        analysis = kind.analyse(body)
        assert isinstance(analysis, WorkloadAnalysis)
        assert (analysis.kind, analysis.name) == (kind.name, body["metadata"].get("name", ""))
        assert list(analysis.objects)
        assert {name for name, _ in analysis.used_templates()} <= {name for name, _ in analysis.templates()}
        for question in ("containers", "service_accounts", "pull_secrets", "template_references", "resources"):
            list(getattr(analysis, question)())
        assert isinstance(analysis.demand(), PeakDemand)
        assert analysis.resolve("", "plain").values == {"plain"}

    def test_a_plan_needs_no_valid_body(self, kind: Any, body: Any) -> None:
        from hera_k8s_utils import RunPlan

        assert isinstance(kind.plan(body), RunPlan)
        assert isinstance(kind.plan({"kind": kind.name}), RunPlan)

    def test_a_valid_body_has_no_failed_finding(self, kind: Any, body: Any) -> None:
        if kind.lint is None:
            return
        workload = SimpleNamespace(body=body, sources={}, size=len(json.dumps(body)), analysis=kind.analyse(body))
        findings = list(kind.lint(workload))
        assert findings
        assert [finding for finding in findings if finding.result.verdict.value == "failed"] == []
