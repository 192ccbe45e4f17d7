"""The examples, as a user types them on the sandbox: each does what its README says."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from command_line import SECRET, CommandLine, Told, ended, program, record
from example_proxy import ExampleProxy, running_proxy
from machine import PRIVATE_ROOTS, require
from sandbox_api import Api, config_map

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
NEW = ("boroughs", "coin_flip", "configmap_for_pip_proxy", "hello_world_container", "jobs", "simple", "volumes")
MAPS = "/api/v1/namespaces/default/configmaps"
VINTAGES, BOROUGHS = (2009, 2012, 2015, 2018), tuple(range(1, 10))


@dataclass(frozen=True)
class Example:
    """Runs one example on the shared sandbox; `claims`: where the files of claims are on this disk."""

    hera: CommandLine
    flags: tuple[str, ...]
    claims: Path

    def __call__(self, command: str, *words: str) -> Told:
        return self.hera(command, *words, *self.flags)

    def run(self, name: str, run_id: str, *words: str) -> list[str]:
        """Run it to its end, which must be a good one; the lines of its log."""
        done = self("run", str(EXAMPLES / name / "experiment.py"), "--run-id", run_id, *words)
        assert done.code == 0, done.text
        assert record(run_id)["outcome"]["phase"] == "Succeeded"
        return self.logs(run_id)

    def logs(self, run_id: str) -> list[str]:
        printed = self("logs", run_id)
        assert printed.code == 0, printed.text
        return printed.out.splitlines()


@pytest.fixture
def example(work: Path, capsys: pytest.CaptureFixture[str], sandbox: Any) -> Example:
    flags = ("--sandbox", "--sandbox-dir", str(sandbox.directory))
    return Example(CommandLine(capsys), flags, sandbox.directory / "claims" / "default")


@pytest.fixture
def api(sandbox: Any) -> Api:
    return Api(sandbox.url, sandbox.token)


# --- what each of them does ------------------------------------------------------------------------------------


def test_hello_world_prints_its_line(example: Example) -> None:
    lines = example.run("hello_world_container", "hello")
    assert [line.partition(": ")[2] for line in lines] == ["hello world"]


def test_a_coin_shows_one_side_and_that_sides_task_runs_alone(example: Example) -> None:
    lines = example.run("coin_flip", "coin")
    side = next(line.partition(": ")[2] for line in lines if line.startswith("flip"))
    assert side in ("heads", "tails")
    assert [line.partition(": ")[2] for line in lines if not line.startswith("flip")] == [f"it was {side}"]
    outcome = record("coin")["outcome"]
    assert (outcome["done"], outcome["total"], outcome["skipped"], outcome["failed"]) == (2, 2, 1, [])


def test_coins_show_both_sides(example: Example) -> None:
    """It takes three flips on average; that fifty show one side is not met in anybody's life."""
    seen: set[str] = set()
    for number in range(50):
        lines = example.run("coin_flip", f"coin-{number}")
        seen |= {line.rpartition(" ")[2] for line in lines if "it was" in line}
        if seen == {"heads", "tails"}:
            return
    pytest.fail(f"only {seen}")


@pytest.mark.needs(PRIVATE_ROOTS)
def test_simple_prints_the_environment_that_was_configured(example: Example) -> None:
    lines = example.run("simple", "plain")
    said = dict(re.split(r" +", line.partition(": ")[2], maxsplit=1) for line in lines)
    assert (said["namespace"], said["image"], said["registry"]) == ("default", "python:3.12-slim", "-")
    assert said["pod"].startswith("simple-plain")
    assert "HOSTNAME" in said["variables"].split(", ")

    lines = example.run("simple", "registry", "--registry", "harbor.univ.example/vcity")
    assert any(line.endswith("image      harbor.univ.example/vcity/python:3.12-slim") for line in lines)


@pytest.mark.parametrize("binding", ["--bind=storage={}", "--k8s-volume-claim-name={}"])
def test_tasks_see_the_mounted_claim_and_each_other_s_files(example: Example, sandbox: Any, binding: str) -> None:
    claim = "vcity-pvc" if "bind" in binding else "lyon-pvc"
    lines = example.run("volumes", claim, binding.format(claim))
    assert "read: note.txt: written by one task" in lines
    assert any(re.fullmatch(r"read: \S+ holds [\d.]+ GiB, [\d.]+ GiB of them free", line) for line in lines)
    assert (example.claims / claim / "volumes" / claim / "note.txt").read_text() == "written by one task\n"


def test_every_borough_of_every_vintage_has_its_directory_and_all_are_compared(example: Example) -> None:
    lines = example.run("boroughs", "city")
    results = example.claims / "city" / "boroughs" / "city"
    points = set(product(VINTAGES, BOROUGHS))
    tables = {str(path.relative_to(results)) for path in results.rglob("buildings.csv")}
    assert tables == {f"vintage={vintage}/borough={borough}/buildings.csv" for vintage, borough in points}

    compared = {(int(row["vintage"]), int(row["borough"])): row for row in read(results / "volumes.csv")}
    assert set(compared) == points
    for (vintage, borough), row in compared.items():
        buildings = read(results / f"vintage={vintage}" / f"borough={borough}" / "buildings.csv")
        assert int(row["buildings"]) == len(buildings) > 0
        volume = sum(float(each["area_m2"]) * float(each["height_m"]) for each in buildings)
        assert int(row["volume_m3"]) == round(volume)
    for borough in BOROUGHS:  # nothing is pulled down in this city
        counts = [int(compared[vintage, borough]["buildings"]) for vintage in VINTAGES]
        assert counts == sorted(counts)
    assert [line for line in lines if line.startswith("compare: 2012: ")] == [
        f"compare: 2012: {sum(int(compared[2012, b]['buildings']) for b in BOROUGHS)} buildings, "
        f"{sum(int(compared[2012, b]['volume_m3']) for b in BOROUGHS) / 1e6:.2f} million m3"
    ]


def test_a_part_of_the_boroughs_is_a_sweep_too(example: Example) -> None:
    lines = example.run("boroughs", "part", "--set", "vintage=2012", "--set", "borough=1,2,3", "--set", "blocks=10")
    results = example.claims / "city" / "boroughs" / "part"
    assert {(row["vintage"], row["borough"]) for row in read(results / "volumes.csv")} == {
        ("2012", "1"),
        ("2012", "2"),
        ("2012", "3"),
    }
    assert sum(line.startswith("compare: ") for line in lines) == 1


def read(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


# --- pip through a proxy ---------------------------------------------------------------------------------------


@pytest.fixture
def proxy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ExampleProxy]:
    require("openssl", request.config)  # makes the certificate of the proxy
    with running_proxy(tmp_path) as running:
        yield running


@pytest.mark.parametrize("binding", ["--bind=proxy={}", "--k8s-configmap-name={}"])
def test_pip_installs_through_the_proxy_that_the_config_map_names(
    example: Example, proxy: ExampleProxy, api: Api, binding: str
) -> None:
    name = "by-role" if "bind" in binding else "by-kind"
    with_password = proxy.url.replace("://", f"://jane:{SECRET}@")  # no output of `example` may hold it
    variables = {"PIP_INDEX_URL": "https://packages.example/simple", "PIP_TRUSTED_HOST": "packages.example"}
    api.create(MAPS, config_map(name, HTTPS_PROXY=with_password, **variables))
    lines = example.run("configmap_for_pip_proxy", name, binding.format(name), "--set", "package=hello-proxy")
    assert f"install: HTTPS_PROXY names {proxy.url.removeprefix('http://')}" in lines
    assert lines[-1] == "install: installed hello-proxy 1.0"
    assert proxy.requests == [
        "CONNECT packages.example:443",
        "GET /simple/hello-proxy/",
        "GET /hello_proxy-1.0-py3-none-any.whl",
    ]


def test_a_config_map_without_the_proxy_is_told_before_anything_is_submitted(example: Example, api: Api) -> None:
    api.create(MAPS, config_map("keyless", HTTP_PROXY="http://127.0.0.1:1"))
    file = str(EXAMPLES / "configmap_for_pip_proxy" / "experiment.py")
    keyless = example("run", file, "--bind", "proxy=keyless", "--run-id", "keyless")
    assert keyless.code == 5
    assert "keyless lacks key HTTPS_PROXY" in keyless.text, keyless.text
    missing = example("run", file, "--bind", "proxy=nowhere", "--run-id", "nowhere")
    assert missing.code == 5
    assert "nowhere: not found in default" in missing.text
    assert "Nothing was submitted" in missing.text


def test_the_local_experiment_asks_for_what_the_local_proxy_offers(example: Example, api: Api) -> None:
    """As a program of its own: it imports its neighbour, which is called as other examples are."""
    file = str(EXAMPLES / "configmap_for_pip_proxy" / "local_experiment.py")
    with program("provision", file, "--yes", *example.flags) as process:
        assert ended(process).code == 0
    data = api.get(f"{MAPS}/proxy")["data"]
    assert data["HTTPS_PROXY"] == "http://127.0.0.1:3128"
    assert "3128" in (EXAMPLES / "configmap_for_pip_proxy" / "local_proxy.py").read_text()
    with program("check", file, *example.flags) as process:
        assert ended(process).code == 0


def test_the_local_proxy_opens_no_other_way(proxy: ExampleProxy) -> None:
    for url in ("https://other.example/", "http://packages.example/simple/hello-proxy/"):
        with pytest.raises(OSError, match="403"):
            proxy.fetch(url)
    assert proxy.requests == ["CONNECT other.example:443", "GET http://packages.example/simple/hello-proxy/"]
    assert '" 200' not in proxy.log.read_text()


# --- what lies beside them -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NEW)
def test_a_template_holds_keys_that_are_options(example: Example, work: Path, name: str) -> None:
    template = EXAMPLES / name / "hera.config.tmpl"
    shutil.copy(template, work / "hera.config")
    as_copied = example.hera("config", str(EXAMPLES / name / "experiment.py"), "--output", "json")
    assert as_copied.code == 0, as_copied.text
    assert "warning" not in as_copied.err.lower(), as_copied.err
    # the lines that are commented out are meant to be taken as well
    whole = re.sub(r"^# (?=\w+ = )", "", template.read_text(), flags=re.MULTILINE)
    (work / "hera.config").write_text(whole)
    everything = example.hera("config", str(EXAMPLES / name / "experiment.py"), "--set-only")
    assert everything.code == 0, everything.text
    keys = re.findall(r"^(\w+) = ", whole, flags=re.MULTILINE)
    assert everything.out.count("hera.config") == len(keys) + 1  # and once in the list of files


@pytest.mark.parametrize("name", NEW)
def test_the_index_lists_every_example_and_each_says_how_it_is_run(name: str) -> None:
    assert f"({name}/)" in (EXAMPLES / "README.md").read_text()
    readme = (EXAMPLES / name / "README.md").read_text()
    assert "hera-k8s run --sandbox" in readme
    assert "hera.config.tmpl" in readme


def test_no_example_is_left_out() -> None:
    there = {path.parent.name for path in EXAMPLES.glob("*/experiment.py")}
    assert there == {*NEW, "logistic_map"}
