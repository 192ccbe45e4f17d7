"""Images that the sandbox cannot run are named before anything is submitted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hera_k8s_cli.main import main
from hera_k8s_sandbox.server.launch import stop

HINT = "--sandbox-images FILE"


@pytest.fixture(autouse=True)
def on_sandbox(work: Path, sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERA_K8S_SANDBOX", "true")
    monkeypatch.setenv("HERA_K8S_SANDBOX_DIR", str(sandbox.directory))


def write(*containers: str) -> None:
    steps = "".join(f"    c{n} = Container(name='t{n}', {text})\n" for n, text in enumerate(containers))
    calls = "".join(f"        c{n}()\n" for n in range(len(containers)))
    Path("solve.py").write_text(
        "from hera.workflows import Container, Env, Steps, Workflow\n"
        "with Workflow(name='solve', entrypoint='main') as w:\n"
        f"{steps}    with Steps(name='main') as s:\n{calls}"
    )


def images(capsys: pytest.CaptureFixture[str], *words: str) -> list[tuple[str, str, str]]:
    """Title, verdict and hint of what `check` says of images."""
    capsys.readouterr()
    main(["check", "solve.py", *words, "--output", "json"])
    checks = json.loads(capsys.readouterr().out)["checks"]
    return [(each["title"], each["verdict"], each["hint"]) for each in checks if each["title"].startswith("image")]


def test_a_program_that_is_not_here_fails_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    write("image='acme/solver:1', command=['acme-solve', '--fast']")
    ((title, verdict, hint),) = images(capsys)
    assert (title, verdict) == ("image acme/solver:1", "failed")
    assert HINT in hint
    assert main(["run", "solve.py"]) == 5
    told = capsys.readouterr().err
    assert 'program "acme-solve" of the image "acme/solver:1" is not installed' in " ".join(told.split())
    assert not Path("runs").exists()


def test_an_image_without_a_command_fails_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    write("image='acme/solver:1'")
    assert [verdict for _, verdict, _ in images(capsys)] == ["failed"]


def test_a_program_of_this_machine_in_its_place_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    write("image='ghcr.io/acme/tools@sha256:0123', command=['sh', '-c', 'true']")
    assert [(title, verdict) for title, verdict, _ in images(capsys)] == [
        ("image ghcr.io/acme/tools@sha256:0123", "warning")
    ]


@pytest.mark.parametrize("engine", ["argo", "kubernetes"])
def test_known_images_are_not_mentioned(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        "image='python:3.12-slim', command=['python', '-c', 'print(1)']",
        "image='busybox', command=['echo', 'hi']",
        "image='alpine:3', args=['sh', '-c', 'true']",
        "image='busybox', command=['odd'], env=[Env(name='PATH', value='/opt/odd')]",
    )
    assert images(capsys, "--engine", engine) == []


@pytest.mark.parametrize(
    "container",
    [
        "image='hello-world'",
        "image='busybox'",
        "image='alpine:3'",
        "image='debian:12'",
        "image='bash'",
        "image='python:3.12'",
        "image='python:3.12-alpine'",
        "image='python:3.12', args=['python3', '-c', 'print(1)']",
        "image='docker/whalesay', args=['cowsay', 'hi']",
        "image='docker/whalesay', command=['/usr/games/cowsay']",
        "image='argoproj/argosay:v1', args=['cowsay', 'hi']",
        "image='argoproj/argosay:v2', args=['echo', 'hi']",
        "image='argoproj/argosay:v2', command=['/argosay'], args=['echo', 'hi']",
        "image='busybox', args=['{{workflow.name}}']",
    ],
)
def test_built_in_images_may_say_what_they_run(container: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(container)
    assert images(capsys) == []


def test_a_built_in_image_without_a_command_runs() -> None:
    write("image='hello-world'", "image='docker/whalesay', args=['cowsay', 'hi']")
    assert main(["run", "solve.py", "--run-id", "one"]) == 0


def test_arguments_of_a_built_in_image_are_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    """Without an entrypoint, as python's, they are the command."""
    write("image='python:3.12', args=['no-such-program']")
    assert [verdict for _, verdict, _ in images(capsys)] == ["failed"]


def test_programs_on_volumes_are_not_known_before(capsys: pytest.CaptureFixture[str]) -> None:
    mount = "volume_mounts=[m.VolumeMount(name='v', mount_path='/opt/x')]"
    write(
        f"image='busybox', command=['/opt/x/bin/solve'], {mount}",
        f"image='alpine', command=['bin/solve'], working_dir='/opt/x', {mount}",
        f"image='debian', command=['/opt/y/solve'], {mount}",
    )
    Path("solve.py").write_text(f"from hera.workflows import models as m\n{Path('solve.py').read_text()}")
    assert [title for title, _, _ in images(capsys)] == ["image debian"]


def test_scripts_are_programs_too(capsys: pytest.CaptureFixture[str]) -> None:
    Path("solve.py").write_text(
        "from hera.workflows import Workflow, script\n"
        "@script(image='python:3.12')\n"
        "def solve():\n    print(1)\n"
        "with Workflow(name='solve', entrypoint='solve') as w:\n    solve()\n"
    )
    assert images(capsys) == []


def test_the_worst_use_of_an_image_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    write("image='acme/x', command=['sh']", "image='acme/x', command=['acme-solve']", "image='acme/x', command=['ls']")
    assert [verdict for _, verdict, _ in images(capsys)] == ["failed"]


def test_the_images_of_the_running_sandbox_count(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HERA_K8S_SANDBOX_DIR", str(work / "own"))
    Path("images.json").write_text(json.dumps({"acme/solver": {"commands": {"acme-solve": "/bin/echo"}}}))
    write("image='acme/solver:1', command=['acme-solve', 'solved']")
    try:
        assert images(capsys, "--sandbox-images", "images.json") == []
        assert images(capsys) == [], "the server that runs was started with them"
        Path("images.json").write_text("edited while the server runs")
        assert images(capsys) == [], "the server runs with what it has read"
        assert main(["run", "solve.py", "--run-id", "one"]) == 0
    finally:
        stop(work / "own")
