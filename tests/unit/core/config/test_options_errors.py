"""What is said of options that are wrong: the nearest name, the place, never a value."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hera_k8s_utils import OptionsError, option
from hera_k8s_utils.config.declared import UnavailablePlugin
from hera_k8s_utils.config.options import SettingsOwner
from hera_k8s_utils.config.resolution import resolve
from hera_k8s_utils.config.settings import CoreSettings

VALUE = "s3cr3t-value"


@dataclass(frozen=True, kw_only=True)
class Server:
    """Options with a secret."""

    prefix: ClassVar[str] = "argo"

    server: str = option("", help="address", env="ARGO_SERVER")
    token: str = option("", help="bearer token", env="ARGO_TOKEN", secret=True)
    pin: int = option(0, help="secret number", secret=True)
    secure: bool = option(True, help="use TLS", env="ARGO_SECURE")
    retries: int = option(3, help="tries")
    timeout: float = option(3.0, help="seconds")
    mode: str = option("fast", help="how", choices=("fast", "safe"))


@pytest.fixture(autouse=True)
def _here(work: Path) -> None:
    """Every test has an empty working directory."""


def refused(*argv: str, **more: Any) -> OptionsError:
    with pytest.raises(OptionsError) as caught:
        resolve([SettingsOwner(Server, "argo", "argo 1")], argv=argv, **{"environ": {}, **more})
    assert VALUE not in str(caught.value)
    return caught.value


def refused_config(text: str, **more: Any) -> OptionsError:
    Path("hera.config").write_text(text, encoding="utf-8")
    return refused(**more)


@pytest.mark.parametrize(
    "words",
    [
        [f"--argo-tokn={VALUE}"],
        ["--argo-tokn", VALUE],
        ["--argo_tokn", VALUE, "--argo-server", "x"],
        ["--argo-server", "x", f"--argo-tokn={VALUE}", VALUE],
    ],
)
def test_a_misspelt_flag_is_named_with_the_nearest_and_without_its_value(words: list[str]) -> None:
    error = refused(*words)
    assert "--argo-tokn is unknown" in str(error)
    assert error.hint == "did you mean --argo-token?"


def test_a_flag_unlike_any_other_points_to_the_help() -> None:
    assert refused("--xyzzy").hint == "hera-k8s --help"


def test_what_looks_like_no_flag_name_is_not_repeated() -> None:
    refused(f"--{VALUE}.{VALUE}={VALUE}")
    assert "-p is unknown" in str(refused(f"-p{VALUE}"))


def test_a_word_too_many_is_counted_not_repeated() -> None:
    assert "unexpected argument (3)" in str(refused("--argo-server", "x", VALUE))


def test_a_flag_without_its_value() -> None:
    assert "--argo-server" in str(refused("--argo-server"))
    assert "--argo-server" in str(refused("--argo-server", "--argo-mode=safe"))


@pytest.mark.parametrize(
    ("variable", "kind"),
    [
        ("ARGO_SECURE", "neither true nor false"),
        ("HERA_K8S_ARGO_RETRIES", "not a whole number"),
        ("HERA_K8S_ARGO_PIN", "not a whole number"),
        ("HERA_K8S_ARGO_TIMEOUT", "not a number"),
        ("HERA_K8S_ARGO_MODE", "not one of fast, safe"),
    ],
)
def test_a_bad_value_names_its_variable(variable: str, kind: str) -> None:
    error = refused(environ={variable: VALUE})
    assert variable in str(error)
    assert kind in str(error)


@pytest.mark.parametrize("word", ["nan", "inf", "-inf"])
def test_numbers_are_finite(word: str) -> None:
    assert "not a finite number" in str(refused(environ={"HERA_K8S_ARGO_TIMEOUT": word}))


def test_a_bad_value_of_a_switch_on_the_line() -> None:
    assert "neither true nor false" in str(refused(f"--argo-secure={VALUE}"))


def test_a_bad_value_in_a_file_names_file_and_line() -> None:
    assert "./hera.config, line 2: argo_retries" in str(refused_config(f"\nargo_retries = {VALUE}"))


def test_a_key_without_value_and_a_list_where_one_value_is_wanted() -> None:
    assert "it has no value" in str(refused_config("argo_token"))
    assert "a list, but one value is expected" in str(refused_config(f"argo_token = [{VALUE}, b]"))


def test_an_overridden_bad_value_does_no_harm() -> None:
    Path("hera.config").write_text("argo_retries = many", encoding="utf-8")
    found = resolve([SettingsOwner(Server, "argo")], argv=["--argo-retries=2"], environ={})
    assert found.of(Server).retries == 2


def test_a_misspelt_key_is_an_error_with_the_nearest() -> None:
    error = refused_config(f"# mine\nargo_tokn = {VALUE}\n")
    assert "./hera.config, line 2: unknown key argo_tokn" in str(error)
    assert error.hint == "did you mean argo_token?"


def test_a_key_of_something_else_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    Path("hera.config").write_text(f"vintages = [{VALUE}]\n{VALUE}\neyJhbGciOi.{VALUE}.sig=", encoding="utf-8")
    resolve([SettingsOwner(Server, "argo")], environ={})
    assert "./hera.config: unknown keys ignored: vintages, line 2, line 3" in caplog.text
    assert VALUE not in caplog.text


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            f"argo_token = {VALUE}\n\nargo_token = b\n",
            "./hera.config, line 1: argo_token has no effect; line 3 sets it again",
        ),
        ("argo_retries = 1\nargo_retries: 2\n--argo-retries 3\n", "lines 1, 2: argo-retries has no effect; line 3"),
        ("namespace = a\nargo_namespace = b\n", "line 1: argo_namespace has no effect; line 2 sets it again"),
        ("bind = [results=a]\nbind = [x=y, results=b]\n", "line 1: bind results has no effect; line 2 sets it again"),
        (f"[x {VALUE}\n", "./hera.config, line 1 is ignored: it is neither key = value nor a section [name]"),
        (f"--- {VALUE} = 1\n", "./hera.config, line 1 is ignored"),
        (f"argo_retries = 1\n[name] argo_token = {VALUE}\n", "./hera.config, line 2 is ignored"),
    ],
)
def test_a_line_without_effect_is_a_warning(caplog: pytest.LogCaptureFixture, text: str, warning: str) -> None:
    Path("hera.config").write_text(text)
    resolve([SettingsOwner(Server, "argo"), SettingsOwner(CoreSettings, "core")], environ={})
    assert warning in caplog.text
    assert VALUE not in caplog.text


def test_lines_that_say_the_same_or_add_to_a_list_are_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    text = "[a section]  # of ours\n-----\nargo_retries = 1\nargo_retries = 1\nbind = a=b\nbind = [c=d, a=b]\n"
    Path("hera.config").write_text(text)
    resolve([SettingsOwner(Server, "argo"), SettingsOwner(CoreSettings, "core")], environ={})
    assert caplog.text == ""


def test_a_tolerant_resolution_leaves_unknown_things_for_later(caplog: pytest.LogCaptureFixture) -> None:
    Path("hera.config").write_text(f"argo_tokn = {VALUE}", encoding="utf-8")
    resolve([SettingsOwner(Server, "argo")], argv=["--my-own", "1", "--other"], environ={}, ignore_unknown=True)
    assert caplog.text == ""


def test_an_option_of_a_plugin_that_is_not_loaded_says_so(caplog: pytest.LogCaptureFixture) -> None:
    acme = UnavailablePlugin("acme (acme-hera-k8s 1.2)", "acme", "disabled")
    kube = UnavailablePlugin("kube (hera-k8s-utils 0.2.0)", "kube", "disabled", frozenset({"k8s-config-file"}))
    more: Any = {"unloaded": lambda: [acme, kube]}
    assert "plugin acme (acme-hera-k8s 1.2), which is disabled" in str(refused(f"--acme-url={VALUE}", **more))
    assert "plugin kube" in str(refused("--k8s_config_file", VALUE, **more))
    Path("hera.config").write_text(f"acme_url = {VALUE}\nk8s_config_file = {VALUE}", encoding="utf-8")
    resolve([SettingsOwner(Server, "argo")], environ={}, **more)
    assert "line 1: acme_url belongs to plugin acme (acme-hera-k8s 1.2), which is disabled" in caplog.text
    assert "line 2: k8s_config_file belongs to plugin kube" in caplog.text
    assert VALUE not in caplog.text


def test_an_unknown_keyword_is_named() -> None:
    assert refused(keywords={"argo_servr": VALUE}).hint == "did you mean argo_server?"


def test_a_keyword_of_the_wrong_type() -> None:
    assert "a bool, but a whole number is expected" in str(refused(keywords={"argo_retries": True}))


def test_a_sites_unknown_default_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    resolve([SettingsOwner(Server, "argo")], environ={}, sites={"acme": {"argo_servr": VALUE}})
    assert "site acme sets argo_servr" in caplog.text
    assert VALUE not in caplog.text


def test_a_misspelt_variable_of_ours_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    resolve([SettingsOwner(Server, "argo")], environ={"HERA_K8S_ARGO_RETRYS": VALUE, "HERA_K8S_DISABLE_PLUGINS": "x"})
    assert "HERA_K8S_ARGO_RETRYS is set" in caplog.text
    assert "HERA_K8S_DISABLE_PLUGINS" not in caplog.text
    assert VALUE not in caplog.text


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("HERA_K8S_NAMESPCE", "ARGO_NAMESPACE"),
        ("HERA_K8S_NAMESPACE", "ARGO_NAMESPACE"),
        ("HERA_K8S_RUNDIR", "HERA_K8S_RUNS_DIR"),
        ("HERA_K8S_PLUGIN_TIMOUT", "HERA_K8S_PLUGIN_TIMEOUT"),
    ],
)
def test_a_variable_that_is_nearly_ours_is_told_from_the_one_that_is_read(
    variable: str, meant: str, caplog: pytest.LogCaptureFixture
) -> None:
    resolve([SettingsOwner(CoreSettings, "core")], environ={variable: VALUE})
    assert f"{variable} is set but not used; did you mean {meant}?" in caplog.text
    assert VALUE not in caplog.text


@pytest.mark.parametrize("variable", ["HERA_K8S_PLUGIN_TIMEOUT", "HERA_K8S_RUNS_DIR", "HERA_K8S_FJORD", "NAMESPCE"])
def test_a_variable_that_is_read_or_may_be_anybodys_is_no_mistake(
    variable: str, caplog: pytest.LogCaptureFixture
) -> None:
    resolve([SettingsOwner(CoreSettings, "core")], environ={variable: "5"})
    assert not caplog.records


# --- secrets in the open ---------------------------------------------------------------------------------------


def test_a_secret_on_the_command_line_works_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    found = resolve([SettingsOwner(Server, "argo")], argv=["--argo_token", VALUE], environ={})
    assert found.of(Server).token == VALUE
    assert "--argo-token: visible to every user in the process list" in caplog.text
    assert "set ARGO_TOKEN instead" in caplog.text
    assert VALUE not in caplog.text


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_a_file_with_a_secret_that_others_may_read_is_named(caplog: pytest.LogCaptureFixture) -> None:
    path = Path("hera.config")
    path.write_text(f"argo_token = {VALUE}", encoding="utf-8")
    path.chmod(0o640)
    resolve([SettingsOwner(Server, "argo")], environ={})
    assert "./hera.config holds argo_token and can be read by other users" in caplog.text
    caplog.clear()
    path.chmod(0o600)
    resolve([SettingsOwner(Server, "argo")], environ={})
    assert caplog.text == ""


def test_a_file_without_secrets_may_be_read_by_everybody(caplog: pytest.LogCaptureFixture) -> None:
    path = Path("hera.config")
    path.write_text("argo_server = x", encoding="utf-8")
    path.chmod(0o644)
    resolve([SettingsOwner(Server, "argo")], environ={})
    assert caplog.text == ""


def test_a_file_with_a_secret_that_git_tracks_is_named(caplog: pytest.LogCaptureFixture) -> None:
    path = Path("hera.config")
    path.write_text(f"argo_token = {VALUE}", encoding="utf-8")
    path.chmod(0o600)
    try:
        subprocess.run(["git", "init", "-q", "."], check=True)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    resolve([SettingsOwner(Server, "argo")], environ={})
    assert "git" not in caplog.text
    subprocess.run(["git", "add", "hera.config"], check=True)
    resolve([SettingsOwner(Server, "argo")], environ={})
    assert "./hera.config holds argo_token and is tracked by git" in caplog.text


def test_no_warning_holds_a_value_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    Path("hera.config").write_text(f"argo_token = {VALUE}\n", encoding="utf-8")
    resolve([SettingsOwner(Server, "argo")], argv=[f"--argo-token={VALUE}"], environ={"ARGO_TOKEN": VALUE})
    assert VALUE not in caplog.text


# --- files that cannot be read ---------------------------------------------------------------------------------


def _directory(path: Path) -> None:
    path.mkdir()


def _binary(path: Path) -> None:
    path.write_bytes(b"\x7fELF\xff\xfe\x00")


def _null(path: Path) -> None:
    path.write_bytes(b"argo_server = x\0")


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda path: None, "there is no such file"),
        (_directory, "it is a directory"),
        (_binary, "it is not text in UTF-8"),
        (_null, "it is not a text file"),
    ],
)
@pytest.mark.parametrize("named_by", ["flag", "argument", "variable"])
def test_a_named_file_that_cannot_be_read_is_an_error_naming_it(
    make: Callable[[Path], None], found: str, named_by: str
) -> None:
    make(Path("my[1].config"))
    if named_by == "flag":
        error = refused("--config", "my[1].config")
    elif named_by == "argument":
        error = refused(config="my[1].config")
    else:
        error = refused(environ={"ARGOCONFIG": "my[1].config"})
    assert error.exit_code == 2
    assert "my[1].config" in str(error)
    assert found in str(error)


def test_a_file_in_the_usual_place_that_cannot_be_read_is_an_error_too() -> None:
    _binary(Path("hera.config"))
    assert "./hera.config" in str(refused())


@pytest.mark.parametrize("line", [f"= {VALUE}", f"???{VALUE}", f"{'x' * 80}{VALUE}"])
def test_a_line_that_cannot_be_read_is_counted_not_repeated(line: str) -> None:
    Path("hera.config").write_text(f"# mine\n{line}\n", encoding="utf-8")
    assert "./hera.config, line 2" in str(refused())
