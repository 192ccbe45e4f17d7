"""`./hera.config` and experiment.py that another user can have written, and where the user's own may lead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_server import FaultServer
from old_scripts import run_script
from other_people import NOBODY, TOKEN, Stranger, as_user, needs_posix, needs_root, program

EVERY_COMMAND = [
    ["follow", "aaaa"],
    ["logs", "aaaa"],
    ["stop", "aaaa"],
    ["runs"],
    ["runs", "--server"],
    ["check"],
    ["run"],
    ["config"],
    ["provision"],
]
ADDRESS_SECRET = "s3cr3t-of-the-address"
OLD_SCRIPT = """
from hera_k8s_utils import argo_server, parser
print(argo_server(parser().parse_args()))
"""


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Stranger]:
    with FaultServer() as server:
        yield Stranger(tmp_path / "theirs", server, Path(os.environ["HOME"]))


# --- of another user -------------------------------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize("words", EVERY_COMMAND, ids=" ".join)
@pytest.mark.parametrize("kind", ["server", "file", "exec"])
def test_a_configuration_file_of_another_user_is_refused(stranger: Stranger, kind: str, words: list[str]) -> None:
    stranger.configure(kind)
    stranger.give_away()
    told = stranger(*words)
    assert stranger.harm == []
    assert not stranger.imported.exists()
    assert told.code == 2
    assert "belongs to nobody (uid 65534), and you are root (uid 0)" in told.err
    assert f"hera-k8s trust {stranger.directory}" in told.err


@needs_root
def test_one_command_allows_a_directory_and_all_below_it(stranger: Stranger) -> None:
    stranger.configure("server")
    stranger.give_away()
    assert stranger("trust", "..").code == 0
    assert stranger("trust", "--list").out == f"{stranger.directory.parent}\n"
    assert stranger("check").code == 5, "the server answers 404"
    assert any(TOKEN in said for said in stranger.harm)
    assert stranger("trust", "--remove", "..").code == 0
    assert stranger("check").code == 2


@needs_root
@pytest.mark.parametrize("value", ["{directory}", "/elsewhere:{directory}", "*"])
def test_a_variable_allows_it_where_nothing_can_be_kept(stranger: Stranger, value: str) -> None:
    stranger.configure("server")
    stranger.give_away()
    allowed = value.format(directory=stranger.directory)
    assert stranger("check", HERA_K8S_SAFE_DIRECTORY=allowed).code == 5
    assert stranger("config", HERA_K8S_SAFE_DIRECTORY="/elsewhere").code == 2


@needs_root
def test_a_list_of_safe_directories_that_another_user_wrote_allows_nothing(stranger: Stranger) -> None:
    stranger.configure("server")
    stranger("trust", str(stranger.directory))
    stranger.give_away()
    [kept] = Path(os.environ["HOME"]).rglob("safe-directories")
    assert stranger("config").code == 0
    os.chown(kept, NOBODY, NOBODY)
    told = stranger("config")
    assert told.code == 2
    assert "safe-directories is not used" in told.err


@needs_root
def test_the_file_itself_allows_nothing(stranger: Stranger) -> None:
    file = stranger.configure("server")
    file.write_text(file.read_text() + f"safe_directory = {stranger.directory}\n")
    stranger.give_away()
    assert stranger("check").code == 2
    assert stranger.harm == []


@needs_root
def test_root_under_sudo_may_use_the_files_of_the_user_who_called_it(stranger: Stranger) -> None:
    stranger.configure("server")
    stranger.give_away()
    assert stranger("config", SUDO_UID=str(NOBODY)).code == 0
    assert stranger("config", SUDO_UID="1234").code == 2


@needs_root
def test_a_file_of_root_is_used_by_everyone(tmp_path: Path) -> None:
    (tmp_path / "hera.config").write_text("concurrency = 7\n")
    told = program("config", "--set-only", cwd=tmp_path, before=as_user(12345))
    assert told.code == 0
    assert "7" in told.out


@needs_root
def test_a_user_without_a_name_and_without_a_home_uses_what_is_theirs(stranger: Stranger) -> None:
    stranger.configure("server")
    for path in (stranger.directory.parent, stranger.directory, *stranger.directory.iterdir()):
        os.chown(path, 12345, 12345)
        path.chmod(path.stat().st_mode | 0o020)  # the volume of a pod is its group's
    told = stranger("check", before=[*as_user(12345), "env", "-u", "HOME", "-u", "XDG_CONFIG_HOME"])
    assert told.code == 5
    assert told.err.count("(said once)") == 1
    assert any(TOKEN in said for said in stranger.harm)


@needs_root
def test_an_experiment_that_was_only_found_is_not_run_for_another_user(stranger: Stranger) -> None:
    stranger.give_away()
    told = stranger("render")
    assert told.code == 2
    assert "experiment.py of this directory is not run" in told.err
    assert not stranger.imported.exists()
    assert stranger("render", "experiment.py").code == 0, "the user named it"


@needs_root
def test_a_link_of_another_user_in_a_shared_directory_is_refused(stranger: Stranger, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "hera.config").symlink_to(stranger.configure("server"))
    os.chown(shared / "hera.config", NOBODY, NOBODY, follow_symlinks=False)
    told = program("runs", "--server", cwd=shared, ARGO_TOKEN=TOKEN)
    assert (told.code, stranger.harm) == (2, [])


@needs_root
def test_an_old_script_is_told_the_same(stranger: Stranger) -> None:
    stranger.configure("server")
    stranger.give_away()
    told = run_script(OLD_SCRIPT, cwd=stranger.directory, ARGO_TOKEN=TOKEN)
    assert told.code == 1
    assert f"hera-k8s trust {stranger.directory}" in told.err
    assert stranger.harm == []


@needs_root
def test_a_file_that_was_named_may_belong_to_another_user(stranger: Stranger) -> None:
    file = stranger.configure("server")
    stranger.give_away()
    elsewhere = stranger.directory.parent
    assert program("config", "--config", str(file), cwd=elsewhere).code == 0
    assert program("config", cwd=elsewhere, ARGOCONFIG=str(file)).code == 0


# --- others may write ------------------------------------------------------------------------------------------


@needs_posix
@pytest.mark.parametrize("what", ["hera.config", "."])
def test_a_file_or_directory_that_everyone_may_write_to_is_refused(stranger: Stranger, what: str) -> None:
    stranger.configure("server")
    (stranger.directory / what).chmod(0o777)
    told = stranger("check")
    assert (told.code, stranger.harm) == (2, [])
    assert "everyone on this machine may write to" in told.err
    assert "chmod o-w" in told.err


@needs_root
def test_a_file_that_a_shared_group_may_write_to_is_refused(stranger: Stranger) -> None:
    file = stranger.configure("server")
    os.chown(file, 0, NOBODY)
    file.chmod(0o664)
    told = stranger("check")
    assert (told.code, stranger.harm) == (2, [])
    assert "may write to" in told.err
    assert "chmod g-w" in told.err


def shares_a_group() -> bool:
    import grp
    import pwd

    try:
        me = pwd.getpwuid(os.geteuid())
        return grp.getgrgid(me.pw_gid).gr_name != me.pw_name
    except KeyError:  # a user without a name
        return False


@needs_posix
def test_umask_002_with_a_group_of_ones_own_is_no_obstacle(stranger: Stranger) -> None:
    if shares_a_group():
        pytest.skip("this user has no group of the same name")
    stranger.configure("server").chmod(0o664)
    stranger.directory.chmod(0o775)
    assert stranger("config").code == 0


@needs_posix
def test_a_file_that_everyone_may_write_to_is_refused_though_it_was_named(stranger: Stranger) -> None:
    file = stranger.configure("server")
    file.chmod(0o666)
    told = program("runs", "--server", "--config", str(file), cwd=stranger.directory.parent, ARGO_TOKEN=TOKEN)
    assert (told.code, stranger.harm) == (2, [])
    assert "chmod o-w" in told.err


@needs_posix
def test_a_pipe_in_the_place_of_the_file_does_not_hang(stranger: Stranger) -> None:
    os.mkfifo(stranger.directory / "hera.config")
    told = stranger("config")
    assert told.code == 2
    assert "it is not a regular file" in told.err


def test_a_sticky_directory_holds_the_users_own_file(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "hera.config").write_text("concurrency = 7\n")
    assert program("config", cwd=shared).code == 0


# --- the user's own --------------------------------------------------------------------------------------------


def test_a_token_that_goes_somewhere_new_is_reported_in_one_line_once(stranger: Stranger) -> None:
    stranger.configure("server")
    said = f"warning: the token of ARGO_TOKEN goes to {stranger.server.url}, which ./hera.config names (said once)\n"
    assert said in stranger("check").err
    assert any(TOKEN in each for each in stranger.harm)
    assert "said once" not in stranger("check").err
    [kept] = Path(os.environ["HOME"]).rglob("known-servers")
    assert kept.stat().st_mode & 0o077 == 0


def test_a_secret_in_an_address_is_neither_reported_nor_kept(stranger: Stranger) -> None:
    file = stranger.configure("server")
    file.write_text(f"argo_server = {stranger.server.url}/token/{ADDRESS_SECRET}/argo\n")
    told = stranger("check")
    assert f"goes to {stranger.server.url}/token/<redacted>/argo, which ./hera.config names" in told.err
    [kept] = Path(os.environ["HOME"]).rglob("known-servers")
    for text in (told.out, told.err, kept.read_text()):
        assert ADDRESS_SECRET not in text


def test_a_server_that_the_user_named_is_not_reported(stranger: Stranger) -> None:
    stranger.configure("server")
    assert "said once" not in stranger("check", "--argo-server", stranger.server.url).err
    assert "said once" not in stranger("check", ARGO_SERVER=stranger.server.url).err


def test_a_token_of_the_files_own_is_not_reported(stranger: Stranger) -> None:
    file = stranger.configure("server")
    file.write_text(f"{file.read_text()}argo_token = {TOKEN}\n")
    file.chmod(0o600)
    told = program("check", cwd=stranger.directory)
    assert "said once" not in told.err
    assert any(TOKEN in each for each in stranger.harm)


def test_a_report_that_cannot_be_remembered_stops_nothing(stranger: Stranger) -> None:
    stranger.configure("server")
    told = stranger("check", XDG_CONFIG_HOME="/dev/null/nowhere")
    assert told.code == 5
    assert told.err.count("(said once)") == 1


def test_an_old_script_reports_it_too_and_goes_on(stranger: Stranger) -> None:
    stranger.configure("server")
    told = run_script(OLD_SCRIPT, cwd=stranger.directory, ARGO_TOKEN=TOKEN)
    assert told.err.count("(said once)") == 1
    assert any(TOKEN in each for each in stranger.harm)


# --- a clone of the user's own ---------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["check"], ["run"], ["runs", "--server"], ["stop", "other"]], ids=" ".join)
@pytest.mark.parametrize("kind", ["server", "file", "exec"])
def test_a_cloned_configuration_file_leads_nowhere_new(stranger: Stranger, kind: str, words: list[str]) -> None:
    stranger.configure(kind)
    stranger.committed()
    told = stranger(*words)
    assert stranger.harm == []
    assert told.code == 4
    assert "./hera.config is not used: the file is part of a git repository" in told.text
    assert f"hera-k8s trust {stranger.directory}" in told.text


@pytest.mark.parametrize("words", [["follow", "aaaa"], ["logs", "bbbb"], ["stop", "aaaa"]], ids=" ".join)
def test_a_cloned_record_beside_it_leads_nowhere_either(stranger: Stranger, words: list[str]) -> None:
    stranger.configure("exec")
    stranger.committed()
    told = stranger(*words)
    assert stranger.harm == []
    assert told.code in (2, 4)
    assert "-> " in told.err


def test_a_cloned_configuration_file_may_be_shown(stranger: Stranger) -> None:
    stranger.configure("exec")
    stranger.committed()
    assert stranger("config").code == 0
    assert stranger("runs").code == 0
    assert stranger.harm == []


def test_an_old_script_in_a_clone_goes_on(stranger: Stranger) -> None:
    stranger.configure("server")
    stranger.committed()
    told = run_script(OLD_SCRIPT, cwd=stranger.directory, ARGO_TOKEN=TOKEN)
    assert told.err.count("(said once)") == 1
    assert any(TOKEN in each for each in stranger.harm)


def test_a_clone_that_the_user_trusts_is_used(stranger: Stranger) -> None:
    stranger.configure("exec")
    stranger.committed()
    assert stranger("trust", ".").code == 0
    assert stranger("check").code == 5, "the server answers 404"
    assert stranger.marker.exists()


def test_a_clone_may_lead_where_tokens_have_gone_before(stranger: Stranger) -> None:
    stranger.configure("server")
    stranger("check")
    stranger.committed()
    before = len(stranger.server.requests)
    assert stranger("check").code == 5
    assert len(stranger.server.requests) > before


def test_a_clone_may_name_the_kubeconfig_that_kubectl_uses(stranger: Stranger) -> None:
    place = Path(os.environ["HOME"]) / ".kube"
    place.mkdir()
    stranger.kubeconfig.rename(place / "lab.yaml")
    stranger.configure("exec").write_text("k8s_config_file = ~/.kube/lab.yaml\n")
    stranger.committed()
    assert stranger("check").code == 5
    assert stranger.marker.exists()
