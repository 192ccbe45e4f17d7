"""Standard streams that are closed, full or left: a plain message, and an exit code that is not that of success."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import SMALL

pytestmark = pytest.mark.skipif(os.name != "posix", reason="descriptors are closed as a POSIX shell does")

FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk is made with /dev/full")
WRITING = 11
ROOT = Path(__file__).resolve().parents[3]
PLACES = {
    "core/hera_k8s_utils/output/streams.py": {"sys.stdout", "sys.stderr"},
    "plugins/hera_k8s_cli/terminal/console.py": {"sys.stdout", "sys.stderr", "rich"},
    "plugins/hera_k8s_cli/terminal/stream.py": {"rich"},
    "plugins/hera_k8s_cli/main.py": {"sys.stdout", "sys.stderr"},
    "core/hera_k8s_utils/output/stderr_logging.py": {"sys.stderr", "StreamHandler"},
    "core/hera_k8s_utils/experiment/user_files.py": {"sys.stderr"},
    "plugins/hera_k8s_cli/runs/progress.py": {"rich"},
    "plugins/hera_k8s_argo/login.py": {"getpass"},
    "plugins/hera_k8s_kube/exec_plugin.py": {"sys.stderr"},
    "plugins/hera_k8s_sandbox/kubelet/namespaces.py": {"print", "sys.stderr"},
    "plugins/hera_k8s_sandbox/workflows/executor/kubectl/executor.py": {"print", "sys.stderr"},
}
"""Modules that may use a way to a terminal, and which. The executor and what begins a container in its namespaces are
processes of a pod: what they print is a log. What a user's file prints while it is imported is sent to stderr."""
PROGRAMS = ("core/hera_k8s_utils/examples/", "plugins/hera_k8s_sandbox/kubelet/image_programs/")
"""Scripts such as users write, and programs of images: they print as any script and any container does."""
BUILTINS = {"print", "input", "breakpoint"}
WAYS = BUILTINS | {"rich", "getpass", "StreamHandler", "print_exc", "print_exception", "showwarning",
        "sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__"}  # fmt: skip


def shell(line: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A line of a shell in which `hera` is the command, with its talk on stdout's or stderr's pipe."""
    program = f'hera() {{ "{sys.executable}" -m hera_k8s_utils "$@"; }}; {line}'
    environ = {**os.environ, "NO_COLOR": "1", **variables}
    return subprocess.run(["sh", "-c", program], cwd=cwd, env=environ, capture_output=True, text=True, timeout=100)


@pytest.fixture
def place(work: Path) -> Path:
    (work / "experiment.py").write_text(SMALL)
    return work


@pytest.mark.parametrize("words", ["run --sandbox", "check --sandbox", "config", "--help", "--version", "plugins"])
def test_nothing_is_done_when_stdout_is_closed(place: Path, words: str) -> None:
    done = shell(f"hera {words} >&-", place)
    assert done.returncode == WRITING
    assert done.stderr.splitlines()[0] == "nothing was done: standard output is closed"
    assert sorted(path.name for path in place.iterdir()) == ["experiment.py"]


@FULL
@pytest.mark.parametrize(
    "words", ["config", "--help", "--version", "plugins", "layout", "render", "config --output json"]
)
def test_a_full_disk_is_named(place: Path, words: str) -> None:
    done = shell(f"hera {words} >/dev/full", place)
    assert done.returncode == WRITING
    assert "the output could not be written" in done.stderr
    assert "no space left on device" in done.stderr
    assert "unexpected" not in done.stderr
    assert "Exception ignored" not in done.stderr


@FULL
def test_a_run_whose_output_is_lost_is_recorded_whole(place: Path) -> None:
    done = shell("hera run --sandbox >/dev/full", place)
    try:
        assert done.returncode == WRITING
        assert done.stderr.splitlines()[-2] == "the output could not be written: no space left on device"
        (outcome,) = place.glob("runs/*/outcome.json")
        assert json.loads(outcome.read_text())["phase"] == "Succeeded"
    finally:
        shell("hera sandbox --stop", place)


@pytest.mark.parametrize("talk", ["2>&-", pytest.param("2>/dev/full", marks=FULL)])
def test_results_come_although_nobody_hears_the_talk(place: Path, talk: str) -> None:
    assert shell(f"hera config --config nowhere {talk}", place).returncode == 2
    done = shell(f"HERA_K8S_DISABLE_PLUGINS=nosuch hera render {talk}", place)
    assert done.returncode == 0
    assert "kind: Workflow" in done.stdout


@FULL
def test_streams_that_both_take_nothing_leave_the_exit_code(place: Path) -> None:
    assert shell("hera config >/dev/full 2>&1", place).returncode == WRITING
    assert shell("hera config >&- 2>&-", place).returncode == WRITING


def test_a_closed_stdin_is_an_empty_one(place: Path) -> None:
    done = shell("hera login --argo-server argo.example:1 <&-", place)
    assert done.returncode == 4
    assert done.stderr.splitlines()[0] == "what was given holds no token"


def test_a_reader_that_leaves_is_no_failure_of_ours(place: Path) -> None:
    done = shell("{ hera config; echo $? >&2; } | true", place)
    assert done.stderr in ("141\n", "0\n")


# --- one place writes ------------------------------------------------------------------------------------------


def ways_to_a_terminal(tree: ast.AST) -> Iterator[str]:
    """Names by which a module could write to a terminal, as far as its text says."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node)
            yield from {node.attr} - BUILTINS
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]
            yield from (f"{node.module}.{each.name}" for each in node.names)
        elif isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)


def test_only_the_places_that_make_text_visible_write_to_a_terminal() -> None:
    found = {}
    for path in sorted([*ROOT.glob("core/**/*.py"), *ROOT.glob("plugins/**/*.py")]):
        used = WAYS & set(ways_to_a_terminal(ast.parse(path.read_text(encoding="utf-8"))))
        name = path.relative_to(ROOT).as_posix()
        if used and not name.startswith(PROGRAMS):
            found[name] = used
    assert found == PLACES


@pytest.mark.parametrize("module", ["terminal/console", "main"])
def test_streams_are_written_by_the_one_that_encodes(module: str) -> None:
    tree = ast.parse((ROOT / f"plugins/hera_k8s_cli/{module}.py").read_text(encoding="utf-8"))
    written = [
        ast.unparse(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "write"
    ]
    assert not [each for each in written if each.startswith("sys.") or each.endswith(".file")]
