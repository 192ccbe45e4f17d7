"""Memoized templates take what another run has left in a cache, and leave there what they make."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sandbox_api import Api
from sandbox_workflows import Workflows, container, dag, nodes, task, workflow

from hera_k8s_sandbox.workflows.validation import WorkflowInvalid, validate

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture(scope="module")
def flows(sandbox: Any) -> Workflows:
    return Workflows(Api(sandbox.url, sandbox.token))


def memoized(cache: str, key: str = "{{inputs.parameters.x}}", **more: Any) -> dict[str, Any]:
    return container(
        "main",
        "echo {{workflow.name}} > /tmp/out; echo {{inputs.parameters.x}};",
        inputs={"parameters": [{"name": "x", "value": "k1"}]},
        outputs={"parameters": [{"name": "by", "valueFrom": {"path": "/tmp/out"}}]},
        memoize={"key": key, "cache": {"configMap": {"name": cache}}, **more.pop("memoize", {})},
        **more,
    )


def root(found: dict[str, Any]) -> dict[str, Any]:
    return nodes(found)[found["metadata"]["name"]]


def made_by(found: dict[str, Any]) -> str:
    return str(root(found)["outputs"]["parameters"][0]["value"])


def test_the_second_run_takes_what_the_first_has_made(flows: Workflows) -> None:
    first = flows.run(workflow(memoized("kept")))
    name = first["metadata"]["name"]
    assert root(first)["memoizationStatus"] == {"hit": False, "key": "k1", "cacheName": "kept"}
    cache = flows.api.get(f"{MAPS}/kept")
    assert cache["metadata"]["labels"] == {"workflows.argoproj.io/configmap-type": "Cache"}
    entry = json.loads(cache["data"]["k1"])
    assert (entry["nodeID"], entry["outputs"]["parameters"][0]["value"]) == (name, name)
    second = flows.run(workflow(memoized("kept")))
    assert root(second)["memoizationStatus"]["hit"] is True
    assert (made_by(second), second["status"]["phase"], second["status"]["progress"]) == (name, "Succeeded", "1/1")
    assert flows.api.send("GET", f"/api/v1/namespaces/default/pods/{second['metadata']['name']}").status_code == 404


def test_another_key_is_another_entry(flows: Workflows) -> None:
    flows.run(workflow(memoized("keys")))
    arguments = {"parameters": [{"name": "x", "value": "k2"}]}
    found = flows.run(workflow(memoized("keys"), arguments=arguments))
    assert made_by(found) == found["metadata"]["name"]
    assert set(flows.api.get(f"{MAPS}/keys")["data"]) == {"k1", "k2"}


def test_an_entry_that_is_too_old_is_made_anew(flows: Workflows) -> None:
    flows.run(workflow(memoized("old")))
    entry = json.loads(flows.api.get(f"{MAPS}/old")["data"]["k1"])
    entry["creationTimestamp"] = "2020-01-01T00:00:00Z"
    assert flows.api.patch(f"{MAPS}/old", {"data": {"k1": json.dumps(entry)}}).ok
    young = flows.run(workflow(memoized("old", memoize={"maxAge": "1h"})))
    assert made_by(young) == young["metadata"]["name"]


def test_what_fails_is_not_kept(flows: Workflows) -> None:
    failing = {**memoized("failures"), "container": {"image": "busybox", "command": ["sh", "-c", "exit 3"]}}
    assert flows.run(workflow(failing))["status"]["phase"] == "Failed"
    assert flows.api.send("GET", f"{MAPS}/failures").status_code == 404


def test_a_whole_dag_can_be_memoized(flows: Workflows) -> None:
    inner = memoized("unused", key="u") | {"name": "inner"}
    del inner["memoize"]
    main = dag(
        task("a", "inner"),
        outputs={"parameters": [{"name": "by", "valueFrom": {"parameter": "{{tasks.a.outputs.parameters.by}}"}}]},
        memoize={"key": "dag", "cache": {"configMap": {"name": "dags"}}},
    )
    first, second = (flows.run(workflow(main, inner)) for _ in range(2))
    assert made_by(second) == first["metadata"]["name"]
    assert root(second)["type"] == "DAG"
    assert len(second["status"]["nodes"]) == 1


def test_a_retried_template_is_kept_too(flows: Workflows) -> None:
    again = memoized("retried", retryStrategy={"limit": "1"})
    first, second = (flows.run(workflow(again)) for _ in range(2))
    assert made_by(second) == made_by(first) == first["metadata"]["name"]


def test_a_key_that_cannot_be_one_is_an_error(flows: Workflows) -> None:
    found = flows.run(workflow(memoized("bad", key="not a key")))
    assert (found["status"]["phase"], found["status"]["message"]) == ("Error", "invalid cache key not a key")


@pytest.mark.parametrize(
    ("words", "memoize"),
    [
        ("memoize.key is required", {"cache": {"configMap": {"name": "x"}}}),
        ("cache.configMap.name is required", {"key": "k"}),
        ('invalid duration "often"', {"key": "k", "cache": {"configMap": {"name": "x"}}, "maxAge": "often"}),
    ],
)
def test_caches_that_make_no_sense_are_refused(words: str, memoize: dict[str, Any]) -> None:
    with pytest.raises(WorkflowInvalid) as refused:
        validate(workflow(container("main", memoize=memoize)))
    assert words in str(refused.value)
