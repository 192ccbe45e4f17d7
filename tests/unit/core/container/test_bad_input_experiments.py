"""Experiment files and layouts that cannot be run: what is said of them, and that nothing of them was run or kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argo_peer import NAMESPACE, ArgoPeer
from command_line import SECRET, CommandLine, records

HEAD = "from hera_k8s_utils import Experiment, Inputs\n"
SWEEP = """
from hera.workflows import DAG, Workflow, script
from hera_k8s_kube import PersistentVolumeClaim
from hera_k8s_utils import Experiment, Inputs


def simulate(a: int, b: str, output: str) -> None:
    print(a, b, output)


def workflow(environment, inputs, layout):
    run_point = script(**environment.task)(simulate)
    with Workflow(entrypoint="sweep") as w:
        with DAG(name="sweep", fail_fast=False):
            run_point(name="simulate", **inputs.fan_out(output=layout.path))
    return w


experiment = Experiment(
    name="sweep",
    image="python:3.12-slim",
    inputs=Inputs(parameters={"a": list(range(100)), "b": [f"s{n}" for n in range(SEEDS)]}),
    requires=[PersistentVolumeClaim("results", mount_path="/results", access_mode="ReadWriteMany", size="1Gi")],
    workflow=workflow,
)
"""


@pytest.fixture
def hera(work: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(capsys)


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[ArgoPeer]:
    """A server in good health: what keeps a run from it is the file."""
    with ArgoPeer() as server:
        for name, value in {"ARGO_SERVER": server.url, "ARGO_TOKEN": SECRET, "ARGO_NAMESPACE": NAMESPACE}.items():
            monkeypatch.setenv(name, value)
        yield server


FILES: dict[str, tuple[str, str, str]] = {
    "syntax error": ("x = 1\ndef f(:\n    pass\n", "line 2: invalid syntax", "nothing was run"),
    "no experiment": ("x = 1\n", "holds no experiment", "experiment = Experiment("),
    "empty": ("", "holds no experiment", "experiment = Experiment("),
    "two experiments": (
        HEAD + "first, second = (Experiment(name=n, workflow=lambda *a: None) for n in ('one', 'two'))\n",
        "more than one experiment: first, second",
        "experiment.py:first",
    ),
    "its builder raises": (
        HEAD + "def build(environment, inputs, layout):\n    return inputs.constants['gone']\n"
        "experiment = Experiment(name='one', workflow=build)\n",
        "line 3: ",
        "--debug",
    ),
    "its builder returns nothing": (
        HEAD + "experiment = Experiment(name='one', workflow=lambda *a: None)\n",
        "no workflow was returned",
        "must return a Hera Workflow",
    ),
    "it fails on import": ("import numpy_that_nobody_has\n", "line 1: ModuleNotFoundError", "--debug"),
    "it ends the program": ("import sys\nsys.exit(3)\n", "SystemExit", "--debug"),
    "it would delete on import": (
        "from hera.workflows import WorkflowsService\n\nWorkflowsService(namespace='n').delete_workflow('w')\n",
        "would delete a Workflow when it is imported: line 3: WorkflowsService(namespace='n').delete_workflow('w')",
        "`if __name__ == '__main__':`; nothing was sent",
    ),
    "a parameter without values": (
        HEAD
        + "experiment = Experiment(name='one', workflow=lambda *a: None, inputs=Inputs(parameters={'rate': []}))\n",
        "parameter rate has no values",
        "at least one",
    ),
    "a bad name": (
        HEAD + "experiment = Experiment(name='Logistic_map', workflow=lambda *a: None)\n",
        "lower-case letters",
        "name='logistic-map'",
    ),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # as Python does for programs; Hera 7.1 has one
@pytest.mark.parametrize("case", FILES)
@pytest.mark.parametrize("command", ["run", "render"])
def test_a_file_that_cannot_be_run_is_told_by_its_line(
    hera: CommandLine, peer: ArgoPeer, case: str, command: str
) -> None:
    source, found, hint = FILES[case]
    Path("experiment.py").write_text(source)
    told = hera(command)
    assert told.code == 6
    assert told.out == ""
    assert found in told.err
    assert hint in told.lines[-1]
    assert len(told.lines) == 2
    assert peer.requests == []
    assert records() == []


def test_what_is_no_python_file_is_told_as_such(hera: CommandLine) -> None:
    Path("noise.py").write_bytes(bytes(range(256)))
    Path("null.py").write_bytes(b"x = 1\0")
    Path("folder.py").mkdir()
    for name, words in (("noise", "not text in UTF-8"), ("null", "null bytes"), ("folder", "is a directory")):
        told = hera("check", f"{name}.py")
        assert told.code == 6
        assert words in told.err


def test_a_file_that_is_not_there_is_told_with_the_nearest(hera: CommandLine) -> None:
    Path("logistic.py").write_text("")
    Path("other.py").write_text("")
    told = hera("check", "logistc.py")
    assert told.code == 6
    assert told.lines[-1] == "  -> did you mean logistic.py?"
    assert "did you mean" not in hera("check", "entirely.py").err


def test_a_name_that_the_file_does_not_hold_is_told_with_the_nearest(hera: CommandLine) -> None:
    Path("experiment.py").write_text(FILES["two experiments"][0])
    told = hera("check", "experiment.py:secnd")
    assert told.code == 6
    assert told.lines[-1] == "  -> did you mean experiment.py:second?"


def test_debug_shows_where_a_builder_failed(hera: CommandLine, capsys: pytest.CaptureFixture[str]) -> None:
    from hera_k8s_cli.main import main

    Path("experiment.py").write_text(FILES["its builder raises"][0])
    assert main(["render", "--debug"]) == 6
    assert "in build\n" in capsys.readouterr().err


# --- large sweeps ----------------------------------------------------------------------------------------------


def test_ten_thousand_points_are_rendered_and_checked(
    hera: CommandLine, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERA_K8S_SANDBOX_DIR", str(sandbox.directory))
    Path("experiment.py").write_text(SWEEP.replace("SEEDS", "100"))
    rendered = hera("render")
    assert rendered.code == 0
    assert rendered.out.count("b: s") == 10_000
    assert hera("provision", "--sandbox", "--yes").code == 0
    told = hera("check", "--sandbox")
    assert told.code == 0
    assert "10000 points, 10000 paths" in told.out
    assert "dry run accepted" in told.out


def test_a_sweep_that_argo_would_not_take_is_refused_before_it_is_sent(hera: CommandLine, peer: ArgoPeer) -> None:
    Path("experiment.py").write_text(SWEEP.replace("SEEDS", "700"))
    told = hera("run")
    assert told.code == 5
    assert "of 1 MiB" in told.err
    assert "split the sweep" in told.err
    assert peer.workflows == {}
    assert records() == []


# --- layouts that do not fit -----------------------------------------------------------------------------------

LAYOUTS: dict[str, tuple[str, str, str]] = {
    "two points, one path": (
        "template:{a}",
        "one path: (a=0, b='s0') and (a=0, b='s1')",
        "name it in",
    ),
    "a segment too long": ("template:" + "x" * 260 + "{a}/{b}", "file systems take 255", "--layout hashed"),
    "a path too long": ("template:" + ("y" * 80 + "/") * 60 + "{a}/{b}", "makes too long a path", "--layout hashed"),
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_a_layout_that_does_not_fit_forbids_the_run(hera: CommandLine, peer: ArgoPeer, case: str) -> None:
    pattern, found, hint = LAYOUTS[case]
    Path("experiment.py").write_text(SWEEP.replace("SEEDS", "2"))
    told = hera("layout", "--layout", pattern)
    assert told.code == 6
    assert found in told.err
    assert hint in told.lines[-1]
    told = hera("run", "--layout", pattern)
    assert told.code in (5, 6)
    assert found in told.err
    assert peer.workflows == {}
    assert records() == []


ESCAPES = ["template:../{a}/{b}", "template:/{a}/{b}", "template:{a}/../{b}", "template:{a}//{b}", "template:./{a}/{b}"]


@pytest.mark.parametrize("pattern", ESCAPES)
def test_a_layout_that_leaves_its_root_is_refused(hera: CommandLine, peer: ArgoPeer, pattern: str) -> None:
    Path("experiment.py").write_text(SWEEP.replace("SEEDS", "2"))
    told = hera("run", "--layout", pattern)
    assert told.code == 6
    assert "the run's root" in told.err
    assert peer.requests == []
    assert records() == []


def test_values_that_look_like_a_way_out_stay_inside(hera: CommandLine) -> None:
    Path("experiment.py").write_text(SWEEP.replace("SEEDS", "2"))
    told = hera("layout", "--set", "a=1", "--set", "b=..,.,/etc", "--all")
    assert told.code == 0
    assert len(told.out.splitlines()) == 3
    for path in told.out.splitlines():
        assert path.count("/") == 1
        assert not set(path.split("/")) & {"..", "."}


def test_a_value_that_is_listed_twice_is_named(hera: CommandLine, peer: ArgoPeer) -> None:
    Path("experiment.py").write_text(SWEEP.replace("SEEDS", "2"))
    told = hera("run", "--set", "a=1,1")
    assert told.code == 5
    assert "are the same: both are a=1, b='s0'" in told.err
    assert peer.workflows == {}
