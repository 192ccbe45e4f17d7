"""Servers that answer without a bound: commands end by themselves, say which limit was met, and hold little memory.

Each command is a process of its own with a ceiling on its memory; nothing here measures time: a test whose command does
not end is ended by pytest's own limit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
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
from forked_commands import ForkedCommands

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the ceiling on memory is Linux's")

CEILING = 1024 * 1024 * 1024
"""Bytes of address space that a command may have: a third of it is the interpreter's and its threads'."""
SIDE_BY_SIDE = 8
"""Commands that run at a time: most of their time is waiting."""


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
    "bomb of a redirect": Case(lambda: redirect(bomb(302)), "redirects"),
}
"""Each for one command."""
BORNE = ("drip", "slow headers", "endless refusal")
"""What `follow` bears until its time is up, for it may pass."""
PLATFORMS = ("kubernetes", "argo")
COMMANDS: Mapping[str, tuple[list[str], int]] = {
    "check": (["check", "experiment.py"], 5),
    "runs": (["runs", "--server"], 9),
    "logs": (["logs", "x"], 9),
    "follow": (["follow", "x", "--timeout", "60s"], 9),
}
FOLLOW_BRIEFLY = ["follow", "x", "--timeout", "4s"]


class Trial(NamedTuple):
    """A command against a server that gives one answer to all, or to one path alone."""

    case: Case
    words: list[str]
    path: str = ""


Trials = Mapping[tuple[str, str], Trial]
"""By platform and case."""


def trials_of(command: str) -> Trials:
    """One command in all cases."""
    words = COMMANDS[command][0]
    return {
        (platform, name): Trial(case, FOLLOW_BRIEFLY if command == "follow" and name in BORNE else words)
        for platform in PLATFORMS
        for name, case in ({**CASES, **RARER} if command == "runs" else CASES).items()
    }


class Commands:
    """Commands against such servers, each a process of its own with a ceiling on its memory, a few side by side."""

    def __init__(self, forked: ForkedCommands) -> None:
        self._forked = forked
        self._pool = ThreadPoolExecutor(SIDE_BY_SIDE)
        self._known: dict[tuple[str, Callable[[str], Trials]], Mapping[tuple[str, str], Future[Told]]] = {}

    def told(self, group: str, trials: Callable[[str], Trials], platform: str, case: str) -> Told:
        """What one trial of a group told; all of them are begun when the first is asked for."""
        key = group, trials
        if key not in self._known:
            self._known[key] = {
                (where, name): self._pool.submit(self.against, trial, where)
                for (where, name), trial in trials(group).items()
            }
        return self._known[key][platform, case].result()

    def against(self, trial: Trial, platform: str) -> Told:
        """What a trial told."""
        answer = trial.case.answer()
        with FaultServer() as server:
            well_behaved(server)
            if trial.path:
                server.on("GET", trial.path, answer)
            else:
                server.forget()
                server.otherwise = answer
            return self._run(trial.words, platform, server.url, trial.case.timeout)

    def _run(self, words: list[str], platform: str, url: str, timeout: int) -> Told:
        with self._forked.worker() as worker, TemporaryDirectory() as place:
            directory = Path(place, "work")
            directory.mkdir()
            (directory / "experiment.py").write_text(SMALL)
            environ = variables(directory, platform, url, timeout)
            worker.start({"words": words, "directory": str(directory), "environ": environ, "ceiling": CEILING})
            told = Told(worker.exit_code(), *(Path(place, name).read_text() for name in ("out", "err")))
        refuse_what_must_not_be_said(told.text)
        return told


def variables(directory: Path, platform: str, url: str, timeout: int) -> dict[str, str]:
    """The environment of a command against a server."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith(("ARGO", "KUBE", "HERA"))}
    environ |= {"HOME": str(directory), "HERA_K8S_HTTP_TIMEOUT": str(timeout), "HERA_K8S_CHECK_TIMEOUT": "60"}
    if platform == "argo":
        return environ | {"ARGO_SERVER": url, "ARGO_TOKEN": SECRET, "ARGO_NAMESPACE": "lab"}
    return environ | {"KUBECONFIG": write_kubeconfig(directory / "config", kubeconfig(url, namespace="lab"))}


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    with ForkedCommands(MALLOC_ARENA_MAX="2") as forked:
        yield Commands(forked)


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
    server.on("GET", "/api/v1/namespaces/lab/pods", reply(200, {"kind": "PodList", "apiVersion": "v1", "items": [pod]}))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_command_ends_by_itself_and_names_the_limit(
    commands: Commands, platform: str, command: str, case: str
) -> None:
    told = commands.told(command, trials_of, platform, case)
    code, words = _expected(platform, command, case)
    assert (told.code, told.out if command != "check" else "") == (code, ""), told.text
    assert words in told.text


def _expected(platform: str, command: str, case: str) -> tuple[int, str]:
    """The exit code and the words."""
    code, words = COMMANDS[command][1], CASES[case].words
    if command == "follow" and case in BORNE:
        return 12, "no longer following x"
    return code, words


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", RARER)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_is_around_an_answer_is_limited_too(commands: Commands, platform: str, case: str) -> None:
    told = commands.told("runs", trials_of, platform, case)
    assert (told.code, told.out) == (9, ""), told.text
    assert RARER[case].words in told.text


STREAMS: Mapping[str, Case] = {
    "a line without an end": Case(endless, "one line has no end"),
    "a compressed line without an end": Case(lambda: bomb(begin=b""), "one line has no end"),
    "drip": Case(drip, "within 2 s", timeout=2),
    "slow headers": Case(slow_headers, "within 2 s", timeout=2),
}
PATHS = {
    ("logs", "kubernetes"): "/api/v1/namespaces/lab/pods/x-pod/log",
    ("logs", "argo"): "/api/v1/workflows/lab/x/log",
    ("events", "kubernetes"): "/apis/argoproj.io/v1alpha1/namespaces/lab/workflows",
    ("events", "argo"): "/api/v1/workflow-events/lab",
}


def streams_of(what: str) -> Trials:
    """All streams of logs, or of events."""
    words = ["logs", "x"] if what == "logs" else FOLLOW_BRIEFLY
    return {
        (platform, name): Trial(case, words, PATHS[what, platform])
        for platform in PLATFORMS
        for name, case in STREAMS.items()
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", STREAMS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_log_that_is_there_already_has_an_end(commands: Commands, platform: str, case: str) -> None:
    told = commands.told("logs", streams_of, platform, case)
    assert told.code == 9, told.text
    assert STREAMS[case].words in told.text


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", STREAMS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_who_follows_bears_a_hostile_stream_until_the_time_is_up(commands: Commands, platform: str, case: str) -> None:
    told = commands.told("events", streams_of, platform, case)
    assert told.code == 12, told.text
    assert "no longer following x" in told.text


@pytest.mark.timeout(60)
def test_login_reads_no_more_than_a_token(tmp_path: Path) -> None:
    with FaultServer() as server, open("/dev/zero", "rb") as endless_input:
        environ = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "ARGO_SERVER": server.url}
        done = subprocess.run(
            ["sh", "-c", f'ulimit -v {CEILING // 1024} && exec "$0" -m hera_k8s_utils login', sys.executable],
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


def test_the_records_of_what_is_hostile_are_json(commands: Commands) -> None:
    told = commands.against(Trial(CASES["deep JSON"], ["check", "experiment.py", "--output", "json"]), "argo")
    assert told.code == 5
    assert "nested" in json.dumps(json.loads(told.out))
