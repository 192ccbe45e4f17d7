"""The interface of hera_k8s_utils 0.1: each name of the original is here, and takes and gives what it did.

The tables are our statement of facts about VCityTeam/hera_k8s_utils at 9d37225 (0.1.0), read from its sources.
"""

from __future__ import annotations

import importlib
import inspect
import json
import types
from pathlib import Path
from typing import Any

import pytest
from command_line import Told, wait_until
from old_scripts import run_script, write_config
from sandbox_api import Api, config_map

import hera_k8s_utils
from hera_k8s_sandbox.server.launch import kubeconfig

SIGNATURES = {
    "hera_k8s_utils.parser:parser": "hera_utils_parser",
    "hera_k8s_utils.parser:parser.verify_args": "args",
    "hera_k8s_utils.parser:parser.parse_args": "",
    "hera_k8s_utils.parser:parser.get_parser": "",
    "hera_k8s_utils.k8s_cluster:k8s_cluster": "args",
    "hera_k8s_utils.k8s_cluster:k8s_cluster.print_config": "",
    "hera_k8s_utils.k8s_cluster:k8s_cluster.assert_cluster": "",
    "hera_k8s_utils.k8s_cluster:k8s_cluster.assert_namespace": "",
    "hera_k8s_utils.k8s_cluster:k8s_cluster.assert_volume_claim": "k8s_volume_claim_name",
    "hera_k8s_utils.k8s_cluster:k8s_cluster.assert_configmap": "k8s_configmap_name",
    "hera_k8s_utils.num_exp_environment:Struct": "",
    "hera_k8s_utils.num_exp_environment:Struct.toJSON": "",
    "hera_k8s_utils.num_exp_environment:num_exp_environment": "args verbose",
    "hera_k8s_utils.num_exp_environment:num_exp_environment.assert_k8s_and_argo_servers": "args verbose",
    "hera_k8s_utils.num_exp_environment:num_exp_environment.print_config": "",
    "hera_k8s_utils.tests.parser:main": "",
    "hera_k8s_utils.tests.check_k8s_server_availability:main": "",
    "hera_k8s_utils.examples.configmap_for_pip_proxy.parser:parser": "",
    "hera_k8s_utils.examples.configmap_for_pip_proxy.parser:parser.verify_args": "args",
    "hera_k8s_utils.examples.configmap_for_pip_proxy.parser:parser.parse_args": "",
    "hera_k8s_utils.examples.configmap_for_pip_proxy.parser:parser.get_parser": "",
    "hera_k8s_utils.examples.configmap_for_pip_proxy.environment:environment": "args verbose",
    "hera_k8s_utils.examples.configmap_for_pip_proxy.print_config_map:assert_configmap_environment": "config_map_name",
    "hera_k8s_utils.examples.configmap_for_pip_proxy.use_configmap_for_pip:list_mounted_partitions": "config_map_name",
    "hera_k8s_utils.examples.simple.print_environment:print_environment": "",
    "hera_k8s_utils.examples.volumes.parser:parser": "",
    "hera_k8s_utils.examples.volumes.parser:parser.verify_args": "args",
    "hera_k8s_utils.examples.volumes.parser:parser.parse_args": "",
    "hera_k8s_utils.examples.volumes.parser:parser.get_parser": "",
    "hera_k8s_utils.examples.volumes.environment:environment": "args verbose",
    "hera_k8s_utils.examples.volumes.check_volume_claim_and_mount_point:list_persistent_volume_files": (
        "claim_name mount_path"
    ),
}
"""module:name -> the parameters that callers could give, in their order."""
PACKAGE = ("parser", "k8s_cluster", "num_exp_environment", "version", "__version__", "__title__")

EXAMPLES = (
    "simple.print_environment",
    "configmap_for_pip_proxy.print_config_map",
    "volumes.check_volume_claim_and_mount_point",
)
"""Those that need nothing but a cluster; `use_configmap_for_pip` needs a proxy that exists as well."""


@pytest.mark.parametrize("path", SIGNATURES)
def test_each_name_takes_what_it_took(path: str) -> None:
    module, _, name = path.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    parameters = inspect.signature(found).parameters
    wanted = SIGNATURES[path].split()
    assert set(wanted) <= parameters.keys()
    given = [each for each in parameters if each != "self"][: len(wanted)]
    if wanted != ["hera_utils_parser"]:  # here the first is the same parser under its name in hera_utils
        assert given == wanted
    for each in parameters.values():
        optional = each.default is not each.empty or each.kind in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
        assert optional or each.name in (*wanted, "self")


@pytest.mark.parametrize("name", PACKAGE)
def test_the_package_has_each_name(name: str) -> None:
    assert getattr(hera_k8s_utils, name)
    assert not isinstance(getattr(hera_k8s_utils, name), types.ModuleType)


def test_the_version_is_that_of_its_module() -> None:
    from hera_k8s_utils.version import version

    assert hera_k8s_utils.version == hera_k8s_utils.__version__ == version
    assert hera_k8s_utils.__title__ == "hera_k8s_utils"


@pytest.fixture
def api(sandbox: Any) -> Api:
    return Api(sandbox.url, sandbox.token)


@pytest.fixture
def script(sandbox: Any, api: Api, work: Path) -> Any:
    """Runs a script in a directory with a complete `hera.config`, beside a config map and a claim."""
    (work / "config").write_text(kubeconfig(sandbox))
    token = f'"Bearer {sandbox.token}"'
    write_config(work / "hera.config", argo_server=sandbox.url, argo_token=token, k8s_config_file="config")
    path = "/api/v1/namespaces/default"
    present = api.get(f"{path}/configmaps")["items"]
    if not any(each["metadata"]["name"] == "proxy" for each in present):
        api.create(f"{path}/configmaps", config_map("proxy", HTTPS_PROXY="http://user:word@proxy.example:3128"))
        api.create(f"{path}/persistentvolumeclaims", claim_of("data", ""))
        api.create(f"{path}/persistentvolumeclaims", claim_of("waiting", "nosuchclass"))

    def run(source: str, *words: str, **variables: str) -> Told:
        return run_script(source, *words, cwd=work, secrets=(sandbox.token,), **variables)

    return run


def claim_of(name: str, storage_class: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Mi"}}}
    if storage_class:
        spec["storageClassName"] = storage_class
    return {"metadata": {"name": name}, "spec": spec}


ASSERTS = """
from hera_k8s_utils import k8s_cluster, parser
cluster = k8s_cluster(parser().parse_args())
print(cluster.assert_cluster(), cluster.assert_namespace(), end=" ")
print(cluster.assert_configmap("proxy"), cluster.assert_volume_claim(k8s_volume_claim_name="data"))
if not cluster.assert_configmap(k8s_configmap_name="proxy"):
    raise SystemExit("the wrong way")
"""


def test_assertions_give_true(script: Any) -> None:
    assert script(ASSERTS) == Told(0, "True True True True\n", "")


def test_a_claim_without_a_volume_is_there_as_in_0_1(script: Any) -> None:
    source = "from hera_k8s_utils import k8s_cluster, parser\nprint(k8s_cluster(parser().parse_args())"
    told = script(source + '.assert_volume_claim("waiting"))')
    assert (told.code, told.out) == (0, "True\n"), told.err
    assert "Pending: storage class nosuchclass does not exist" in told.err
    told = script(source + '.assert_volume_claim("absent"))')
    assert told.code == 1
    assert "claim absent cannot be used: not found in default" in told.err


OFFICIAL = """
from hera_k8s_utils import k8s_cluster, num_exp_environment, parser
args = parser().parse_args()
MADE
import kubernetes
from kubernetes import client
print(kubernetes.client.CoreV1Api().read_namespaced_config_map("proxy", "default").metadata.name)
print(len(client.BatchV1Api().list_namespaced_job("default").items))
job = client.V1Job(metadata=client.V1ObjectMeta(name=NAME), spec=client.V1JobSpec(template=client.V1PodTemplateSpec(
    spec=client.V1PodSpec(restart_policy="Never", containers=[client.V1Container(name="a", image="busybox",
    command=["true"])]))))
print(client.BatchV1Api().create_namespaced_job("default", job).metadata.name)
"""


@pytest.mark.parametrize("made", ["k8s_cluster(args)", "num_exp_environment(args)"])
def test_the_official_client_is_configured(script: Any, api: Api, made: str) -> None:
    name = made.partition("_")[0]
    told = script(OFFICIAL.replace("MADE", made).replace("NAME", repr(name)))
    assert (told.code, told.err) == (0, ""), told.err
    assert told.out.splitlines() == ["proxy", "0", name]
    api.send("DELETE", f"/apis/batch/v1/namespaces/default/jobs/{name}")


def test_the_official_client_may_be_pointed_elsewhere_afterwards(script: Any) -> None:
    source = """
from hera_k8s_utils import k8s_cluster, parser
from kubernetes import client, config
k8s_cluster(parser().parse_args())
other = client.Configuration(host="http://127.0.0.1:9")
client.Configuration.set_default(other)
print(client.CoreV1Api().api_client.configuration.host)
"""
    assert script(source) == Told(0, "http://127.0.0.1:9\n", "")


ENVIRONMENT = """
import json
from types import SimpleNamespace
from hera_k8s_utils import parser, num_exp_environment
from hera_k8s_utils.num_exp_environment import Struct

class environment(num_exp_environment):
    def assert_k8s_and_argo_servers(self, args, verbose):
        super().assert_k8s_and_argo_servers(args, verbose)
        self.asserted = True

made = environment(parser(hera_utils_parser=None).parse_args())
assert isinstance(made, Struct) and made.asserted
made.cluster.configmap = "proxy"
print(json.dumps(vars(made.cluster)), made.cluster.namespace)
volume = Struct()
volume.claim_name, volume.inner = "data", SimpleNamespace(mount_path="/m")
print(json.dumps(json.loads(volume.toJSON())))
print(parser().default_config_files == parser().get_config_files())
"""


def test_structs_and_environments_hold_what_scripts_put_there(script: Any, work: Path) -> None:
    told = script(ENVIRONMENT)
    assert (told.code, told.err) == (0, "")
    cluster, volume, files = told.out.splitlines()
    assert cluster == '{"configmap": "proxy"} default'
    assert json.loads(volume) == {"claim_name": "data", "inner": {"mount_path": "/m"}}
    assert files == "True"


def test_an_environment_may_assert_nothing(script: Any) -> None:
    source = """
from hera_k8s_utils import num_exp_environment
class environment(num_exp_environment):
    def assert_k8s_and_argo_servers(self, args, verbose): print("skipped", verbose)
made = environment(None, verbose=True)
made.cluster.registry = "harbor.example"
made.print_config()
print(hasattr(made.cluster, "namespace"), made.toJSON().split())
"""
    told = script(source)
    assert (told.code, told.err) == (0, "")
    assert told.out.splitlines()[0] == "skipped True"
    assert told.out.splitlines()[-1].startswith("False")


def test_a_parser_of_the_script_gets_the_options_under_the_name_of_0_1(script: Any) -> None:
    source = """
import configargparse
from hera_k8s_utils import parser
mine = configargparse.ArgParser()
mine.add("--steps", type=int, default=3)
made = parser(hera_utils_parser=mine)
assert made.get_parser() is mine
print(made.parse_args().k8s_config_file, made.parse_args().steps)
"""
    assert script(source) == Told(0, "config 3\n", "")


SERVER = """
from hera_k8s_utils import argo_server, k8s_cluster, parser
args = parser().parse_args()
cluster = k8s_cluster(args)
server = argo_server(k8s_cluster=cluster, args=args)
from hera.shared import global_config
global_config.host = "https://elsewhere.example"
server.configure_hera()
print(global_config.host.rstrip("/") == server.server, server.check_server_availability())
print(server.argo_server_configured_value, server.service_namespace, server.k8s_cluster is cluster)
"""


def test_the_argo_server_has_the_methods_and_attributes_of_0_2(script: Any, sandbox: Any) -> None:
    assert script(SERVER) == Told(0, f"True None\n{sandbox.url} None True\n", "")


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_0_1_run_by_their_names(script: Any, api: Api, example: str) -> None:
    source = f'import runpy\nrunpy.run_module("hera_k8s_utils.examples.{example}", run_name="__main__")'
    told = script(source, KUBECONFIGMAP="proxy", KUBEVOLUMECLAIMNAME="data")
    assert (told.code, told.err) == (0, "")
    path = f"/apis/argoproj.io/v1alpha1/namespaces/default/workflows/{told.out.split()[-1]}"
    wait_until(lambda: (api.get(path).get("status") or {}).get("finishedAt"))
    assert api.get(path)["status"]["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("example", "variable"), [("configmap_for_pip_proxy", "KUBECONFIGMAP"), ("volumes", "KUBEVOLUMECLAIMNAME")]
)
def test_the_parsers_of_the_examples_say_whether_the_configuration_is_complete(
    script: Any, example: str, variable: str
) -> None:
    source = f'import runpy\nrunpy.run_module("hera_k8s_utils.examples.{example}.parser", run_name="__main__")'
    told = script(source, **{variable: "mine"})
    assert (told.code, told.err) == (0, "")
    assert told.out.splitlines()[-2:][0].endswith(": mine")
    assert "argo_token: <redacted>" in told.out
    told = script(source)
    assert told.code == 1
    assert variable in told.err
