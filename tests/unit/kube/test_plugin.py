"""The Kubernetes plugin keeps the contracts that the framework offers to every plugin's author."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hera_k8s_kube import ConfigMap
from hera_k8s_kube.plugin import credential_providers, resource_checkers
from hera_k8s_kube.settings import KubeSettings
from hera_k8s_sandbox.server.launch import Address, kubeconfig
from hera_k8s_utils import Context, build_container
from hera_k8s_utils.testing import CheckerContract, CredentialProviderContract, PluginContract


class TestPlugin(PluginContract):
    @pytest.fixture
    def plugin(self) -> str:
        return "kube"


class TestConfigMapChecker(CheckerContract):
    @pytest.fixture
    def checker(self) -> Any:
        return next(checker for checker in resource_checkers() if checker.kind == "ConfigMap")

    @pytest.fixture
    def context(self, sandbox: Address, tmp_path: Path) -> Iterator[Context]:
        config = tmp_path / "config"
        config.write_text(kubeconfig(sandbox))
        with build_container(environ={"KUBECONFIG": str(config)}) as container:
            context = container.context()
            context.kubernetes.apply("v1", "configmaps", "here", {"kind": "ConfigMap", "metadata": {"name": "here"}})
            yield context

    @pytest.fixture
    def fit(self) -> ConfigMap:
        return ConfigMap("here")

    @pytest.fixture
    def absent(self) -> ConfigMap:
        return ConfigMap("gone")


class TestKubeconfigProvider(CredentialProviderContract):
    @pytest.fixture
    def provider(self) -> Any:
        return next(provider for provider in credential_providers() if provider.name == "kubeconfig")

    @pytest.fixture
    def context(self) -> None:
        return None

    @pytest.fixture
    def ready(self, tmp_path: Path) -> KubeSettings:
        body = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": "u", "user": {"token": "tok-5d2e88aa"}}],
        }
        (tmp_path / "config").write_text(json.dumps(body))
        return KubeSettings(config_file=str(tmp_path / "config"))


def test_every_kind_has_one_checker_and_a_word_for_people() -> None:
    checkers = list(resource_checkers())
    assert len({checker.kind for checker in checkers}) == len(checkers) == 10
    for checker in checkers:
        assert checker.requirement.kind == checker.kind
        assert checker.requirement.word
