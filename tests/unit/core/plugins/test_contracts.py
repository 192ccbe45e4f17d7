"""The built-in declarations under the contracts that `hera_k8s_utils.testing` offers to authors of plugins."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hera_k8s_kube import ConfigMap, PersistentVolumeClaim, ServiceAccount
from hera_k8s_utils import Context, build_container
from hera_k8s_utils.plugins.manager import PluginManager
from hera_k8s_utils.testing import (
    CheckerContract,
    CredentialProviderContract,
    LayoutContract,
    PluginContract,
    WorkloadKindContract,
)


def declared(hook: str, name: str) -> Any:
    return PluginManager.load().named(hook, name)


@pytest.fixture
def context(sandbox: Any) -> Iterator[Context]:
    """The context of a container on the sandbox, in which a config map, an account and a claim are there."""
    with build_container(sandbox=True, sandbox_dir=str(sandbox.directory), environ={}) as container:
        kubernetes = container.context().kubernetes
        kubernetes.apply(
            "v1", "configmaps", "there", {"kind": "ConfigMap", "metadata": {"name": "there"}, "data": {"A": "1"}}
        )
        spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
        claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "there"}, "spec": spec}
        kubernetes.apply("v1", "persistentvolumeclaims", "there", claim)
        yield container.context()


class TestBuiltInPlugins(PluginContract):
    @pytest.fixture(params=["kube", "argo", "layouts", "sandbox", "commands"])
    def plugin(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)


class TestCheckers(CheckerContract):
    @pytest.fixture(
        params=[
            (ConfigMap("there", keys=frozenset({"A"})), ConfigMap("there", keys=frozenset({"B"}))),
            (PersistentVolumeClaim("there", mount_path="/x"), PersistentVolumeClaim("gone", mount_path="/x")),
            (ServiceAccount("default"), ServiceAccount("gone")),
        ],
        ids=lambda pair: pair[0].kind,
    )
    def pair(self, request: pytest.FixtureRequest) -> Any:
        return request.param

    @pytest.fixture
    def checker(self, pair: Any) -> Any:
        return declared("resource_checkers", pair[0].kind)

    @pytest.fixture
    def fit(self, pair: Any) -> Any:
        return pair[0]

    @pytest.fixture
    def absent(self, pair: Any) -> Any:
        return pair[1]

    @pytest.fixture
    def context(self, context: Context) -> Context:
        return context


class TestLayouts(LayoutContract):
    @pytest.fixture(params=[("hive", ""), ("flat", ""), ("hashed", ""), ("template", "{number}/{text}-{flag}")])
    def pair(self, request: pytest.FixtureRequest) -> Any:
        return request.param

    @pytest.fixture
    def strategy(self, pair: Any) -> Any:
        return declared("layout_strategies", pair[0])

    @pytest.fixture
    def argument(self, pair: Any) -> str:
        return str(pair[1])


class TestCredentialProviders(CredentialProviderContract):
    @pytest.fixture(params=["kubernetes=sandbox", "argo=sandbox"])
    def provider(self, request: pytest.FixtureRequest) -> Any:
        return declared("credential_providers", request.param)

    @pytest.fixture
    def ready(self, provider: Any, sandbox: Any) -> Any:
        return provider.settings(sandbox=True, sandbox_dir=sandbox.directory)

    @pytest.fixture
    def context(self, context: Context) -> Context:
        return context


SPEC = {"entrypoint": "main", "templates": [{"name": "main", "container": {"image": "busybox"}}]}
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "one"},
    "spec": {
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}},
    },
}


class TestWorkloadKinds(WorkloadKindContract):
    @pytest.fixture(
        params=[
            {"kind": "Workflow", "metadata": {"name": "w"}, "spec": SPEC},
            {"kind": "WorkflowTemplate", "metadata": {"name": "w"}, "spec": SPEC},
            {"kind": "ClusterWorkflowTemplate", "metadata": {"name": "w"}, "spec": SPEC},
            {
                "kind": "CronWorkflow",
                "metadata": {"name": "w"},
                "spec": {"schedules": ["@daily"], "workflowSpec": SPEC},
            },
            JOB,
            {"kind": "List", "metadata": {}, "items": [JOB, {**JOB, "metadata": {"name": "two"}}]},
        ],
        ids=lambda body: body["kind"],
    )
    def body(self, request: pytest.FixtureRequest) -> Any:
        return request.param

    @pytest.fixture
    def kind(self, body: Any) -> Any:
        return declared("workload_kinds", body["kind"])


LEAKY = """
import pytest
from hera_k8s_utils import Credential, CredentialProvider
from hera_k8s_utils.testing import CredentialProviderContract


class TestLeaky(CredentialProviderContract):
    @pytest.fixture
    def provider(self):
        found = Credential(secret="s3cr3tK7xQ9zLmW2", source="vault s3cr3tK7xQ9zLmW2")
        return CredentialProvider(name="leaky", target="argo", load=lambda settings, context: found)

    @pytest.fixture
    def context(self):
        return None

    @pytest.fixture
    def ready(self):
        return None
"""


def test_a_provider_that_shows_its_secret_is_refused_without_showing_it(tmp_path: Path) -> None:
    (tmp_path / "test_leaky.py").write_text(LEAKY)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", "not_shown", "test_leaky.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert "its secret is in its repr" in done.stdout
    assert "s3cr3tK7xQ9zLmW2" not in done.stdout + done.stderr
