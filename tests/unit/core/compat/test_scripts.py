"""Scripts written for 0.1, unmodified, against the sandbox: parser and environment extended, workflows submitted."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from command_line import Told
from old_scripts import run_python, run_script, write_config
from sandbox_api import Api, claim, config_map, make_namespace

from hera_k8s_sandbox.server.launch import kubeconfig

PARSER = '''
from hera_k8s_utils import parser as hera_k8s_utils_parser


class parser:
    """Extend the default parser with the local needs."""

    def __init__(self):
        self.parser = hera_k8s_utils_parser().get_parser()
        self.parser.add("--k8s_volume_claim_name", help="claim", type=str, env_var="KUBEVOLUMECLAIMNAME")
        self.parser.add("--k8s_configmap_name", help="map", type=str, env_var="KUBECONFIGMAP")
        self.parser.add("--vintage", help="year", type=int, default=2012)

    def get_parser(self):
        return self.parser


if __name__ == "__main__":
    args = parser().get_parser().parse_args()
    hera_k8s_utils_parser.verify_args(args)
    print(args.vintage)
'''

ENVIRONMENT = """
import hera_k8s_utils
from hera_k8s_utils.num_exp_environment import Struct, num_exp_environment


class environment(num_exp_environment):
    def __init__(self, args, verbose=False):
        super().__init__(args, verbose)
        self.k8s.assert_configmap(args.k8s_configmap_name)
        self.cluster.configmap = args.k8s_configmap_name
        self.cluster.assert_volume_claim(args.k8s_volume_claim_name)
        self.persisted_volume = Struct()
        self.persisted_volume.claim_name = args.k8s_volume_claim_name
        self.persisted_volume.mount_path = "/within-container"


if __name__ == "__main__":
    from my_parser import parser
    from pathlib import Path

    args = parser().get_parser().parse_args()
    before = dict(vars(args))
    made = environment(args)
    assert vars(args) == before
    print(made.toJSON())
"""

EXPERIMENT = """
from my_parser import parser
from my_environment import environment

args = parser().get_parser().parse_args()
environment = environment(args)

from hera.workflows import ConfigMapEnvFrom, Container, ExistingVolume, Workflow

with Workflow(generate_name="written-for-0-1-", entrypoint="main") as w:
    Container(
        name="main",
        image="busybox",
        command=["sh", "-c", 'echo "$GREETING" > /within-container/greeting.txt'],
        env_from=[ConfigMapEnvFrom(name=environment.cluster.configmap)],
        volumes=[
            ExistingVolume(
                name="it",
                claim_name=environment.persisted_volume.claim_name,
                mount_path=environment.persisted_volume.mount_path,
            )
        ],
    )
w.create(wait=True, poll_interval=1)
print(w.name, w.namespace, w.service_account_name)
"""


@pytest.fixture
def api(sandbox: Any) -> Api:
    return Api(sandbox.url, sandbox.token)


@pytest.fixture
def namespace(api: Api, work: Path) -> str:
    """A namespace of the test's own in which pods may report."""
    name = f"ns-{abs(hash(str(work))) % 10**8}"
    path = make_namespace(api, name)
    api.create(f"{path}/configmaps", config_map("proxy", GREETING="hello from 0.1"))
    api.create(f"{path}/persistentvolumeclaims", claim("data"))
    return name


@pytest.fixture
def script(sandbox: Any, work: Path, namespace: str) -> Any:
    """Runs one of the modules above, all of which lie in the working directory beside a kubeconfig."""
    for name, source in (("my_parser", PARSER), ("my_environment", ENVIRONMENT), ("experiment", EXPERIMENT)):
        (work / f"{name}.py").write_text(source)
    (work / "config").write_text(kubeconfig(sandbox, namespace=namespace))

    def run(name: str, *words: str, **variables: str) -> Told:
        return run_python(f"{name}.py", *words, cwd=work, secrets=(sandbox.token,), **variables)

    return run


def whole(sandbox: Any, **more: Any) -> dict[str, Any]:
    """All that a `hera.config` of 0.1 held."""
    servers = {"argo_server": sandbox.url, "argo_token": f'"Bearer {sandbox.token}"', "k8s_config_file": "config"}
    return {**servers, "k8s_configmap_name": "proxy", "k8s_volume_claim_name": "data", **more}


def test_an_extended_parser_says_whether_the_configuration_is_complete(script: Any, sandbox: Any, work: Path) -> None:
    write_config(work / "hera.config", **whole(sandbox, vintage=2015))
    assert script("my_parser") == Told(0, "2015\n", "")
    (work / "hera.config").unlink()
    told = script("my_parser")
    assert told.code == 1
    assert "ARGO_SERVER" in told.err
    assert "KUBECONFIG" in told.err


@pytest.mark.parametrize("place", ["here", "home", "argoconfig"])
def test_an_extended_environment_is_made_from_a_file_in_any_place(
    script: Any, sandbox: Any, work: Path, namespace: str, place: str
) -> None:
    home = Path(os.environ["HOME"])
    path = {"here": work, "home": home, "argoconfig": work / "elsewhere"}[place] / "hera.config"
    path.parent.mkdir(exist_ok=True)
    write_config(path, **whole(sandbox))
    told = script("my_environment", **({"ARGOCONFIG": str(path)} if place == "argoconfig" else {}))
    assert told.code == 0, told.err
    made = json.loads(told.out)
    assert made["cluster"] == {"configmap": "proxy"}
    assert made["persisted_volume"] == {"claim_name": "data", "mount_path": "/within-container"}
    assert made["k8s"]["namespace"] == namespace  # of the kubeconfig's context: nobody said another one
    assert made["argo"]["server"] == sandbox.url
    assert told.err == ""


def test_variables_and_flags_make_it_too(script: Any, sandbox: Any) -> None:
    told = script(
        "my_environment",
        "--k8s_configmap_name",
        "proxy",
        ARGO_SERVER=sandbox.url,
        ARGO_TOKEN=sandbox.token,
        KUBECONFIG=f"nowhere{os.pathsep}config",
        KUBECONFIGMAP="another",
        KUBEVOLUMECLAIMNAME="data",
    )
    assert told.code == 0, told.err
    assert json.loads(told.out)["cluster"] == {"configmap": "proxy"}


def test_create_of_hera_reaches_the_server_and_the_workflow_runs(
    script: Any, sandbox: Any, api: Api, work: Path, namespace: str
) -> None:
    allow_reports(api, namespace, "runner")
    write_config(work / "hera.config", **whole(sandbox, argo_service_account="runner"))
    told = script("experiment")
    assert told.code == 0, told.err
    name, where, account = told.out.split()
    assert (where, account) == (namespace, "runner")
    found = api.get(f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflows/{name}")
    assert found["status"]["phase"] == "Succeeded"
    bound = api.get(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/data")
    directory = bound["metadata"]["annotations"]["hera-k8s-utils/local-path"]
    assert Path(directory, "greeting.txt").read_text() == "hello from 0.1\n"


def allow_reports(api: Api, namespace: str, account: str, *more: dict[str, Any]) -> None:
    """An account whose pods may report their results. more: further rules."""
    roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    api.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": account}})
    rule = {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    api.create(f"{roles}/roles", {"metadata": {"name": account}, "rules": [rule, *more]})
    binding = {
        "metadata": {"name": account},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }
    api.create(f"{roles}/rolebindings", binding)


@pytest.mark.parametrize(
    ("config", "found", "hint"),
    [
        ({"k8s_volume_claim_name": "nope"}, "claim nope cannot be used: not found in", "get persistentvolumeclaims"),
        ({"k8s_configmap_name": "nope"}, "config map nope cannot be used: not found in", "get configmaps"),
        ({"k8s_configmap_name": ""}, "no ConfigMap is named", "--k8s_configmap_name"),
    ],
)
def test_what_is_missing_ends_the_script(
    script: Any, sandbox: Any, work: Path, config: dict[str, str], found: str, hint: str
) -> None:
    write_config(work / "hera.config", **whole(sandbox, **config))
    told = script("my_environment")
    assert told.code == 1
    assert told.lines[0].startswith(found)
    assert hint in told.lines[1]


def test_a_namespace_that_does_not_exist_ends_the_script_without_a_traceback(
    script: Any, sandbox: Any, work: Path
) -> None:
    write_config(work / "hera.config", **whole(sandbox, argo_namespace="nowhere"))
    told = script("my_environment")
    assert told.code == 1
    assert told.lines[0] == "namespace nowhere cannot be used: not found"
    assert "kubectl create namespace nowhere" in told.lines[1]
    assert "Traceback" not in told.out + told.err


CAUGHT = """
from hera_k8s_utils import HeraK8sError, k8s_cluster, parser
cluster = k8s_cluster(parser().parse_args())
try:
    cluster.assert_volume_claim("nope")
except HeraK8sError as error:
    print("went on:", error.found)
cluster.assert_cluster()
cluster.assert_namespace()
cluster.print_config()
print([each.metadata.name for each in cluster.v1.list_namespaced_config_map(cluster.namespace).items])
"""


def test_a_new_script_catches_failures_and_uses_the_official_client(
    script: Any, sandbox: Any, work: Path, namespace: str
) -> None:
    told = run_script(CAUGHT, "--k8s_config_file", "config", cwd=work, secrets=(sandbox.token,))
    assert told.code == 0, told.err
    assert told.out.splitlines()[0] == f"went on: not found in {namespace}"
    assert told.out.splitlines()[-1] == "['proxy']"
    assert "credential: kubeconfig, context sandbox" in told.out


OLDER = """
from hera_k8s_utils import argo_server, k8s_cluster, parse_arguments
args = parse_arguments()
cluster = k8s_cluster(args)
server = argo_server(cluster, args)
from hera.shared import global_config
print(server.server, server.namespace, server.service_account)
global_config.host = global_config.namespace = None
server.define_argo_server_part_of_environment()
assert server.token not in repr(global_config)
from hera.workflows import Container, Workflow
with Workflow(generate_name="older-", entrypoint="main") as w:
    Container(name="main", image="busybox", command=["true"])
w.create()
print(w.name)
"""


def test_the_older_forms_work(script: Any, sandbox: Any, api: Api, work: Path, namespace: str) -> None:
    write_config(work / "hera.config", **whole(sandbox))
    told = run_script(OLDER, cwd=work, secrets=(sandbox.token,))
    assert told.code == 0, told.err
    server, name = told.out.splitlines()
    assert server == f"{sandbox.url} {namespace} None"
    assert api.get(f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflows/{name}")


def test_the_test_modules_say_whether_all_is_well(script: Any, sandbox: Any, work: Path) -> None:
    for module in ("parser", "check_k8s_server_availability"):
        write_config(work / "hera.config", **whole(sandbox))
        told = run_python("-m", f"hera_k8s_utils.tests.{module}", cwd=work, secrets=(sandbox.token,))
        assert (told.code, told.err) == (0, "")
        assert told.out.splitlines()[-1] in ("The configuration is complete.", "The cluster can be used.")
        (work / "hera.config").unlink()
        told = run_python("-m", f"hera_k8s_utils.tests.{module}", cwd=work)
        assert told.code == 1
        assert "KUBECONFIG" in told.err


def test_an_old_script_is_tried_without_any_cluster(work: Path, sandbox: Any) -> None:
    source = "from hera_k8s_utils import num_exp_environment, parser\n"
    source += "num_exp_environment(parser().parse_args(), verbose=True)\n"
    variables = {"HERA_K8S_SANDBOX": "true", "HERA_K8S_SANDBOX_DIR": str(sandbox.directory)}
    told = run_script(source, cwd=work, secrets=(sandbox.token,), **variables)
    assert told.code == 0, told.err
    assert f"server: {sandbox.url}" in told.out


@pytest.mark.parametrize("way", ["token request", "token secret"])
def test_a_service_account_opens_the_argo_server_through_kubernetes(
    script: Any, sandbox: Any, api: Api, work: Path, namespace: str, way: str
) -> None:
    allow_reports(api, namespace, "runner", {"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["*"]})
    given = {**whole(sandbox), "argo_service_account": "runner"}
    del given["argo_token"]
    if way == "token secret":
        annotations = {"kubernetes.io/service-account.name": "runner"}
        metadata = {"name": "of-runner", "annotations": annotations}
        body = {"metadata": metadata, "type": "kubernetes.io/service-account-token"}
        api.create(f"/api/v1/namespaces/{namespace}/secrets", body)
        given["argo_token_secret"] = "of-runner"
    write_config(work / "hera.config", **given)
    told = script("experiment")
    assert told.code == 0, told.err
    assert told.out.split()[1:] == [namespace, "runner"]


# --- ordinary users --------------------------------------------------------------------------------------------


def test_a_user_who_may_only_read_named_objects_of_one_namespace_is_enough(
    api: Api, sandbox: Any, work: Path, namespace: str
) -> None:
    roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    api.create(accounts, {"metadata": {"name": "jane"}})
    rules = [
        {"apiGroups": [""], "resources": ["configmaps", "persistentvolumeclaims"], "verbs": ["get"]},
    ]
    api.create(f"{roles}/roles", {"metadata": {"name": "jane"}, "rules": rules})
    binding = {
        "metadata": {"name": "jane"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "jane"},
        "subjects": [{"kind": "ServiceAccount", "name": "jane", "namespace": namespace}],
    }
    api.create(f"{roles}/rolebindings", binding)
    token = api.create(f"{accounts}/jane/token", {"spec": {"expirationSeconds": 3600}})["status"]["token"]
    config = json.loads(kubeconfig(sandbox, namespace=namespace).replace(sandbox.token, token))
    (work / "config").write_text(json.dumps(config))
    source = """
from hera_k8s_utils import k8s_cluster, parser
cluster = k8s_cluster(parser().parse_args())
cluster.assert_namespace()
cluster.assert_configmap("proxy")
cluster.assert_volume_claim("data")
print(cluster.identity)
"""
    told = run_script(source, cwd=work, secrets=(token,), KUBECONFIG="config")
    assert told.code == 0, told.err
    assert told.out == f"system:serviceaccount:{namespace}:jane\n"
    assert told.lines == [f"warning: namespace {namespace}: not ours to look at (403)"]
