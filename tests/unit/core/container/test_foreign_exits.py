"""Exit 0 means done: code of users and of plugins that ends the program, or gives nothing, is never taken for that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from argo_peer import NAMESPACE, ArgoPeer
from command_line import SECRET, CommandLine, records, write_kubeconfig
from fault_server import FaultServer, reply
from strangers import Site as Interpreter
from strangers import write_distribution

from hera_k8s_utils import (
    BuildError,
    CredentialError,
    CredentialProvider,
    Experiment,
    LayoutStrategy,
    PluginError,
    Site,
    build_container,
    hookimpl,
)
from hera_k8s_utils.plugins.manager import PluginManager

EXITS = ["SystemExit(0)", "SystemExit", "GeneratorExit", "asyncio.CancelledError", "BaseException('enough')"]
EXPERIMENT = """
import asyncio
from hera_k8s_utils import Experiment, Inputs
def build(environment, inputs, layout):
    raise {exit}
experiment = Experiment(name="one", workflow=build, inputs=Inputs(parameters={{"a": [1, 2]}}))
"""
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "j"},
    "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}}},
}


@pytest.fixture
def hera(work: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(capsys)


@pytest.mark.parametrize("raised", EXITS)
@pytest.mark.parametrize("command", ["render", "run", "check", "run --dry-run"])
def test_a_builder_that_ends_the_program_has_built_nothing(hera: CommandLine, command: str, raised: str) -> None:
    Path("experiment.py").write_text(EXPERIMENT.format(exit=raised))
    told = hera(*command.split())
    assert told.code == 6
    assert told.out == ""
    assert "building the workflow of one failed: line 5: " in told.err
    assert records() == []


@pytest.mark.parametrize("raised", EXITS)
def test_a_generator_of_jobs_that_ends_the_program_has_built_nothing(hera: CommandLine, raised: str) -> None:
    source = EXPERIMENT.format(exit=raised).replace("    raise", "    yield {}\n    raise")
    Path("experiment.py").write_text(source)
    assert hera("render").code == 6


@pytest.mark.parametrize("raised", EXITS)
def test_a_file_that_ends_the_program_is_not_loaded(hera: CommandLine, raised: str) -> None:
    Path("experiment.py").write_text(f"import asyncio\nraise {raised}\n")
    told = hera("layout")
    assert told.code == 6
    assert "failed while it was imported: line 2: " in told.err


def test_options_of_an_experiment_that_end_the_program_are_a_failure(hera: CommandLine) -> None:
    Path("experiment.py").write_text(
        "from dataclasses import dataclass\nfrom hera_k8s_utils import Experiment, option\n"
        "@dataclass(frozen=True)\nclass Mine:\n    fast: bool = option(False, help='x')\n"
        "    def __post_init__(self):\n        raise SystemExit(0)\n"
        "experiment = Experiment(name='one', workflow=lambda *a: {}, options=Mine)\n"
    )
    assert hera("render").code == 6


# --- plugins -------------------------------------------------------------------------------------------------------


class Acme:
    """A plugin of which one function leaves by raising what it was given."""

    def __init__(self, leaves: str, raised: type[BaseException]) -> None:
        self.leaves = leaves
        self.raised = raised

    def _leave(self, what: str) -> None:
        if what == self.leaves:
            raise self.raised(0)

    @hookimpl
    def sites(self) -> list[Site]:
        def amend(manifest: Any, context: Any) -> Any:
            self._leave("amend")
            return manifest

        return [Site(name="acme", amend=amend)]

    @hookimpl
    def layout_strategies(self) -> list[LayoutStrategy]:
        def build(settings: Any, inputs: Any, argument: str) -> Any:
            self._leave("layout")
            return self

        return [LayoutStrategy(name="acme", build=build)]

    def encode(self, point: Any) -> str:
        self._leave("encode")
        return f"a={point.a}"

    def decode(self, path: str) -> dict[str, int]:
        return {"a": int(path[2:])}

    @hookimpl
    def configure_container(self, container: Any) -> None:
        self._leave("configure")

    @hookimpl
    def on_event(self, event: Any) -> None:
        self._leave("event")


def acme(leaves: str, raised: type[BaseException] = SystemExit) -> PluginManager:
    return PluginManager.load(extra={"acme": Acme(leaves, raised)})


def sweep() -> Experiment:
    from hera_k8s_utils import Inputs

    return Experiment(name="one", workflow=lambda *_: JOB, inputs=Inputs(parameters={"a": [1, 2]}), layout="acme")


@pytest.mark.parametrize("raised", [SystemExit, GeneratorExit, BaseException])
@pytest.mark.parametrize(
    ("leaves", "error", "words"),
    [
        ("amend", BuildError, "site acme failed"),
        ("layout", BuildError, "the layout acme failed"),
        ("encode", BuildError, "the layout acme failed"),
        ("configure", PluginError, "plugin acme failed while configuring"),
    ],
)
def test_a_plugin_that_ends_the_program_is_named(
    leaves: str, error: type[Exception], words: str, raised: type[BaseException]
) -> None:
    with pytest.raises(error, match=words):
        build_all(acme(leaves, raised))


def build_all(plugins: PluginManager) -> None:
    with build_container(sweep(), plugins=plugins, environ={}) as container:
        container.manifest()
        container.layout().verify()


def test_an_observer_that_ends_the_program_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    acme("event").notify("built")
    assert "plugin acme failed on the event built" in caplog.text


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (lambda *_: sys.exit(0), "credential provider vault failed"),
        (lambda *_: None, "it returned a NoneType, not a Credential"),
    ],
)
def test_a_credential_provider_that_gives_nothing_is_named(load: Any, words: str) -> None:
    class Vault:
        @hookimpl
        def credential_providers(self) -> list[CredentialProvider]:
            return [CredentialProvider(name="vault", target="argo", load=load, priority=900)]

    plugins = PluginManager.load(extra={"vault": Vault()})
    with (
        build_container(sweep(), plugins=plugins, environ={}, credentials=["argo=vault"]) as container,
        pytest.raises(CredentialError, match=words),
    ):
        container.platforms().open("argo", container.offline())


COMMANDS = """
import asyncio, sys
from hera_k8s_utils import Command, hookimpl

def cancels(session):
    raise asyncio.CancelledError

ENDS = {
    "exits": lambda session: sys.exit(0),
    "quits": lambda session: sys.exit(),
    "cancels": cancels,
    "nothing": lambda session: None,
    "true": lambda session: True,
    "text": lambda session: "0",
    "large": lambda session: 256,
    "done": lambda session: 0,
    "fails": lambda session: sys.exit(4),
}

@hookimpl
def commands():
    for name, run in ENDS.items():
        yield Command(name=name, run=run, summary="x", configures=False)
"""


def test_only_a_command_that_returns_0_is_done(tmp_path: Path) -> None:
    interpreter = Interpreter(tmp_path / "site")
    interpreter.install(write_distribution(tmp_path, "acme-hera-k8s", plugin="acme", source=COMMANDS))
    codes = {}
    for name in ("exits", "quits", "cancels", "nothing", "true", "text", "large", "done", "fails"):
        done = interpreter.run(name, cwd=tmp_path)
        codes[name] = done.returncode
        if done.returncode == 3:
            assert f"command {name} of plugin acme (acme-hera-k8s 1.0) gave no exit code" in done.stderr
        assert "Traceback" not in done.stderr
    assert codes == {
        "exits": 3,
        "quits": 3,
        "cancels": 1,
        "nothing": 3,
        "true": 3,
        "text": 3,
        "large": 3,
        "done": 0,
        "fails": 4,
    }


# --- lost output ---------------------------------------------------------------------------------------------------


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = f'"$0" -m hera_k8s_utils {line}'
    return subprocess.run(
        ["/bin/sh", "-c", command, sys.executable], cwd=cwd, capture_output=True, text=True, timeout=100
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("line", ["--help", "--version", "render", "layout", "config", "plugins", "render --help"])
def test_output_that_is_lost_is_not_done(work: Path, line: str) -> None:
    Path("experiment.py").write_text(
        f"from hera_k8s_utils import Experiment\nexperiment = Experiment(name='one', workflow=lambda *a: {JOB!r})\n"
    )
    done = shell(f"{line} > /dev/full", work)
    assert (done.returncode, "could not be written" in done.stderr) == (11, True), done.stderr
    done = shell(f"{line} >&-", work)
    assert (done.returncode, "standard output is closed" in done.stderr) == (11, True), done.stderr
    for talk in ("2>&-", "2> /dev/full"):
        done = shell(f"{line} {talk}", work)
        assert done.returncode == 0
        assert done.stdout


# --- servers that are none -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        {"hello": "world"},
        {"items": 5},
        {"items": [None]},
        {"items": ["x"]},
        {"items": [{"metadata": 5}]},
        {"items": []},
        {"metadata": {"name": "one", "uid": "1"}},
    ],
    ids=["object", "number", "list of null", "list of text", "metadata of a number", "other list", "one item"],
)
def test_an_object_that_is_no_list_is_not_taken_for_no_run(
    hera: CommandLine, monkeypatch: pytest.MonkeyPatch, work: Path, answer: dict[str, object]
) -> None:
    with FaultServer() as server:
        server.otherwise = reply(200, answer)
        for name, value in {"ARGO_SERVER": server.url, "ARGO_TOKEN": SECRET, "ARGO_NAMESPACE": NAMESPACE}.items():
            monkeypatch.setenv(name, value)
        told = hera("runs", "--server")
        assert told.code == 9
        assert "not a list of workflows" in told.err
        monkeypatch.delenv("ARGO_SERVER")
        user = {"token": SECRET}
        from command_line import kubeconfig

        monkeypatch.setenv("KUBECONFIG", write_kubeconfig(work / "config", kubeconfig(server.url, user)))
        for engine in ("kubernetes", "jobs"):
            told = hera("runs", "--server", "--engine", engine)
            assert told.code == 9, engine
            assert "not a list" in told.err


def test_a_server_without_runs_has_none(hera: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ArgoPeer() as peer:
        for name, value in {"ARGO_SERVER": peer.url, "ARGO_TOKEN": SECRET, "ARGO_NAMESPACE": NAMESPACE}.items():
            monkeypatch.setenv(name, value)
        told = hera("runs", "--server")
    assert told.code == 0
    assert "no run on the server" in told.err
