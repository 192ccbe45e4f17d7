"""The examples in the style of 0.1: programs beside a `hera.config`, which submit by themselves."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command_line import Told, wait_until
from example_proxy import ExampleProxy, running_proxy
from machine import PRIVATE_ROOTS, require
from old_scripts import run_python, write_config
from sandbox_api import Api, claim, config_map

from hera_k8s_sandbox.server.launch import kubeconfig

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
BOTH_STYLES = ("boroughs", "coin_flip", "configmap_for_pip_proxy", "hello_world_container", "simple", "volumes")
EXTENDED = ("boroughs", "configmap_for_pip_proxy", "simple", "volumes")
CORE = "/api/v1/namespaces/default"
WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/default/workflows"


@dataclass(frozen=True)
class OldStyle:
    """Runs the programs of one example in a copy of its directory, as its README says."""

    api: Api
    directory: Path
    token: str

    def __call__(self, program: str, *words: str) -> Told:
        return run_python(f"old_style/{program}.py", *words, cwd=self.directory, secrets=(self.token,))

    def finish(self, told: Told) -> dict[str, str]:
        """Wait for the workflow that a program says it submitted; what each of its tasks printed."""
        assert told.code == 0, told.err
        name = told.out.split()[-1]
        assert told.out == f"submitted {name}\n"
        wait_until(lambda: self.workflow(name).get("finishedAt"))
        status = self.workflow(name)
        assert status["phase"] == "Succeeded", status
        pods = self.api.get(f"{CORE}/pods?labelSelector=workflows.argoproj.io/workflow={name}")["items"]
        return {self.node(pod).removeprefix(name): self.log(pod) for pod in pods}

    def node(self, pod: dict[str, Any]) -> str:
        return str(pod["metadata"]["annotations"]["workflows.argoproj.io/node-name"])

    def log(self, pod: dict[str, Any]) -> str:
        return self.api.send("GET", f"{CORE}/pods/{pod['metadata']['name']}/log").text

    def workflow(self, name: str) -> dict[str, Any]:
        return dict(self.api.get(f"{WORKFLOWS}/{name}").get("status") or {})


@pytest.fixture
def api(sandbox: Any) -> Api:
    return Api(sandbox.url, sandbox.token)


@pytest.fixture
def old_style(work: Path, api: Api, sandbox: Any, request: pytest.FixtureRequest) -> OldStyle:
    """The example that the test's parameter names, with a `hera.config` that says where the servers are."""
    directory = work / request.param
    shutil.copytree(EXAMPLES / request.param, directory)
    (directory / "cluster.yaml").write_text(kubeconfig(sandbox))
    servers = {"argo_server": sandbox.url, "argo_token": f'"Bearer {sandbox.token}"', "argo_namespace": "default"}
    write_config(directory / "hera.config", k8s_config_file="cluster.yaml", **servers)
    return OldStyle(api, directory, sandbox.token)


@pytest.fixture
def proxy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ExampleProxy]:
    require("openssl", request.config)  # makes the certificate of the proxy
    with running_proxy(tmp_path) as running:
        yield running


def of(*names: str) -> pytest.MarkDecorator:
    """Runs a test for each of these examples."""
    return pytest.mark.parametrize("old_style", names, indirect=True)


def test_each_example_is_there_in_both_styles_with_one_page_and_one_template() -> None:
    for name in BOTH_STYLES:
        assert (EXAMPLES / name / "experiment.py").exists()
        assert (EXAMPLES / name / "hera.config.tmpl").exists()
        assert f"python old_style/{name}.py" in (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
        assert (EXAMPLES / name / "old_style" / f"{name}.py").exists()


@of(*EXTENDED)
def test_the_parser_says_whether_the_configuration_is_complete(old_style: OldStyle) -> None:
    assert old_style("parser") == Told(0, "The configuration is complete.\n", "")
    (old_style.directory / "hera.config").unlink()
    told = old_style("parser")
    assert told.code == 1
    assert "ARGO_SERVER" in told.err


@of("hello_world_container")
def test_hello_world_prints_its_line(old_style: OldStyle) -> None:
    assert old_style.finish(old_style("hello_world_container")) == {"": "hello world\n"}


@of("coin_flip")
def test_a_coin_shows_one_side_and_that_sides_task_runs_alone(old_style: OldStyle) -> None:
    printed = old_style.finish(old_style("coin_flip"))
    side = printed["[0].flip"].strip()
    assert side in ("heads", "tails")
    assert printed == {"[0].flip": f"{side}\n", f"[1].{side}": f"it was {side}\n"}


@pytest.mark.needs(PRIVATE_ROOTS)
@of("simple")
def test_simple_prints_the_environment_that_was_configured(old_style: OldStyle) -> None:
    printed = old_style.finish(old_style("simple", "--image", "python:3.13-slim"))
    said = dict(re.split(r" +", line, maxsplit=1) for line in printed["[0].report"].splitlines())
    assert (said["namespace"], said["image"]) == ("default", "python:3.13-slim")
    assert said["pod"].startswith("simple-")


@of("volumes")
def test_tasks_see_the_mounted_claim_and_each_other_s_files(old_style: OldStyle, sandbox: Any) -> None:
    told = old_style("environment", "--k8s_volume_claim_name", "storage")
    assert told.code == 1
    assert told.err.startswith("claim storage cannot be used: not found in default")

    old_style.api.create(f"{CORE}/persistentvolumeclaims", claim("storage"))
    told = old_style("environment", "--k8s_volume_claim_name", "storage")
    assert told.code == 0, told.err
    assert '"mount_path": "/storage"' in told.out

    submitted = old_style("volumes", "--k8s_volume_claim_name", "storage")
    printed = old_style.finish(submitted)
    assert "note.txt: written by one task" in printed[".read"].splitlines()
    run = submitted.out.split()[-1]
    note = sandbox.directory / "claims" / "default" / "storage" / run / "note.txt"
    assert note.read_text() == "written by one task\n"


@of("boroughs")
def test_every_borough_of_every_vintage_is_compared(old_style: OldStyle, sandbox: Any) -> None:
    old_style.api.create(f"{CORE}/persistentvolumeclaims", claim("city"))
    submitted = old_style("boroughs", "--k8s_volume_claim_name", "city")
    printed = old_style.finish(submitted)
    assert printed[".compare"] == "36 boroughs compared\n"
    results = sandbox.directory / "claims" / "default" / "city" / submitted.out.split()[-1]
    assert len(list(results.glob("vintage=*/borough=*/buildings.csv"))) == 36
    assert len((results / "volumes.csv").read_text().splitlines()) == 37


@of("configmap_for_pip_proxy")
def test_the_config_map_s_proxy_is_the_one_that_pip_uses(old_style: OldStyle, proxy: ExampleProxy) -> None:
    data = {"PIP_INDEX_URL": "https://packages.example/simple", "PIP_TRUSTED_HOST": "packages.example"}
    old_style.api.create(f"{CORE}/configmaps", config_map("by-proxy", HTTPS_PROXY=proxy.url, **data))
    words = ("--k8s_configmap_name", "by-proxy", "--package", "hello-proxy")
    printed = old_style.finish(old_style("configmap_for_pip_proxy", *words))
    assert printed["[0].install"].splitlines()[-1] == "installed hello-proxy 1.0"
    assert proxy.requests == [
        "CONNECT packages.example:443",
        "GET /simple/hello-proxy/",
        "GET /hello_proxy-1.0-py3-none-any.whl",
    ]
