"""The command line: which command runs, what it is given, how it ends, and what help says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from hera_k8s_cli.help import EXIT_CODES
from hera_k8s_cli.main import main
from hera_k8s_utils import errors

VALUE = "s3cr3t-value"

STRANGER = """
import json
import sys
from dataclasses import dataclass
from hera_k8s_utils import BuildError, Command, ChecksFailed, hookimpl, option
from hera_k8s_utils.container.session import experiment_argument

@dataclass(frozen=True, kw_only=True)
class Quota:
    limit: int = option(3, help="how much")

@dataclass(frozen=True, kw_only=True)
class Vault:
    url: str = option("https://vault.example", help="where")
    token: str = option("", help="key to it", secret=True)

def show(session):
    print(json.dumps({
        "arguments": vars(session.arguments), "argv": list(session.argv), "json": session.json,
        "debug": session.debug, "verbosity": session.verbosity, "config": session.config,
        "limit": session.options.of(Quota).limit, "namespace": session.options.by_name("namespace"),
    }))
    return 0

def crash(session):
    raise RuntimeError("no luck with Bearer abcdef123456 and " + session.options.of(Vault).token)

def refuse(session):
    raise ChecksFailed("2 checks failed", found="claim results is missing", hint="hera-k8s provision")

def interrupt(session):
    raise KeyboardInterrupt

def leave(session):
    sys.exit(4)

def flood(session):
    for _ in range(100_000):
        print("a line that nobody reads")

def wait(session):
    import time
    print("waiting", flush=True)
    time.sleep(60)

def words(parser):
    parser.add_argument("words", nargs="*")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--my_own", default="")
    parser.add_argument("--colour", choices=["red", "blue"])

def experiment(session):
    with session.container(session.file) as container:
        mine = container.settings().of(container.described().options)
    print(json.dumps({"file": session.file, "steps": mine.steps, "fast": mine.fast}))
    return 0

@hookimpl
def commands():
    yield Command(name="acme show", run=show, summary="show what came in", settings=Quota, arguments=words,
                  example="hera-k8s acme show a b")
    yield Command(name="acme show all", run=lambda session: print("all") or 0, summary="show all of it")
    yield Command(name="acme crash", run=crash, summary="crash", settings=Vault)
    yield Command(name="acme refuse", run=refuse, summary="refuse")
    yield Command(name="acme interrupt", run=interrupt, summary="be interrupted")
    yield Command(name="acme leave", run=leave, summary="leave")
    yield Command(name="acme flood", run=flood, summary="print a lot")
    yield Command(name="acme wait", run=wait, summary="wait")
    yield Command(name="acme experiment", run=experiment, summary="load", arguments=experiment_argument)
"""

EXPERIMENT = """
from dataclasses import dataclass
from hera_k8s_utils import Experiment, Inputs, option

@dataclass(frozen=True)
class Mine:
    steps: int = option(10, help="steps", aliases=("my_steps",))
    fast: bool = option(False, help="fast")

experiment = Experiment(name="mine", workflow=lambda *a: {}, options=Mine, inputs=Inputs(parameters={"a": [1]}))
"""


class Done(NamedTuple):
    """How a command line ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(work: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line in an empty directory; everything it says must be free of the secret value."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(*words: str) -> Done:
        code = main(list(words))
        out, err = capsys.readouterr()
        assert VALUE not in out + err
        return Done(code, out, err)

    return run


def install(directory: Path, source: str, plugin: str = "acme") -> None:
    """Put a distribution with one plugin into a directory, as an installer would leave it."""
    module = f"plugin_{uuid.uuid4().hex}"
    (directory / f"{module}.py").write_text(source, encoding="utf-8")
    info = directory / f"{plugin}_hera_k8s-1.2.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {plugin}-hera-k8s\nVersion: 1.2\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[hera_k8s_utils]\n{plugin} = {module}\n", encoding="utf-8")


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stranger's distribution with commands."""
    site = tmp_path / "site"
    site.mkdir()
    install(site, STRANGER)
    monkeypatch.syspath_prepend(site)
    return site


def in_a_process(*words: str, site: Path, **more: object) -> subprocess.Popen[str]:
    environ = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "hera_k8s_utils", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environ, **more)  # type: ignore[call-overload,no-any-return]


# --- help ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_the_program_shows_its_commands(run: Run, words: list[str]) -> None:
    done = run(*words)
    assert done.code == 0
    for command in ("run", "check", "provision", "render", "layout", "follow", "logs", "stop", "runs", "config"):
        assert f"\n  {command} " in done.out
    assert "hera-k8s run --sandbox" in done.out
    assert "--config FILE, $ARGOCONFIG, ./hera.config, ~/hera.config" in " ".join(done.out.split())


def test_help_lists_commands_by_who_declared_them(run: Run, acme: Path) -> None:
    ours, theirs = run("--help").out.split("commands of plugin acme (acme-hera-k8s 1.2):")
    assert "acme show" in theirs
    assert "acme show" not in ours


def test_help_tells_every_exit_code() -> None:
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    codes = {each.exit_code for each in classes if issubclass(each, errors.HeraK8sError)}
    assert codes <= {code for code, _ in EXIT_CODES}


@pytest.mark.parametrize("columns", [60, 80, 250])
def test_help_is_as_wide_as_the_terminal_within_reason(run: Run, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    prose = [line for line in run("--help").out.splitlines() if "/" not in line]
    assert max(map(len, prose)) <= min(columns, 110)


@pytest.mark.parametrize("words", [["acme", "show", "--help"], ["help", "acme", "show"], ["acme", "show", "x", "-h"]])
def test_the_help_of_a_command_is_about_its_own_flags(run: Run, acme: Path, words: list[str]) -> None:
    shown = run(*words).out
    assert "options of plugin acme (acme-hera-k8s 1.2):" in shown
    assert "`hera-k8s acme show --help-all` also lists" in " ".join(shown.split())
    assert "--argo-server" not in shown


@pytest.mark.parametrize(("command", "lines"), [("login", 55), ("logs", 75), ("runs", 75), ("run", 95)])
def test_help_fits_on_few_screens(run: Run, monkeypatch: pytest.MonkeyPatch, command: str, lines: int) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = run(command, "--help").out.splitlines()
    assert len(shown) <= lines
    assert all(len(line) <= 80 for line in shown)
    assert len(run(command, "--help-all").out.splitlines()) > len(shown)


OPTIONS = """
from dataclasses import dataclass
from hera.workflows import Workflow
from hera_k8s_utils import Experiment, Inputs, option

@dataclass(frozen=True, kw_only=True)
class Options:
    solver: str = option("euler", help="which integrator", choices=("euler", "rk4"))

experiment = Experiment(
    name="pendulum", workflow=lambda *_: Workflow(), options=Options, inputs=Inputs(parameters={"a": [1]})
)
"""


@pytest.mark.parametrize(
    "words",
    [
        ["run", "swing.py", "--help"],
        ["help", "check", "swing.py:experiment"],
        ["run", "--solver", "rk4", "swing.py", "-h"],
    ],
)
def test_the_help_of_a_command_with_a_file_shows_the_experiment_s_options(run: Run, words: list[str]) -> None:
    Path("swing.py").write_text(OPTIONS)
    done = run(*words)
    assert (done.code, done.err) == (0, "")
    assert "options of the experiment pendulum:\n  --solver euler|rk4 " in done.out


def test_help_imports_no_file_that_was_not_named(run: Run) -> None:
    Path("experiment.py").write_text("raise SystemExit('imported')")
    assert run("run", "--help").err == ""
    done = run("run", "experiment.py", "--help")
    assert done.code == 0
    assert "usage: hera-k8s run" in done.out
    assert "warning: the options of experiment.py are not shown" in done.err


@pytest.mark.parametrize(
    "words",
    [["acme", "show", "--help-all"], ["help", "acme", "show", "--help-all"], ["acme", "show", "x", "--help-all"]],
)
def test_the_help_of_a_command(run: Run, acme: Path, words: list[str]) -> None:
    done = run(*words)
    assert done.code == 0
    assert "usage: hera-k8s acme show [words] [flags]" in done.out
    assert "hera-k8s acme show a b" in done.out
    assert "--times" in done.out
    assert "options of plugin acme (acme-hera-k8s 1.2):" in done.out
    assert "$HERA_K8S_ACME_LIMIT" in " ".join(done.out.split())
    assert "$ARGO_NAMESPACE" in " ".join(done.out.split())
    assert "exit codes:" in done.out


def test_the_options_of_one_command_are_no_flags_of_another(run: Run, acme: Path) -> None:
    assert "--acme-limit" not in run("acme", "refuse", "--help").out
    assert "--acme-limit is unknown" in run("acme", "refuse", "--acme-limit", "3").err


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    heavy = {"hera", "kubernetes", "requests", "aiohttp", "rich", "yaml", "dependency_injector"}
    for words in (["--help"], ["run", "--help"], ["plugins", "--output", "json"], ["config"]):
        code = (
            f"import sys; from hera_k8s_cli.main import main; main({words!r}); "
            f"sys.exit(' '.join(sorted({heavy!r} & set(sys.modules))))"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.stderr.strip().splitlines()[-1:] in ([], [""]), done.stderr


def test_the_version(run: Run) -> None:
    assert run("--version").out.startswith("hera-k8s-utils 0.")


# --- which command ---------------------------------------------------------------------------------------------


def test_the_longest_matching_words_name_the_command(run: Run, acme: Path) -> None:
    assert run("acme", "show", "all").out == "all\n"
    assert json.loads(run("acme", "show", "some").out)["arguments"]["words"] == ["some"]


def test_the_first_words_of_several_commands_show_these(run: Run, acme: Path) -> None:
    done = run("acme")
    assert done.code == 2
    assert "acme show all" in done.out
    assert "provision" not in done.out
    assert run("acme", "--help").code == 0


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["chekc"], "did you mean check?"),
        (["acme", "shwo"], "did you mean acme show?"),
        (["xyzzy"], "hera-k8s --help"),
        (["experiment.py"], "hera-k8s check FILE, or hera-k8s run FILE"),
    ],
)
def test_an_unknown_command_has_a_hint(run: Run, acme: Path, words: list[str], hint: str) -> None:
    done = run(*words)
    assert (done.code, done.out) == (2, "")
    assert hint in done.err


@pytest.mark.parametrize("words", [[f"--argo-token={VALUE}", "run"], [f"a={VALUE}"], [f"--{VALUE}={VALUE}"]])
def test_what_stands_before_the_command_is_not_repeated(run: Run, words: list[str]) -> None:
    assert run(*[word.replace(f"--{VALUE}", "--x.y") for word in words]).code == 2


# --- what a command is given -----------------------------------------------------------------------------------


def test_common_flags_are_read_anywhere_on_the_line(run: Run, acme: Path) -> None:
    Path("my.config").write_text("namespace = vcity", encoding="utf-8")
    common = ["--config", "my.config", "--output", "json", "-v", "--debug"]
    before = run(*common, "acme", "show", "a")
    after = run("acme", "show", "a", *common)
    between = run("acme", "show", "--config=my.config", "-v", "a", "--output=json", "--debug")
    assert before.out == after.out == between.out
    told = json.loads(before.out)
    assert told["namespace"] == "vcity"
    assert (told["json"], told["debug"], told["verbosity"]) == (True, True, 1)
    assert told["arguments"]["words"] == ["a"]


def test_a_command_gets_its_own_arguments_and_the_options(run: Run, acme: Path) -> None:
    done = run("acme", "show", "--times", "2", "--my-own=x", "--acme_limit", "5", "-n", "vcity", "--", "--debug")
    told = json.loads(done.out)
    assert told["arguments"] == {"words": ["--debug"], "times": 2, "my_own": "x", "colour": None}
    assert (told["limit"], told["namespace"], told["debug"]) == (5, "vcity", False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--times", VALUE], "not a valid int"),
        (["--colour", VALUE], "not one of"),
        ([f"--tims={VALUE}"], "did you mean --times?"),
        (["--config"], "--config requires a value"),
        (["--output", "yaml"], "not one of text, json"),
        (["--acme-limit", VALUE], "not a whole number"),
    ],
)
def test_wrong_flags_end_with_2_and_are_not_repeated(run: Run, acme: Path, words: list[str], said: str) -> None:
    done = run("acme", "show", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_a_flag_of_a_command_and_an_option_with_one_name_blame_both(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        "from hera_k8s_utils import Command, hookimpl\n"
        "def words(parser):\n    parser.add_argument('--registry')\n"
        "@hookimpl\ndef commands():\n"
        "    yield Command(name='rival', run=print, summary='x', arguments=words)\n"
    )
    install(tmp_path, source, "rival")
    monkeypatch.syspath_prepend(tmp_path)
    done = run("rival")
    assert done.code == 3
    assert "--registry" in done.err
    assert "plugin rival (rival-hera-k8s 1.2)" in done.err


def test_a_flag_of_every_command_belongs_to_none(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (
        "from hera_k8s_utils import Command, hookimpl\n"
        "def words(parser):\n    parser.add_argument('--debug', action='store_true')\n"
        "@hookimpl\ndef commands():\n"
        "    yield Command(name='greedy', run=print, summary='x', arguments=words)\n"
    )
    install(tmp_path, source, "greedy")
    monkeypatch.syspath_prepend(tmp_path)
    done = run("greedy")
    assert done.code == 3
    assert "--debug, which is a flag of every command" in done.err


# --- the options of an experiment ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["experiment.py", "--steps", "3", "--fast"],
        ["--steps=3", "--fast"],
        ["--my_steps", "3", "--fast", "experiment.py"],
        ["--fast", "experiment.py:experiment", "--my-steps=3"],
    ],
)
def test_an_experiments_own_options_are_flags(run: Run, acme: Path, words: list[str]) -> None:
    Path("experiment.py").write_text(EXPERIMENT, encoding="utf-8")
    done = run("acme", "experiment", *words)
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert (told["steps"], told["fast"]) == (3, True)
    assert told["file"].startswith("experiment.py")


def test_an_experiments_own_options_are_keys_and_variables(
    run: Run, acme: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("experiment.py").write_text(EXPERIMENT, encoding="utf-8")
    Path("hera.config").write_text("my_steps = 4", encoding="utf-8")
    monkeypatch.setenv("HERA_K8S_FAST", "yes")
    told = json.loads(run("acme", "experiment").out)
    assert (told["steps"], told["fast"]) == (4, True)


@pytest.mark.parametrize(
    "words", [[f"--step={VALUE}"], ["--step", VALUE], ["experiment.py", f"--argo-namspace={VALUE}"]]
)
def test_a_flag_that_not_even_the_experiment_knows(run: Run, acme: Path, words: list[str]) -> None:
    Path("experiment.py").write_text(EXPERIMENT, encoding="utf-8")
    done = run("acme", "experiment", *words)
    assert done.code == 2
    assert "did you mean --" in done.err


def test_an_unknown_flag_is_told_before_a_missing_experiment(run: Run, acme: Path) -> None:
    done = run("acme", "experiment", "--argo-namspace", VALUE)
    assert done.code == 2
    assert "did you mean --argo-namespace?" in done.err


# --- how it ends -----------------------------------------------------------------------------------------------


def test_an_expected_failure_is_a_message_and_its_code(run: Run, acme: Path) -> None:
    done = run("acme", "refuse")
    assert done == (5, "", "2 checks failed: claim results is missing\n  -> hera-k8s provision\n")


def test_with_output_json_an_error_is_json_on_stderr(run: Run, acme: Path) -> None:
    done = run("acme", "refuse", "--output", "json")
    assert (done.code, done.out) == (5, "")
    assert json.loads(done.err)["error"] == {
        "type": "ChecksFailed",
        "wanted": "2 checks failed",
        "found": "claim results is missing",
        "hint": "hera-k8s provision",
        "exit_code": 5,
    }


def test_an_unexpected_failure_is_one_redacted_line(run: Run, acme: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERA_K8S_ACME_TOKEN", VALUE)
    done = run("acme", "crash")
    assert done.code == 1
    assert done.err.splitlines() == [
        "unexpected in plugin acme (acme-hera-k8s 1.2): RuntimeError: no luck with Bearer <redacted> and <redacted> "
        "(--debug shows where; please report to its authors)"
    ]
    assert json.loads(run("acme", "crash", "--output=json").err)["error"]["exit_code"] == 1


def test_a_missing_file_of_a_strangers_command_is_told_as_the_strangers(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        "from hera_k8s_utils import Command, hookimpl\n"
        "def lose(session):\n    open('/no/such/file')\n"
        "@hookimpl\ndef commands():\n    yield Command(name='lose', run=lose, summary='x')\n"
    )
    install(tmp_path, source, "loser")
    monkeypatch.syspath_prepend(tmp_path)
    done = run("lose")
    assert done.code == 1
    assert done.err.startswith("unexpected in plugin loser (loser-hera-k8s 1.2): FileNotFoundError")


def test_debug_shows_where_without_secrets(run: Run, acme: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERA_K8S_ACME_TOKEN", VALUE)
    done = run("acme", "crash", "--debug")
    assert "Traceback" in done.err
    assert "in crash" in done.err
    assert "abcdef123456" not in done.err
    assert "Traceback" in run("acme", "refuse", "--debug").err


def test_an_interrupt_ends_with_130(run: Run, acme: Path) -> None:
    done = run("acme", "interrupt")
    assert done == (130, "", "interrupted\n")


def test_a_command_that_leaves_keeps_its_code(run: Run, acme: Path) -> None:
    assert run("acme", "leave").code == 4


def test_a_reader_that_goes_away_is_no_error(acme: Path, work: Path) -> None:
    child = in_a_process("acme", "flood", site=acme)
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.readline()
    child.stdout.close()
    assert child.wait(60) == 141
    assert child.stderr.read() == ""
    child.stderr.close()


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_ctrl_c_in_a_terminal_ends_with_130(acme: Path, work: Path) -> None:
    child = in_a_process("acme", "wait", site=acme)
    assert child.stdout is not None
    assert child.stdout.readline() == "waiting\n"
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (130, "interrupted\n")


# --- plugins that cannot be used -------------------------------------------------------------------------------


def test_a_broken_plugin_is_a_warning_and_strict_plugins_an_error(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "raise RuntimeError('no')", "broken")
    monkeypatch.syspath_prepend(tmp_path)
    warned = run("config")
    assert warned.code == 0
    assert "plugin broken (broken-hera-k8s 1.2) failed while loading" in warned.err
    assert run("config", "--strict-plugins").code == 3
    assert run("--no-plugin", "broken", "--strict-plugins", "config").err == ""


def test_an_option_of_a_disabled_plugin_says_so(run: Run) -> None:
    Path("hera.config").write_text(f"sandbox_dir = {VALUE}", encoding="utf-8")
    done = run("config", "--no-plugin", "sandbox")
    assert done.code == 0
    assert "sandbox_dir belongs to plugin sandbox (hera-k8s-utils" in done.err
    assert "which is disabled" in done.err
    flagged = run("config", "--sandbox-dir", VALUE, "--no-plugin=sandbox")
    assert flagged.code == 2
    assert "belongs to plugin sandbox" in flagged.err
