"""Scripts written for hera_utils 0.1 and 0.2, unmodified, with the distribution installed as its users install it."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from argo_peer import NAMESPACE, WORKFLOWS, ArgoPeer
from command_line import SECRET, Told
from fault_server import reply
from old_scripts import run_python, run_script, write_config
from sandbox_api import Api, make_namespace
from strangers import Site

from hera_k8s_sandbox.server.launch import kubeconfig


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The distribution, built from a copy so that the build leaves nothing in the checkout."""
    directory = tmp_path_factory.mktemp("hera_utils")
    project = shutil.copytree(Path(__file__).resolve().parent.parent, directory / "project")
    installed = Site(directory / "packages")
    installed.install(project)
    return installed


@pytest.fixture
def script(site: Site, sandbox: Any, work: Path) -> Callable[..., Told]:
    """Runs a script; `module=` runs an installed module instead, `command=` an installed command."""

    def run(source: str = "", *words: str, module: str = "", command: str = "", **variables: str) -> Told:
        given: dict[str, Any] = {"cwd": work, "secrets": (sandbox.token,), "PYTHONPATH": str(site.packages)}
        if module:
            return run_python("-m", module, *words, **given, **variables)
        if command:
            return run_python(str(site.packages / "bin" / command), *words, **given, **variables)
        return run_script(source, *words, **given, **variables)

    return run


@pytest.fixture
def api(sandbox: Any) -> Api:
    return Api(sandbox.url, sandbox.token)


@pytest.fixture
def configured(sandbox: Any, work: Path) -> Path:
    token = f'"Bearer {sandbox.token}"'
    return write_config(work / "hera.config", argo_server=sandbox.url, argo_token=token, argo_namespace="argo")


SUBMITS = """
from hera_utils import argo_server, parser

class my_parser:
    def __init__(self):
        self.parser = parser().get_parser()
        self.parser.add("--greeting", default="hello", env_var="GREETING")

args = my_parser().parser.parse_args()
server = argo_server(args)

from hera.workflows import Container, Workflow
with Workflow(generate_name="for-0-2-", entrypoint="main") as w:
    Container(name="main", image="busybox", command=["echo", args.greeting])
w.create()
print(w.name, server.server, server.namespace, server.service_account, len(server.token))
"""


def test_a_script_of_0_2_submits_to_the_server(
    script: Any, configured: Path, sandbox: Any, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = script(SUBMITS, "--argo_service_account", "default", GREETING="salut")
    assert (told.code, told.err) == (0, "")
    name, *rest = told.out.split()
    assert rest == [sandbox.url, "argo", "default", str(len(sandbox.token))]
    spec = api.get(f"/apis/argoproj.io/v1alpha1/namespaces/argo/workflows/{name}")["spec"]
    assert spec["templates"][0]["container"]["command"] == ["echo", "salut"]
    assert spec["serviceAccountName"] == "default"


def test_the_readme_s_script_submits(script: Any, configured: Path, api: Api) -> None:
    page = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    told = script(source, "--greeting", "salut")
    assert told.code == 0, told.err
    (made,) = [
        each
        for each in api.get("/apis/argoproj.io/v1alpha1/namespaces/argo/workflows")["items"]
        if each["metadata"]["name"].startswith("greet-")
    ]
    assert made["spec"]["templates"][0]["container"]["command"] == ["echo", "salut"]


def test_without_arguments_the_command_line_is_parsed(script: Any, sandbox: Any) -> None:
    source = "from hera_utils import argo_server\nargo_server().print_config()"
    told = script(source, "--argo_server", sandbox.url, "--argo_namespace=argo", ARGO_TOKEN=sandbox.token)
    assert told.code == 0, told.err
    assert f"server: {sandbox.url}" in told.out
    assert "token: <redacted>" in told.out


def test_there_are_four_options_and_the_fifth_is_no_error_in_a_file(script: Any, configured: Path) -> None:
    with configured.open("a") as file:
        file.write("k8s_config_file = config\n")
    source = "import hera_utils\nprint(*sorted(vars(hera_utils.parser().parse_args())))"
    assert script(source).out.split() == ["argo_namespace", "argo_server", "argo_service_account", "argo_token"]
    assert script(source, "--k8s_config_file=x").code == 1


def test_the_older_forms_work(script: Any, configured: Path, sandbox: Any, work: Path) -> None:
    (work / "config").write_text(kubeconfig(sandbox, namespace="argo"))
    source = """
import hera_utils
args = hera_utils.parse_arguments()
cluster = hera_utils.k8s_cluster(args)
argo_server = hera_utils.argo_server(cluster, args)
argo_server.define_argo_server_part_of_environment()
from hera.shared import global_config
print(global_config.host, global_config.namespace)
"""
    told = script(source, "--k8s_config_file", "config")
    assert (told.code, told.out) == (0, f"{sandbox.url}/ argo\n")


@pytest.mark.parametrize(
    "way", [{"command": "hera-check-server"}, {"module": "hera_utils.examples.check_server_availability"}]
)
@pytest.mark.skipif(os.name != "posix", reason="commands are scripts")
def test_the_server_is_checked_by_a_command(script: Any, configured: Path, way: dict[str, str]) -> None:
    told = script(**way)
    assert told.code == 0, told.err
    assert told.out.splitlines()[-1] == "The server can be used."
    configured.unlink()
    told = script(**way)
    assert told.code == 1
    assert "ARGO_SERVER" in told.err


def test_a_refused_token_ends_the_check_without_being_shown(script: Any) -> None:
    with ArgoPeer() as peer:
        refused = reply(401, {"code": 16, "message": f"token Bearer {SECRET} not valid"})
        for path in ("/api/v1/version", "/api/v1/info", WORKFLOWS):
            peer.on("GET", path, refused)
        variables = {"ARGO_SERVER": peer.url, "ARGO_TOKEN": SECRET, "ARGO_NAMESPACE": NAMESPACE}
        told = script(module="hera_utils.examples.check_server_availability", **variables)
    assert told.code == 1
    assert "401" in told.err
    assert "ARGO_TOKEN" in told.err


@pytest.mark.parametrize("name", ["hello_world_container", "hera_coin_flip"])
def test_examples_run(script: Any, configured: Path, api: Api, name: str) -> None:
    told = script(module=f"hera_utils.examples.{name}")
    assert told.code == 0, told.err
    workflow = told.out.split()[-1]
    path = f"/apis/argoproj.io/v1alpha1/namespaces/argo/workflows/{workflow}"
    last: Any = {}
    for event in api.watch(f"{Path(path).parent}?watch=1&timeoutSeconds=25&fieldSelector=metadata.name={workflow}"):
        last = event["object"].get("status") or {}
        if last.get("phase") in ("Succeeded", "Failed", "Error"):
            break
    assert last.get("phase") == "Succeeded", last


def test_templates_are_installed_and_hold_known_keys(site: Site, script: Any, work: Path) -> None:
    template = site.packages / "hera_utils" / "examples" / "hera.config.tmpl"
    assert (site.packages / "hera_utils" / "examples" / "argo.bash.tmpl").exists()
    (work / "hera.config").write_text(template.read_text().replace("# argo", "argo"))
    told = script("import hera_utils\nprint(hera_utils.parser().parse_args().argo_server)")
    assert (told.code, told.out, told.err) == (0, "argo.example:2746\n", "")


def test_versions_are_those_of_hera(script: Any) -> None:
    source = """
import hera_utils
hera_utils.print_version()
import hera._version
print([hera_utils.check_version(v) for v in ("5.6.0", "7", "99.1", hera._version.version)])
print([hera_utils.assert_version(v) for v in ("5.6.0", "7", "7.0", hera._version.version)])
hera_utils.assert_version("99.1")
"""
    told = script(source)
    printed, checked, asserted = told.out.splitlines()
    assert printed.startswith("hera ")
    assert checked == "[False, False, False, True]"
    assert asserted == "[True, True, True, True]"
    assert told.code == 1
    assert told.lines[0].startswith("this script needs Hera 99.1: ")


@pytest.mark.parametrize("through", ["argo_server", "k8s_cluster", "nothing"])
def test_a_workflow_template_is_cleared_when_it_is_there(
    script: Any, configured: Path, api: Api, sandbox: Any, work: Path, through: str
) -> None:
    made, given = {
        "argo_server": ("argo_server", "server"),
        "k8s_cluster": ("k8s_cluster", "server"),
        "nothing": ("argo_server", "None"),  # what was passed was not looked at
    }[through]
    make_namespace(api, f"of-{through.replace('_', '-')}")
    where = f"/apis/argoproj.io/v1alpha1/namespaces/of-{through.replace('_', '-')}/workflowtemplates"
    (work / "config").write_text(kubeconfig(sandbox))
    container = {"name": "main", "container": {"image": "busybox", "command": ["true"]}}
    kind = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate"}
    template = {**kind, "metadata": {"name": "shared"}, "spec": {"entrypoint": "main", "templates": [container]}}
    api.create(where, template)
    source = f"""
import hera_utils
server = hera_utils.{made}(hera_utils.parse_arguments())
hera_utils.clear_workflow_template({given}, "shared")
hera_utils.clear_workflow_template({given}, workflow_template_name="shared")
print("cleared")
"""
    told = script(source, "--argo_namespace", f"of-{through.replace('_', '-')}", KUBECONFIG="config")
    assert (told.code, told.out) == (0, "Deleting shared WorkflowTemplate.\ncleared\n"), told.err
    assert api.get(where)["items"] == []


def test_without_a_server_no_workflow_template_is_cleared(script: Any) -> None:
    told = script("import hera_utils\nhera_utils.clear_workflow_template(None, 'shared')")
    assert told.code == 1
    assert "argo_server(args)" in told.err


SIGNATURES = {
    # 0.2, at a3dcf3b
    "hera_utils.parser:parser": "existing_parser logger",
    "hera_utils.parser:parser.get_config_files": "",
    "hera_utils.parser:parser.parse_args": "",
    "hera_utils.parser:parser.get_parser": "",
    "hera_utils.argo_server:argo_server.configure_hera": "",
    "hera_utils.argo_server:argo_server.check_server_availability": "",
    "hera_utils.argo_server:argo_server.print_config": "",
    "hera_utils.utils:print_version": "",
    "hera_utils.utils:check_version": "version_to_check",
    "hera_utils.utils:assert_version": "version_to_check",
    "hera_utils.utils:clear_workflow_template": "cluster workflow_template_name",
    "hera_utils.version:version.upper": "",
    "hera_utils.examples.check_server_availability:main": "",
    "hera_utils.examples.hera_coin_flip:flip": "",
    "hera_utils.examples.hello_world_container:main": "",
    # between the two, at 1613f38
    "hera_utils.define_parser:define_parser": "existing_parser logger",
    # 0.1, at 055701f and 20f90f7
    "hera_utils.hera:clear_workflow_template": "cluster workflow_template_name",
    "hera_utils.argo_server:argo_server": "k8s_cluster args",
    "hera_utils.argo_server:argo_server.define_argo_server_part_of_environment": "",
    "hera_utils.k8s_cluster:k8s_cluster": "args",
    "hera_utils.k8s_cluster:k8s_cluster.assert_volume_claim": "k8s_volume_claim_name",
    "hera_utils.k8s_cluster:k8s_cluster.assert_configmap": "k8s_configmap_name",
    "hera_utils.num_exp_environment:num_exp_environment": "args verbose",
    "hera_utils.num_exp_environment:Struct.toJSON": "",
    "hera_utils.parse_arguments:define_parser": "logger",
    "hera_utils.parse_arguments:verify_args": "args logger",
    "hera_utils.parse_arguments:parse_arguments": "logger",
}
"""module:name -> the parameters that callers of VCityTeam/hera_utils could give, read from its sources."""
NAMES = (
    "argo_server assert_version check_version clear_workflow_template define_parser k8s_cluster num_exp_environment "
    "parse_arguments parser print_version Struct verify_args version __version__ __title__"
)

INSPECTS = """
import importlib, inspect, sys, types
import hera_utils
for path, parameters in SIGNATURES.items():
    module, _, name = path.partition(":")
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    taken = inspect.signature(found).parameters
    missing = set(parameters.split()) - set(taken)
    assert not missing, (path, missing)
    for each in taken.values():
        given = each.name in ("self", *parameters.split()) or each.kind in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
        assert given or each.default is not each.empty, (path, each)
for name in NAMES.split():
    assert not isinstance(getattr(hera_utils, name), types.ModuleType), name
print("all there")
"""


def test_every_name_of_0_1_and_0_2_is_there(script: Any) -> None:
    told = script(INSPECTS.replace("SIGNATURES", repr(SIGNATURES)).replace("NAMES", repr(NAMES)))
    assert (told.code, told.out, told.err) == (0, "all there\n", "")


OF_0_1 = """
import json, logging, sys
import hera_utils
from hera_utils import Struct, num_exp_environment

def parse_arguments(logger=logging.getLogger(__name__)):
    parser = hera_utils.define_parser(logger)
    parser.add("--k8s_volume_claim_name", type=str, default="data")
    args = parser.parse_args()
    if not hera_utils.verify_args(args):
        parser.print_help()
        sys.exit(3)
    return args

class environment(num_exp_environment):
    def __init__(self, args, verbose=False):
        num_exp_environment.__init__(self, args, verbose)
        self.volume = Struct()
        self.volume.claim_name = args.k8s_volume_claim_name

made = environment(parse_arguments())
print(made.volume.toJSON().split(), made.cluster.docker_registry, json.dumps(vars(made.cluster)))
names = vars(hera_utils.parse_arguments(logging.getLogger("mine")))
print(names["k8s_configmap_name"], names["k8s_volume_claim_name"])
"""


def test_a_script_of_0_1_makes_its_environment(script: Any, configured: Path, sandbox: Any, work: Path) -> None:
    (work / "config").write_text(kubeconfig(sandbox))
    variables = {"KUBECONFIG": "config", "KUBECONFIGMAP": "proxy"}
    told = script(OF_0_1, **variables, HERA_K8S_REGISTRY="harbor.example")
    assert (told.code, told.err) == (0, ""), told.err
    first, second = told.out.splitlines()
    registry = "harbor.example/"
    assert first == f"""['{{', '"claim_name":', '"data"', '}}'] {registry} {{"docker_registry": "{registry}"}}"""
    assert second == "proxy None"


def test_arguments_that_are_not_complete_are_told_to_the_logger(script: Any, configured: Path) -> None:
    configured.unlink()
    told = script(OF_0_1)
    assert told.code == 3
    assert "--k8s_config_file" in told.out  # the help
    assert "KUBECONFIG" in told.err


def test_importing_it_imports_nothing_heavy(script: Any) -> None:
    source = "import hera_utils, sys\nprint({'hera', 'kubernetes', 'configargparse', 'yaml'} & set(sys.modules))"
    assert script(source).out == "set()\n"
    assert sys.version_info >= (3, 10)
