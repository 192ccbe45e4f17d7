"""Scripts as they were written for 0.1, on each cluster: what they assert, and with Argo what they submit."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cluster_access import write_kubeconfig
from command_line import SECRET
from old_scripts import run_python, run_script, write_config

from clusters import ClusterSpace

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BOTH_STYLES = ("boroughs", "coin_flip", "hello_world_container", "simple", "volumes")
WORKFLOW = "/apis/argoproj.io/v1alpha1/namespaces/{}/workflows/{}"

ASSERTING = """
from hera_k8s_utils import k8s_cluster, parser


class my_parser:
    def __init__(self):
        self.parser = parser().get_parser()
        self.parser.add("--k8s_volume_claim_name", type=str, env_var="KUBEVOLUMECLAIMNAME")
        self.parser.add("--k8s_configmap_name", type=str, env_var="KUBECONFIGMAP")


args = my_parser().parser.parse_args()
cluster = k8s_cluster(args)
cluster.assert_cluster()
cluster.assert_namespace()
cluster.assert_configmap(args.k8s_configmap_name)
cluster.assert_volume_claim(args.k8s_volume_claim_name)
print(cluster.namespace, cluster.v1.read_namespaced_config_map(args.k8s_configmap_name, cluster.namespace).data["mode"])
"""
NAMED = [
    {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["settings"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "resourceNames": ["data"], "verbs": ["get"]},
]


@pytest.fixture
def furnished(each_cluster: ClusterSpace) -> ClusterSpace:
    """A namespace with a config map and a claim."""
    each_cluster.kube.create("{ns}/configmaps", {"metadata": {"name": "settings"}, "data": {"mode": "loud"}})
    make_claim(each_cluster, "data")
    return each_cluster


def make_claim(space: ClusterSpace, name: str) -> None:
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Mi"}}}
    space.kube.create("{ns}/persistentvolumeclaims", {"metadata": {"name": name}, "spec": spec})
    space.kube.until(f"{{ns}}/persistentvolumeclaims/{name}", lambda found: found["status"]["phase"] == "Bound")


def assert_all(space: ClusterSpace, kubeconfig: Path, work: Path, claim: str = "data") -> Any:
    variables = {"KUBECONFIG": str(kubeconfig), "KUBECONFIGMAP": "settings", "KUBEVOLUMECLAIMNAME": claim}
    return run_script(ASSERTING, cwd=work, **variables)


def test_a_user_who_may_only_read_what_is_named_asserts_all(furnished: ClusterSpace, work: Path) -> None:
    """The first version listed nodes, all pods and all claims, which ordinary users may not."""
    told = assert_all(furnished, furnished.account("reader", NAMED), work)
    assert (told.code, told.out) == (0, f"{furnished.namespace} loud\n"), told.err
    assert "namespace" in told.err  # which the account may not read: unknown, and said


def test_a_missing_claim_ends_the_script_with_a_message_and_a_status(furnished: ClusterSpace, work: Path) -> None:
    told = assert_all(furnished, furnished.kubeconfig, work, claim="nope")
    assert (told.code, told.out) == (1, "")
    assert told.lines[0] == f"claim nope cannot be used: not found in {furnished.namespace}"


def test_a_refused_token_ends_it_too(furnished: ClusterSpace, work: Path) -> None:
    nobody = replace(furnished.server.access, token=SECRET, certificate=None)
    kubeconfig = write_kubeconfig(work / "nobody.kubeconfig", nobody, furnished.namespace)
    told = assert_all(furnished, kubeconfig, work)
    assert told.code == 1
    assert "401" in told.err or "Unauthorized" in told.err, told.err


@pytest.mark.parametrize("name", BOTH_STYLES)
def test_an_example_in_the_old_style_runs(each_cluster: ClusterSpace, name: str, work: Path) -> None:
    argo = each_cluster.argo
    make_claim(each_cluster, "data")
    shutil.copytree(EXAMPLES / name, work / name)
    config = {"argo_server": argo.url, "argo_token": f'"Bearer {argo.token}"', "argo_namespace": each_cluster.namespace}
    write_config(work / name / "hera.config", k8s_config_file=each_cluster.kubeconfig, **config)
    variables = {"KUBEVOLUMECLAIMNAME": "data"}
    told = run_python(f"old_style/{name}.py", cwd=work / name, secrets=(argo.token,), **variables)
    assert told.code == 0, told.err
    submitted = re.fullmatch(r"submitted (\S+)\n", told.out)
    assert submitted is not None, told.out
    path = WORKFLOW.format(each_cluster.namespace, submitted[1])
    ended = each_cluster.kube.until(path, lambda found: (found.get("status") or {}).get("finishedAt"), seconds=100)
    assert ended["status"]["phase"] == "Succeeded", json.dumps(ended["status"])[:3000]
