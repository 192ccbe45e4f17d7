"""The format of configuration files, and which of them counts."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

import configargparse
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_k8s_utils import OptionsError, option
from hera_k8s_utils.config.arguments import OptionParser
from hera_k8s_utils.config.files import Entry, find_config_files, parse_config, read_config_files
from hera_k8s_utils.config.options import SettingsOwner, specs_of
from hera_k8s_utils.config.resolution import resolve


def entries(text: str) -> dict[str, object]:
    return {entry.key: entry.value for entry in parse_config(text, "file")}


SEED_FORMAT = """\
# a comment
; another
---
[section]
argo_server = argo.example:2746
argo_namespace: vcity
argo_service_account default-editor
--k8s_config_file = ~/.kube/config
quoted = "with # and ; and spaces "
single = 'it is "so"'
apostrophe = it's
equation = a=b=c
address = https://argo.example:2746/argo   # trailing comment
tagged = a#b;c
bind = [results=vcity-rwx, settings = mine]
numbers = [1, 12, 35 , 40]
texts = ["a", "b"]
empty =
alone
switched = True
"""


def test_the_format_of_version_0_1_is_read_as_configargparse_reads_it() -> None:
    theirs = configargparse.DefaultConfigFileParser().parse(io.StringIO(SEED_FORMAT))
    ours = {name: "true" if value is None else value for name, value in entries(SEED_FORMAT).items()}
    texts = {
        key.lstrip("-"): tuple(map(str, value)) if isinstance(value, list) else value for key, value in theirs.items()
    }
    assert ours == texts


def test_lists_keep_commas_in_quotes_and_digits_as_written() -> None:
    assert entries("set = [\"growth_rate=1,2\", seed=3, 1.0, 'x']")["set"] == ("growth_rate=1,2", "seed=3", "1.0", "x")
    assert entries("set = []")["set"] == ()
    assert entries("set = [a, b] # why [not]")["set"] == ("a", "b")
    assert entries('set = ["a # b", c]')["set"] == ("a # b", "c")


def test_a_list_may_span_lines() -> None:
    text = 'bind = [\n  results=vcity-rwx,  # the claim\n  "settings=a]b",\n]\nargo_server = x'
    assert entries(text) == {"bind": ("results=vcity-rwx", "settings=a]b"), "argo_server": "x"}
    assert [entry.line for entry in parse_config(text, "file")] == [1, 5]


def test_a_list_that_is_not_closed_is_an_error() -> None:
    with pytest.raises(OptionsError, match="file, line 2: the list of bind is not closed"):
        entries("a = 1\nbind = [a=b,\nc = d")


def test_files_of_other_systems_are_read() -> None:
    assert entries("\ufeffargo_server = x\r\nargo_token = y\r\n".lstrip("\ufeff")) == {
        "argo_server": "x",
        "argo_token": "y",
    }


def test_a_byte_order_mark_is_no_part_of_the_first_key(work: Path) -> None:
    Path("hera.config").write_bytes(b"\xef\xbb\xbfargo_server = x\r\n")
    assert read_config_files(None, {})[0].entries == (Entry("argo_server", "x", 1),)


@given(st.text())
def test_no_text_makes_the_parser_fail_unexpectedly(text: str) -> None:
    with contextlib.suppress(OptionsError):
        list(parse_config(text, "file"))


WORDS = st.text(st.characters(codec="ascii", exclude_characters="\"'[]#;\n\r", exclude_categories=["C"]), min_size=1)


@given(st.lists(WORDS.map(str.strip).filter(bool)))
def test_quoted_lists_round_trip(members: list[str]) -> None:
    quoted = ", ".join(f'"{member}"' for member in members)
    assert entries(f"key = [{quoted}]")["key"] == tuple(members)


# --- which files -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mine:
    """One option."""

    who: str = option("nobody", help="who")


def who(config: str | None = None, **environ: str) -> tuple[str, str]:
    found = resolve([SettingsOwner(Mine)], config=config, environ=environ)
    return found.of(Mine).who, found.origin(Mine, "who").where


def test_files_from_the_strongest_to_the_weakest(work: Path, tmp_path: Path) -> None:
    home = tmp_path / "me"
    home.mkdir()
    (home / "hera.config").write_text("who = home", encoding="utf-8")
    assert who(HOME=str(home)) == ("home", "~/hera.config")
    (work / "hera.config").write_text("who = here", encoding="utf-8")
    assert who(HOME=str(home)) == ("here", "./hera.config")
    (home / "argo.config").write_text("who = variable", encoding="utf-8")
    assert who(HOME=str(home), ARGOCONFIG="~/argo.config") == ("variable", "~/argo.config ($ARGOCONFIG)")
    (work / "flag [1].config").write_text("who = flag", encoding="utf-8")
    named = who("flag [1].config", HOME=str(home), ARGOCONFIG="~/argo.config")
    assert named == ("flag", "flag [1].config")


def test_files_are_merged_key_by_key(work: Path, tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Two:
        one: str = option("", help="x")
        two: str = option("", help="x")

    (tmp_path / "hera.config").write_text("one = home\ntwo = home", encoding="utf-8")
    (work / "hera.config").write_text("one = here", encoding="utf-8")
    found = resolve([SettingsOwner(Two)], environ={"HOME": str(tmp_path)})
    assert found.of(Two) == Two(one="here", two="home")
    assert found.files == ("./hera.config", "~/hera.config")


def test_a_file_found_twice_is_read_once(work: Path) -> None:
    (work / "hera.config").write_text("who = me", encoding="utf-8")
    assert len(read_config_files("hera.config", {"HOME": str(work), "ARGOCONFIG": str(work / "hera.config")})) == 1


def test_without_a_home_none_is_looked_at(work: Path) -> None:
    assert read_config_files(None, {}) == []


def test_an_empty_variable_names_no_file(work: Path) -> None:
    assert who(ARGOCONFIG="") == ("nobody", "default")


# --- what ConfigArgParse reads ---------------------------------------------------------------------------------


def test_configargparse_tells_what_each_source_holds(work: Path) -> None:
    @dataclass(frozen=True)
    class Two:
        who: str = option("nobody", help="x")
        tags: tuple[str, ...] = option((), help="x", aliases=("labels",))

    Path("hera.config").write_text("who = here\nlabels = [a]\ntags = b\nother = c", encoding="utf-8")
    parser = OptionParser(specs_of(SettingsOwner(Two)))
    files = find_config_files(None, {})
    read = parser.read_sources({"HERA_K8S_WHO": "me", "HERA_K8S_TAGS": "", "HERA_K8S_OTHER": "x"}, files)
    assert read.variables == {"HERA_K8S_WHO": "me"}
    assert [keys for _, keys in read.files] == [
        {"who": [Entry("who", "here", 1)], "labels": [Entry("labels", ("a",), 2)], "tags": [Entry("tags", "b", 3)]}
    ]
    assert set(parser.get_source_to_settings_dict()) == {"environment_variables", f"config_file|{files[0].path}"}  # type: ignore[attr-defined]


def test_of_two_commands_with_one_flag_each_has_its_own_variable(work: Path) -> None:
    @dataclass(frozen=True)
    class Deploy:
        name: str = option("", help="x", env="DEPLOY_NAME")

    @dataclass(frozen=True)
    class Delete:
        name: str = option("", help="x", env="DELETE_NAME")

    owners = [SettingsOwner(Deploy, command="deploy"), SettingsOwner(Delete, command="delete")]
    found = resolve(owners, environ={"DEPLOY_NAME": "a", "DELETE_NAME": "b"})
    assert (found.of(Deploy).name, found.of(Delete).name) == ("a", "b")


def test_a_command_line_that_was_parsed_is_taken_as_it_is(work: Path) -> None:
    @dataclass(frozen=True)
    class Own:
        steps: int = option(1, help="x")

    line = OptionParser(specs_of(SettingsOwner(Mine))).read(["--who", "me", "--steps", "3"])
    assert line.flags.unknown == ("--steps", "3")
    found = resolve([SettingsOwner(Mine), SettingsOwner(Own)], argv=line.flags, environ={})
    assert (found.of(Mine).who, found.of(Own).steps) == ("me", 3)
    with pytest.raises(OptionsError, match="--steps is unknown"):
        resolve([SettingsOwner(Mine)], argv=line.flags, environ={})


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_a_value_ends_at_the_end_of_its_line_only(odd: str) -> None:
    text = f"label = one{odd}two\nlist = [a, b{odd}c]\n"
    theirs = configargparse.DefaultConfigFileParser().parse(io.StringIO(text))
    assert entries(text) == {"label": theirs["label"], "list": tuple(theirs["list"])}
    assert entries(text)["label"] == f"one{odd}two"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_that_windows_editors_write_are_read(work: Path, encoding: str) -> None:
    Path("hera.config").write_bytes("argo_namespace = université\r\n".encode(encoding))
    (file,) = read_config_files(None, {})
    assert [entry.value for entry in file.entries] == ["université"]


# --- paths -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Places:
    place: Path = option(Path("."), help="a directory")


@pytest.mark.parametrize("source", ["flag", "variable", "file", "keyword"])
def test_a_tilde_stands_for_the_home_directory_in_every_source(work: Path, source: str) -> None:
    owner = SettingsOwner(Places, "places")

    def place(text: str) -> Path:
        Path("hera.config").write_text(f"places_place = {text}\n" if source == "file" else "")
        found = resolve(
            [owner],
            argv=[f"--places-place={text}"] if source == "flag" else [],
            environ={"HERA_K8S_PLACES_PLACE": text} if source == "variable" else {},
            keywords={"places_place": text} if source == "keyword" else {},
        )
        return found.of(Places).place

    assert place("~/x y") == Path.home() / "x y"
    assert place("~") == Path.home()
    assert place("runs/~x") == Path("runs/~x")
    assert place("~root/x") == Path("~root/x").expanduser()
    with pytest.raises(OptionsError) as caught:
        place("~nobody-at-all/x")
    assert "there is no user nobody-at-all on this machine" in str(caught.value)
    assert "write the whole path" in caught.value.hint
