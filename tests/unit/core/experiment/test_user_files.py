"""A user's file has the module name that Python gives it, and finds its own neighbours: the judge is Python itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import CommandLine

from hera_k8s_utils import build_container

RUNNER = """
from hera.workflows import Steps, Workflow, script

@script(constructor="runner", image="acme/code")
def point(a: int) -> int:
    return a

def made():
    with Workflow(generate_name="r-", entrypoint="main") as w:
        with Steps(name="main"):
            point(arguments={"a": 1})
    return w
"""
AT_IMPORT = RUNNER + "w = made()\nif __name__ == '__main__':\n    print(w.to_yaml())\n"
AS_PROGRAM = RUNNER + "if __name__ == '__main__':\n    w = made()\n    print(w.to_yaml())\n"
RELATIVE = "from .neighbour import K\n"
ABSOLUTE = "from neighbour import K\n"


@pytest.fixture
def hera(work: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(capsys)


def write(name: str, text: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    (path.parent / "neighbour.py").write_text("K = 1\n")
    return path


def arguments_of(text: str) -> list[str]:
    """What the template's container runs."""
    templates = yaml.safe_load(text)["spec"]["templates"]
    found: list[str] = next(each["script"]["args"] for each in templates if "script" in each)
    return found


def python(*words: str) -> list[str]:
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=100, check=True)
    return arguments_of(done.stdout)


@pytest.mark.parametrize("text", [AT_IMPORT, AS_PROGRAM], ids=["at import", "as a program"])
@pytest.mark.parametrize(
    ("name", "package", "beginning", "words"),
    [
        ("n.py", False, "", ["n.py"]),
        ("my-exp.py", False, "", ["my-exp.py"]),
        ("exp.v2.py", False, "", ["exp.v2.py"]),
        ("dask.py", False, "", ["dask.py"]),
        ("n.py", False, ABSOLUTE, ["n.py"]),
        ("below/n.py", False, "", ["below/n.py"]),
        ("below/n.py", False, ABSOLUTE, ["below/n.py"]),
        ("below/n.py", False, RELATIVE, ["-m", "below.n"]),
        ("pkg/n.py", True, "", ["-m", "pkg.n"]),
        ("pkg/n.py", True, RELATIVE, ["-m", "pkg.n"]),
        ("pkg/n.py", True, ABSOLUTE, ["pkg/n.py"]),
    ],
)
def test_runner_scripts_name_the_module_that_python_names(
    hera: CommandLine, name: str, package: bool, beginning: str, words: list[str], text: str
) -> None:
    file = write(name, beginning + text)
    if package:
        (file.parent / "__init__.py").touch()
    told = hera("render", f"{name}:w")
    assert told.code == 0, told.err
    assert arguments_of(told.out) == python(*words)


def test_a_file_called_like_a_module_of_python_keeps_both(hera: CommandLine) -> None:
    write("random.py", AT_IMPORT + "import tempfile\nassert tempfile.mkdtemp()\n")  # tempfile uses random
    told = hera("render", "random.py")
    assert told.code == 0, told.err
    assert arguments_of(told.out)[-1] == "random:point"
    import random

    assert random.random() < 1


def test_experiments_of_one_name_keep_their_own_neighbours(work: Path) -> None:
    source = (
        "import neighbour\nfrom hera_k8s_utils import Experiment\n{late}experiment = Experiment(name={name}, {w})\n"
    )
    late = "def build(environment, inputs, layout):\n    import late\n    return late.job()\n"
    job = "def job():\n    return {'apiVersion': 'batch/v1', 'kind': 'Job', 'metadata': {'name': '%s'}, 'spec': {}}\n"
    for each in ("one", "two"):
        write(f"{each}/n.py", source.format(late=late, name="neighbour.NAME", w="workflow=build"))
        Path(each, "neighbour.py").write_text(f"NAME = '{each}'\n")
        Path(each, "late.py").write_text(job % each)
    with build_container("one/n.py", environ={}) as one, build_container("two/n.py", environ={}) as two:
        assert [each.described().name for each in (one, two)] == ["one", "two"]
        assert two.workflow()["metadata"]["name"] == "two"
        assert one.workflow()["metadata"]["name"] == "one"


@pytest.mark.parametrize("first", ["", "."])
def test_annotations_of_options_are_found_after_loading(
    work: Path, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [first, *sys.path])  # as `python -c` and `python -m` have it
    write(
        "n.py",
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom enum import Enum\n"
        "from hera_k8s_utils import Experiment, option\nWhole = int\n"
        "@dataclass(frozen=True)\nclass Mine:\n    steps: Whole = option(3, help='x')\n"
        "experiment = Experiment(name='n', workflow=lambda *a: {}, options=Mine)\n",
    )
    with build_container("n.py", environ={}, steps=5) as container:
        assert container.environment().options.steps == 5


def test_a_changed_file_and_a_changed_neighbour_are_loaded_again(work: Path) -> None:
    source = "import neighbour\nfrom hera_k8s_utils import Experiment\nexperiment = Experiment(name=neighbour.NAME, {})"
    for name in ("first", "second-time"):
        write("n.py", source.format("workflow=lambda *a: {}"))
        Path("neighbour.py").write_text(f"NAME = '{name}'\n")
        with build_container("n.py", environ={}) as container:
            assert container.described().name == name


def test_a_neighbour_called_like_an_installed_module_is_for_the_file_alone(hera: CommandLine) -> None:
    write("n.py", "import colorsys_of_mine, pyte\nassert pyte.MINE\n" + AT_IMPORT)
    Path("colorsys_of_mine.py").touch()
    Path("pyte.py").write_text("MINE = True\n")
    before = sys.modules.pop("pyte", None)
    try:
        assert hera("render", "n.py").code == 0
        import pyte

        assert hasattr(pyte, "Screen")
    finally:
        if before is not None:
            sys.modules["pyte"] = before


POOLS = """
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from hera_k8s_utils import Experiment

class Size:
    def __init__(self, n):
        self.n = n

def square(size):
    return Size(size.n ** 2)

def build(environment, inputs, layout):
    assert pickle.loads(pickle.dumps(Size(2))).n == 2
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(square, [Size(3)]))
    with get_context("spawn").Pool(1) as pool:
        found += pool.map(square, [Size(4)])
    assert all(type(each) is Size for each in found)
    name = "-".join(str(each.n) for each in found)
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
            "spec": {"template": {"metadata": {"labels": {"found": name}}, "spec": pod}}}

experiment = Experiment(name="pools", workflow=build)
"""


@pytest.mark.parametrize("name", ["n.py", "pkg/n.py", "my-exp.py"])
def test_pickling_and_pools_of_new_processes_work_in_a_builder(work: Path, name: str) -> None:
    file = write(name, POOLS)
    if file.parent.name:
        (file.parent / "__init__.py").touch()
    words = [sys.executable, "-m", "hera_k8s_utils", "render", name]
    done = subprocess.run(words, capture_output=True, text=True, timeout=200, env={**os.environ})
    assert done.returncode == 0, done.stderr
    body: Any = yaml.safe_load(done.stdout)
    assert body["spec"]["template"]["metadata"]["labels"]["found"] == "9-16"


def test_a_relative_import_that_python_refuses_is_explained(hera: CommandLine) -> None:
    write("n.py", RELATIVE + AT_IMPORT)
    told = hera("render", "n.py")
    assert told.code == 6
    assert "relative import" in told.err
    assert "run the command in a directory above" in told.err


def test_what_a_file_prints_is_on_stderr(hera: CommandLine) -> None:
    write("n.py", "print('while it is imported')\n" + AT_IMPORT)
    told = hera("render", "n.py")
    assert told.out.startswith("apiVersion")
    assert "while it is imported" in told.err


def test_a_change_within_a_second_that_keeps_the_size_is_seen(
    work: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    text = (
        "from hera.workflows import Container, Workflow\n"
        "with Workflow(name='NAME', entrypoint='a') as w:\n    Container(name='a', image='busybox')\n"
    )
    for name in ("one", "two"):
        Path("n.py").write_text(text.replace("NAME", name))
        os.utime("n.py", (1_700_000_000, 1_700_000_000))
        told = CommandLine(capsys)("render", "n.py", "--run-id", "r1")
        assert told.code == 0, told.err
        assert f"name: {name}-r1" in told.out
