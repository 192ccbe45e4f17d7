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
    assert "the sandbox pulls no images, and this machine has no acme-solve" in " ".join(told.split())
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
        "image='alpine:3', args=['-c', 'true']",
        "image='busybox', command=['odd'], env=[Env(name='PATH', value='/opt/odd')]",
    )
    assert images(capsys, "--engine", engine) == []


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
        assert main(["run", "solve.py", "--run-id", "one"]) == 0
    finally:
        stop(work / "own")
