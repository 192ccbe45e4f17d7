"""What 0.1 scripts are told when a server cannot be used, and how little their checks ask for."""

from __future__ import annotations

import enum
import json
import math
import os
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from argo_peer import NAMESPACE, WORKFLOWS, ArgoPeer
from command_line import SECRET, kubeconfig, write_kubeconfig
from fault_server import FaultServer, hang, html_login, refused_port, reply, tls_context
from hera.shared import global_config

from hera_k8s_utils import HeraK8sError, Struct, argo_server, k8s_cluster, num_exp_environment
from hera_k8s_utils.errors import ScriptExit

REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
CLAIM = {
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
    "status": {"phase": "Bound", "accessModes": ["ReadWriteMany"], "capacity": {"storage": "1Gi"}},
}


@pytest.fixture(autouse=True)
def hurried(work: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test waits for retries, and none leaves Hera's global configuration changed."""
    monkeypatch.setenv("HERA_K8S_HTTP_TIMEOUT", "0.5")
    monkeypatch.setenv("HERA_K8S_HTTP_RETRIES", "0")
    before = dict(vars(global_config))
    yield
    vars(global_config).update(before)


@pytest.fixture
def peer() -> Iterator[ArgoPeer]:
    with ArgoPeer() as server:
        yield server


@pytest.fixture
def cluster() -> Iterator[FaultServer]:
    """A Kubernetes API that knows whoever asks."""
    with FaultServer() as server:
        server.on("GET", "/version", reply(200, {"gitVersion": "v1.34.0"}))
        server.on("POST", REVIEW, reply(201, {"status": {"userInfo": {"username": "jane"}}}))
        yield server


def arguments(argo: str = "", kubernetes: str = "", **more: Any) -> Namespace:
    """As a parser gives them."""
    config = write_kubeconfig(Path("config"), kubeconfig(kubernetes, namespace="vcity")) if kubernetes else None
    stated = {"argo_server": argo or None, "argo_token": SECRET if argo else None, "argo_namespace": None}
    return Namespace(**{**stated, "argo_service_account": None, "k8s_config_file": config, **more})


def told(make: Callable[[], Any]) -> ScriptExit:
    """The failure of a script: never a token in it, a status that is not 0, and Hera left alone."""
    host = global_config.host
    with pytest.raises(ScriptExit) as raised:
        make()
    assert isinstance(raised.value, HeraK8sError)
    assert raised.value.code not in (0, None)
    assert SECRET not in str(raised.value) + repr(raised.value)
    assert global_config.host == host
    return raised.value


# --- each cause has its own words ------------------------------------------------------------------------------


def test_no_server_at_all_is_told_with_every_way_to_name_one() -> None:
    error = told(lambda: argo_server(arguments()))
    assert error.wanted == "no credential for argo"
    assert "no Argo server is configured" in error.found
    assert all(name in error.hint for name in ("--argo_server", "ARGO_SERVER", "hera.config", "HERA_K8S_SANDBOX"))


def test_a_server_without_a_token(peer: ArgoPeer) -> None:
    error = told(lambda: argo_server(arguments(peer.url, argo_token=None)))
    assert error.wanted.startswith("no token for the Argo server")
    assert "argo_anonymous in hera.config" in error.hint


def test_nothing_listens() -> None:
    address = f"127.0.0.1:{refused_port()}"
    error = told(lambda: argo_server(arguments(f"http://{address}")))
    assert error.wanted == f"the Argo server http://{address} cannot be used"
    assert "refused" in error.found
    assert error.hint


def test_a_certificate_that_nobody_trusts_is_not_called_a_bad_address() -> None:
    with ArgoPeer(tls=tls_context(trustme.CA())) as peer:
        error = told(lambda: argo_server(arguments(peer.url)))
    assert "certificate" in error.found
    assert "ca_file in hera.config" in error.hint


def test_a_refused_token_is_not_shown_even_when_the_server_repeats_it(peer: ArgoPeer) -> None:
    refused = reply(401, {"code": 16, "message": f"token Bearer {SECRET} not valid"})
    for path in ("/api/v1/version", "/api/v1/info", WORKFLOWS):
        peer.on("GET", path, refused)
    error = told(lambda: argo_server(arguments(peer.url, argo_namespace=NAMESPACE)))
    assert "401" in error.found
    assert "ARGO_TOKEN" in error.hint


def test_a_token_without_rights_is_another_matter(peer: ArgoPeer) -> None:
    peer.on("GET", WORKFLOWS, reply(403, {"code": 7, "message": "workflows is forbidden"}))
    error = told(lambda: argo_server(arguments(peer.url, argo_namespace=NAMESPACE)))
    assert "not authorised" in error.found
    assert "--argo_namespace" in error.hint


@pytest.mark.parametrize("answer", [reply(500, "broken"), html_login(), hang()], ids=["500", "login", "silence"])
def test_other_answers_have_words_too(peer: ArgoPeer, answer: Any) -> None:
    for path in ("/api/v1/version", "/api/v1/info", WORKFLOWS):
        peer.on("GET", path, answer)
    assert told(lambda: argo_server(arguments(peer.url))).found


def test_a_token_that_is_none_is_called_as_the_script_calls_it(peer: ArgoPeer) -> None:
    assert told(lambda: argo_server(arguments(peer.url, argo_token="Bearer"))).wanted == "argo_token holds no token"


def test_an_address_that_cannot_be_one() -> None:
    assert "http or https" in told(lambda: argo_server(arguments("ftp://argo.example"))).found


def test_a_namespace_that_cannot_be_one_is_told_with_the_flag_that_scripts_have(cluster: FaultServer) -> None:
    error = told(lambda: k8s_cluster(arguments(kubernetes=cluster.url, argo_namespace="Not_one")))
    assert error.wanted == "--argo_namespace cannot be used"


def test_flags_that_scripts_lack_are_keys_of_the_file_in_every_part_of_a_message(cluster: FaultServer) -> None:
    error = told(lambda: argo_server(arguments()))
    assert "argo_token_account in hera.config or --argo_service_account" in error.found
    assert "--sandbox" not in str(error)
    cluster.on("POST", REVIEW, reply(401, {"kind": "Status", "code": 401, "message": "Unauthorized"}))
    error = told(lambda: k8s_cluster(arguments(kubernetes=cluster.url)))
    assert error.hint.endswith("use another identity: NAME as k8s_context in hera.config")


def test_causes_are_told_of_the_cluster_as_well(cluster: FaultServer) -> None:
    cluster.on("POST", REVIEW, reply(401, {"kind": "Status", "code": 401, "message": "Unauthorized"}))
    error = told(lambda: k8s_cluster(arguments(kubernetes=cluster.url)))
    assert error.wanted == f"the Kubernetes cluster {cluster.url} cannot be used"
    assert "401" in error.found
    error = told(lambda: k8s_cluster(arguments(kubernetes=f"http://127.0.0.1:{refused_port()}")))
    assert "refused" in error.found


def test_an_environment_tells_all_that_is_wrong_at_once(peer: ArgoPeer, cluster: FaultServer) -> None:
    peer.on("GET", "/api/v1/workflows/vcity", reply(403, {"code": 7, "message": "forbidden"}))
    cluster.on("GET", "/version", reply(500, "broken"))
    error = told(lambda: num_exp_environment(arguments(peer.url, cluster.url)))
    assert error.found.index("the Argo server") < error.found.index("the Kubernetes cluster")


def test_a_claim_that_may_not_be_looked_at_is_no_failure(
    cluster: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    path = "/api/v1/namespaces/vcity/persistentvolumeclaims/data"
    cluster.on("GET", path, reply(403, {"kind": "Status", "code": 403, "message": "forbidden"}))
    k8s_cluster(arguments(kubernetes=cluster.url)).assert_volume_claim("data")
    assert [record.getMessage() for record in caplog.records] == ["claim data: not ours to look at (403)"]


# --- addresses, accounts and namespaces ------------------------------------------------------------------------


def test_the_scheme_of_an_address_is_kept_and_hera_is_pointed_at_it(peer: ArgoPeer) -> None:
    server = argo_server(arguments(peer.url, argo_namespace=NAMESPACE, argo_service_account="runner"))
    assert server.server == peer.url  # http://..., not https://http://...
    assert (server.namespace, server.service_account, server.token) == (NAMESPACE, "runner", SECRET)
    assert global_config.host == f"{peer.url}/"
    assert (global_config.namespace, global_config.service_account_name) == (NAMESPACE, "runner")
    assert global_config.token == SECRET
    assert SECRET not in repr(global_config) + repr(server)


def test_without_a_scheme_argo_secure_false_is_heard(peer: ArgoPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGO_SECURE", "false")
    assert argo_server(arguments(f"localhost:{peer.port}", argo_namespace=NAMESPACE)).server == peer.url


def test_the_certificate_authority_of_the_configuration_is_for_hera_too(monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path("ca.pem")
    monkeypatch.setenv("HERA_K8S_CA_FILE", "ca.pem")
    with ArgoPeer(tls=tls_context(authority)) as peer:
        argo_server(arguments(peer.url, argo_namespace=NAMESPACE))
    assert global_config.verify_ssl == "ca.pem"


def test_arguments_of_the_script_itself_are_nobody_elses_business(cluster: FaultServer) -> None:
    own = {"k8s_replicas": 3, "k8s_volume_claim_name": ["one", "two"], "argo_labels": {"a": "b"}, "image": 7, "set": []}
    assert k8s_cluster(arguments(kubernetes=cluster.url, **own)).identity == "jane"


def test_arguments_are_left_as_they_are(peer: ArgoPeer, cluster: FaultServer) -> None:
    args = arguments(peer.url, cluster.url, vintage=2012)
    before = dict(vars(args))
    made = num_exp_environment(args)
    assert vars(args) == before
    assert made.k8s.namespace == "vcity"


def test_another_context_of_the_kubeconfig_can_be_chosen(cluster: FaultServer) -> None:
    config = kubeconfig("http://127.0.0.1:1")
    config["clusters"].append({"name": "other", "cluster": {"server": cluster.url}})
    context = {"cluster": "other", "user": "jane", "namespace": "of-other"}
    config["contexts"].append({"name": "other", "context": context})
    Path("hera.config").write_text("k8s_context = other\n")
    made = k8s_cluster(Namespace(k8s_config_file=write_kubeconfig(Path("config"), config)))
    assert (made.namespace, made.server) == ("of-other", cluster.url)


def test_within_a_pod_its_own_account_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path("ca.crt")
    Path("token").write_text(SECRET)
    Path("namespace").write_text("of-the-pod")
    with FaultServer(tls=tls_context(authority, "127.0.0.1")) as server:
        server.on("GET", "/version", reply(200, {"gitVersion": "v1.34.0"}))
        server.on("POST", REVIEW, reply(201, {"status": {"userInfo": {"username": "runner"}}}))
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
        monkeypatch.setenv("HERA_K8S_IN_CLUSTER_DIRECTORY", os.getcwd())
        made = k8s_cluster(arguments())
    assert (made.namespace, made.identity) == ("of-the-pod", "runner")


# --- how little is asked ---------------------------------------------------------------------------------------


def test_the_check_of_the_argo_server_asks_for_the_name_of_one_workflow(peer: ArgoPeer) -> None:
    argo_server(arguments(peer.url, argo_namespace=NAMESPACE))
    [listing] = peer.asked("GET", WORKFLOWS)
    assert listing.query["listOptions.limit"] == "1"
    assert set(listing.query["fields"].split(",")) <= {"metadata", "items.metadata.name"}


def test_each_resource_is_one_request_for_the_named_object(cluster: FaultServer) -> None:
    where = "/api/v1/namespaces/vcity"
    cluster.on("GET", f"{where}/persistentvolumeclaims/data", reply(200, CLAIM))
    cluster.on("GET", f"{where}/configmaps/proxy", reply(200, {"data": {"HTTPS_PROXY": "http://proxy.example"}}))
    cluster.on("GET", where, reply(200, {"metadata": {"name": "vcity"}, "status": {"phase": "Active"}}))
    made = k8s_cluster(arguments(kubernetes=cluster.url))
    before = len(cluster.requests)
    made.assert_volume_claim("data")
    made.assert_configmap("proxy")
    made.assert_namespace()
    asked = [request.path for request in cluster.requests[before:]]
    assert asked == [f"{where}/persistentvolumeclaims/data", f"{where}/configmaps/proxy", where]


# --- the environment as JSON -----------------------------------------------------------------------------------


def test_an_environment_of_anything_is_json_without_secrets(peer: ArgoPeer, cluster: FaultServer, capsys: Any) -> None:
    made: Any = num_exp_environment(arguments(peer.url, cluster.url))
    made.volume = Struct(claim_name="data", path=Path("/within"), years={2012, 2009}, share=math.nan)
    made.itself = made
    made.cluster.registry = "harbor.example/"
    made.cluster.proxies = [{"token": SECRET, 1: b"bytes"}, ("a", None, 1.5, True)]
    made.function = told
    made.kind = Struct
    made.side = enum.Enum("Side", {"HEADS": "heads"}).HEADS
    made.last = ValueError(f"{SECRET} is refused")
    plain = json.loads(made.toJSON())
    assert plain["volume"] == {"claim_name": "data", "path": "/within", "years": [2009, 2012], "share": "nan"}
    assert plain["cluster"]["registry"] == "harbor.example/"
    assert plain["cluster"]["proxies"][1] == ["a", None, 1.5, True]
    assert (plain["function"], plain["kind"]) == ("told", "Struct")
    assert (plain["side"], plain["last"]) == ("heads", "<redacted> is refused")
    assert plain["k8s"]["identity"] == "jane"
    made.print_config()
    assert SECRET not in made.toJSON() + capsys.readouterr().out


def test_what_the_cluster_of_an_environment_lacks_is_looked_up_on_the_real_one(
    peer: ArgoPeer, cluster: FaultServer
) -> None:
    made = num_exp_environment(arguments(peer.url, cluster.url))
    assert made.cluster.namespace == made.k8s.namespace == "vcity"
    with pytest.raises(AttributeError):
        _ = made.cluster.nothing_of_this_name
