"""Options: from flags, variables, files and sites to one value, with its origin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hera_k8s_utils import OptionsError, PluginError, option
from hera_k8s_utils.config.options import ResolvedOptions, SettingsOwner, ValueSource
from hera_k8s_utils.config.resolution import resolve


@dataclass(frozen=True, kw_only=True)
class Server:
    """Options of every type."""

    prefix: ClassVar[str] = "argo"

    server: str = option("", help="address", env="ARGO_SERVER")
    token: str = option("", help="bearer token", env="ARGO_TOKEN", secret=True, selects_provider=True)
    secure: bool = option(True, help="use TLS", env="ARGO_SECURE")
    retries: int = option(3, help="tries", short="r")
    wait: float | None = option(None, help="seconds")
    cache: Path = option(Path("cache"), help="directory")
    bind: tuple[str, ...] = option((), help="role", mapping=True)
    label: tuple[str, ...] = option((), help="label", aliases=("my_label",))
    mode: str = option("fast", help="how", choices=("fast", "safe"))


@dataclass(frozen=True)
class Strange:
    """A class without a prefix of its own."""

    url: str = option("https://vault.acme.example", help="where")


OWNER = SettingsOwner(Server, "argo", "hera-k8s-utils 0.2.0")


@pytest.fixture(autouse=True)
def _here(work: Path) -> None:
    """Every test has an empty working directory."""


def resolved(*argv: str, environ: dict[str, str] | None = None, **more: Any) -> ResolvedOptions:
    return resolve([OWNER], argv=argv, environ=environ or {}, **more)


def server(*argv: str, **more: Any) -> Server:
    return resolved(*argv, **more).of(Server)


def config(text: str, name: str = "hera.config") -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def test_without_any_source_the_defaults_count() -> None:
    assert server() == Server()
    assert resolved().origin(Server, "retries") == ValueSource(4, "default")


def test_flag_beats_variable_beats_file_beats_site() -> None:
    config("argo_server = from-file")
    sites = {"acme": {"argo_server": "from-site"}}
    environ = {"ARGO_SERVER": "from-variable"}

    def told(*argv: str, **more: Any) -> tuple[str, ValueSource]:
        found = resolved(*argv, sites=sites, **more)
        return found.of(Server).server, found.origin(Server, "server")

    assert told("--argo-server", "from-flag", environ=environ) == ("from-flag", ValueSource(0, "--argo-server"))
    assert told(environ=environ) == ("from-variable", ValueSource(1, "ARGO_SERVER"))
    assert told() == ("from-file", ValueSource(2, "./hera.config"))
    Path("hera.config").unlink()
    assert told() == ("from-site", ValueSource(3, "site acme"))


def test_keywords_are_as_strong_as_flags() -> None:
    found = resolved("--argo-server=flag", keywords={"argo_server": "keyword", "argo_retries": 7})
    assert (found.of(Server).server, found.of(Server).retries) == ("keyword", 7)
    assert found.origin(Server, "server").rank == 0


@pytest.mark.parametrize("flag", ["--argo-server", "--argo_server", "--argo_server=x", "--argo-server=x"])
def test_dash_and_underscore_are_one_in_flags(flag: str) -> None:
    words = [flag] if "=" in flag else [flag, "x"]
    assert server(*words).server == "x"


@pytest.mark.parametrize("key", ["argo_server", "argo-server", "--argo-server"])
def test_dash_and_underscore_are_one_in_keys(key: str) -> None:
    config(f"{key} = x")
    assert server().server == "x"


def test_an_alias_is_a_flag_and_a_key() -> None:
    config("my-label = [file]")
    assert server().label == ("file",)
    assert server("--my_label", "a", "--argo-label", "b").label == ("a", "b")
    assert resolved("--my-label", "a").origin(Server, "label").where == "--my-label"


def test_short_flags() -> None:
    assert server("-r", "5").retries == 5
    assert server("-r5").retries == 5


def test_the_last_of_several_flags_counts() -> None:
    assert server("--argo-server", "a", "--argo-server", "b").server == "b"


@pytest.mark.parametrize("word", ["false", "0", "no", "off", "False", "NO"])
def test_a_variable_that_says_no_is_heard(word: str) -> None:
    assert server(environ={"ARGO_SECURE": word}).secure is False


@pytest.mark.parametrize("word", ["true", "1", "yes", "on"])
def test_a_variable_that_says_yes_is_heard(word: str) -> None:
    assert server(environ={"ARGO_SECURE": word}).secure is True


def test_switches_are_turned_off_by_no_and_by_a_value() -> None:
    assert server("--no-argo-secure").secure is False
    assert server("--argo-secure=false").secure is False
    assert server("--argo_secure", environ={"ARGO_SECURE": "false"}).secure is True


def test_a_key_alone_turns_a_switch_on() -> None:
    config("argo_secure")
    assert server(sites={"acme": {"argo_secure": False}}).secure is True


def test_an_empty_variable_is_an_unset_one() -> None:
    assert server(environ={"ARGO_SECURE": "", "ARGO_SERVER": ""}) == Server()


def test_types_are_converted() -> None:
    environ = {"HERA_K8S_ARGO_WAIT": "2.5", "HERA_K8S_ARGO_RETRIES": " 4 ", "HERA_K8S_ARGO_CACHE": "a/b"}
    found = server(environ=environ)
    assert (found.wait, found.retries, found.cache) == (2.5, 4, Path("a/b"))


def test_an_optional_option_given_empty_is_none() -> None:
    assert server("--argo-wait=", environ={"HERA_K8S_ARGO_WAIT": "3"}).wait is None


def test_a_negative_number_is_a_value() -> None:
    assert server("--argo-retries", "-3").retries == -3


def test_lists_repeat_on_the_line_and_stand_in_brackets_elsewhere() -> None:
    assert server("--argo-label", "a", "--argo-label", "b, c").label == ("a", "b, c")
    assert server(environ={"HERA_K8S_ARGO_LABEL": '[a, "b, c"]'}).label == ("a", "b, c")
    assert server(environ={"HERA_K8S_ARGO_LABEL": "a,b"}).label == ("a,b",)
    config("argo_label = [a, b]\nargo_label = c")
    assert server().label == ("a", "b", "c")


def test_a_stronger_list_replaces_a_weaker_one() -> None:
    config("argo_label = [a, b]")
    assert server("--argo-label", "c").label == ("c",)


def test_keyed_lists_are_merged_and_the_strongest_counts_for_a_name() -> None:
    config("argo_bind = [results=file, settings=file]")
    found = resolved("--argo-bind", "results=flag", sites={"acme": {"argo_bind": ["proxy=site", "settings=site"]}})
    assert dict(text.split("=") for text in found.of(Server).bind) == {
        "results": "flag",
        "settings": "file",
        "proxy": "site",
    }
    assert found.origin(Server, "bind") == ValueSource(0, "--argo-bind, ./hera.config, site acme")
    assert dict(found.entries(Server, "bind"))["proxy=site"].rank == 3


def test_of_several_variables_the_first_that_is_set_counts() -> None:
    @dataclass(frozen=True)
    class Policy:
        policy: str = option("", help="x", env=("IMAGE_POLICY", "IMAGE_PULL_POLICY"))

    found = resolve([SettingsOwner(Policy)], environ={"IMAGE_PULL_POLICY": "Never"})
    assert found.of(Policy).policy == "Never"
    assert found.rows()[0].origin.where == "IMAGE_PULL_POLICY"


def test_a_class_without_prefix_gets_the_name_of_its_plugin() -> None:
    found = resolve([SettingsOwner(Strange, "acme", "acme 1.0")], argv=["--acme-url", "u"], environ={})
    assert found.of(Strange).url == "u"
    assert resolve([SettingsOwner(Strange)], environ={"HERA_K8S_URL": "v"}).of(Strange).url == "v"


def test_a_class_that_two_plugins_declare_is_shared() -> None:
    owners = [SettingsOwner(Server, "one", "one 1"), SettingsOwner(Server, "two", "two 2")]
    found = resolve(owners, argv=["--argo-server", "x"], environ={})
    assert found.of(Server).server == "x"
    assert {row.owner for row in found.rows()} == {"plugin one (one 1)"}


def test_two_classes_with_one_flag_blame_both_distributions() -> None:
    @dataclass(frozen=True)
    class Rival:
        prefix: ClassVar[str] = ""
        argo_server: str = option("", help="x")

    with pytest.raises(PluginError) as caught:
        resolve([OWNER, SettingsOwner(Rival, "rival", "rival-dist 3.1")], environ={})
    assert "--argo-server" in str(caught.value)
    assert "hera-k8s-utils 0.2.0" in str(caught.value)
    assert "rival-dist 3.1" in str(caught.value)


def test_flags_of_two_commands_may_be_the_same() -> None:
    @dataclass(frozen=True)
    class Deploy:
        prefix: ClassVar[str] = ""
        app_name: str = option("", help="x")

    @dataclass(frozen=True)
    class Delete:
        prefix: ClassVar[str] = ""
        app_name: str = option("", help="x")

    found = resolve(
        [SettingsOwner(Deploy, command="deploy"), SettingsOwner(Delete, command="delete")],
        argv=["--app-name=x"],
        environ={},
    )
    assert (found.of(Deploy).app_name, found.of(Delete).app_name) == ("x", "x")


def test_an_undeclared_class_is_an_error_of_plugins() -> None:
    with pytest.raises(PluginError, match="Strange"):
        resolved().of(Strange)


def test_a_type_that_no_flag_can_have_blames_its_owner() -> None:
    @dataclass(frozen=True)
    class Odd:
        table: dict[str, str] = option(help="x", factory=dict)

    with pytest.raises(PluginError, match=r"plugin odd \(odd 1\)"):
        resolve([SettingsOwner(Odd, "odd", "odd 1")], environ={})


def test_a_required_option_is_asked_for_only_by_those_who_use_it() -> None:
    @dataclass(frozen=True)
    class Needy:
        url: str = option(help="where")

    found = resolve([SettingsOwner(Needy, "needy", "needy 1")], environ={})
    assert found.by_name("needy-url") is None
    with pytest.raises(OptionsError, match="--needy-url is required") as caught:
        found.of(Needy)
    assert "HERA_K8S_NEEDY_URL" in str(caught.value)


def test_what_a_class_refuses_is_told_with_its_owner() -> None:
    @dataclass(frozen=True)
    class Strict:
        share: float = option(0.5, help="x")

        def __post_init__(self) -> None:
            if self.share > 1:
                raise ValueError("a share is at most 1")

    found = resolve([SettingsOwner(Strict, "strict", "strict 1")], argv=["--strict-share", "2"], environ={})
    with pytest.raises(OptionsError, match=r"plugin strict \(strict 1\).*at most 1"):
        found.of(Strict)


def test_selected_is_the_rank_of_what_the_user_said() -> None:
    assert resolved().selected(Server) == 9
    assert resolved().selected(None) == 9
    assert resolved(environ={"ARGO_TOKEN": "secret-1"}).selected(Server) == 1
    assert resolved("--argo-token", "secret-2", environ={"ARGO_TOKEN": "secret-1"}).selected(Server) == 0
    assert resolved(sites={"acme": {"argo_token": "secret-3"}}).selected(Server) == 9


def test_by_name_knows_every_name() -> None:
    found = resolved("--my-label", "a")
    assert found.by_name("my_label") == found.by_name("argo-label") == ("a",)
    assert found.by_name("nothing") is None


def test_rows_never_hold_a_secret() -> None:
    found = resolved("--argo-server=https://me:pass-word@argo.example", environ={"ARGO_TOKEN": "top-secret-1"})
    shown = repr(found.rows()) + repr(found)
    assert "top-secret-1" not in shown
    assert "pass-word" not in shown
    assert {row.name: row.value for row in found.rows()}["argo-token"] == "<redacted>"
    assert "top-secret-1" in found.secrets
    assert "top-secret-1" not in repr(found.of(Server))


def test_secrets_that_were_overridden_are_known_too() -> None:
    found = resolved("--argo-token", "from-flag-1", environ={"ARGO_TOKEN": "from-env-1"})
    assert {"from-flag-1", "from-env-1"} <= found.secrets


def test_resolution_reads_no_process_environment_when_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGO_SERVER", "elsewhere")
    assert server(environ={}).server == ""
    assert resolve([OWNER]).of(Server).server == "elsewhere"


def test_choices_are_kept_to() -> None:
    assert server("--argo-mode", "safe").mode == "safe"
    with pytest.raises(OptionsError, match="not one of fast, safe"):
        server("--argo-mode", "quick")


def test_a_flag_is_never_abbreviated() -> None:
    with pytest.raises(OptionsError, match="--argo-serv is unknown"):
        server("--argo-serv", "x")
