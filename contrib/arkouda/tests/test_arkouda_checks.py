"""The checkers: what is fit passes, what is not is named with what can be typed, what may not be seen is unknown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from arkouda_cluster import ACCOUNT, NAMESPACE, ArkoudaSandbox, arkouda_sandbox, context_of, kubeconfig_of, ssh_secret
from arkouda_contract import DEPLOYMENT
from hera_k8s_arkouda import checks
from hera_k8s_arkouda.capacity import pods_that_fit
from hera_k8s_arkouda.experiments import experiment_for
from hera_k8s_arkouda.install import installation
from hera_k8s_arkouda.plugin import resource_checkers
from hera_k8s_arkouda.requirements import Capacity, Installed, PrometheusSelection, SshKeys, TokenSecret
from hera_k8s_arkouda.selectors import matches

from hera_k8s_utils import Context, ErrorKind, Json, PlatformError, ResourceChecker, Verdict, build_container
from hera_k8s_utils.testing import CheckerContract, PluginContract

needs_posix = pytest.mark.skipif(os.name != "posix", reason="the sandbox is for POSIX systems")
MONITORING = "monitoring.coreos.com/v1"
LABEL = PrometheusSelection("release: kube-stack", key="release", value="kube-stack")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArkoudaSandbox]:
    with arkouda_sandbox(tmp_path_factory.mktemp("arkouda")) as found:
        yield found


@pytest.fixture
def context(box: ArkoudaSandbox) -> Iterator[Context]:
    with context_of(box) as found:
        yield found


@pytest.fixture
def nobody(box: ArkoudaSandbox, context: Context, tmp_path: Any) -> Iterator[Context]:
    """The context of an account without any right."""
    path = kubeconfig_of(box, context.kubernetes, "nobody", tmp_path / "kubeconfig")
    with build_container(environ={"KUBECONFIG": str(path)}) as container:
        yield container.context()


def checker_of(kind: str) -> ResourceChecker[Any]:
    return next(checker for checker in resource_checkers() if checker.kind == kind)


class OnTheSandbox(CheckerContract):
    """The contract of checkers, held on the sandbox."""

    @pytest.fixture
    def context(self, box: ArkoudaSandbox) -> Iterator[Context]:
        with context_of(box) as found:
            yield found


class TestPlugin(PluginContract):
    """The plugin loads, cheaply."""

    @pytest.fixture
    def plugin(self, plugin: str) -> str:
        return plugin


@needs_posix
class TestSshKeys(OnTheSandbox):
    """Both keys are there and look like keys."""

    @pytest.fixture
    def checker(self) -> Any:
        return checker_of("ArkoudaSshKeys")

    @pytest.fixture
    def fit(self) -> Any:
        return SshKeys("keys", bound="arkouda-ssh")

    @pytest.fixture
    def absent(self) -> Any:
        return SshKeys("keys", bound="no-such-secret")


@needs_posix
class TestToken(OnTheSandbox):
    """The token is there, and is that of the account."""

    @pytest.fixture
    def checker(self) -> Any:
        return checker_of("ArkoudaToken")

    @pytest.fixture
    def fit(self) -> Any:
        return TokenSecret("token", bound=ACCOUNT, account=ACCOUNT)

    @pytest.fixture
    def absent(self) -> Any:
        return TokenSecret("token", bound=ACCOUNT, account="another")


@needs_posix
class TestInstalled(OnTheSandbox):
    """What is installed is there, in this version."""

    @pytest.fixture
    def checker(self) -> Any:
        return checker_of("ArkoudaInstallation")

    @pytest.fixture
    def fit(self, context: Context) -> Any:
        wanted = next(each for each in installation() if each.name == "delete-arkouda-on-kubernetes")
        body = dict(wanted.body)
        context.kubernetes.apply(body["apiVersion"], "workflowtemplates", wanted.name, body)
        return wanted

    @pytest.fixture
    def absent(self) -> Any:
        return next(each for each in installation() if each.name == "deploy-prometheus-arkouda-exporter")


@needs_posix
def test_each_way_in_which_a_secret_of_keys_is_unfit_is_told(context: Context) -> None:
    unfit = {
        "empty-pub": ({"id_rsa.pub": ""}, "lacks id_rsa.pub"),
        "swapped": ({"id_rsa": "ssh-rsa AAAA"}, "id_rsa is not a private key"),
        "twice": ({"id_rsa.pub": "-----BEGIN KEY"}, "id_rsa.pub is not a public key"),
    }
    for name, (data, told) in unfit.items():
        context.kubernetes.apply("v1", "secrets", name, ssh_secret(name, **data))
        result = checks.check_ssh_keys(None, context, SshKeys("keys", bound=name))
        assert result.verdict is Verdict.FAILED
        assert told in result.detail
    missing = checks.check_ssh_keys(None, context, SshKeys("keys", bound="nowhere"))
    assert "ssh-keygen" in missing.hint


@needs_posix
def test_a_secret_that_holds_no_token_of_the_account_is_told_from_one_that_does(context: Context) -> None:
    context.kubernetes.apply("v1", "secrets", "opaque", ssh_secret("opaque"))
    opaque = checks.check_token(None, context, TokenSecret("token", bound="opaque", account=ACCOUNT))
    assert "has the type Opaque" in opaque.detail
    other = checks.check_token(None, context, TokenSecret("token", bound=ACCOUNT, account="another"))
    assert f"holds the token of {ACCOUNT}, not of another" in other.detail
    missing = checks.check_token(None, context, TokenSecret("token", bound="nowhere", account=ACCOUNT))
    assert "kubernetes.io/service-account.name" in missing.hint


@needs_posix
def test_another_version_of_a_template_is_a_warning(context: Context) -> None:
    wanted = next(each for each in installation() if each.name == "deploy-arkouda-on-kubernetes")
    body: Json = {**wanted.body, "metadata": {"name": wanted.name}}
    context.kubernetes.apply(body["apiVersion"], "workflowtemplates", wanted.name, body)
    result = checks.check_installed(None, context, wanted)
    assert result.verdict is Verdict.WARNING
    assert "hera-k8s arkouda install" in result.hint


@needs_posix
def test_whether_a_prometheus_selects_the_label_is_told_where_it_can_be_seen(context: Context) -> None:
    def said(name: str, **spec: Any) -> Any:
        body = {"metadata": {"name": name}, "spec": spec}
        context.kubernetes.apply(MONITORING, "prometheuses", name, {"kind": "Prometheus", **body})
        result = checks.check_prometheus(None, context, LABEL)
        context.kubernetes.delete(MONITORING, "prometheuses", name)
        return result

    chosen = {"matchLabels": {"release": "kube-stack"}}
    assert said("all", serviceMonitorSelector={}, serviceMonitorNamespaceSelector={}).verdict is Verdict.PASSED
    assert said("own", serviceMonitorSelector=chosen).verdict is Verdict.PASSED
    none = said("none", serviceMonitorNamespaceSelector={})
    assert (none.verdict, "no Prometheus selects release: kube-stack" in none.detail) == (Verdict.WARNING, True)
    assert said("other", serviceMonitorSelector={"matchLabels": {"release": "x"}}).verdict is Verdict.WARNING
    here = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": [NAMESPACE]}]}
    assert said("here", serviceMonitorSelector=chosen, serviceMonitorNamespaceSelector=here).verdict is Verdict.PASSED
    there = {"matchLabels": {"kubernetes.io/metadata.name": "elsewhere"}}
    away = said("away", serviceMonitorSelector=chosen, serviceMonitorNamespaceSelector=there)
    assert (away.verdict, f"not in namespace {NAMESPACE}" in away.detail) == (Verdict.WARNING, True)


@needs_posix
def test_what_may_not_be_looked_at_is_left_to_the_framework_to_call_unknown(nobody: Context) -> None:
    looks = [
        lambda: checks.check_prometheus(None, nobody, LABEL),
        lambda: checks.check_capacity(None, nobody, Capacity("pods", cpu="1", memory="1Gi")),
        lambda: checks.check_ssh_keys(None, nobody, SshKeys("keys", bound="arkouda-ssh")),
    ]
    for look in looks:
        with pytest.raises(PlatformError) as refused:
            look()
        assert refused.value.kind is ErrorKind.FORBIDDEN


@needs_posix
def test_room_is_counted_and_its_lack_is_a_warning(context: Context) -> None:
    small = checks.check_capacity(None, context, Capacity("pods", pods=1, cpu="1m", memory="1Mi"))
    assert small.verdict is Verdict.PASSED
    large = checks.check_capacity(None, context, Capacity("pods", pods=3, cpu="4000", memory="1Mi"))
    assert (large.verdict, large.detail.startswith("room for 0 of 3 pods")) == (Verdict.WARNING, True)


@needs_posix
@pytest.mark.usefixtures("plugin")
def test_each_right_that_the_account_lacks_is_named(box: ArkoudaSandbox, context: Context) -> None:
    """The role is there, without config maps."""
    group = "rbac.authorization.k8s.io/v1"
    for wanted in installation():
        body = dict(wanted.body)
        if body["kind"] == "Role":
            body["rules"] = [
                {**rule, "resources": [each for each in rule["resources"] if each != "configmaps"]}
                for rule in body["rules"]
            ]
        if body["kind"] == "RoleBinding":
            body["subjects"] = [{**subject, "namespace": NAMESPACE} for subject in body["subjects"]]
        context.kubernetes.apply(body["apiVersion"], f"{body['kind'].lower()}s", wanted.name, body, force=True)
    directory = box.variables["HERA_K8S_SANDBOX_DIR"]
    with build_container(
        experiment_for(DEPLOYMENT), environ={}, sandbox=True, sandbox_dir=directory, namespace=NAMESPACE
    ) as container:
        rows = {row.title: row.result for row in container.report().rows}
    lacking = [title for title, result in rows.items() if "configmaps" in title]
    assert [rows[title].verdict for title in lacking] == [Verdict.FAILED]
    held = [title for title in rows if title.startswith("account arkouda-workflows") and title not in lacking]
    assert len(held) >= 6
    assert {rows[title].verdict for title in held} == {Verdict.PASSED}
    context.kubernetes.delete(group, "roles", "arkouda-workflows")


def test_the_installation_is_a_provision_set(context: Context) -> None:
    checker = checker_of(Installed.kind)
    assert checker.provision is not None
    for wanted in installation():
        body = checker.provision(None, context, wanted)
        assert body is not None
        assert body["metadata"]["namespace"] == NAMESPACE
        assert body["metadata"]["name"] == wanted.name


def node(name: str, cpu: str, memory: str, **spec: Any) -> Json:
    status = {"allocatable": {"cpu": cpu, "memory": memory}, "conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": {"name": name}, "spec": spec, "status": status}


def pod(where: str, cpu: str, memory: str, phase: str = "Running") -> Json:
    resources = {"requests": {"cpu": cpu, "memory": memory}}
    return {"spec": {"nodeName": where, "containers": [{"resources": resources}]}, "status": {"phase": phase}}


def test_places_are_counted_node_by_node() -> None:
    nodes = [node("a", "4", "8Gi"), node("b", "2", "8Gi")]
    assert pods_that_fit(nodes, [], "1500m", "1Gi") == 3, "what is left on two nodes makes no pod on either"
    assert pods_that_fit(nodes, [pod("a", "3", "1Gi")], "1500m", "1Gi") == 1
    assert pods_that_fit(nodes, [pod("a", "3", "1Gi", "Succeeded")], "1500m", "1Gi") == 3
    assert pods_that_fit(nodes, [], "1", "6Gi") == 2, "memory counts, too"


def test_nodes_that_take_no_pods_do_not_count() -> None:
    tainted = node("t", "64", "64Gi", taints=[{"key": "gpu", "effect": "NoSchedule"}])
    cordoned = node("c", "64", "64Gi", unschedulable=True)
    away = {**node("n", "64", "64Gi"), "status": {"allocatable": {"cpu": "64"}, "conditions": []}}
    assert pods_that_fit([tainted, cordoned, away, node("a", "1", "1Gi")], [], "1", "1Gi") == 1
    assert pods_that_fit([{"metadata": {"name": "silent"}}], [], "1", "1Gi") is None


@pytest.mark.parametrize(
    ("selector", "taken"),
    [
        ({}, True),
        ({"matchLabels": {"a": "1"}}, True),
        ({"matchLabels": {"a": "2"}}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, False),
        ({"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "b", "operator": "Exists"}]}, False),
    ],
)
def test_selectors_are_read_as_kubernetes_reads_them(selector: Json, taken: bool) -> None:
    assert matches(selector, {"a": "1"}) is taken
