"""The parser of 0.1 scripts: five options, extended by scripts, from flags, variables and files in their order."""

from __future__ import annotations

import argparse
import json
import logging
import os
from pathlib import Path
from typing import Any

import configargparse
import pytest
from command_line import SECRET
from old_scripts import run_script, write_config

from hera_k8s_utils import HeraK8sError, parse_arguments, parser
from hera_k8s_utils.errors import ScriptExit

FIVE = ["argo_server", "argo_token", "argo_namespace", "argo_service_account", "k8s_config_file"]
VARIABLES = ["ARGO_SERVER", "ARGO_TOKEN", "ARGO_NAMESPACE", "ARGO_SERVICE_ACCOUNT", "KUBECONFIG"]


@pytest.fixture
def home(work: Path) -> Path:
    return Path(os.environ["HOME"])


# --- what it carries -------------------------------------------------------------------------------------------


def test_nothing_said_is_none_for_each_of_the_five(work: Path) -> None:
    assert vars(parser().parse_args([])) == dict.fromkeys(FIVE)


@pytest.mark.parametrize(("name", "variable"), list(zip(FIVE, VARIABLES, strict=True)))
def test_each_comes_from_its_flag_its_variable_or_a_file(
    work: Path, monkeypatch: pytest.MonkeyPatch, name: str, variable: str
) -> None:
    write_config(work / "hera.config", **{name: "from-file"})
    assert getattr(parser().parse_args([]), name) == "from-file"
    monkeypatch.setenv(variable, "from-variable")
    assert getattr(parser().parse_args([]), name) == "from-variable"
    assert getattr(parser().parse_args([f"--{name}", "from-flag"]), name) == "from-flag"
    assert getattr(parser().parse_args([f"--{name.replace('_', '-')}=from-flag"]), name) == "from-flag"


def test_an_empty_variable_is_an_unset_one(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(work / "hera.config", argo_server="from-file")
    monkeypatch.setenv("ARGO_SERVER", "")
    assert parser().parse_args([]).argo_server == "from-file"


def test_files_are_read_in_all_places_the_strongest_counts(
    work: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everywhere = {"argo_server": "home", "argo_namespace": "home", "argo_token": "home"}
    write_config(home / "hera.config", **everywhere)
    write_config(work / "hera.config", argo_server="here", argo_namespace="here")
    write_config(work / "mine.config", argo_server="mine")
    monkeypatch.setenv("ARGOCONFIG", "mine.config")
    args = parser().parse_args([])
    assert (args.argo_server, args.argo_namespace, args.argo_token) == ("mine", "here", "home")
    files = [work / "mine.config", work / "hera.config", home / "hera.config"]
    assert [Path(file) for file in reversed(parser().get_config_files())] == files


def test_home_is_expanded_in_the_path_of_the_file_and_in_the_kubeconfig(
    work: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(home / "mine.config", k8s_config_file="~/one:~/two")
    monkeypatch.setenv("ARGOCONFIG", "~/mine.config")
    assert parser().parse_args([]).k8s_config_file == os.pathsep.join([str(home / "one"), str(home / "two")])


def test_a_path_with_brackets_is_no_pattern(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (work / "run[1]").mkdir()
    write_config(work / "run[1]" / "hera.config", argo_server="found")
    monkeypatch.setenv("ARGOCONFIG", str(work / "run[1]" / "hera.config"))
    assert parser().parse_args([]).argo_server == "found"


def test_parse_arguments_is_the_older_form(work: Path) -> None:
    assert parse_arguments(["--argo_server", "argo.example"]).argo_server == "argo.example"


# --- how scripts extend it -------------------------------------------------------------------------------------


class extended:
    """As scripts of 0.1 do it: a parser of their own around ours."""

    def __init__(self) -> None:
        self.parser = parser().get_parser()
        self.parser.add("--k8s_configmap_name", env_var="KUBECONFIGMAP", type=str, default=None, help="the map")
        self.parser.add("--steps", type=int, default=10)
        self.parser.add("--dry", action="store_true")
        self.parser.add("--boroughs", nargs="+", default=[])

    def parse_args(self, words: list[str]) -> Any:
        return self.parser.parse_args(words)


def test_options_of_a_script_have_the_same_sources(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (work / "hera.config").write_text("steps = 20\nboroughs = [LYON_1, LYON_2]\ndry = true\nargo-namespace: vcity\n")
    monkeypatch.setenv("KUBECONFIGMAP", "proxy")
    args = extended().parse_args(["--argo_server", "argo.example"])
    assert (args.steps, args.boroughs, args.dry) == (20, ["LYON_1", "LYON_2"], True)
    assert (args.k8s_configmap_name, args.argo_namespace) == ("proxy", "vcity")
    assert extended().parse_args(["--steps", "30"]).steps == 30


def test_a_parser_made_by_subclassing_works_as_well(work: Path) -> None:
    class mine(parser):
        def __init__(self) -> None:
            super().__init__()
            self.parser.add_argument("--seed", type=int)

    assert mine().parse_args(["--seed", "3"]).seed == 3


@pytest.mark.parametrize("grouped", [False, True])
def test_a_known_option_may_be_added_again_and_again(
    work: Path, monkeypatch: pytest.MonkeyPatch, grouped: bool
) -> None:
    ours = parser()
    place = ours.parser.add_argument_group("mine") if grouped else ours.parser
    for _ in range(2):
        place.add_argument("--argo_server", default="argo.mine", help="mine")
    assert ours.parse_args([]).argo_server == "argo.mine"
    monkeypatch.setenv("ARGO_SERVER", "from-variable")
    assert ours.parse_args([]).argo_server == "from-variable"
    assert ours.parse_args(["--argo_server", "from-flag"]).argo_server == "from-flag"


def test_another_destination_of_a_script_is_kept_beside_the_known_name(work: Path) -> None:
    ours = parser()
    ours.parser.add("--argo_namespace", dest="where", default="mine")
    args = ours.parse_args([])
    assert (args.where, args.argo_namespace) == ("mine", "mine")


@pytest.mark.parametrize("kind", [argparse.ArgumentParser, configargparse.ArgParser])
def test_an_existing_parser_gets_the_options(work: Path, monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    (work / "hera.config").write_text("argo_server = from-file\nseed = 5\nfast = yes\nargo_namespace = from-file\n")
    monkeypatch.setenv("ARGO_NAMESPACE", "from-variable")
    existing = kind()
    existing.add_argument("--seed", type=int, required=True)
    existing.add_argument("--fast", action="store_true")
    ours = parser(existing)
    assert ours.parser is existing
    assert ours.get_parser() is existing
    args = existing.parse_args([])
    assert (args.argo_server, args.seed, args.fast, args.argo_namespace) == ("from-file", 5, True, "from-variable")
    assert existing.parse_args(["--argo_server", "from-flag"]).argo_server == "from-flag"


@pytest.mark.parametrize("existing", [None, argparse.ArgumentParser()], ids=["none", "another"])
def test_no_logger_is_the_one_of_the_module(work: Path, caplog: pytest.LogCaptureFixture, existing: Any) -> None:
    (work / "hera.config").write_text("of_somebody_else = 1\n")
    parser(existing, None).parse_args([])
    assert [record.name for record in caplog.records] == ["hera_k8s_utils.parser"]


def test_our_own_parser_as_the_existing_one_stays_as_the_script_made_it(work: Path) -> None:
    first = parser()
    first.parser.add("--argo_server", default="mine")
    assert parser(existing_parser=first.parser).parse_args([]).argo_server == "mine"


def test_a_script_with_commands_of_its_own(work: Path) -> None:
    (work / "hera.config").write_text("argo_server = from-file\n")
    ours = parser()
    commands = ours.parser.add_subparsers(dest="command")
    commands.add_parser("collect").add_argument("--year", type=int, default=2012)
    args = ours.parse_args(["--argo_namespace", "vcity", "collect", "--year", "2015"])
    assert (args.command, args.year, args.argo_server, args.argo_namespace) == ("collect", 2015, "from-file", "vcity")


def test_files_of_a_script_itself_are_read_too_in_utf_8(work: Path) -> None:
    (work / "hera.config").write_text("name = Ménilmontant\nargo_server = everywhere\n", encoding="utf-8")
    (work / "of-mine.config").write_text("argo_server = mine\n", encoding="utf-8")
    ours = parser()
    ours.parser.add("--name")
    ours.parser.add("--mine", is_config_file=True)
    args = ours.parse_args(["--mine", "of-mine.config"])
    assert (args.name, args.argo_server) == ("Ménilmontant", "mine")


# --- what can go wrong, and what is said -----------------------------------------------------------------------


def refusal(words: list[str], ours: Any = None) -> str:
    with pytest.raises(ScriptExit) as raised:
        (ours or parser()).parse_args(words)
    assert isinstance(raised.value, HeraK8sError)
    assert raised.value.code not in (0, None)
    assert SECRET not in str(raised.value)
    return str(raised.value)


def test_an_argoconfig_that_names_no_file_is_warned_of_and_ignored_as_in_0_1(
    work: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (work / "hera.config").write_text("argo_namespace = here\n")
    monkeypatch.setenv("ARGOCONFIG", "nowhere/hera.config")
    assert parser().parse_args([]).argo_namespace == "here"
    assert parser().default_config_files == [str(work / "hera.config")]
    assert "$ARGOCONFIG ignored: there is no file nowhere/hera.config" in caplog.text


def test_an_argoconfig_that_cannot_be_read_is_named(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (work / "directory.config").mkdir()
    monkeypatch.setenv("ARGOCONFIG", "directory.config")
    assert "directory.config ($ARGOCONFIG)" in refusal([])


def test_help_is_given_whatever_the_configuration(work: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("ARGOCONFIG", "nowhere/hera.config")
    with pytest.raises(SystemExit) as raised:
        parser().parse_args(["--help"])
    assert not raised.value.code
    shown = capsys.readouterr().out
    assert all(f"--{name}" in shown for name in FIVE)
    assert all(variable in shown for variable in VARIABLES)


@pytest.mark.parametrize(
    "words",
    [
        [f"--argo_tokenn={SECRET}"],
        ["--steps", SECRET],
        ["--unknown", SECRET],
        [SECRET],
        ["--dry=" + SECRET],
    ],
)
def test_what_was_typed_is_not_repeated(work: Path, words: list[str]) -> None:
    assert refusal(words, extended())


@pytest.mark.parametrize(
    "line",
    [f"argo_tokenn = {SECRET}", f"steps = {SECRET}", f"argo_token = [{SECRET}, x]", f"dry = {SECRET}", f"!{SECRET}"],
)
def test_what_stands_in_a_file_is_not_repeated(work: Path, line: str) -> None:
    (work / "hera.config").write_text(line + "\n")
    assert refusal([], extended())


def test_a_misspelt_key_is_told_with_the_right_one(work: Path) -> None:
    write_config(work / "hera.config", argo_sever="argo.example")
    said = refusal([])
    assert "hera.config, line 1" in said
    assert "did you mean argo_server?" in said


def test_keys_of_the_framework_and_of_others_are_no_error(work: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_config(work / "hera.config", argo_secure="false", ca_file="ca.pem", something_else=SECRET)
    with caplog.at_level(logging.WARNING):
        parser().parse_args([])
    assert "something_else" in caplog.text
    assert "argo_secure" not in caplog.text
    assert SECRET not in caplog.text


def test_a_token_on_the_command_line_is_warned_of_by_the_logger_of_the_script(
    work: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        args = parser(logger=logging.getLogger("mine")).parse_args(["--argo_token", SECRET])
    assert args.argo_token == SECRET
    assert [record.name for record in caplog.records] == ["mine"]
    assert "ARGO_TOKEN" in caplog.text
    assert SECRET not in caplog.text


def test_an_uncaught_failure_ends_a_script_with_a_message_and_a_status(work: Path) -> None:
    told = run_script("import hera_k8s_utils\nhera_k8s_utils.parser().parse_args()", "--argo_sever=x", cwd=work)
    assert told.code == 1
    assert told.lines == ["--argo_sever is unknown", "  -> did you mean --argo_server?"]


# --- whether it is complete ------------------------------------------------------------------------------------


def test_verify_args_names_all_that_is_missing(work: Path) -> None:
    with pytest.raises(ScriptExit) as raised:
        parser.verify_args(parser().parse_args([]))
    said = str(raised.value)
    assert "ARGO_SERVER" in said
    assert "KUBECONFIG" in said


def test_verify_args_takes_a_complete_configuration_without_asking_a_server(work: Path) -> None:
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lyon",
        "contexts": [{"name": "lyon", "context": {"cluster": "it", "user": "jane"}}],
        "clusters": [{"name": "it", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "jane", "user": {"token": SECRET}}],
    }
    (work / "config").write_text(json.dumps(kubeconfig))
    args = parser().parse_args(["--argo_server", "127.0.0.1:1", "--k8s_config_file", "config"])
    with pytest.raises(ScriptExit, match="no token for the Argo server"):
        parser.verify_args(args)
    args.argo_service_account = "runner"  # whose token would be asked for when it is needed
    parser.verify_args(args)
    args.argo_token = SECRET
    parser.verify_args(args)
