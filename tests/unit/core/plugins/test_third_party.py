"""Distributions that we did not write: used, listed, disabled, and blamed by name when they cannot be used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from strangers import Site, write_distribution

EXPERIMENT = """
from hera.workflows import DAG, Workflow, script
from acme_hera_k8s import Quota
from hera_k8s_kube import PersistentVolumeClaim
from hera_k8s_utils import Experiment, Inputs

def hello(seed: int, output: str):
    print(seed)

def workflow(environment, inputs, layout):
    task = script(**environment.task)(hello)
    with Workflow(entrypoint="all") as w:
        with DAG(name="all", fail_fast=False):
            task(name="hello", **inputs.fan_out(output=layout.path))
    return w

experiment = Experiment(
    name="strange", workflow=workflow, image="python:3.12-slim", layout="by-group",
    inputs=Inputs(parameters={"seed": [1, 2, 3]}),
    requires=[PersistentVolumeClaim("results", mount_path="/results", size="1Gi"), Quota("mine", pods=3)],
)
"""

HOOK = "from hera_k8s_utils import hookimpl, LayoutStrategy\n"
LAYOUT = HOOK + "@hookimpl\ndef layout_strategies():\n    return [LayoutStrategy(name='{}', build=print)]\n"


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Site:
    """ACME's distribution, built from a copy so that the build leaves nothing in the checkout."""
    directory = tmp_path_factory.mktemp("acme")
    project = shutil.copytree(repository / "tests" / "stranger" / "acme", directory / "project")
    site = Site(directory / "packages")
    site.install(project)
    return site


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Every way in which a plugin can be unusable, side by side with a good one."""
    directory = tmp_path_factory.mktemp("bad")
    site = Site(directory / "packages")
    sources = {
        "good-stranger": ("good", LAYOUT.format("good")),
        "broken-stranger": ("broken", "import a_module_that_does_not_exist\n"),
        "raising-stranger": ("raising", HOOK + "@hookimpl\ndef sites():\n    raise RuntimeError('no site today')\n"),
        "hanging-stranger": ("hanging", "import threading\nthreading.Event().wait()\n"),
        "typo-stranger": ("typo", HOOK + "@hookimpl\ndef layout_strategy():\n    return []\n"),
        "empty-stranger": ("empty", HOOK + "@hookimpl\ndef layout_strategies():\n    return []\n"),
        "watching-stranger": ("watching", HOOK + "@hookimpl\ndef on_event(event):\n    pass\n"),
        "unmarked-stranger": ("unmarked", "def layout_strategies():\n    return []\n"),
        "future-stranger": ("future", "hera_k8s_hook_api = (2, 0)\n" + LAYOUT.format("future")),
        "mistyped-stranger": ("mistyped", HOOK + "@hookimpl\ndef layout_strategies():\n    return ['hive']\n"),
        "twin-one": ("twin", LAYOUT.format("one")),
        "twin-two": ("twin", LAYOUT.format("two")),
        "rival-stranger": ("rival", LAYOUT.format("hive")),
        "usurper-stranger": ("layouts", LAYOUT.format("usurped")),
    }
    site.install(
        *(write_distribution(directory, name, plugin=plugin, source=text) for name, (plugin, text) in sources.items())
    )
    return site


@pytest.fixture(scope="module")
def listed(bad: Site, tmp_path_factory: pytest.TempPathFactory) -> dict:
    return bad.plugins(cwd=tmp_path_factory.mktemp("cwd"), HERA_K8S_PLUGIN_TIMEOUT="2")


def test_a_strangers_plugin_is_listed_with_its_distribution_and_what_it_declares(acme: Site, work: Path) -> None:
    plugin = acme.plugins(cwd=work)["acme"]
    assert (plugin["distribution"], plugin["state"]) == ("acme-hera-k8s 1.2", "loaded")
    assert plugin["declares"]["resource_checkers"] == ["Quota"]
    assert plugin["declares"]["layout_strategies"] == ["by-group"]
    assert plugin["declares"]["credential_providers"] == ["kubernetes=acme-vault"]
    assert plugin["declares"]["sites"] == ["acme"]


def test_an_experiment_uses_a_strangers_site_and_layout(acme: Site, work: Path) -> None:
    (work / "experiment.py").write_text(EXPERIMENT)
    done = acme.run("render", "--output", "json", "--run-id", "one", cwd=work)
    assert done.returncode == 0, done.stderr
    spec = json.loads(done.stdout)["spec"]
    assert spec["tolerations"] == [{"key": "acme", "operator": "Exists"}]
    images = {t["script"]["image"] for t in spec["templates"] if "script" in t}
    assert images == {"harbor.acme.example/python:3.12-slim"}
    assert "/results/strange/one/acme/2" in done.stdout


def test_a_strangers_credential_and_checker_decide_on_a_run(acme: Site, work: Path, sandbox) -> None:
    (work / "experiment.py").write_text(EXPERIMENT)
    token = work / "token"
    token.write_text(sandbox.token)
    arguments = ("check", "--output", "json", "--acme-server", sandbox.url, "--acme-token-file", str(token))
    done = acme.run(*arguments, "--engine", "kubernetes", cwd=work, ACME_EVENTS=str(work / "events"))
    assert done.returncode == 5, done.stderr
    report = json.loads(done.stdout)
    assert [line["source"] for line in report["head"] if line["platform"] == "kubernetes"] == ["vault"]
    quotas = {row["title"]: row for row in report["checks"] if row["title"].startswith("quota")}
    assert quotas["quota mine"]["verdict"] == "failed"
    assert "not found" in quotas["quota mine"]["detail"]
    assert "built" in (work / "events").read_text()


def test_a_disabled_plugin_is_listed_and_what_it_declared_is_missed_by_name(acme: Site, work: Path) -> None:
    (work / "experiment.py").write_text(EXPERIMENT)
    assert acme.plugins("--no-plugin", "acme", cwd=work)["acme"]["state"] == "disabled"
    assert acme.plugins(cwd=work, HERA_K8S_DISABLE_PLUGINS="acme")["acme"]["state"] == "disabled"
    done = acme.run("layout", "--no-plugin", "acme", cwd=work)
    assert done.returncode == 3
    assert "by-group" in done.stderr
    assert "acme (acme-hera-k8s 1.2)" in done.stderr


def test_the_good_one_works_beside_the_bad(listed: dict) -> None:
    assert listed["good"]["state"] == "loaded"
    assert listed["kube"]["state"] == "loaded"


def test_hooks_that_return_no_records_are_listed(acme: Site, bad: Site, listed: dict, work: Path) -> None:
    assert (listed["watching"]["state"], listed["watching"]["declares"]) == ("loaded", {"on_event": []})
    assert "on_event" in acme.plugins(cwd=work)["acme"]["declares"]
    shown = bad.run("plugins", cwd=work, HERA_K8S_PLUGIN_TIMEOUT="2").stdout
    assert "watching-stranger 1.0\n          on event\n" in shown


@pytest.mark.parametrize(
    ("name", "state", "words"),
    [
        ("broken", "broken", ["ModuleNotFoundError", "a_module_that_does_not_exist"]),
        ("raising", "broken", ["RuntimeError", "no site today"]),
        ("hanging", "broken", ["still loading after 2 s"]),
        ("typo", "refused", ["layout_strategy", "did you mean layout_strategies?"]),
        ("unmarked", "declares nothing", ["@hookimpl"]),
        ("empty", "declares nothing", ["it returned nothing from layout_strategies"]),
        ("future", "refused", ["version 2", "this is version 1"]),
        ("mistyped", "refused", ["layout_strategies returned a str"]),
    ],
)
def test_an_unusable_plugin_is_named_with_its_reason(listed: dict, name: str, state: str, words: list[str]) -> None:
    plugin = listed[name]
    assert plugin["state"] == state
    assert f"{name}-stranger 1.0" == plugin["distribution"]
    for word in words:
        assert word in plugin["reason"]


def test_of_two_plugins_with_one_name_neither_is_loaded_and_each_names_the_other(listed: dict) -> None:
    twins = {twin["distribution"]: twin for twin in listed["twin"]}
    assert {twin["state"] for twin in twins.values()} == {"refused"}
    assert "twin-two 1.0" in twins["twin-one 1.0"]["reason"]
    assert "twin-one 1.0" in twins["twin-two 1.0"]["reason"]


def test_a_stranger_cannot_take_the_name_of_a_built_in(listed: dict) -> None:
    states = {plugin["distribution"].split(" ")[0]: plugin["state"] for plugin in listed["layouts"]}
    assert states == {"hera-k8s-utils": "loaded", "usurper-stranger": "refused"}


def test_two_records_of_one_name_blame_both_distributions(bad: Site, work: Path) -> None:
    done = bad.run("plugins", "--output", "json", cwd=work, HERA_K8S_PLUGIN_TIMEOUT="2")
    clashes = [problem for problem in json.loads(done.stdout)["problems"] if "layout_strategies: hive" in problem]
    assert len(clashes) == 1
    assert "hera-k8s-utils" in clashes[0]
    assert "rival-stranger 1.0" in clashes[0]


def test_strict_plugins_ends_with_3_and_names_one(bad: Site, work: Path) -> None:
    done = bad.run("config", "--strict-plugins", cwd=work, HERA_K8S_PLUGIN_TIMEOUT="2")
    assert done.returncode == 3
    assert "stranger 1.0" in done.stderr or "twin" in done.stderr
    assert "Traceback" not in done.stderr
