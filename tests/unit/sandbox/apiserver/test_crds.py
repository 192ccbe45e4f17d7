"""Custom kinds in the sandbox: defined, used with kubectl, kept over a restart, gone with their definition."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_api import Api

from hera_k8s_sandbox.foundation.kind_registry import precedence
from hera_k8s_sandbox.schema.structural_schema import prune, set_schema_defaults, validate_schema
from hera_k8s_sandbox.server import launch

Json = dict[str, Any]
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MONITORS = "/apis/monitoring.coreos.com/v1/namespaces/default/servicemonitors"

ENDPOINT = {
    "type": "object",
    "properties": {
        "port": {"type": "string"},
        "interval": {"type": "string", "pattern": "^[0-9]+s$", "default": "30s"},
    },
}
SPEC = {
    "type": "object",
    "required": ["endpoints", "selector"],
    "properties": {
        "endpoints": {"type": "array", "items": ENDPOINT},
        "selector": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}


def definition() -> Json:
    """As the operator of Prometheus ships it, in small."""
    names = {"plural": "servicemonitors", "kind": "ServiceMonitor", "shortNames": ["smon"]}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {"spec": SPEC}}},
        "additionalPrinterColumns": [{"name": "Port", "type": "string", "jsonPath": ".spec.endpoints[0].port"}],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "servicemonitors.monitoring.coreos.com"},
        "spec": {"group": "monitoring.coreos.com", "scope": "Namespaced", "names": names, "versions": [version]},
    }


def monitor(name: str = "arkouda", **endpoint: Any) -> Json:
    spec = {"selector": {"matchLabels": {"app": "arkouda"}}, "endpoints": [{"port": "metrics", **endpoint}]}
    head = {"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor"}
    return {**head, "metadata": {"name": name}, "spec": spec}


def eventually(condition: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.02)


def served(api: Api) -> bool:
    return api.send("GET", MONITORS).status_code == 200


def test_objects_survive_a_restart_with_their_definition(tmp_path: Path) -> None:
    with launch.running(tmp_path) as address:
        api = Api(address.url, address.token)
        api.create(DEFINITIONS, definition())
        eventually(lambda: served(api))
        assert api.create(MONITORS, monitor())["spec"]["endpoints"] == [{"port": "metrics", "interval": "30s"}]
    with launch.running(tmp_path) as address:
        api = Api(address.url, address.token)
        assert [one["metadata"]["name"] for one in api.get(MONITORS)["items"]] == ["arkouda"]
        assert api.send("POST", MONITORS, monitor("b", interval="soon")).status_code == 422
        api.send("DELETE", f"{DEFINITIONS}/servicemonitors.monitoring.coreos.com")
        eventually(lambda: not served(api))
    with launch.running(tmp_path) as address:
        assert not served(Api(address.url, address.token))


def test_the_definitions_of_argos_kinds_stay(sandbox) -> None:
    api = Api(sandbox.url, sandbox.token)
    answer = api.send("DELETE", f"{DEFINITIONS}/workflows.argoproj.io")
    assert answer.status_code == 501
    assert "workflows.argoproj.io" in answer.json()["message"]
    assert api.patch(f"{DEFINITIONS}/workflows.argoproj.io", {"metadata": {"labels": {"a": "b"}}}).ok
    assert api.get("/apis/argoproj.io/v1alpha1/workflows")["kind"] == "WorkflowList"


def test_a_webhook_that_converts_is_refused_by_name(sandbox) -> None:
    body = definition()
    webhook = {"clientConfig": {"url": "https://localhost/convert"}, "conversionReviewVersions": ["v1"]}
    body["spec"]["conversion"] = {"strategy": "Webhook", "webhook": webhook}
    answer = Api(sandbox.url, sandbox.token).send("POST", DEFINITIONS, body)
    assert answer.status_code == 501
    assert "webhook" in answer.json()["message"]


@pytest.mark.needs("kubectl")
def test_kubectl_uses_a_defined_kind(sandbox, tmp_path: Path) -> None:
    import json

    config = tmp_path / "kubeconfig"
    config.write_text(launch.kubeconfig(sandbox, namespace="default"))
    environment = os.environ | {"KUBECONFIG": str(config), "KUBECACHEDIR": str(tmp_path / "cache")}

    def kubectl(*words: str, stdin: Json | None = None) -> str:
        text = None if stdin is None else json.dumps(stdin)
        done = subprocess.run(
            ["kubectl", *words], input=text, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert not done.returncode, done.stderr
        return done.stdout

    kubectl("apply", "-f", "-", stdin=definition())
    kubectl("wait", "--for=condition=Established", "crd/servicemonitors.monitoring.coreos.com", "--timeout=20s")
    kubectl("apply", "-f", "-", stdin=monitor())
    assert "configured" in kubectl("apply", "-f", "-", stdin=monitor(interval="5s"))
    assert kubectl("get", "smon").splitlines()[1].split() == ["arkouda", "metrics"]
    assert kubectl("get", "smon", "arkouda", "-o", "jsonpath={.spec.endpoints[0].interval}") == "5s"
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=monitor(interval="7s"))
    kubectl("delete", "crd", "servicemonitors.monitoring.coreos.com", "--timeout=20s")
    assert not served(Api(sandbox.url, sandbox.token))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)
schemas = st.recursive(
    st.sampled_from([{"type": kind} for kind in ("string", "integer", "number", "boolean", "object")]),
    lambda inner: (
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3).map(lambda p: {"type": "object", "properties": p})
        | inner.map(lambda items: {"type": "array", "items": items})
        | inner.map(lambda each: {"type": "object", "additionalProperties": each})
    ),
    max_leaves=6,
)


@given(schema=schemas, value=values)
def test_any_value_is_kept_or_refused_and_pruned_once(schema: Json, value: Any) -> None:
    prune(schema, value, root=False)
    assert prune(schema, value, root=False) == []
    set_schema_defaults(schema, value)
    for cause in validate_schema(schema, value, "spec"):
        assert cause.message


def test_versions_are_preferred_by_their_age_and_stability() -> None:
    names = ["v1alpha1", "v10", "foo1", "v2beta1", "v1", "v2"]
    assert sorted(names, key=precedence, reverse=True) == ["v10", "v2", "v1", "v2beta1", "v1alpha1", "foo1"]
