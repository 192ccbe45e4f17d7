"""Code of the working directory: nothing of it is imported before the user names it, nor afterwards by ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import SMALL
from other_people import NOBODY, needs_posix, needs_root, program

from hera_k8s_argo.token_store import user_logins
from hera_k8s_cli.main import main
from hera_k8s_sandbox.server import launch
from hera_k8s_utils import CredentialError, build_container

MARK = "from pathlib import Path\nPath({path!r}).touch()\nraise ImportError('not yours')\n"


@pytest.fixture
def strange(work: Path, tmp_path: Path) -> Path:
    """What modules and a plugin of the working directory would write."""
    mark = tmp_path / "imported"
    for name in ("json", "logging", "__future__", "pluggy", "requests", "kubernetes", "hera", "strange_plugin"):
        (work / f"{name}.py").write_text(MARK.format(path=str(mark)))
    info = work / "strange-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hera_k8s_utils]\nstrange = strange_plugin\n")
    return mark


@pytest.mark.parametrize("words", [["plugins"], ["config"], ["--help"], ["runs"], ["check", "--help"]], ids=" ".join)
@pytest.mark.parametrize("how", ["-m hera_k8s_utils", "-mhera_k8s_utils", "-u -m hera_k8s_utils", "hera-k8s"])
def test_no_module_and_no_plugin_of_the_working_directory_is_imported(
    strange: Path, how: str, words: list[str]
) -> None:
    found = shutil.which("hera-k8s", path=str(Path(sys.executable).parent))
    if how == "hera-k8s" and found is None:
        pytest.skip("the program is not installed beside this interpreter")
    start = [found] if how == "hera-k8s" and found else [sys.executable, *how.split()]
    done = subprocess.run([*start, *words], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert "strange" not in done.stdout
    assert not strange.exists()


def test_neighbours_of_an_experiment_come_first_while_it_is_imported_and_builds(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    shadowed = "wsgiref"  # of the standard library, imported by nobody here
    for name in (shadowed, "neighbour_of_the_builder"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        (work / f"{name}.py").write_text("MINE = True\n")
    (work / "experiment.py").write_text(
        f"import {shadowed}\nassert {shadowed}.MINE\n"
        "from hera_k8s_utils import Experiment\n"
        "from hera.workflows import Container, Workflow\n"
        "def build(environment, inputs, layout):\n"
        "    import neighbour_of_the_builder\n"
        "    with Workflow(entrypoint='main') as w:\n"
        "        Container(name='main', image='busybox', command=[str(neighbour_of_the_builder.MINE)])\n"
        "    return w\n"
        "experiment = Experiment(name='it', workflow=build)\n"
    )
    with build_container("experiment.py") as container:
        assert container.manifest().body["spec"]["templates"][0]["container"]["command"] == ["True"]
    assert shadowed not in sys.modules  # other code gets the one of the standard library


def test_neighbours_of_an_experiment_come_last_for_our_own_imports(work: Path, tmp_path: Path) -> None:
    mark = tmp_path / "imported"
    for name in ("requests", "aiohttp", "kubernetes", "telnetlib"):
        (work / f"{name}.py").write_text(MARK.format(path=str(mark)))
    (work / "experiment.py").write_text(
        "from hera_k8s_utils import Experiment\n"
        "def build(environment, inputs, layout):\n"
        "    main = {'name': 'main', 'image': 'busybox', 'command': ['true']}\n"
        "    pod = {'restartPolicy': 'Never', 'containers': [main]}\n"
        "    return {'apiVersion': 'batch/v1', 'kind': 'Job', 'metadata': {'name': 'it'},\n"
        "            'spec': {'template': {'spec': pod}}}\n"
        "experiment = Experiment(name='it', workflow=build)\n"
    )
    told = program("check", "--sandbox", cwd=work)
    assert told.code == 0, told.text
    assert not mark.exists()
    program("sandbox", "--stop", cwd=work)


# --- the state of a sandbox ------------------------------------------------------------------------------------


def box(work: Path) -> Path:
    directory = work / ".hera-k8s" / "sandbox"
    directory.mkdir(parents=True)
    return directory


@needs_posix
@pytest.mark.parametrize("name", ["json.py", "state.sqlite", "claims", "admin.token"])
def test_the_state_of_a_sandbox_that_came_from_elsewhere_is_not_taken_up(work: Path, name: str) -> None:
    directory = box(work)
    (directory / name).write_text("known-to-everyone\n")
    (directory / name).chmod(0o644)
    (work / "experiment.py").write_text(SMALL)
    told = program("check", "--sandbox", cwd=work)
    assert told.code == 4
    assert f"{directory} is not used" in told.err
    assert name in told.err
    assert sorted(path.name for path in directory.iterdir()) == [name]


@needs_posix
def test_the_state_of_a_sandbox_from_an_archive_is_not_taken_up(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = box(work)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "theirs"))
    with launch.running(directory):
        pass
    with launch.running(directory):  # for whom it is
        pass
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "mine"))
    told = program("sandbox", cwd=work)  # modes and owners are as tar and unzip restore them
    assert told.code == 2
    assert "no sandbox of yours wrote what it holds" in told.err
    (directory / "owner.json").unlink()
    assert program("sandbox", cwd=work).code == 2


@needs_posix
def test_a_link_in_the_directory_of_a_sandbox_is_not_written_through(work: Path) -> None:
    target = work / "precious"
    target.write_text("mine\n")
    directory = box(work)
    for name in (".gitignore", "sandbox.log", "server.lock"):
        (directory / name).symlink_to(target)
        told = program("sandbox", cwd=work)
        assert told.code == 2
        assert "no sandbox of yours was started in it" in told.err
        assert target.read_text() == "mine\n"
        (directory / name).unlink()


@needs_root
def test_a_sandbox_directory_of_another_user_is_refused(work: Path) -> None:
    directory = box(work)
    os.chown(directory, NOBODY, NOBODY)
    told = program("sandbox", cwd=work)
    assert told.code == 2
    assert "belongs to nobody" in told.err


# --- the store of tokens ---------------------------------------------------------------------------------------


@needs_posix
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620])
def test_a_store_of_tokens_that_others_can_use_is_refused(mode: int) -> None:
    store = user_logins()
    store.save("https://argo.example", "t0ken-of-mine")
    store.path.chmod(mode)
    with pytest.raises(CredentialError) as refused:
        store.find("https://argo.example")
    assert f"mode {mode:o}" in refused.value.found
    assert f"chmod 600 {store.path}" in refused.value.hint


@needs_root
def test_without_a_home_directory_a_login_says_what_to_type(work: Path) -> None:
    from other_people import as_user

    work.chmod(0o777)
    before = [*as_user(12345), "env", "-u", "HOME", "-u", "XDG_CONFIG_HOME"]
    told = program("login", "--argo-server", "argo.example", cwd=work, before=before)
    assert told.code == 4
    assert "no home directory to store tokens in" in told.err
    assert "XDG_CONFIG_HOME" in told.err


def test_trust_needs_a_directory(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trust"]) == 2
    assert "hera-k8s trust ." in capsys.readouterr().err
    assert main(["trust", "nowhere"]) == 2
