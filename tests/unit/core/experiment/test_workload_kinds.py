"""Workload kinds: declared ones read their objects, others leave them as they are."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from hera_k8s_utils import BuildError, Manifest, PluginError, RunPlan, WorkloadKind, hookimpl
from hera_k8s_utils.experiment.bodies import with_name
from hera_k8s_utils.experiment.workload_kinds import plan_of
from hera_k8s_utils.plugins.manager import PluginManager


def name_sweep(body: dict[str, Any], name: str, labels: Any) -> dict[str, Any]:
    return with_name(body, name)


def test_a_declared_kind_says_how_its_objects_are_named_and_run() -> None:
    class Plugin:
        @hookimpl
        def workload_kinds(self) -> Any:
            yield WorkloadKind(name="SweepOfTest", engine_kind="Sweeper", is_runnable=True, for_run=name_sweep)

    plugins = PluginManager.load(extra={"sweeps": Plugin()})
    assert plugins.problems == []
    manifest = Manifest.of({"kind": "SweepOfTest", "metadata": {"generateName": "s-"}})
    assert (manifest.engine_kind, manifest.is_runnable) == ("Sweeper", True)
    assert manifest.for_run("s-k3f9", {}).metadata == {"name": "s-k3f9"}


def test_a_kind_that_fails_is_attributed_to_its_plugin() -> None:
    def analyse(body: object) -> Any:
        raise KeyError("spec")

    class Plugin:
        hera_k8s_hook_api = (1, 1)

        @hookimpl
        def workload_kinds(self) -> Any:
            yield WorkloadKind(name="BrokenOfTest", analyse=analyse)

    PluginManager.load(extra={"broken-sweeps": Plugin()})
    with pytest.raises(PluginError, match=r"kind BrokenOfTest of plugin broken-sweeps .*: KeyError: 'spec'"):
        _ = Manifest.of({"kind": "BrokenOfTest"}).spec


def test_an_object_of_another_kind_is_kept_and_labelled() -> None:
    body = {"kind": "NobodysOfTest", "metadata": {"name": "n"}, "spec": {"templates": [{"name": "t"}]}}
    manifest = Manifest.of(body).for_run("run", {"a": "b"})
    assert (manifest.engine_kind, manifest.is_runnable, manifest.objects) == ("NobodysOfTest", False, [manifest.body])
    assert manifest.metadata == {"name": "n", "labels": {"a": "b"}}
    assert (list(manifest.templates()), list(manifest.containers()), manifest.max_parallel_pods) == ([], [], 1)
    assert manifest.with_spec({"more": 1}).spec == {"templates": [{"name": "t"}], "more": 1}
    assert plan_of(body) == plan_of({}) == RunPlan()


def test_a_model_that_builds_a_job_is_validated() -> None:
    model = SimpleNamespace(to_dict=lambda: {"kind": "Job", "spec": {"parallelism": "two"}})
    with pytest.raises(BuildError, match=r"spec\.parallelism is text, not a number"):
        Manifest.of(model)


def test_kinds_are_loaded_when_nothing_has_loaded_a_plugin() -> None:
    code = "from hera_k8s_utils import Manifest; print(Manifest.of({'kind': 'Workflow'}).is_runnable)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.mark.parametrize(
    ("old", "new"),
    [("ends", "is_runnable"), ("runs_as", "engine_kind"), ("fan_out", "max_parallel_pods"), ("jobs", "objects")],
)
def test_old_names_of_a_manifest_work_and_warn(old: str, new: str) -> None:
    manifest = Manifest.of({"kind": "Job", "metadata": {"name": "j"}})
    with pytest.warns(DeprecationWarning, match=f"Manifest.{old} is now Manifest.{new}"):
        assert getattr(manifest, old) == getattr(manifest, new)


def test_old_methods_of_a_manifest_work_and_warn() -> None:
    manifest = Manifest.of({"kind": "Workflow", "metadata": {"name": "w"}})
    with pytest.warns(DeprecationWarning, match="is now Manifest.for_run"):
        assert manifest.as_run("x", {}) == manifest.for_run("x", {})
    with pytest.warns(DeprecationWarning, match="is now Manifest.containers"):
        assert list(manifest.pod_parts()) == list(manifest.containers())
