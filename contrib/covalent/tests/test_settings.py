"""The executor's settings: from arguments, from Covalent's configuration, by default; and what can never be used."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("covalent", reason="needs Covalent: nox -s 'contrib(covalent)'")
pytest.importorskip("covalent_kubernetes_plugin", reason="needs hera-k8s-covalent: nox -s 'contrib(covalent)'")

import covalent as ct
import toml
from covalent.executor import _executor_manager
from covalent_kubernetes_plugin.cluster import ClusterSelection
from covalent_kubernetes_plugin.k8s import KubernetesExecutor
from covalent_kubernetes_plugin.names import job_name, label_value

from hera_k8s_utils import OptionsError

KEPT = {
    "base_image": "python:3.8-slim-bullseye",
    "k8s_config_file": "~/.kube/config",
    "k8s_context": "",
    "image_repo": "covalent-eks-task",
    "registry": "localhost",
    "registry_credentials_file": "",
    "data_store": "",
    "region": "",
    "vcpu": "500m",
    "memory": "1G",
    "cache_dir": "~/.cache/covalent",
    "poll_freq": 10,
}
"""The keys and defaults of covalent-kubernetes-plugin 0.1."""


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets keys of `[executors.k8s]` for the test."""

    def set_keys(**keys: Any) -> None:
        section = ct.get_config("executors.k8s")
        for name, value in keys.items():
            monkeypatch.setitem(section, name, value)

    return set_keys


def test_covalent_finds_the_executor_by_its_name() -> None:
    assert isinstance(_executor_manager.get_executor("k8s"), KubernetesExecutor)
    assert KubernetesExecutor().short_name() == "k8s"


@pytest.mark.parametrize("first", ["covalent", "covalent_kubernetes_plugin.k8s"])
def test_covalent_finds_it_whichever_is_imported_first(first: str) -> None:
    source = (
        f"import {first}, covalent.executor, json\n"
        "print(json.dumps([name for name in covalent.executor._executor_manager.executor_plugins_map]))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "k8s" in json.loads(done.stdout)
    assert "well-defined" not in done.stderr


def test_covalents_configuration_has_every_key_with_its_default() -> None:
    import os

    written = toml.load(Path(os.environ["COVALENT_CONFIG_DIR"]) / "covalent.conf")["executors"]["k8s"]
    assert {name: written[name] for name in KEPT} == KEPT
    made = KubernetesExecutor()
    assert {name: getattr(made, name) for name in written} == written


def test_the_configuration_beats_defaults_and_arguments_beat_it(configured: Any) -> None:
    configured(base_image="python:3.11-slim", vcpu="2", time_limit=60)
    made = KubernetesExecutor(vcpu="3")
    assert (made.base_image, made.vcpu, made.time_limit) == ("python:3.11-slim", "3", 60)


def test_an_explicit_empty_argument_counts(configured: Any) -> None:
    configured(k8s_context="minikube", data_store="/data", memory="2G", poll_freq=30, registry="registry.example")
    made = KubernetesExecutor(k8s_context="", data_store="", memory="", poll_freq=0, registry="")
    assert (made.k8s_context, made.data_store, made.memory, made.poll_freq, made.registry) == ("", "", "", 0, "")


def test_an_executor_travels_to_covalents_server_and_back() -> None:
    made = KubernetesExecutor(vcpu="2.0", memory="4G", data_store="s3://bucket/prefix/", log_stdout="out.log")
    travelled = json.loads(json.dumps(made.to_dict()))
    assert KubernetesExecutor().from_dict(travelled).__dict__ == made.__dict__


def test_the_arguments_of_the_first_plugins_readme_are_taken() -> None:
    KubernetesExecutor(k8s_context="minikube", vcpu="100m", memory="500Mi")
    KubernetesExecutor(
        k8s_context="user@covalent-eks-cluster.us-east-1.eksctl.io",
        image_repo="covalent-eks-task",
        registry="123456789012.dkr.ecr.us-east-1.amazonaws.com",
        data_store="s3://bucket/file/path/",
        vcpu="2.0",
        memory="4G",
    )


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"memry": "1G"}, "memory = ..."),
        ({"vcpu": "half"}, "no quantity"),
        ({"memory": "-1G"}, "more than nothing"),
        ({"poll_freq": "often"}, "a number is wanted"),
        ({"pending_limit": -5}, "0 or more"),
        ({"base_image": ""}, "base_image is empty"),
        ({"data_store": "gs://bucket/x"}, "s3://bucket/prefix"),
        ({"data_store": "s3://"}, "s3://bucket/prefix"),
        ({"data_store": "relative/path"}, "names no data store"),
        ({"data_store": "claim:data"}, "claim:NAME"),
        ({"data_store": "claim:data/../other@/data"}, "claim:NAME"),
        ({"data_store": "claim:Data@/data"}, "claim:NAME"),
    ],
)
def test_what_can_never_be_used_is_said_where_the_lattice_is_written(setting: Any, said: str) -> None:
    with pytest.raises(OptionsError) as told:
        KubernetesExecutor(**setting)
    assert said in str(told.value)


def test_the_default_kubeconfig_stands_for_what_kubectl_would_take() -> None:
    assert ClusterSelection("~/.kube/config", "", "").options == {}
    assert ClusterSelection("", "", "").options == {}
    assert ClusterSelection("~/other", "minikube", "").options["k8s_config_file"].endswith("/other")
    assert ClusterSelection("~/.kube/config", "minikube", "lab").options == {
        "k8s_context": "minikube",
        "namespace": "lab",
    }


def test_job_names_are_those_of_the_first_plugin_made_to_fit() -> None:
    dispatch = "4f0c1a52-2b4d-4c9a-9c43-3d7b1c1f2a10"
    assert job_name(dispatch, 12) == f"job-{dispatch}-12"
    odd = [job_name("Dispatch_1", 0), job_name("dispatch-1", 0), job_name("x" * 80, 0), job_name("x" * 80, 1)]
    assert len(set(odd)) == 4
    for name in odd:
        assert len(name) <= 63
        assert name.startswith("job-")
        assert name.replace("-", "").isalnum()
        assert name == name.lower().strip("-")


def test_label_values_hold_what_labels_may_hold() -> None:
    assert label_value("a dispatch/of mine_") == "a-dispatch-of-mine"
    assert len(label_value("x" * 100)) == 63
