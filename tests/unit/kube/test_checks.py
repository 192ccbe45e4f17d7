"""Checkers of Kubernetes' resources, against the sandbox: what is fit, what is not, and what may not be looked at."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer, reply

from hera_k8s_kube import (
    ConfigMap,
    CustomResourceDefinition,
    Namespace,
    Permission,
    PersistentVolumeClaim,
    PullSecret,
    Rule,
    Secret,
    ServiceAccount,
    StorageClass,
    WorkflowTemplate,
)
from hera_k8s_kube.platform import probe
from hera_k8s_kube.plugin import resource_checkers
from hera_k8s_sandbox.server.launch import Address, kubeconfig, running
from hera_k8s_utils import CheckResult, Context, PeakDemand, PlatformError, Verdict, build_container
from hera_k8s_utils.checks.runner import Check, run_checks

CHECKERS = {checker.requirement: checker for checker in resource_checkers()}
NAMESPACE = "vcity"
PASSWORD = "hunter2-is-secret"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A sandbox with two users besides its administrator: one of a namespace, and one who may do nothing."""
    directory = tmp_path_factory.mktemp("sandbox")
    users = directory / "users.csv"
    users.write_text('token-of-jane,jane,1,"people"\ntoken-of-nobody,nobody,2,"none"\n')
    users.chmod(0o600)
    with running(directory / "state", users=users) as address:
        yield address


@contextmanager
def connected(address: Address, directory: Path, token: str = "") -> Iterator[Context]:
    config = directory / f"config-{token or 'admin'}"
    given = replace(address, token=token) if token else address
    config.write_text(kubeconfig(given, namespace=NAMESPACE))
    with build_container(environ={"KUBECONFIG": str(config)}) as container:
        yield container.context()


@pytest.fixture(scope="module")
def admin(server: Address, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with connected(server, tmp_path_factory.mktemp("config")) as context:
        make(context, "v1", "namespaces", {"metadata": {"name": NAMESPACE}}, scope="cluster")
        api = "rbac.authorization.k8s.io/v1"
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
        people = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "people"}
        make(context, api, "rolebindings", {"metadata": {"name": "people"}, "roleRef": role, "subjects": [people]})
        yield context


def make(context: Context, api: str, resource: str, body: dict[str, Any], **where: Any) -> None:
    try:
        context.kubernetes.create(api, resource, body, **where)
    except PlatformError as error:
        if error.reason != "AlreadyExists":
            raise


def look(context: Context, wanted: Any) -> CheckResult:
    """The verdict as a run comes to it."""
    check = Check("Environment", wanted.title, lambda: CHECKERS[type(wanted)].check(None, context, wanted))
    result = run_checks([check], timeout=60).rows[0].result
    assert PASSWORD not in f"{result.detail} {result.hint}"
    return result


def fanned_out(context: Context, tasks: int) -> Context:
    return replace(context, demand=PeakDemand(pods=tasks, fan_out=tasks))


# --- what is missing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "detail", "hint"),
    [
        (PersistentVolumeClaim("r", bound="gone", size="1Gi"), "gone: not found in vcity", "hera-k8s provision"),
        (
            PersistentVolumeClaim("gone"),
            "not found in vcity",
            "kubectl -n vcity create -f FILE    or  --bind gone=NAME",
        ),
        (ConfigMap("gone", data={"A": "1"}), "not found", "hera-k8s provision    or  --bind gone=NAME"),
        (ConfigMap("gone", keys=["A"]), "not found", "kubectl -n vcity create configmap gone --from-literal=A=VALUE"),
        (Secret("gone", keys=["A"]), "not found", "kubectl -n vcity create secret generic gone"),
        (Secret("gone", keys=["A"], where="template t"), "not found in vcity; wanted by template t", "kubectl"),
        (PullSecret("gone", registry="harbor.example"), "not found", "--docker-server=harbor.example"),
        (ServiceAccount("gone"), "not found", "kubectl -n vcity create serviceaccount gone"),
        (Namespace("gone"), "not found", "kubectl create namespace gone"),
        (CustomResourceDefinition("gones.example.com"), "not found", "operator"),
        (WorkflowTemplate("gone"), "not found in vcity", "argo template -n vcity create FILE"),
    ],
)
def test_what_is_missing_fails_with_something_to_type(admin: Context, wanted: Any, detail: str, hint: str) -> None:
    result = look(admin, wanted)
    assert result.verdict is Verdict.FAILED
    assert detail in result.detail
    assert hint in result.hint


# --- claims ----------------------------------------------------------------------------------------------------


def claim(context: Context, name: str, *, mode: str = "ReadWriteMany", size: str = "5Gi", **spec: Any) -> None:
    body = {"accessModes": [mode], "resources": {"requests": {"storage": size}}, **spec}
    make(context, "v1", "persistentvolumeclaims", {"metadata": {"name": name}, "spec": body})


def test_a_bound_claim_passes_with_its_modes_and_size(admin: Context) -> None:
    claim(admin, "rwx")
    result = look(admin, PersistentVolumeClaim("results", bound="rwx", access_mode="ReadWriteMany", size="5Gi"))
    assert result == CheckResult(Verdict.PASSED, "rwx: Bound, ReadWriteMany, 5Gi")


def test_a_claim_that_is_too_small_fails(admin: Context) -> None:
    claim(admin, "rwx")
    result = look(admin, PersistentVolumeClaim("rwx", size="10Gi"))
    assert result.verdict is Verdict.FAILED
    assert "capacity 5Gi, needs 10Gi" in result.detail


def test_read_write_once_under_a_fan_out_is_a_warning(admin: Context) -> None:
    claim(admin, "rwo", mode="ReadWriteOnce")
    assert look(admin, PersistentVolumeClaim("rwo")).verdict is Verdict.PASSED
    result = look(fanned_out(admin, 152), PersistentVolumeClaim("rwo"))
    assert result.verdict is Verdict.WARNING
    assert "152 tasks at once run only where they all fit on one node" in result.detail


def test_read_write_once_pod_cannot_be_shared(admin: Context) -> None:
    claim(admin, "rwop", mode="ReadWriteOncePod")
    assert look(fanned_out(admin, 2), PersistentVolumeClaim("rwop")).verdict is Verdict.FAILED


def test_read_only_many_serves_readers_only(admin: Context) -> None:
    claim(admin, "rox", mode="ReadOnlyMany")
    assert look(fanned_out(admin, 2), PersistentVolumeClaim("rox")).verdict is Verdict.FAILED
    assert look(fanned_out(admin, 2), PersistentVolumeClaim("rox", read_only=True)).verdict is Verdict.PASSED


def test_a_claim_that_waits_for_its_first_pod_is_fit(admin: Context) -> None:
    claim(admin, "waits", storageClassName="wait")
    result = look(admin, PersistentVolumeClaim("waits"))
    assert result.verdict is Verdict.PASSED
    assert "waits for its first pod" in result.detail


def test_a_missing_storage_class_is_named(admin: Context) -> None:
    claim(admin, "nowhere", storageClassName="nfs-fast")
    result = look(admin, PersistentVolumeClaim("nowhere"))
    assert result.verdict is Verdict.FAILED
    assert "Pending: storage class nfs-fast does not exist" in result.detail


def test_a_claim_without_a_volume_of_an_immediate_class_fails(admin: Context) -> None:
    slow = {"metadata": {"name": "slow"}, "provisioner": "example.com/nfs", "volumeBindingMode": "Immediate"}
    make(admin, "storage.k8s.io/v1", "storageclasses", slow, scope="cluster")
    claim(admin, "late", storageClassName="slow")
    result = look(admin, PersistentVolumeClaim("late"))
    assert result.verdict is Verdict.FAILED
    assert "kubectl -n vcity describe pvc late" in result.hint


def test_a_claim_whose_volume_is_just_being_made_is_waited_for(admin: Context) -> None:
    soon = {"metadata": {"name": "soon"}, "provisioner": "example.com/nfs", "volumeBindingMode": "Immediate"}
    make(admin, "storage.k8s.io/v1", "storageclasses", soon, scope="cluster")
    claim(admin, "coming", storageClassName="soon")
    spec = {
        "capacity": {"storage": "5Gi"},
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "soon",
        "hostPath": {"path": "/nowhere"},
        "claimRef": {"namespace": NAMESPACE, "name": "coming"},
    }
    volume = {"metadata": {"name": "made-late"}, "spec": spec}
    looks: list[str] = []

    class Looking:
        """The client, beside which somebody makes the volume once the claim was seen without."""

        namespace = NAMESPACE

        def get(self, api: str, resource: str, name: str, **where: Any) -> Any:
            found = admin.kubernetes.get(api, resource, name, **where)
            looks.append(resource)
            if looks.count("persistentvolumeclaims") == 1:
                make(admin, "v1", "persistentvolumes", volume, scope="cluster")
            return found

    class Looked(Context):
        kubernetes: Any = Looking()

    result = look(Looked(admin.options, admin.registry), PersistentVolumeClaim("coming"))
    assert result.verdict is Verdict.PASSED, result.detail
    assert "Bound" in result.detail


def test_a_claim_without_a_class_fails(admin: Context) -> None:
    claim(admin, "classless", storageClassName="")
    assert "has no storage class" in look(admin, PersistentVolumeClaim("classless")).detail


def test_a_claim_of_the_sandbox_says_where_it_lies(admin: Context) -> None:
    claim(admin, "rwx")
    checker = CHECKERS[PersistentVolumeClaim]
    assert checker.locate is not None
    path = checker.locate(None, admin, PersistentVolumeClaim("rwx"))
    assert path is not None
    assert Path(path).is_dir()
    assert checker.locate(None, admin, PersistentVolumeClaim("gone")) is None


# --- config maps and secrets -----------------------------------------------------------------------------------


def test_missing_keys_are_named_and_values_are_not(admin: Context) -> None:
    make(admin, "v1", "configmaps", {"metadata": {"name": "settings"}, "data": {"A": PASSWORD}})
    make(admin, "v1", "secrets", {"metadata": {"name": "logistic-salt"}, "stringData": {"A": PASSWORD}})
    assert look(admin, ConfigMap("settings", keys=["A"])) == CheckResult(Verdict.PASSED, "has A")
    result = look(admin, ConfigMap("settings", keys=["A", "B", "C"]))
    assert (result.verdict, result.detail) == (Verdict.FAILED, "lacks keys B, C")
    assert result.hint == "kubectl -n vcity edit configmap settings"
    result = look(admin, Secret("salt", bound="logistic-salt", generate=["SALT"]))
    assert (result.verdict, result.detail) == (Verdict.FAILED, "logistic-salt lacks key SALT")
    assert result.hint == "kubectl -n vcity edit secret logistic-salt"


def test_binary_keys_count(admin: Context) -> None:
    data = {"blob": base64.b64encode(b"\0\1").decode()}
    make(admin, "v1", "configmaps", {"metadata": {"name": "binary"}, "binaryData": data})
    assert look(admin, ConfigMap("binary", keys=["blob"])).verdict is Verdict.PASSED


def test_the_type_of_a_secret_counts_when_it_is_said(admin: Context) -> None:
    make(admin, "v1", "secrets", {"metadata": {"name": "opaque"}, "stringData": {"A": PASSWORD}})
    assert look(admin, Secret("opaque")).verdict is Verdict.PASSED
    result = look(admin, Secret("opaque", type="kubernetes.io/tls"))
    assert result.verdict is Verdict.FAILED
    assert "has type Opaque, needs kubernetes.io/tls" in result.detail


def pull_secret(context: Context, name: str, *hosts: str) -> None:
    login = {"auth": base64.b64encode(f"jane:{PASSWORD}".encode()).decode()}
    config = json.dumps({"auths": dict.fromkeys(hosts, login)})
    body = {"metadata": {"name": name}, "type": "kubernetes.io/dockerconfigjson"}
    make(context, "v1", "secrets", {**body, "stringData": {".dockerconfigjson": config}})


@pytest.mark.parametrize(
    ("hosts", "registry", "verdict"),
    [
        (["https://harbor.example/v2/"], "harbor.example/project", Verdict.PASSED),
        (["*.example"], "harbor.example", Verdict.PASSED),
        (["https://index.docker.io/v1/"], "docker.io", Verdict.PASSED),
        (["harbor.example:5000"], "harbor.example", Verdict.FAILED),
        (["quay.io"], "harbor.example", Verdict.FAILED),
        (["quay.io"], "", Verdict.PASSED),
    ],
)
def test_a_pull_secret_must_cover_the_registry(
    admin: Context, hosts: list[str], registry: str, verdict: Verdict, request: pytest.FixtureRequest
) -> None:
    name = f"pull-{abs(hash((*hosts, registry))) % 10**8}"
    pull_secret(admin, name, *hosts)
    assert look(admin, PullSecret(name, registry=registry)).verdict is verdict


def test_a_pull_secret_of_another_type_fails(admin: Context) -> None:
    make(admin, "v1", "secrets", {"metadata": {"name": "opaque"}, "stringData": {"A": PASSWORD}})
    assert "is not a registry login" in look(admin, PullSecret("opaque")).detail


# --- objects of the cluster ------------------------------------------------------------------------------------


def test_a_storage_class_of_another_cluster(admin: Context) -> None:
    """The sandbox uses its own in its place for claims of workflows and of `provision`; a cluster does not."""
    kind = ("storage.k8s.io/v1", "storageclasses", "standard")
    replaced = look(admin, StorageClass("rook-cephfs"))
    assert replaced == CheckResult(Verdict.WARNING, "not found; standard is used in its place")
    mark = "hera-k8s-utils/replaces-other-classes"
    admin.kubernetes.patch(*kind, {"metadata": {"annotations": {mark: None}}}, scope="cluster")
    missing = look(admin, StorageClass("rook-cephfs"))
    assert (missing.verdict, missing.detail) == (Verdict.FAILED, "not found")
    assert "kubectl get storageclass" in missing.hint
    admin.kubernetes.patch(*kind, {"metadata": {"annotations": {mark: "true"}}}, scope="cluster")


def test_what_the_cluster_has_passes(admin: Context) -> None:
    assert look(admin, Namespace(NAMESPACE)).detail == "Active"
    assert look(admin, StorageClass("standard")).detail == "Immediate, the default"
    definition = CustomResourceDefinition("workflows.argoproj.io", version="v1alpha1")
    assert look(admin, definition).detail == "serves v1alpha1"
    assert look(admin, replace(definition, version="v2")).verdict is Verdict.FAILED


def test_a_workflow_template_must_hold_the_templates_that_are_used(admin: Context) -> None:
    api = "argoproj.io/v1alpha1"
    spec = {"templates": [{"name": "step", "container": {"image": "i"}}]}
    body = {"apiVersion": api, "kind": "WorkflowTemplate", "metadata": {"name": "lib"}, "spec": spec}
    make(admin, api, "workflowtemplates", body)
    assert look(admin, WorkflowTemplate("lib", templates=("step",))).detail == "1 template"
    result = look(admin, WorkflowTemplate("lib", templates=("step", "other")))
    assert (result.verdict, result.detail) == (Verdict.FAILED, "has no template other")


# --- accounts and rights ---------------------------------------------------------------------------------------


def test_an_account_that_cannot_report_results_fails_with_the_commands_that_allow_it(admin: Context) -> None:
    make(admin, "v1", "serviceaccounts", {"metadata": {"name": "weak"}})
    result = look(admin, ServiceAccount("weak"))
    assert (result.verdict, result.detail) == (Verdict.FAILED, "may not create, patch workflowtaskresults")
    assert "kubectl -n vcity create role weak-workflowtaskresults --verb=create,patch" in result.hint
    assert "--serviceaccount=vcity:weak" in result.hint
    assert look(admin, ServiceAccount("weak", runs_workflows=False)).detail == "there"


def test_an_account_that_can_passes(admin: Context) -> None:
    make(admin, "v1", "serviceaccounts", {"metadata": {"name": "runner"}})
    api = "rbac.authorization.k8s.io/v1"
    rule = {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    make(admin, api, "roles", {"metadata": {"name": "reporter"}, "rules": [rule]})
    subject = {"kind": "ServiceAccount", "name": "runner", "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reporter"}
    make(admin, api, "rolebindings", {"metadata": {"name": "reporter"}, "roleRef": role, "subjects": [subject]})
    assert look(admin, ServiceAccount("runner")).verdict is Verdict.PASSED
    result = look(admin, ServiceAccount("runner", permissions=(Rule("pods/log", ("get",)),)))
    assert result.detail == "may not get pods/log"


def test_what_is_not_ours_to_ask_is_unknown(server: Address, admin: Context, tmp_path: Path) -> None:
    make(admin, "v1", "serviceaccounts", {"metadata": {"name": "weak"}})
    with connected(server, tmp_path, "token-of-jane") as jane:
        result = look(jane, ServiceAccount("weak"))
        assert result.verdict is Verdict.UNKNOWN
        assert "cannot check permission to create, patch workflowtaskresults (403)" in result.detail
        assert "auth can-i create workflowtaskresults.argoproj.io --as system:serviceaccount:vcity:weak" in result.hint
        assert look(jane, Namespace(NAMESPACE)).verdict in (Verdict.PASSED, Verdict.UNKNOWN)
        claim(admin, "waits", storageClassName="wait")
        result = look(jane, PersistentVolumeClaim("waits"))
        assert result.verdict is Verdict.UNKNOWN
        assert "not permitted to read its storage class wait" in result.detail


def test_what_may_not_be_looked_at_is_unknown_and_says_what_to_ask(server: Address, tmp_path: Path) -> None:
    with connected(server, tmp_path, "token-of-nobody") as nobody:
        result = look(nobody, Secret("salt"))
        assert (result.verdict, result.detail) == (Verdict.UNKNOWN, "not ours to look at (403)")
        assert result.hint == "kubectl auth can-i get secrets -n vcity"


def test_our_own_rights_can_be_asked_for(server: Address, admin: Context, tmp_path: Path) -> None:
    wanted = Permission("workflows.argoproj.io", verbs=("create", "get"))
    assert wanted.title == "permission to create, get workflows.argoproj.io"
    with connected(server, tmp_path, "token-of-jane") as jane:
        assert look(jane, wanted).detail == "may create, get workflows"
        result = look(jane, Permission("roles.rbac.authorization.k8s.io", verbs=("create",)))
        assert (result.verdict, result.detail) == (Verdict.FAILED, "may not create roles")


# --- access ----------------------------------------------------------------------------------------------------


def test_the_probe_says_the_version_and_whom_the_server_takes_us_for(
    server: Address, admin: Context, tmp_path: Path
) -> None:
    with connected(server, tmp_path, "token-of-jane") as jane:
        (finding,) = probe(None, jane)
        assert finding.result.verdict is Verdict.PASSED
        assert finding.result.detail.startswith("1.36.2; ")
        assert jane.kubernetes.identity == "jane"


def test_a_token_that_the_server_does_not_know_is_refused(server: Address, tmp_path: Path) -> None:
    with connected(server, tmp_path, "token-of-stranger") as stranger, pytest.raises(PlatformError) as caught:
        list(probe(None, stranger))
    assert caught.value.kind.value == "unauthorized"
    assert "token-of-stranger" not in str(caught.value)


# --- the whole -------------------------------------------------------------------------------------------------


def test_only_what_is_named_is_asked_for(server: Address, tmp_path: Path) -> None:
    with FaultServer() as peer:
        peer.on("GET", "/api/v1/namespaces/vcity/persistentvolumeclaims/r", reply(200, {"status": {"phase": "Bound"}}))
        for wanted in (PersistentVolumeClaim("r"), ConfigMap("c"), Secret("s")):
            with connected(replace(server, url=peer.url), tmp_path) as context:
                look(context, wanted)
        asked = [(request.method, request.path.rpartition("/api/")[2]) for request in peer.requests]
    assert asked == [
        ("GET", f"v1/namespaces/vcity/{path}") for path in ("persistentvolumeclaims/r", "configmaps/c", "secrets/s")
    ]
