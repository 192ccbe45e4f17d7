"""Servers that answer without a bound: commands end by themselves, say which limit was met, and hold little memory.

Each command is a child of its own with a ceiling on its memory; nothing here measures time: a test whose child does not
end is ended by pytest's own limit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from command_line import SECRET, SMALL, Told, kubeconfig, refuse_what_must_not_be_said, write_kubeconfig
from fault_server import (
    Answer,
    FaultServer,
    bomb,
    deep_json,
    drip,
    endless,
    endless_extensions,
    endless_interim_answers,
    endless_trailers,
    huge_header,
    lying_length,
    redirect,
    reply,
    slow_headers,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the ceiling on memory is Linux's")

CEILING = 1024 * 1024
"""KiB of address space that a child may have: a third of it is the interpreter's and its threads'."""


class Case(NamedTuple):
    """An answer, and what is said of it."""

    answer: Callable[[], Answer]
    words: str
    timeout: int = 40


TOO_LARGE, TOO_LATE = "its answer is larger than", "answer within 2 s"
CASES: Mapping[str, Case] = {
    "endless": Case(endless, TOO_LARGE),
    "bomb": Case(bomb, TOO_LARGE),
    "drip": Case(drip, TOO_LATE, timeout=2),
    "slow headers": Case(slow_headers, TOO_LATE, timeout=2),
    "huge header": Case(huge_header, "the headers of its answer have no end"),
    "deep JSON": Case(deep_json, "its JSON is nested in more than 128 levels"),
    "lying length": Case(lying_length, TOO_LARGE, timeout=5),
    "endless refusal": Case(lambda: endless(500), "(500)"),
}
"""Each for every command."""
RARER: Mapping[str, Case] = {
    "bomb in a bomb": Case(lambda: bomb(encoding="gzip, gzip"), "the encoding 'gzip, gzip', which was not asked for"),
    "extensions": Case(endless_extensions, TOO_LARGE),
    "interim answers": Case(endless_interim_answers, "answer", timeout=2),
    "trailers": Case(endless_trailers, "answer", timeout=2),
    "dripping refusal": Case(lambda: drip(500), "(500)", timeout=2),
    "bomb of a refusal": Case(lambda: bomb(500), "(500)"),
    "endless busy": Case(lambda: endless(503), TOO_LARGE),
    "bomb of a redirect": Case(lambda: redirect(bomb(302)), "sends elsewhere"),
}
"""Each for one command."""
PLATFORMS = ("kubernetes", "argo")
COMMANDS: Mapping[str, tuple[list[str], int]] = {
    "check": (["check", "experiment.py"], 5),
    "runs": (["runs", "--server"], 9),
    "logs": (["logs", "x"], 9),
    "follow": (["follow", "x", "--timeout", "20s"], 9),
}


def start(words: list[str], directory: str, platform: str, url: str, timeout: int) -> subprocess.Popen[str]:
    """A command against a server, with a ceiling on its memory."""
    Path(directory, "experiment.py").write_text(SMALL)
    environ = {name: text for name, text in os.environ.items() if not name.startswith(("ARGO", "KUBE", "HERA"))}
    environ |= {
        "HOME": directory,
        "HERA_K8S_HTTP_TIMEOUT": str(timeout),
        "HERA_K8S_CHECK_TIMEOUT": "60",
        "MALLOC_ARENA_MAX": "2",
    }
    if platform == "argo":
        environ |= {"ARGO_SERVER": url, "ARGO_TOKEN": SECRET, "ARGO_NAMESPACE": "lab"}
    else:
        environ["KUBECONFIG"] = write_kubeconfig(Path(directory, "config"), kubeconfig(url, namespace="lab"))
    shell = f'ulimit -v {CEILING} && exec "$0" -m hera_k8s_utils "$@"'
    return subprocess.Popen(
        ["sh", "-c", shell, sys.executable, *words],
        cwd=directory,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told_by(child: subprocess.Popen[str]) -> Told:
    """How a child ended, when it has."""
    out, err = child.communicate()
    told = Told(child.returncode, out, err)
    refuse_what_must_not_be_said(told.text)
    return told


def against(case: Case, words: list[str], platform: str, directory: str, paths: tuple[str, ...] = ()) -> Told:
    """What a command says to a server that gives one answer to all, or to these paths alone."""
    answer = case.answer()
    with FaultServer() as server:
        well_behaved(server)
        if not paths:
            server.forget()
            server.otherwise = answer
        for path in paths:
            server.on("GET", path, answer)
        return told_by(start(words, directory, platform, server.url, case.timeout))


def well_behaved(server: FaultServer) -> None:
    """A running workflow `x` with one pod, for both servers' protocols."""
    workflow = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "x", "namespace": "lab", "uid": "u", "resourceVersion": "1"},
        "status": {"phase": "Running"},
    }
    pod = {"metadata": {"name": "x-pod", "creationTimestamp": "2026-01-01T00:00:00Z"}}
    server.on("GET", "/apis/argoproj.io/v1alpha1/namespaces/lab/workflows/x", reply(200, workflow))
    server.on("GET", "/api/v1/workflows/lab/x", reply(200, workflow))
    server.on("GET", "/api/v1/namespaces/lab/pods", reply(200, {"kind": "PodList", "items": [pod]}))


@cache
def all_told(platform: str, command: str) -> Mapping[str, Told]:
    """What one command says in all cases, which run side by side, a few at once."""
    words, _ = COMMANDS[command]
    cases = {**CASES, **RARER} if command == "runs" else CASES
    found: dict[str, Told] = {}
    names = list(cases)
    for at in range(0, len(names), 6):
        found |= _side_by_side(names[at : at + 6], words, platform)
    return found


def _side_by_side(names: list[str], words: list[str], platform: str) -> dict[str, Told]:
    from concurrent.futures import ThreadPoolExecutor

    def one(name: str) -> Told:
        with TemporaryDirectory() as directory:
            return against({**CASES, **RARER}[name], words, platform, directory)

    with ThreadPoolExecutor(len(names)) as pool:
        return dict(zip(names, pool.map(one, names), strict=True))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_command_ends_by_itself_and_names_the_limit(platform: str, command: str, case: str) -> None:
    told = all_told(platform, command)[case]
    code, words = _expected(platform, command, case)
    assert (told.code, told.out if command != "check" else "") == (code, ""), told.text
    assert words in told.text


def _expected(platform: str, command: str, case: str) -> tuple[int, str]:
    """The exit code and the words."""
    code, words = COMMANDS[command][1], CASES[case].words
    if command == "follow" and case in ("drip", "slow headers", "endless refusal"):  # what may pass is borne
        return 8, "no longer following x"
    if (platform, command) == ("argo", "logs"):  # which is a stream: it may be long, a line of it may not
        words = {"endless": "one line has no end", "bomb": "one line has no end", "lying length": "within 5 s"}.get(
            case, words
        )
    return code, words


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", RARER)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_is_around_an_answer_is_limited_too(platform: str, case: str) -> None:
    told = all_told(platform, "runs")[case]
    assert (told.code, told.out) == (9, ""), told.text
    assert RARER[case].words in told.text


LOGS = {"kubernetes": "/api/v1/namespaces/lab/pods/x-pod/log", "argo": "/api/v1/workflows/lab/x/log"}
STREAMS: Mapping[str, Case] = {
    "a line without an end": Case(endless, "one line has no end"),
    "a compressed line without an end": Case(lambda: bomb(begin=b""), "one line has no end"),
    "drip": Case(drip, "within 2 s", timeout=2),
    "slow headers": Case(slow_headers, "within 2 s", timeout=2),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("case", STREAMS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_log_that_is_there_already_has_an_end(platform: str, case: str, tmp_path: Path) -> None:
    told = against(STREAMS[case], ["logs", "x"], platform, str(tmp_path), (LOGS[platform],))
    assert told.code == 9, told.text
    assert STREAMS[case].words in told.text


EVENTS = {
    "kubernetes": "/apis/argoproj.io/v1alpha1/namespaces/lab/workflows",
    "argo": "/api/v1/workflow-events/lab",
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("case", STREAMS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_who_follows_bears_a_hostile_stream_until_the_time_is_up(platform: str, case: str, tmp_path: Path) -> None:
    words = ["follow", "x", "--timeout", "4s"]
    told = against(STREAMS[case], words, platform, str(tmp_path), (EVENTS[platform],))
    assert told.code == 8, told.text
    assert "no longer following x" in told.text


@pytest.mark.timeout(60)
def test_login_reads_no_more_than_a_token(tmp_path: Path) -> None:
    with FaultServer() as server, open("/dev/zero", "rb") as endless_input:
        environ = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "ARGO_SERVER": server.url}
        done = subprocess.run(
            ["sh", "-c", f'ulimit -v {CEILING} && exec "$0" -m hera_k8s_utils login', sys.executable],
            env=environ,
            stdin=endless_input,
            capture_output=True,
            text=True,
            check=False,
        )
        assert server.requests == []
    assert done.returncode == 4
    assert "longer than any token" in done.stderr
    assert not list(tmp_path.rglob("logins.json"))


def test_the_records_of_what_is_hostile_are_json(tmp_path: Path) -> None:
    told = against(CASES["deep JSON"], ["check", "experiment.py", "--output", "json"], "argo", str(tmp_path))
    assert told.code == 5
    assert "nested" in json.dumps(json.loads(told.out))
