"""Images map to local commands; paths of mounts are rewritten where private roots do not work."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from machine import MOUNTS

from hera_k8s_sandbox.kubelet.images import Images, Programs, pull_error, repository
from hera_k8s_sandbox.kubelet.mount_views import choose_view
from hera_k8s_sandbox.kubelet.mounts import Mount, Task
from hera_k8s_sandbox.kubelet.path_rewriting import RewritingView


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("python", "python"),
        ("python:3.12-slim", "python"),
        ("docker.io/library/python:3", "docker.io/library/python"),
        ("host:5000/team/tool", "host:5000/team/tool"),
        ("host:5000/team/tool:v1@sha256:00", "host:5000/team/tool"),
    ],
)
def test_an_image_is_known_by_its_repository(image: str, name: str) -> None:
    assert repository(image) == name


def test_known_images_have_a_command_and_others_do_not() -> None:
    images = Images()
    for image, command in (
        ("python:3.12-slim", "python3"),
        ("docker.io/library/python", "python3"),
        ("alpine:3", "sh"),
    ):
        row = images.find(image)
        assert row is not None
        assert row.default == (command,)
    assert images.find("ghcr.io/team/tool:1") is None


@pytest.mark.parametrize(
    ("image", "command", "args", "words"),
    [
        ("python:3.12-slim", [], [], ["python3"]),
        ("python:3.12-slim", [], ["python", "-c", "1"], ["python", "-c", "1"]),
        ("python", ["/usr/local/bin/python"], ["-V"], ["python", "-V"]),
        ("docker.io/library/busybox:1.36", [], [], ["sh"]),
        ("debian:12", [], ["echo", "x"], ["echo", "x"]),
        ("docker/whalesay:latest", ["cowsay"], ["x"], ["cowsay", "x"]),
        ("docker.io/docker/whalesay", [], ["cowsay", "x"], ["cowsay", "x"]),
        ("hello-world", [], [], ["hello"]),
        ("argoproj/argosay:v2", [], ["echo", "x"], ["argosay", "echo", "x"]),
        ("argoproj/argosay:v2", ["/argosay"], ["exit", "3"], ["argosay", "exit", "3"]),
        ("argoproj/argosay:v1", [], [], ["cowsay"]),
        ("ghcr.io/team/tool", ["/opt/python"], [], ["/opt/python"]),
    ],
)
def test_command_and_arguments_are_put_together_as_docker_does(
    image: str, command: list[str], args: list[str], words: list[str]
) -> None:
    assert Images().words(image, command, args) == words


@pytest.mark.parametrize(
    ("image", "command", "args", "words"),
    [
        ("ghcr.io/team/tool", [], [], 'what the image "ghcr.io/team/tool" runs is not known: give the template'),
        ("ghcr.io/team/tool", [], ["x"], "is not known: give the template a `command`"),
        ("busybox", ["no-such-program"], [], 'the program "no-such-program" of the image "busybox" is not installed'),
        ("unknown.invalid/x", ["true"], [], "no such host"),
    ],
)
def test_a_container_that_cannot_be_started_is_named(
    image: str, command: list[str], args: list[str], words: str
) -> None:
    problem = Images().problem(image, command, args)
    assert words in problem
    assert "--sandbox-images" in problem or "no such host" in problem


def test_containers_that_can_be_started() -> None:
    images = Images()
    for image, command in (
        *(("busybox", ["sh"]), ("docker/whalesay", ["cowsay"]), ("argoproj/argosay:v2", []), ("hello-world", [])),
        *(("acme/tool", ["python"]), ("acme/tool", ["{{inputs.parameters.program}}"]), ("python:3", [])),
    ):
        assert images.problem(image, command) == ""


def run_program(tmp_path: Path, image: str, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program of an image as a task would find it."""
    program = Programs(Images(), tmp_path / "programs").of(image) / words[0]
    return subprocess.run([program, *words[1:]], input=stdin, capture_output=True, text=True, check=False)


def test_cowsay_puts_a_text_into_a_bubble(tmp_path: Path) -> None:
    short = run_program(tmp_path, "docker/whalesay", "cowsay", "hello", "world").stdout.splitlines()
    assert short[:3] == [" _____________ ", "< hello world >", " ------------- "]
    long = run_program(tmp_path, "docker/whalesay", "cowsay", "-W", "10", "one two three four").stdout.splitlines()
    assert long[1:4] == ["/ one two \\", "| three   |", "\\ four    /"]
    piped = run_program(tmp_path, "docker/whalesay", "cowsay", stdin="from a pipe\n").stdout.splitlines()
    assert piped[1] == "< from a pipe >"


def test_argosay_has_the_subcommands_of_its_image(tmp_path: Path) -> None:
    def argosay(*words: str) -> tuple[int, str]:
        ended = run_program(tmp_path, "argoproj/argosay:v2", "argosay", *words)
        return ended.returncode, ended.stdout

    file = str(tmp_path / "made" / "x")
    assert argosay() == (0, "hello argo\n")
    assert argosay("echo", "hi") == (0, "hi\n")
    assert argosay("echo", "hi there", file) == (0, "")
    assert argosay("cat", file) == (0, "hi there\n")
    assert argosay("assert_contains", file, "there") == (0, "hi there\n")
    assert argosay("assert_contains", file, "gone")[0] == 1
    assert argosay("sleep", "0.01s") == (0, "")
    assert argosay("exit", "3") == (3, "")
    assert argosay("cat", "/nowhere")[0] == argosay("dance")[0] == 1


@pytest.mark.needs("bash")
@pytest.mark.parametrize("image", ["busybox", "alpine:3.23", "python:3.13-alpine", "docker.io/library/alpine"])
def test_the_shell_of_small_images_is_busybox_like(tmp_path: Path, image: str) -> None:
    text = 'a=$RANDOM b=$RANDOM c=$RANDOM; echo "$a$b$c" | grep -qE "^[0-9]{3,}$" && [[ x == x ]] && echo -e "y\\tz"'
    assert run_program(tmp_path, image, "sh", "-c", text).stdout == "y\tz\n"


def test_a_file_maps_more_images(tmp_path: Path) -> None:
    table = tmp_path / "images.json"
    table.write_text(json.dumps({"ghcr.io/team/*": {"command": ["tool"], "commands": {"tool": "/opt/tool"}}}))
    images = Images(table)
    assert images.commands("ghcr.io/team/tool:1")["tool"] == "/opt/tool"
    row = images.find("ghcr.io/team/tool:1")
    assert row is not None
    assert row.command == ("tool",)
    table.write_text(json.dumps({"x": {"comand": []}}))
    with pytest.raises(ValueError, match="unknown key 'comand'"):
        Images(table)
    table.write_text("acme/solver: solve")
    with pytest.raises(ValueError, match=r"images\.json: not JSON: Expecting value"):
        Images(table)


def test_only_reserved_names_cannot_be_pulled() -> None:
    assert pull_error("python:3.12") is None
    assert "no such host" in (pull_error("unknown.invalid/x:1") or "")
    assert "not found" in (pull_error("host:5000/x:does-not-exist") or "")


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("/results", "{r}"),
        ("/results/a/b", "{r}/a/b"),
        ("open('/results/a')", "open('{r}/a')"),
        ("--out=/results:/results", "--out={r}:{r}"),
        ("/results-old /results.txt /data/results resultsx", "/results-old /results.txt /data/results resultsx"),
        ("/results/deep/x", "{d}/x"),
        ("/tmp/x", "{t}/x"),
    ],
)
def test_paths_of_mounts_are_rewritten_whole(tmp_path: Path, text: str, rewritten: str) -> None:
    results, deep = tmp_path / "claim", tmp_path / "other"
    mounts = (Mount(results, "/results"), Mount(deep, "/results/deep"))
    if text != "/results/deep/x":
        mounts = mounts[:1]
    task = Task("pod", tmp_path / "pod", ("echo", text), tmp_path, env={"X": text}, mounts=mounts, script=text)
    launch = RewritingView().launch(task)
    wanted = rewritten.format(r=results, d=deep, t=tmp_path / "pod" / "tmp")
    assert launch.argv == ("echo", wanted)
    assert launch.env["X"] == wanted
    assert (tmp_path / "pod" / "script").read_text() == wanted


def test_outputs_are_found_where_they_were_written(tmp_path: Path) -> None:
    mounts = (Mount(tmp_path / "claim", "/results"),)
    outputs = ("/results/x", "/tmp/y")
    command = ("sh", "-c", "cat /tmp/y")
    launch = RewritingView().launch(Task("pod", tmp_path / "pod", command, tmp_path, mounts=mounts, outputs=outputs))
    assert launch.outputs["/results/x"] == tmp_path / "claim" / "x"
    assert launch.outputs["/tmp/y"] == tmp_path / "pod" / "tmp" / "y"
    assert launch.argv[2] == f"cat {launch.outputs['/tmp/y']}"


@pytest.mark.parametrize("kind", MOUNTS[:2])
def test_an_interpreter_behind_links_is_found_where_a_task_has_a_tmp_of_its_own(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        directory = Path(name)
        (directory / "first").symlink_to(sys.executable)
        (directory / "second").symlink_to("first")
        monkeypatch.setattr(sys, "executable", str(directory / "second"))
        view = choose_view(kind, directory / "state")
        (directory / "programs").mkdir()
        task = Task("pod", directory / "pod", (sys.executable, "-c", "print('ran')"), directory / "programs")
        launch = view.launch(task)
        ended = subprocess.run(launch.argv, env=dict(launch.env), capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("ran\n", "")
