"""kubectl against the sandbox: what people type, and what they read."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox_api import Api, make_namespace

from hera_k8s_sandbox.server import launch

pytestmark = pytest.mark.needs("kubectl")

Kubectl = Callable[..., str]

THREE = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: results}
spec: {accessModes: [ReadWriteMany], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {TRANSIENT: "1000"}
---
apiVersion: v1
kind: Secret
metadata: {name: salt}
stringData: {SALT: abc}
"""
TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: greet}
spec: {entrypoint: main, templates: [{name: main, container: {image: busybox, command: [echo, hi]}}]}
"""


@pytest.fixture
def kubectl(sandbox, tmp_path: Path) -> Kubectl:
    """Runs kubectl in a namespace of the test's own; `fails=True` expects a failure and returns what it said."""
    namespace = f"t-{uuid.uuid4().hex[:12]}"
    make_namespace(Api(sandbox.url, sandbox.token), namespace)
    config = tmp_path / "kubeconfig"
    config.write_text(launch.kubeconfig(sandbox, namespace=namespace))
    environment = os.environ | {"KUBECONFIG": str(config), "KUBECACHEDIR": str(tmp_path / "cache")}

    def run(*words: str, stdin: str = "", fails: bool = False) -> str:
        done = subprocess.run(
            ["kubectl", *words],
            input=stdin,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    return run


def columns(text: str) -> list[str]:
    """The first line of a listing, in words."""
    return text.splitlines()[0].split()


def test_apply_creates_changes_and_leaves_alone(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", stdin=THREE).splitlines() == [
        "persistentvolumeclaim/results created",
        "configmap/settings created",
        "secret/salt created",
    ]
    changed = THREE.replace("1000", "2000")
    assert "configmap/settings configured" in kubectl("apply", "--dry-run=server", "-f", "-", stdin=changed)
    assert kubectl("get", "cm", "settings", "-o", "jsonpath={.data.TRANSIENT}") == "1000"
    told = kubectl("apply", "-f", "-", stdin=changed)
    assert "configmap/settings configured" in told
    assert "persistentvolumeclaim/results unchanged" in told
    assert kubectl("get", "cm", "settings", "-o", "jsonpath={.data.TRANSIENT}") == "2000"


def test_server_side_apply_and_its_conflicts(kubectl: Kubectl) -> None:
    kubectl("apply", "--server-side", "--field-manager=me", "-f", "-", stdin=THREE)
    changed = THREE.replace("1000", "2000")
    told = kubectl("apply", "--server-side", "--field-manager=you", "-f", "-", stdin=changed, fails=True)
    assert 'conflict with "me": .data.TRANSIENT' in told
    kubectl("apply", "--server-side", "--field-manager=you", "--force-conflicts", "-f", "-", stdin=changed)
    assert kubectl("get", "cm", "settings", "-o", "jsonpath={.data.TRANSIENT}") == "2000"


def test_custom_kinds_are_applied_and_shown(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", stdin=TEMPLATE) == "workflowtemplate.argoproj.io/greet created\n"
    changed = TEMPLATE.replace("hi]", "ho]")
    assert kubectl("apply", "-f", "-", stdin=changed) == "workflowtemplate.argoproj.io/greet configured\n"
    assert columns(kubectl("get", "wftmpl")) == ["NAME", "AGE"]
    assert "Generation:" in kubectl("describe", "wftmpl", "greet")
    assert kubectl("delete", "wftmpl", "--all") == 'workflowtemplate.argoproj.io "greet" deleted\n'


def test_unknown_fields_are_refused(kubectl: Kubectl) -> None:
    told = kubectl("apply", "-f", "-", stdin=THREE.replace("data: {T", "dat: {T"), fails=True)
    assert 'strict decoding error: unknown field "dat"' in told


def test_listings_have_the_columns_of_a_cluster(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=THREE)
    claims = kubectl("get", "pvc")
    assert columns(claims)[:4] == ["NAME", "STATUS", "VOLUME", "CAPACITY"]
    assert claims.splitlines()[1].split()[:2] == ["results", "Bound"]
    assert columns(kubectl("get", "secret")) == ["NAME", "TYPE", "DATA", "AGE"]
    assert "standard (default)" in kubectl("get", "storageclass")
    assert kubectl("get", "cm", "-o", "name") == "configmap/settings\n"
    assert columns(kubectl("get", "events")) == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]


def test_get_shows_the_whole_object(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=THREE)
    shown = kubectl("get", "cm", "settings", "-o", "yaml")
    assert shown.startswith("apiVersion: v1\ndata:\n  TRANSIENT: ")
    listed = json.loads(kubectl("get", "cm", "-o", "json"))
    assert [item["kind"] for item in listed["items"]] == ["ConfigMap"]


def test_describe_shows_events(kubectl: Kubectl) -> None:
    waiting = THREE.replace("spec: {", "spec: {storageClassName: nope, ")
    kubectl("apply", "-f", "-", stdin=waiting)
    told = kubectl("describe", "pvc", "results")
    assert "ProvisioningFailed" in told
    assert 'storageclass.storage.k8s.io "nope" not found' in told
    assert "3 bytes" in kubectl("describe", "secret", "salt")


def test_what_is_missing_is_told_as_in_a_cluster(kubectl: Kubectl) -> None:
    assert kubectl("get", "cm", "nope", fails=True) == 'Error from server (NotFound): configmaps "nope" not found\n'
    assert kubectl("get", "gadgets", fails=True) == 'error: the server doesn\'t have a resource type "gadgets"\n'


def test_rights_are_told(kubectl: Kubectl, sandbox) -> None:
    assert kubectl("auth", "can-i", "create", "workflows.argoproj.io") == "yes\n"
    assert columns(kubectl("auth", "can-i", "--list")) == [
        "Resources",
        "Non-Resource",
        "URLs",
        "Resource",
        "Names",
        "Verbs",
    ]
    assert "sandbox-admin" in kubectl("auth", "whoami")
    kubectl("create", "serviceaccount", "bob")
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=configmaps")
    namespace = json.loads(kubectl("get", "sa", "bob", "-o", "json"))["metadata"]["namespace"]
    kubectl("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={namespace}:bob")
    bob = f"--as=system:serviceaccount:{namespace}:bob"
    assert kubectl("auth", "can-i", "get", "cm", bob) == "yes\n"
    assert f'User "{bob[5:]}" cannot delete resource "configmaps"' in kubectl("delete", "cm", "x", bob, fails=True)


def test_a_token_is_created_and_works(kubectl: Kubectl, sandbox) -> None:
    token = kubectl("create", "token", "default", "--duration=15m").strip()
    status = Api(sandbox.url, token).create("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})["status"]
    assert status["userInfo"]["username"].endswith(":default")
    told = kubectl("create", "token", "default", "--duration=1m", fails=True)
    assert "may not specify a duration less than 10 minutes" in told


def test_objects_are_created_from_flags(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "a", "--from-literal=x=1")
    kubectl("create", "secret", "generic", "b", "--from-literal=x=1")
    kubectl(
        "create", "secret", "docker-registry", "c", "--docker-server=r", "--docker-username=u", "--docker-password=p"
    )
    assert kubectl("get", "secret", "b", "-o", "jsonpath={.data.x}") == "MQ=="
    assert kubectl("get", "secret", "c", "-o", "jsonpath={.type}") == "kubernetes.io/dockerconfigjson"
    assert kubectl("get", "cm", "a", "-o", "jsonpath={.data}") == '{"x":"1"}'


def test_objects_are_labelled_patched_and_selected(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "a", "--from-literal=x=1")
    kubectl("create", "configmap", "b")
    kubectl("label", "cm", "a", "tier=hot")
    kubectl("patch", "cm", "a", "-p", '{"data":{"y":"2"}}')
    kubectl("patch", "cm", "a", "--type=json", "-p", '[{"op":"remove","path":"/data/x"}]')
    assert kubectl("get", "cm", "-l", "tier=hot", "-o", "jsonpath={.items[*].data}") == '{"y":"2"}'
    assert kubectl("get", "cm", "--field-selector=metadata.name=b", "-o", "name") == "configmap/b\n"


def test_deletion_and_waiting(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=THREE)
    kubectl("wait", "--for=jsonpath={.status.phase}=Bound", "pvc/results", "--timeout=10s")
    assert kubectl("delete", "-f", "-", stdin=THREE).count("deleted") == 3
    kubectl("create", "namespace", "short-lived")
    assert kubectl("delete", "namespace", "short-lived") == 'namespace "short-lived" deleted\n'


def test_versions_and_resources_are_told(kubectl: Kubectl) -> None:
    assert json.loads(kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"] == "v1.36.2"
    listed = kubectl("api-resources", "--api-group=argoproj.io", "-o", "name").split()
    assert "workflows.argoproj.io" in listed


def test_logs_of_a_workflows_pod(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=TEMPLATE.replace("WorkflowTemplate", "Workflow"))
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "workflow/greet", "--timeout=30s")
    assert kubectl("logs", "greet") == "hi\n"
    assert kubectl("logs", "greet", "-c", "main", "--tail=1", "--timestamps").endswith("Z hi\n")
    assert "container nope is not valid for pod greet" in kubectl("logs", "greet", "-c", "nope", fails=True)
    assert kubectl("get", "wf").splitlines()[1].split()[:2] == ["greet", "Succeeded"]
