"""What is refused of a workflow before any of its tasks starts, and with which words."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_workflows import container, dag, task, workflow

from hera_k8s_sandbox.workflows.validation import Unsupported, WorkflowInvalid, validate, validate_template

LEAF = container("leaf", "echo", "{{inputs.parameters.x}}", inputs={"parameters": [{"name": "x"}]})
EASY = container("easy")


def steps(*groups: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"name": "main", "steps": list(groups), **more}


GOOD = {
    "a container": workflow(EASY),
    "a chain": workflow(dag(task("a", "easy"), task("b", "easy", depends="a.Failed || a")), EASY),
    "items": workflow(dag(task("a", "leaf", {"x": "{{item.v}}"}, withItems=[{"v": 1}])), LEAF),
    "results": workflow(
        dag(task("a", "easy"), task("b", "leaf", {"x": "{{tasks.a.outputs.result}}"}, depends="a")), EASY, LEAF
    ),
    "steps": workflow(steps([task("a", "easy")], [task("b", "leaf", {"x": "{{steps.a.outputs.result}}"})]), EASY, LEAF),
    "an argument of the workflow": workflow(LEAF, arguments={"parameters": [{"name": "x", "value": 1}]}),
    "braces in a script": workflow(
        {"name": "main", "script": {"image": "python", "command": ["python"], "source": "print('{{unknown}}')"}}
    ),
    "an expression in a tag": workflow(container("main", "echo", "{{=1+1}}")),
    "an expression of a retry": workflow(container("main", "true", retryStrategy={"expression": "true"})),
    "what is taken without acting on it": workflow(
        container("main", "true", metrics={"prometheus": [{"name": "n", "help": "h", "counter": {"value": "1"}}]}),
        metrics={"prometheus": []},
        podDisruptionBudget={"minAvailable": 1},
        podPriorityClassName="high",
        priority=3,
    ),
    "an expression of a retry with tags": workflow(
        container(
            "main",
            "true",
            inputs={"parameters": [{"name": "n", "value": "2"}]},
            retryStrategy={
                "limit": "{{inputs.parameters.n}}",
                "expression": "asInt(lastRetry.exitCode) < {{inputs.parameters.n}}",
                "backoff": {"duration": "{{inputs.parameters.n}}"},
            },
        )
    ),
    "a volume that a parameter names": workflow(
        container(
            "main",
            "true",
            inputs={"parameters": [{"name": "v", "value": "data"}]},
            container={"volumeMounts": [{"name": "{{inputs.parameters.v}}", "mountPath": "/v"}]},
        ),
        volumes=[{"name": "data", "emptyDir": {}}],
    ),
    "a script without source": workflow({"name": "main", "script": {"image": "busybox", "command": ["sh"]}}),
    "a sidecar without image": workflow(container("main", "true", sidecars=[{"name": "beside"}])),
    "tags of another language": workflow(dag(task("a", "leaf", {"x": "{{ .Values.x }} {{other.name}}"})), LEAF),
    "all variables of the workflow": {
        "metadata": {"labels": {"team": "x"}, "annotations": {"note": "y"}},
        **workflow(
            container(
                "main",
                "echo",
                *[
                    f"{{{{workflow.{name}}}}}"
                    for name in (
                        *("name", "namespace", "uid", "status", "duration", "priority", "failures", "scheduledTime"),
                        *("mainEntrypoint", "serviceAccountName", "creationTimestamp", "creationTimestamp.s"),
                        *("parameters", "parameters.json", "parameters.p", "outputs.parameters.made"),
                        *("labels", "labels.json", "labels.given", "labels.computed"),
                        *("annotations", "annotations.json"),
                    )
                ],
                outputs={"parameters": [{"name": "o", "value": 1, "globalName": "made"}]},
            ),
            priority=1,
            onExit="main",
            arguments={"parameters": [{"name": "p", "value": 1}]},
            workflowMetadata={"labels": {"given": "x"}, "labelsFrom": {"computed": {"expression": "'x'"}}},
        ),
    },
    "all variables of a task": workflow(
        dag(
            task("a", "made", withItems=[1]),
            *[
                task(f"b{number}", "leaf", {"x": f"{{{{tasks.a.{name}}}}}"}, depends="a")
                for number, name in enumerate(
                    (
                        *("id", "status", "startedAt", "finishedAt", "hostNodeName", "exitCode", "outputs.result"),
                        *("outputs.parameters", "outputs.parameters.o", "outputs.artifacts.f"),
                    )
                )
            ],
        ),
        container(
            "made",
            "true",
            outputs={"parameters": [{"name": "o", "value": 1}], "artifacts": [{"name": "f", "path": "/tmp/f"}]},
        ),
        LEAF,
    ),
    "harmless fields": workflow(
        container("main", "true", nodeSelector={"a": "b"}, tolerations=[{}], retryStrategy={"limit": "2"}),
        imagePullSecrets=[{"name": "p"}],
        podGC={"strategy": "OnPodSuccess"},
        ttlStrategy={"secondsAfterCompletion": 60},
    ),
}

INVALID = {
    "spec.entrypoint is required": workflow(EASY) | {"spec": {"templates": [EASY]}},
    "template name 'gone' undefined": workflow(EASY, entrypoint="gone"),
    "template name 'nowhere' undefined": workflow(dag(task("a", "nowhere"))),
    "inputs.parameters.x was not supplied": workflow(dag(task("a", "leaf")), LEAF),
    "templates.leaf inputs.parameters.x was not supplied": workflow(LEAF),
    "dependency cycle detected: a->b->a": workflow(
        dag(task("a", "easy", depends="b"), task("b", "easy", depends="a")), EASY
    ),
    "dependency 'z' not defined": workflow(dag(task("a", "easy", depends="z")), EASY),
    "task result 'Done' for task 'b' is invalid": workflow(
        dag(task("a", "easy", depends="b.Done"), task("b", "easy")), EASY
    ),
    "failed to resolve {{inputs.parameters.y}}": workflow(
        dag(task("a", "leaf", {"x": "{{inputs.parameters.y}}"})), LEAF
    ),
    "failed to resolve {{workflow.parameters.y}}": workflow(container("main", "echo", "{{workflow.parameters.y}}")),
    "failed to resolve {{tasks.a.outputs.result}}": workflow(
        dag(task("a", "easy"), task("b", "leaf", {"x": "{{tasks.a.outputs.result}}"})), EASY, LEAF
    ),
    "failed to resolve {{steps.b.outputs.result}}": workflow(
        steps([task("a", "leaf", {"x": "{{steps.b.outputs.result}}"})], [task("b", "easy")]), EASY, LEAF
    ),
    **{
        f"failed to resolve {{{{{tag}}}}}": workflow(container("main", "echo", f"{{{{{tag}}}}}"))
        for tag in (
            *("workflow.nosuch", "workflow.labels.nosuch", "workflow.annotations.nosuch", "workflow.priority"),
            *("workflow.outputs.parameters.nosuch", "workflow.failures", "workflow.parameters", "workflow.Name"),
            *("inputs.parameters", "inputs.artifacts.nosuch.path", "item.nosuch", "steps.a.outputs.result", "pod.ip"),
        )
    },
    **{
        f"failed to resolve {{{{tasks.a.{name}}}}}": workflow(
            dag(task("a", "easy"), task("b", "leaf", {"x": f"{{{{tasks.a.{name}}}}}"}, depends="a")), EASY, LEAF
        )
        for name in ("outputs.exitCode", "outputs.parameters.nosuch", "outputs.artifacts.nosuch", "ip", "nosuch")
    },
    "templates.main: failed to resolve {{workflow.nosuch}}": workflow(
        {"name": "main", "script": {"image": "python", "command": ["python"], "source": "print('{{workflow.nosuch}}')"}}
    ),
    "failed to resolve {{item.z}}": workflow(dag(task("a", "leaf", {"x": "{{item.z}}"}, withItems=[{"v": 1}])), LEAF),
    "templates.main.outputs: failed to resolve {{tasks.a.outputs.parameters.p}}": workflow(
        dag(
            task("a", "easy"),
            outputs={"parameters": [{"name": "o", "valueFrom": {"parameter": "{{tasks.a.outputs.parameters.p}}"}}]},
        ),
        EASY,
    ),
    "name 'a' is not unique": workflow(dag(task("a", "easy"), task("a", "easy")), EASY),
    "'no.good' is invalid": workflow(container("no.good")),
    "template type unspecified": workflow({"name": "main"}),
    "multiple template types": workflow({**EASY, "script": {"image": "x", "source": "y"}}),
    "must have at least one task": workflow(dag()),
    "cannot use 'continueOn' when using 'depends'": workflow(
        dag(task("a", "easy"), task("b", "easy", depends="a", continueOn={"failed": True})), EASY
    ),
    "items-based condition": workflow(dag(task("a", "easy"), task("b", "easy", depends="a.AnySucceeded")), EASY),
    "failed to evaluate expression: unexpected end": workflow(container("main", "echo", "{{=1+}}")),
    "failed to evaluate expression: unexpected token ')'": workflow(
        container("main", "true", retryStrategy={"expression": "asInt()) > 1"})
    ),
    "not a valid RetryPolicy": workflow(container("main", "true", retryStrategy={"retryPolicy": "Often"})),
    "no base duration": workflow(container("main", "true", retryStrategy={"backoff": {"factor": 2}})),
    "image may not be empty": workflow({"name": "main", "container": {"command": ["true"]}}),
    "volume 'v' not found": workflow(
        container("main", "true", container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]})
    ),
    "podGC.strategy unknown strategy 'Never'": workflow(EASY, podGC={"strategy": "Never"}),
    "path must be specified for Container": workflow(
        container("main", "true", outputs={"parameters": [{"name": "p"}]})
    ),
    "spec.arguments.x.value": workflow(EASY, arguments={"parameters": [{"name": "x"}]}),
    "enum list": workflow(EASY, arguments={"parameters": [{"name": "x", "value": "c", "enum": ["a", "b"]}]}),
    "mutually exclusive": workflow(dag(task("a", "easy", withItems=[1], withParam="[1]")), EASY),
}

UNSUPPORTED = {
    "templates.main.http": workflow({"name": "main", "http": {"url": "http://x"}}),
    "templates.main.plugin": workflow({"name": "main", "plugin": {"hello": {}}}),
    "templates.main.data": workflow({"name": "main", "data": {"source": {}}}),
    "tasks.a.inline": workflow(dag({"name": "a", "inline": {"container": {"image": "busybox"}}})),
    "spec.templateDefaults": workflow(EASY, templateDefaults={"timeout": "1m"}),
    "spec.executor": workflow(EASY, executor={"serviceAccountName": "x"}),
    "spec.artifactRepositoryRef": workflow(EASY, artifactRepositoryRef={"configMap": "mine"}),
    "synchronization.mutex in a database": workflow(
        EASY, synchronization={"mutexes": [{"name": "m", "database": True}]}
    ),
    "the function shuffle in expressions": workflow(container("main", "echo", "{{=shuffle([1])}}")),
    "the function sprig.uuidv4 in expressions": workflow(
        container("main", "true", retryStrategy={"expression": "sprig.uuidv4() == ''"})
    ),
    "volumes of hostPath": workflow(EASY, volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
}


@pytest.mark.parametrize("manifest", GOOD.values(), ids=GOOD.keys())
def test_what_the_sandbox_runs_is_taken(manifest: dict[str, Any]) -> None:
    validate(manifest)


@pytest.mark.parametrize(("words", "manifest"), INVALID.items(), ids=INVALID.keys())
def test_what_breaks_a_rule_is_told(words: str, manifest: dict[str, Any]) -> None:
    with pytest.raises(WorkflowInvalid) as refused:
        validate(manifest)
    assert words in str(refused.value)


@pytest.mark.parametrize(("words", "manifest"), UNSUPPORTED.items(), ids=UNSUPPORTED.keys())
def test_what_the_sandbox_cannot_do_is_refused_by_name(words: str, manifest: dict[str, Any]) -> None:
    with pytest.raises(Unsupported) as refused:
        validate(manifest)
    assert str(refused.value).startswith("the sandbox does not support ")
    assert words in str(refused.value)


def test_lint_does_not_ask_for_the_values_of_arguments() -> None:
    validate(workflow(EASY, arguments={"parameters": [{"name": "x"}]}), lint=True)


def test_a_chain_of_thousands_is_checked() -> None:
    tasks = [task("t0", "easy"), *(task(f"t{i}", "easy", depends=f"t{i - 1}") for i in range(1, 3000))]
    validate(workflow(dag(*tasks), EASY))


def test_a_workflow_template_needs_no_entrypoint() -> None:
    validate_template({"spec": {"templates": [EASY]}})
    with pytest.raises(WorkflowInvalid):
        validate_template({"spec": {"templates": [dag(task("a", "gone"))]}})
