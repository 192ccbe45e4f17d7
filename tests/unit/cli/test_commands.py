"""`hera-k8s config` and `hera-k8s plugins`: every value with its source, every plugin with its state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hera_k8s_cli.main import main

SOURCE = """
from dataclasses import dataclass
from hera_k8s_utils import CredentialProvider, Site, hookimpl, option

@dataclass(frozen=True, kw_only=True)
class Vault:
    url: str = option("https://vault.acme.example", help="Vault that mints tokens")
    token: str = option("", help="key to it", secret=True)

@hookimpl
def credential_providers():
    yield CredentialProvider(name="acme-vault", target="kubernetes", load=print, settings=Vault)

@hookimpl
def sites():
    yield Site(name="acme", defaults={"registry": "harbor.acme.example", "bind": ["proxy=acme-proxy"]})
"""


@pytest.fixture
def acme(tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A site's distribution, as an installer leaves it."""
    site = tmp_path / "site"
    info = site / "acme_hera_k8s-1.2.dist-info"
    info.mkdir(parents=True)
    module = f"acme_{tmp_path.name.replace('-', '_')}_plugin"
    (site / f"{module}.py").write_text(SOURCE, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-hera-k8s\nVersion: 1.2\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[hera_k8s_utils]\nacme = {module}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(site)


def document(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    code = main([*words, "--output", "json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out)


def test_config_shows_every_value_and_its_source(
    acme: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("hera.config").write_text("bind = [results=vcity-rwx]\nconcurrency = 8", encoding="utf-8")
    monkeypatch.setenv("ARGO_NAMESPACE", "vcity")
    monkeypatch.setenv("HERA_K8S_ACME_TOKEN", "top-secret-9")
    told = document(capsys, "config", "--image", "python:3.13")
    values = {each["name"]: (each["value"], each["source"], each["rank"]) for each in told["options"]}
    assert values["image"] == ("python:3.13", "--image", 0)
    assert values["namespace"] == ("vcity", "ARGO_NAMESPACE", 1)
    assert values["concurrency"] == (8, "./hera.config", 2)
    assert values["registry"] == ("harbor.acme.example", "site acme", 3)
    assert values["runs-dir"] == ("runs", "default", 4)
    assert values["bind"] == (["results=vcity-rwx", "proxy=acme-proxy"], "./hera.config, site acme", 2)
    assert values["acme-token"] == ("<redacted>", "HERA_K8S_ACME_TOKEN", 1)
    assert told["files"] == ["./hera.config"]


def test_config_in_words(acme: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERA_K8S_ACME_TOKEN", "top-secret-9")
    assert main(["config", "--set-only"]) == 0
    out, err = capsys.readouterr()
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "acme-token <redacted> HERA_K8S_ACME_TOKEN" in lines
    assert "registry harbor.acme.example site acme" in lines
    assert "plugin acme (acme-hera-k8s 1.2)" in lines
    assert not [line for line in lines if line.startswith("runs-dir")]
    assert "top-secret-9" not in out + err


def test_config_knows_the_options_of_a_named_experiment(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.py").write_text(
        "from dataclasses import dataclass\n"
        "from hera_k8s_utils import Experiment, option\n"
        "@dataclass(frozen=True)\n"
        "class Mine:\n    my_parameter: float = option(0.5, help='mine')\n"
        "experiment = Experiment(name='mine', workflow=lambda *a: {}, options=Mine)\n",
        encoding="utf-8",
    )
    told = document(capsys, "config", "mine.py", "--my_parameter", "0.25")
    mine = next(each for each in told["options"] if each["name"] == "my-parameter")
    assert (mine["value"], mine["owner"]) == (0.25, "the experiment mine")


def test_plugins_lists_what_each_declares(acme: None, capsys: pytest.CaptureFixture[str]) -> None:
    listed = {each["name"]: each for each in document(capsys, "plugins")["plugins"]}
    assert listed["acme"]["distribution"] == "acme-hera-k8s 1.2"
    assert listed["acme"]["state"] == "loaded"
    assert listed["acme"]["declares"]["sites"] == ["acme"]
    assert "run" in listed["commands"]["declares"]["commands"]


def test_plugins_in_words_says_why_one_is_not_used(acme: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "--no-plugin", "acme"]) == 0
    out = capsys.readouterr().out
    assert "acme" in out
    assert "disabled" in out
    assert "--no-plugin" in out


def test_plugins_needs_no_configuration_that_can_be_read(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("hera.config").write_text("concurrency = many\n???\n", encoding="utf-8")
    assert main(["config"]) == 2
    capsys.readouterr()
    assert document(capsys, "plugins")["plugins"]
