"""Every code block of every page is run as its reader would, here or by a test that is named here, or says why not.

`page_blocks` finds the blocks; the language of a block decides what is done with it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from machine import lacking
from page_blocks import REPOSITORY, Block, all_blocks, blocks_of, differs

from hera_k8s_cli.dispatch import specs_for
from hera_k8s_cli.help import command_parser
from hera_k8s_cli.main import find_command
from hera_k8s_sandbox.server import launch
from hera_k8s_utils.config.arguments import CommandParser
from hera_k8s_utils.config.global_flags import HELP, extract_global_flags
from hera_k8s_utils.plugins.manager import PluginManager

NOT_RUN = 11
"""Blocks that cannot run here."""

LANGUAGES = {"bash", "console", "ini", "mermaid", "python", "text", "toml", "yaml"}

ELSEWHERE = {
    # page: for a text in a block, the test that runs it
    "README.md": {
        "hera-k8s run --sandbox examples/logistic_map": ".ci/fresh::readme_command",
        "nox -s tests": ".ci/fresh::readme_command",
        "build_container(": "tests/unit/examples/test_readme_script.py::test_the_script_runs_as_it_stands",
    },
    "docs/authentication.md": {
        "$ ": "tests/unit/project/test_authentication_page.py::test_the_page_quotes_what_is_printed",
        "kind: ": "tests/unit/project/test_authentication_page.py::"
        "test_with_the_manifests_of_the_page_jane_can_run_a_workflow",
    },
    "docs/plugins.md": {
        "(CheckerContract)": "tests/unit/project/test_plugin_example.py::test_the_plugin_passes_its_own_tests",
    },
    "examples/configmap_for_pip_proxy/README.md": {
        "local_proxy.py": "tests/support/example_proxy.py::running_proxy",
        "run --sandbox local_experiment.py": "tests/unit/examples/test_examples.py::"
        "test_pip_installs_through_the_proxy_that_the_config_map_names",
        "--package hello-proxy": "tests/unit/examples/test_old_style.py::"
        "test_the_config_map_s_proxy_is_the_one_that_pip_uses",
        "python old_style": "tests/unit/examples/test_old_style.py::"
        "test_the_config_map_s_proxy_is_the_one_that_pip_uses",
    },
    "contrib/arkouda/README.md": {
        "arkouda deploy": "contrib/arkouda/tests/test_arkouda_sandbox.py::test_the_readme_s_commands_deploy_and_delete",
        "print(workflow(": "contrib/arkouda/tests/test_arkouda_readme.py::test_what_the_readme_says_in_python_runs",
    },
    "contrib/covalent/README.md": {
        "ct.lattice": "contrib/covalent/tests/test_lattices.py::test_the_readmes_lattice",
    },
    "contrib/hera_utils/README.md": {
        "argo_server(args)": "contrib/hera_utils/tests/test_hera_utils.py::test_the_readme_s_script_submits",
        "hera_utils.examples": "contrib/hera_utils/tests/test_hera_utils.py::test_examples_run",
    },
    "contrib/submission_helper/README.md": {
        "jobs submit": "contrib/submission_helper/tests/test_submission_helper.py::"
        "test_the_readme_s_command_runs_each_line",
    },
}


def elsewhere(block: Block) -> str:
    """The test that runs a block which is not run here."""
    return next((test for text, test in ELSEWHERE.get(block.page, {}).items() if text in block.text), "")


def here(language: str, *pages: str) -> list[Block]:
    """The blocks of a language that are run here."""
    blocks = [each for each in all_blocks(pages) if each.language == language]
    return [block for block in blocks if not block.not_run and not elsewhere(block)]


PYTHON = here("python")
PLUGINS = [block for block in PYTHON if "@hookimpl" in block.text]
TESTS = [block for block in PYTHON if re.search(r"^def test_", block.text, re.MULTILINE)]
EXPERIMENTS = [block for block in PYTHON if "experiment = Experiment(" in block.text]
SCRIPTS = [block for block in PYTHON if block not in (*PLUGINS, *TESTS, *EXPERIMENTS)]
EXAMPLES = sorted({block.page for block in here("bash") if block.page.startswith("examples/")})
ARKOUDA = "contrib/arkouda/README.md"
OF_SCRIPTS = {"boroughs": "city", "volumes": "storage"}
"""The claims that scripts of 0.1 use, as the pages name them."""


# --- which blocks there are ------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", all_blocks(), ids=str)
def test_a_block_has_a_language_that_decides_what_is_done_with_it(block: Block) -> None:
    assert block.language in LANGUAGES


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    assert len([block for block in all_blocks() if block.not_run]) == NOT_RUN


def test_commands_in_a_block_of_text_say_why_they_are_not_run() -> None:
    """A block is not spared by the language that it is given."""
    programs = {line.split()[0] for block in all_blocks() for line in block.typed if re.match(r"[a-z][\w-]* ", line)}
    assert {"hera-k8s", "kubectl", "pip", "python"} <= programs
    for block in all_blocks():
        begins = {line.removeprefix("$ ").partition(" ")[0] for line in block.text.splitlines()}
        assert block.language != "text" or block.not_run or not begins & programs, block


# --- command lines of hera-k8s -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plugins() -> Iterator[PluginManager]:
    """The plugins of this distribution and of those in contrib."""
    with pytest.MonkeyPatch.context() as patch:
        for name in CONTRIB.values():
            patch.syspath_prepend(str(REPOSITORY / "contrib" / name / "src"))
        found = PluginManager.load()
        there = {each.name for each in found.listing()}
        extra = {plugin: import_module(f"hera_k8s_{name}.plugin") for plugin, name in CONTRIB.items()}
        yield PluginManager.load(extra={name: module for name, module in extra.items() if name not in there})


CONTRIB = {"arkouda": "arkouda", "submission-helper": "submission_helper"}


def parsed(plugins: PluginManager, words: list[str]) -> tuple[CommandParser, list[str]]:
    """The parser of a command line, and the words after the command."""
    _, rest = extract_global_flags(words)
    declared, rest_of_command = find_command(plugins.all("commands"), rest)
    assert declared is not None, words
    return command_parser(declared, specs_for(declared.record, plugins)), list(rest_of_command)


@pytest.mark.parametrize("block", [each for each in all_blocks() if each.hera_k8s], ids=str)
def test_what_is_typed_is_a_command_line_of_hera_k8s(block: Block, plugins: PluginManager) -> None:
    for words in block.hera_k8s:
        parser, rest = parsed(plugins, words)
        assert not parser.read(rest).flags.unknown, words


@pytest.mark.parametrize("block", [each for each in all_blocks() if each.mentioned], ids=str)
def test_flags_on_a_page_exist(block: Block, plugins: PluginManager) -> None:
    """Also in synopses, in hints that are printed, and in comments."""
    for words in block.mentioned:
        parser, rest = parsed(plugins, words)
        flags = {word.partition("=")[0] for word in rest if re.match(r"--?[a-zA-Z]", word)}
        assert flags <= {*parser.flags(), *HELP}, words


@pytest.mark.parametrize("line", ["hera-k8s jobs submit x --nonexistent", "hera-k8s arkouda deploy --nonexistent"])
def test_a_flag_that_does_not_exist_is_found(line: str, plugins: PluginManager) -> None:
    (block,) = blocks_of("page.md", f"```bash\nA=1 {line} && true\n```")
    (words,) = block.hera_k8s
    parser, rest = parsed(plugins, words)
    assert parser.read(rest).flags.unknown == ("--nonexistent",)
    assert block.mentioned == block.hera_k8s


@pytest.mark.parametrize("test", sorted({test for tests in ELSEWHERE.values() for test in tests.values()}))
def test_what_runs_a_block_elsewhere_is_there(test: str) -> None:
    file, _, name = test.partition("::")
    assert re.search(rf"^(def )?{name}\(", (REPOSITORY / file).read_text("utf-8"), re.MULTILINE)


def test_no_text_that_names_a_block_is_left_over() -> None:
    for page, tests in ELSEWHERE.items():
        for text in tests:
            assert any(text in block.text for block in all_blocks([page])), (page, text)


def test_commands_are_run_on_pages_that_this_file_knows() -> None:
    assert {block.page for block in here("bash")} == {"docs/sandbox.md", ARKOUDA, *EXAMPLES}
    assert {block.page for block in here("console")} == {"README.md"}


def test_what_installs_shows_its_progress() -> None:
    """pip is silent for minutes where it is asked to be."""
    typed = "".join(block.text for block in all_blocks() if block.language == "bash")
    assert not re.search(r"pip install[^\n]* (-q|--quiet)", typed)
    sessions = (REPOSITORY / "noxfile.py").read_text("utf-8")
    assert re.findall(r"session\.install\((?!.*silent=False)", sessions) == ["session.install("]  # the project alone
    assert '"-q"' not in sessions


# --- Python ----------------------------------------------------------------------------------------------------


def python(*words: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run this Python."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_plugins_pass_the_strict_type_checker(tmp_path: Path) -> None:
    names = {}
    for position, block in enumerate(PLUGINS):
        names[f"plugin_{position}.py"] = str(block)
        (tmp_path / f"plugin_{position}.py").write_text(block.text)
    cache = str(REPOSITORY / ".mypy_cache") if os.access(REPOSITORY, os.W_OK) else str(tmp_path / "cache")
    words = ("-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", cache)
    checked = python(*words, *names, cwd=tmp_path, MYPYPATH=f"{REPOSITORY}/core:{REPOSITORY}/plugins")
    assert checked.returncode == 0, f"{names}\n{checked.stdout}{checked.stderr}"


@pytest.mark.parametrize("block", PLUGINS, ids=str)
def test_a_plugin_is_loaded_without_a_problem(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("plugin_of_the_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # dataclasses look there
    exec(compile(block.text, str(block), "exec"), module.__dict__)
    plugins = PluginManager.load(extra={"page": module})
    assert plugins.problems == []
    assert any(next(each for each in plugins.listing() if each.name == "page").declares.values())


@pytest.mark.parametrize("block", TESTS, ids=str)
def test_a_test_passes(block: Block, tmp_path: Path) -> None:
    (tmp_path / "test_block.py").write_text(block.text)
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_block.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("block", SCRIPTS, ids=str)
def test_a_script_runs(block: Block, tmp_path: Path) -> None:
    (tmp_path / "block.py").write_text(block.text)
    done = python("block.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


# --- commands --------------------------------------------------------------------------------------------------


class Terminal:
    """Where the commands of one page are typed, with a sandbox of its own."""

    def __init__(self, directory: Path, **environ: str) -> None:
        self.directory = directory
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": programs, "HOME": str(directory), "HERA_K8S_SANDBOX": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self.environ = {**os.environ, **own, **environ}

    def type(self, text: str, *, options: str = "-euo") -> subprocess.CompletedProcess[str]:
        """Run a text as bash does; what it prints is in one stream."""
        return subprocess.run(
            ["bash", options, "pipefail", "-c", text],
            cwd=self.directory,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=110,
            check=False,
        )

    def run(self, block: Block) -> None:
        """Run a block; what its comments promise must be printed: `# 36 of 36 points`."""
        done = self.type(block.text)
        assert done.returncode == 0, f"{block}\n{done.stdout}"
        for promise in re.findall(r"#.*?(\d+ of \d+ (?:points|tasks))", block.text):
            assert promise in done.stdout, f"{block}: {promise}\n{done.stdout}"


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    if os.name != "posix":
        pytest.skip("the sandbox is for POSIX systems")
    directory = tmp_path / "work"
    directory.mkdir()
    yield Terminal(directory)
    launch.stop(directory / ".hera-k8s" / "sandbox")


@pytest.mark.parametrize("page", EXAMPLES)
def test_the_commands_of_an_example_work(terminal: Terminal, page: str) -> None:
    example = REPOSITORY / Path(page).parent
    shutil.copytree(example, terminal.directory, dirs_exist_ok=True)
    claim = OF_SCRIPTS.get(example.name)
    if claim is not None:
        terminal.environ["KUBEVOLUMECLAIMNAME"] = claim
    for block in here("bash", page):
        terminal.run(block)


def test_what_the_readme_begins_with_runs_and_its_failure_is_quoted(terminal: Terminal) -> None:
    (experiment,) = EXPERIMENTS
    (terminal.directory / "experiment.py").write_text(experiment.text)
    (console,) = here("console", "README.md")
    (command,) = console.commands
    failed = terminal.type(command)
    assert failed.returncode == 5, failed.stdout
    assert differs(console.shown, failed.stdout) == ""
    done = terminal.type("hera-k8s run --sandbox")
    assert done.returncode == 0, done.stdout
    assert "6 of 6 points" in done.stdout
    assert len(list(terminal.directory.rglob("pi.txt"))) == 6


SCRIPT = """
from hera.workflows import ConfigMapEnvFrom, Container, ExistingVolume, Workflow

with Workflow(name="hello", entrypoint="main") as w:
    Container(
        name="main",
        image="busybox",
        command=["sh", "-c", "echo $mode > /data/mode"],
        env_from=[ConfigMapEnvFrom(name="modes")],
        volume_mounts=[{"name": "data", "mountPath": "/data"}],
    )
    w.volumes = [ExistingVolume(name="data", claim_name="data", mount_path="/data")]
"""


@pytest.mark.needs("kubectl")
def test_the_commands_of_the_sandbox_page_work(terminal: Terminal) -> None:
    (terminal.directory / "script.py").write_text(SCRIPT)
    create, advance = here("bash", "docs/sandbox.md")
    checked, *rest = create.text.splitlines(keepends=True)
    missing = terminal.type(checked)
    assert missing.returncode == 5, missing.stdout
    assert "modes" in missing.stdout
    done = terminal.type("".join(rest))
    assert done.returncode == 0, done.stdout
    assert [path.read_text() for path in terminal.directory.rglob("claims/default/data/mode")] == ["loud\n"]
    terminal.run(advance)


@pytest.mark.needs("kubectl", "ssh-keygen")
def test_the_account_and_the_keys_of_arkouda_can_be_made(terminal: Terminal) -> None:
    (block,) = here("bash", ARKOUDA)
    directory = terminal.directory / ".hera-k8s" / "sandbox"
    kubeconfig = launch.write_kubeconfig(directory, launch.ensure_running(directory))
    terminal.environ["KUBECONFIG"] = str(kubeconfig)
    terminal.run(block)
    made = terminal.type("kubectl get secrets arkouda-ssh arkouda-on-k8s -o name")
    assert made.stdout == "secret/arkouda-ssh\nsecret/arkouda-on-k8s\n"


# --- data ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", here("ini"), ids=str)
def test_a_configuration_is_read_without_a_warning(block: Block, terminal: Terminal) -> None:
    (terminal.directory / "hera.config").write_text(block.text)
    done = terminal.type("hera-k8s config")
    assert done.returncode == 0, done.stdout
    assert "warning" not in done.stdout
    for key in re.findall(r"^(\w+) =", block.text, re.MULTILINE):
        assert re.search(rf"^ +(?:argo-)?{key.removeprefix('argo_')} .*hera\.config", done.stdout, re.MULTILINE), key


@pytest.mark.parametrize("block", here("toml"), ids=str)
def test_a_project_file_declares_the_plugin(block: Block) -> None:
    tomllib = pytest.importorskip("tomllib", reason="tomllib comes with Python 3.11")
    project = tomllib.loads(block.text)["project"]
    assert project["entry-points"] == {"hera_k8s_utils": {"acme": "acme_hera_k8s.plugin"}}
    assert project["name"] == "acme-hera-k8s"


@pytest.mark.parametrize("block", here("yaml"), ids=str)
def test_rules_are_accepted_by_a_cluster(block: Block, terminal: Terminal) -> None:
    if lacking("kubectl"):
        pytest.skip(lacking("kubectl"))
    body = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "page"}}
    (terminal.directory / "role.yaml").write_text(yaml.safe_dump({**body, **yaml.safe_load(block.text)}))
    started = launch.ensure_running(terminal.directory / ".hera-k8s" / "sandbox")
    kubeconfig = launch.write_kubeconfig(terminal.directory / ".hera-k8s" / "sandbox", started)
    done = terminal.type(f"kubectl --kubeconfig {kubeconfig} create -f role.yaml")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("block", here("mermaid"), ids=str)
def test_a_diagram_is_of_a_kind_that_is_drawn(block: Block) -> None:
    assert re.match(r"(flowchart (TD|LR)|sequenceDiagram)\n", block.text)
    begun = re.findall(r"^ *(?:subgraph|loop|alt|opt|par) ", block.text, re.MULTILINE)
    assert len(begun) == len(re.findall(r"^ *end$", block.text, re.MULTILINE))


# --- how blocks are compared -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a\n...\nd in 0.1 s\n", "a\nb\nc\nd in 2 s\n", True),
        ("...\nd\n...\n", "a\nd\ne\n", True),
        ("a\nd\n", "a\nb\nd\n", False),
        ("a\n", "a\nb\n", False),
        ("a\n...\n", "b\n", False),
        ("http://127.0.0.1:1\n", "http://127.0.0.1:2\n", True),
    ],
)
def test_an_output_is_compared_line_by_line(shown: str, printed: str, same: bool) -> None:
    assert (differs(shown, printed) == "") is same
