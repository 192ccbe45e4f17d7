"""Declared data: where the cluster has other values they are named and updated; runs record it; limits are known."""

from __future__ import annotations

import base64
import json
import uuid
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from hera_k8s_cli.main import main

EXPERIMENT = """
from hera.workflows import Container, Workflow
from hera_k8s_kube import ConfigMap, PersistentVolumeClaim, Secret, StorageClass
from hera_k8s_utils import Experiment


def workflow(environment, inputs, layout):
    with Workflow(entrypoint="show") as w:
        Container(name="show", command=["sh", "-c", 'echo "samples $SAMPLES"'], **environment.task)
    return w


experiment = Experiment(name=NAME, image="busybox", requires=[REQUIRES], workflow=workflow)
"""
OURS = {"app.kubernetes.io/managed-by": "hera-k8s-utils", "hera-k8s-utils/experiment": "orbit"}
PASSWORD = "correct-horse-battery"


class Researcher:
    """Someone who edits an experiment, types commands, and looks at the cluster with the official client."""

    def __init__(self, core: Any, namespace: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.core, self.namespace, self._capsys = core, namespace, capsys

    def writes(self, *requires: str, name: str = "orbit") -> None:
        """The experiment, with these requirements."""
        text = EXPERIMENT.replace("NAME", repr(name)).replace("REQUIRES", ", ".join(requires))
        Path("experiment.py").write_text(text)

    def types(self, *words: str, code: int = 0) -> str:
        """A command; what it prints."""
        self._capsys.readouterr()
        found = main(list(words))
        told = "".join(self._capsys.readouterr())
        assert found == code, told
        return told

    def check(self, title: str) -> dict[str, Any]:
        """One line of the report of `check`."""
        self._capsys.readouterr()
        main(["check", "--output", "json"])
        checks = json.loads(self._capsys.readouterr().out)["checks"]
        return next(dict(each) for each in checks if each["title"] == title)

    def has(self, kind: str, name: str, **fields: Any) -> None:
        """An object that is on the cluster already."""
        labels = fields.pop("labels", OURS)
        create = getattr(self.core, f"create_namespaced_{kind}")
        create(self.namespace, {"metadata": {"name": name, "labels": labels}, **fields})

    def data(self, name: str = "settings") -> dict[str, str]:
        """The data of a config map."""
        return dict(self.core.read_namespaced_config_map(name, self.namespace).data or {})

    def secret(self, name: str) -> dict[str, str]:
        """The values of a secret."""
        found = self.core.read_namespaced_secret(name, self.namespace).data
        return {key: base64.b64decode(value).decode() for key, value in found.items()}


@pytest.fixture
def jane(work: Path, sandbox: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Researcher:
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it", "namespace": namespace}}],
        "clusters": [{"name": "it", "cluster": {"server": sandbox.url}}],
        "users": [{"name": "it", "user": {"token": sandbox.token}}],
    }
    Path("kubeconfig").write_text(json.dumps(kubeconfig))
    Path("kubeconfig").chmod(0o600)
    monkeypatch.setenv("KUBECONFIG", str(work / "kubeconfig"))
    api = config.new_client_from_config_dict(kubeconfig)
    core = client.CoreV1Api(api)
    core.create_namespace({"metadata": {"name": namespace}})
    rbac = client.RbacAuthorizationV1Api(api)
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
    rbac.create_namespaced_role_binding(
        namespace, {"metadata": {"name": "executor"}, "roleRef": role, "subjects": [subject]}
    )
    return Researcher(core, namespace, capsys)


# --- another value ---------------------------------------------------------------------------------------------


def test_an_edited_value_fails_the_check_until_it_is_provisioned(jane: Researcher) -> None:
    jane.writes('ConfigMap("settings", data={"SAMPLES": "400", "TRANSIENT": "1000"})')
    jane.types("provision", "--yes")
    jane.writes('ConfigMap("settings", data={"SAMPLES": "10", "TRANSIENT": "1000"})')
    found = jane.check("config map settings")
    assert found["verdict"] == "failed"
    assert found["detail"] == 'SAMPLES is "400", declared "10"'
    assert found["hint"].startswith("hera-k8s provision")
    jane.types("run", code=5)
    told = jane.types("provision", "--yes")
    assert "update ConfigMap settings (SAMPLES): pods that start from now on read the new values" in told
    assert "updated config map settings" in told
    assert jane.data() == {"SAMPLES": "10", "TRANSIENT": "1000"}
    assert jane.check("config map settings")["verdict"] == "passed"
    assert "nothing to create or update" in jane.types("provision", "--yes")


def test_a_run_that_provisions_uses_the_edited_value_and_records_it(jane: Researcher) -> None:
    jane.writes('ConfigMap("settings", data={"SAMPLES": "400"})')
    jane.types("run", "--provision", "--run-id", "one")
    jane.writes('ConfigMap("settings", data={"SAMPLES": "10"})')
    jane.types("run", "--provision", "--run-id", "two")
    assert "samples 10" in jane.types("logs", "two")
    recorded = [json.loads(Path("runs", run, "run.json").read_text())["requirements"] for run in ("one", "two")]
    assert [each[0]["data"] for each in recorded] == [{"SAMPLES": "400"}, {"SAMPLES": "10"}]


def test_the_sandbox_is_updated_without_asking(jane: Researcher, sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HERA_K8S_SANDBOX", "true")
    monkeypatch.setenv("HERA_K8S_SANDBOX_DIR", str(sandbox.directory))
    jane.writes('ConfigMap("samples", data={"SAMPLES": "400"})')
    jane.types("run", "--run-id", "one")
    jane.writes('ConfigMap("samples", data={"SAMPLES": "10"})')
    assert "updated config map samples" in jane.types("run", "--run-id", "two")
    assert "samples 10" in jane.types("logs", "two")


def test_keys_that_are_not_declared_stay(jane: Researcher) -> None:
    jane.has("config_map", "settings", data={"SAMPLES": "400", "OTHER": "1"})
    jane.writes('ConfigMap("settings", data={"SAMPLES": "10"})')
    jane.types("provision", "--yes")
    assert jane.data() == {"SAMPLES": "10", "OTHER": "1"}


@pytest.mark.parametrize(
    ("there", "declared", "said"),
    [
        ("a\r\nb\r\n", "a\nb\n", r'is "a\r\nb\r\n", declared "a\nb\n"'),
        ("", "0", 'is "", declared "0"'),
        ("Ω = 1", "Ω = 2", 'is "Ω = 1", declared "Ω = 2"'),
        ("x" * 500 + "1", "x" * 500 + "2", 'is "...xxxxxxxx1", declared "...xxxxxxxx2"'.replace('"...', '..."')),
        ("\x1b[31m", "red", r'is "\u001b[31m", declared "red"'),
    ],
    ids=["line ends", "empty", "letters", "long", "escapes"],
)
def test_both_values_are_shown_where_they_differ(jane: Researcher, there: str, declared: str, said: str) -> None:
    jane.has("config_map", "settings", data={"SAMPLES": there})
    jane.writes(f'ConfigMap("settings", data={{"SAMPLES": {declared!r}}})')
    assert jane.check("config map settings")["detail"] == f"SAMPLES {said}"
    jane.types("provision", "--yes")
    assert jane.data() == {"SAMPLES": declared}


def test_a_value_may_lie_in_binary_data(jane: Researcher) -> None:
    jane.has("config_map", "settings", binaryData={"SAME": base64.b64encode(b"1").decode(), "OLD": "/////w=="})
    jane.writes('ConfigMap("settings", data={"SAME": "1", "OLD": "new"})')
    assert jane.check("config map settings")["detail"].startswith("OLD is ")
    jane.types("provision", "--yes")
    assert jane.data() == {"OLD": "new"}
    assert jane.check("config map settings")["verdict"] == "passed"


def test_a_difference_can_be_a_warning_or_nothing(jane: Researcher) -> None:
    jane.has("config_map", "settings", data={"SAMPLES": "400"})
    jane.writes('ConfigMap("settings", data={"SAMPLES": "10"}, when_different="warn")')
    found = jane.check("config map settings")
    assert (found["verdict"], found["detail"]) == ("warning", 'SAMPLES is "400", declared "10"')
    jane.writes('ConfigMap("settings", data={"SAMPLES": "10"}, when_different="ignore")')
    assert jane.check("config map settings")["verdict"] == "passed"
    assert "nothing to create or update" in jane.types("provision", "--yes")
    assert jane.data() == {"SAMPLES": "400"}


# --- what is not changed ---------------------------------------------------------------------------------------


def test_an_object_of_someone_else_is_not_updated(jane: Researcher) -> None:
    jane.has("config_map", "settings", labels={}, data={"SAMPLES": "400"})
    jane.writes('ConfigMap("settings", data={"SAMPLES": "10"})')
    hint = jane.check("config map settings")["hint"]
    assert hint == f"kubectl -n {jane.namespace} edit configmap settings    or  --bind settings=NAME"
    assert "other values of these keys, and is not ours to change" in jane.types("provision", "--yes", code=5)
    assert jane.data() == {"SAMPLES": "400"}


def test_an_object_of_another_experiment_is_not_updated(jane: Researcher) -> None:
    jane.writes('ConfigMap("settings", data={"SAMPLES": "400"})', name="first")
    jane.types("provision", "--yes")
    jane.writes('ConfigMap("settings", data={"SAMPLES": "10"})', name="second")
    assert jane.check("config map settings")["hint"] == "it belongs to the experiment first: --bind settings=NAME"
    assert "belongs to the experiment first" in jane.types("provision", "--yes", code=5)
    assert jane.data() == {"SAMPLES": "400"}


def test_an_immutable_object_is_named_with_the_way_out(jane: Researcher) -> None:
    jane.has("config_map", "settings", data={"SAMPLES": "400"}, immutable=True)
    jane.writes('ConfigMap("settings", data={"SAMPLES": "10"})')
    assert "delete configmap settings, then hera-k8s provision" in jane.check("config map settings")["hint"]
    assert "is immutable" in jane.types("provision", "--yes", code=5)


def test_a_secret_is_updated_and_its_values_are_never_shown(jane: Researcher) -> None:
    jane.writes(f'Secret("login", data={{"PASSWORD": {PASSWORD!r}}}, generate=["SALT"])')
    jane.types("provision", "--yes")
    salt = jane.secret("login")["SALT"]
    jane.types("run", "--run-id", "one")
    changed = f"{PASSWORD}-2"
    jane.writes(f'Secret("login", data={{"PASSWORD": {changed!r}}}, generate=["SALT"])')
    found = jane.check("secret login")
    assert (found["verdict"], found["detail"]) == ("failed", "has another value than declared for PASSWORD")
    told = jane.types("check", code=5) + jane.types("provision", "--yes") + jane.types("run", "--run-id", "two")
    assert jane.secret("login") == {"PASSWORD": changed, "SALT": salt}, "a generated value is never replaced"
    texts = [path.read_text() for path in Path("runs").rglob("*.json")]
    for form in (PASSWORD, base64.b64encode(PASSWORD.encode()).decode(), salt):
        assert form not in told + "".join(texts)
    records = [json.loads(Path("runs", run, "run.json").read_text())["requirements"][0] for run in ("one", "two")]
    first, second = (record["data_fingerprints"]["PASSWORD"] for record in records)
    assert first
    assert first != second


def test_a_claim_of_another_class_is_a_warning(jane: Researcher) -> None:
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    jane.core.create_namespaced_persistent_volume_claim(jane.namespace, {"metadata": {"name": "out"}, "spec": spec})
    jane.writes('PersistentVolumeClaim("out", mount_path="/out", size="1Gi", storage_class="fast")')
    found = jane.check("claim out")
    assert found["verdict"] == "warning"
    assert "storage class standard, not fast" in found["detail"]


@pytest.mark.parametrize("with_class", [False, True])
def test_a_claim_of_another_clusters_class_is_bound_on_the_sandbox(jane: Researcher, with_class: bool) -> None:
    wanted = ['PersistentVolumeClaim("out", mount_path="/out", size="1Gi", storage_class="longhorn")']
    jane.writes(*wanted, *(['StorageClass("longhorn")'] if with_class else []))
    told = " ".join(jane.types("run", "--provision", "--run-id", "one").split())
    assert "storage class standard, not longhorn" in told
    assert ("longhorn not found; standard is used in its place" in told) is with_class
    claim = jane.core.read_namespaced_persistent_volume_claim("out", jane.namespace)
    assert (claim.spec.storage_class_name, claim.status.phase) == ("standard", "Bound")


# --- what no server takes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requirement", "title", "said"),
    [
        ('ConfigMap("big", data={"A": "x" * 1_300_000})', "config map big", "1.24 MiB of data, a ConfigMap holds"),
        ('ConfigMap("big", data={"A": "é" * 600_000})', "config map big", "1.14 MiB of data"),
        ('ConfigMap("big", data={"A": chr(1) * 600_000})', "config map big", "586 KiB of data takes more than 3 MiB"),
        ('Secret("big", data={"A": "x" * 1_300_000})', "secret big", "1.24 MiB of data, a Secret holds"),
        ('ConfigMap("odd", data={"my key": "1"})', "config map odd", "'my key' is not a valid key"),
        ('ConfigMap("odd", data={"..data": "1"})', "config map odd", "'..data' is not a valid key"),
        ('ConfigMap("My_Settings", data={"A": "1"})', "config map My_Settings", "'My_Settings' is not a valid name"),
        ('Secret("web", type="kubernetes.io/tls", data={"tls.crt": "x"})', "secret web", "needs tls.key"),
        ('PersistentVolumeClaim("out", size="0Gi")', "claim out", "a claim needs more than zero"),
    ],
)
def test_what_every_server_rejects_is_said_offline(
    jane: Researcher, requirement: str, title: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    jane.writes(requirement)
    found = jane.check(title)
    assert found["verdict"] == "failed"
    assert said in found["detail"]
    assert "provision" not in found["hint"]
    assert "✘" in jane.types("provision", "--yes", code=5)
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    offline = jane.types("run", "--dry-run", code=5)
    assert " ".join(said.split()[:3]) in " ".join(offline.split())
    assert said in " ".join(jane.types("render").split())


MIB = 1024 * 1024


@pytest.mark.parametrize("kind", ["config_map", "secret"])
@pytest.mark.parametrize(
    ("data", "taken"),
    [
        ({"A": "x" * MIB}, True),
        ({"A": "x" * MIB, "B": "x"}, False),
        ({"k" * 253: "1"}, True),
        ({"k" * 254: "1"}, False),
        ({".a": "1"}, True),
        ({"..a": "1"}, False),
        ({".": "1"}, False),
        ({"a b": "1"}, False),
        ({"é": "1"}, False),
    ],
)
def test_the_rules_are_those_of_the_server(jane: Researcher, kind: str, data: dict[str, str], *, taken: bool) -> None:
    word = {"config_map": "ConfigMap", "secret": "Secret"}[kind]
    jane.writes(f'{word}("settings", data={data!r})')
    title = f"{kind.replace('_', ' ')} settings"
    assert (jane.check(title)["detail"] == f"not found in {jane.namespace}") is taken
    field = "data" if kind == "config_map" else "stringData"
    refused = nullcontext() if taken else pytest.raises(client.ApiException, match="422")
    with refused:
        jane.has(kind, "settings", **{field: data})
