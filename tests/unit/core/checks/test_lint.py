"""Lint: each mistake in a workflow is named, with the nearest name; a sound workflow passes."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hera_k8s_argo.workflow.lint import SCRIPTS, SIZE
from hera_k8s_utils.checks.lint import lint
from hera_k8s_utils.errors import BuildError
from hera_k8s_utils.experiment.manifest import Manifest
from hera_k8s_utils.lint.problems import NAMES
from hera_k8s_utils.results import Finding, Verdict


def workflow(*templates: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "w"},
        "spec": {"entrypoint": "main", "templates": list(templates), **spec},
    }


def leaf(name: str = "leaf", *needs: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "inputs": {"parameters": [{"name": need} for need in needs]},
        "container": {"image": "x"},
        **more,
    }


def dag(*tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "main", "dag": {"tasks": list(tasks), "failFast": False}, **more}


def task(
    name: str = "a", template: str = "leaf", arguments: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    given = {"parameters": [{"name": key, "value": value} for key, value in (arguments or {}).items()]}
    return {"name": name, "template": template, "arguments": given, **more}


def found(body: dict[str, Any], title: str = NAMES) -> list[tuple[Verdict, str, str]]:
    findings = [finding.result for finding in lint(Manifest.of(body)) if finding.title == title]
    return [(result.verdict, result.detail, result.hint) for result in findings]


def only(body: dict[str, Any], title: str = NAMES) -> tuple[Verdict, str, str]:
    (one,) = found(body, title)
    return one


SOUND = workflow(
    dag(
        task("a", arguments={"x": "{{workflow.parameters.p}}"}),
        task("b", arguments={"x": "{{tasks.a.outputs.result}}-{{item.k}}"}, depends="a", withItems=[{"k": "1"}]),
        task("c", arguments={"x": "{{tasks.a.outputs.parameters.y}}"}, depends="b && (a.Succeeded || !a.Failed)"),
    ),
    leaf("leaf", "x", outputs={"parameters": [{"name": "y", "valueFrom": {"path": "/y"}}]}),
    arguments={"parameters": [{"name": "p", "value": "1"}]},
)


def test_a_sound_workflow_passes_with_its_size() -> None:
    findings = lint(Manifest.of(SOUND))
    assert [(f.title, f.result.verdict) for f in findings] == [(NAMES, Verdict.PASSED), (SCRIPTS, Verdict.PASSED)]
    assert findings[0].result.detail == f"2 templates, {Manifest.of(SOUND).size / 1000:.1f} kB of 1 MiB"


def test_other_kinds_are_not_looked_into() -> None:
    (finding,) = lint(Manifest.of({"kind": "Pod", "metadata": {"name": "p"}, "spec": {}}))
    assert isinstance(finding, Finding)
    assert finding.result.verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("metadata", "kind", "said"),
    [
        ({"name": "Upper"}, "Workflow", "cannot be called 'Upper'"),
        ({"name": "a" * 64}, "Workflow", "cannot be called"),
        ({"name": "a" * 53}, "CronWorkflow", "cannot be called"),
        ({"generateName": "A-"}, "Workflow", "generateName cannot be"),
        ({}, "Workflow", "has no name"),
        ({"name": "w", "namespace": "a.b"}, "Workflow", "a namespace cannot be called 'a.b'"),
    ],
)
def test_names_of_objects(metadata: dict[str, str], kind: str, said: str) -> None:
    spec = workflow(leaf("main"))["spec"]
    body = {"kind": kind, "metadata": metadata, "spec": {"workflowSpec": spec} if kind == "CronWorkflow" else spec}
    verdict, detail, _ = only(body)
    assert verdict is Verdict.FAILED
    assert said in detail


@pytest.mark.parametrize(
    ("body", "said", "hint"),
    [
        (workflow(leaf("main"), leaf("a_b")), "template cannot be called 'a_b'", "letters, digits"),
        (workflow(leaf("main"), leaf("x" * 129)), "template cannot be called", "at most 128"),
        (workflow(leaf("main"), leaf("twice"), leaf("twice")), "2 templates are called 'twice'", ""),
        (workflow({"name": "main"}), "has no body", "container"),
        (workflow(leaf("main", script={"image": "x", "source": ""})), "more than one body: container, script", ""),
        (workflow(dag()), "dag main has no tasks", ""),
        (workflow(dag(task("1st"), task("b", depends="1st")), leaf()), "begins with a digit", ""),
        (workflow(dag(task("a_b")), leaf()), "task cannot be called 'a_b'", "letters"),
        (workflow(dag(task("a"), task("a")), leaf()), "2 tasks are called 'a'", ""),
        (workflow(dag(task(arguments={"a.b": "1"})), leaf("leaf", "a.b")), "parameter cannot be called 'a.b'", ""),
        (workflow(leaf("main", container={})), "has no image", "image="),
        (
            workflow(leaf("main", container={"image": "x", "volumeMounts": [{"name": "date", "mountPath": "/d"}]}),
                     volumes=[{"name": "data"}]),
            "mounts date, which is not one of its volumes",
            "did you mean data?",
        ),
    ],
)  # fmt: skip
def test_names_and_shapes_that_are_refused(body: dict[str, Any], said: str, hint: str) -> None:
    verdict, detail, hinted = only(body)
    assert verdict is Verdict.FAILED
    assert said in detail
    assert hint in hinted


@pytest.mark.parametrize(
    ("main", "said", "hint"),
    [
        (dag(task("a", "laef")), "main.a calls template laef", "did you mean leaf?"),
        (dag({"name": "a"}), "main.a calls no template", "template="),
        (dag(task("a", depends="bb"), task("bbb")), "waits for bb, which is not a task", "did you mean bbb?"),
        (dag(task("a", dependencies=["z"])), "waits for z, which is not a task", ""),
        (dag(task("a", depends="b"), task("b", depends="c"), task("c", depends="a")), "a -> b -> c -> a", ""),
        (dag(task("a"), task("b", depends="a &&")), "depends of main.b cannot be read", "&&"),
        (dag(task("a"), task("b", depends="a.Success")), "waits for a.Success", "did you mean Succeeded?"),
        (dag(task("a"), task("b", depends="a.AnySucceeded")), "a has no items", ""),
        (dag(task("a"), task("b", depends="a"), task("c", dependencies=["a"])), "dependencies where", ""),
        (dag(task("a"), task("b", depends="a", continueOn={"failed": True})), "continueOn", "a.Failed"),
        (dag(task("a", withItems=[1], withParam="[]")), "withItems and withParam", ""),
        (dag(task("a", "main")), "endlessly: main -> main", "when"),
        ({"name": "main", "dag": {"tasks": [task()], "target": "b"}}, "target b of main is not a task", ""),
    ],
)
def test_calls_and_their_order(main: dict[str, Any], said: str, hint: str) -> None:
    verdict, detail, hinted = only(workflow(main, leaf()))
    assert verdict is Verdict.FAILED
    assert said in detail
    assert hint in hinted


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"entrypoint": "mian"}, "the workflow calls template mian"),
        ({"entrypoint": ""}, "has no entrypoint"),
        ({"onExit": "claen"}, "calls template claen"),
        ({"hooks": {"exit": {"template": "claen"}}}, "calls template claen"),
    ],
)
def test_what_the_workflow_itself_calls(spec: dict[str, Any], said: str) -> None:
    verdict, detail, hint = only(workflow(leaf("main"), **spec))
    assert verdict is Verdict.FAILED
    assert said in detail
    assert "main" in hint


def test_a_missing_argument_is_named() -> None:
    verdict, detail, _ = only(workflow(dag(task(arguments={"x": "1"})), leaf("leaf", "x", "y")))
    assert (verdict, detail) == (Verdict.FAILED, "main.a calls leaf without y")


def test_an_argument_without_a_value_is_missing() -> None:
    assert "calls leaf without x" in only(workflow(dag(task(arguments={"x": None})), leaf("leaf", "x")))[1]


def test_a_default_is_enough() -> None:
    template = leaf("leaf", inputs={"parameters": [{"name": "x", "default": ""}]})
    assert only(workflow(dag(task()), template))[0] is Verdict.PASSED


def test_arguments_of_the_workflow_are_the_entry_points() -> None:
    assert "the workflow calls main without x" in only(workflow(leaf("main", "x")))[1]
    given = {"parameters": [{"name": "x", "value": "1"}, {"name": "global", "value": "2"}]}
    assert only(workflow(leaf("main", "x"), arguments=given))[0] is Verdict.PASSED


def test_a_parameter_of_the_workflow_needs_a_value_unless_others_submit_it() -> None:
    body = workflow(leaf("main"), arguments={"parameters": [{"name": "x"}]})
    assert "parameter x of the workflow has no value" in only(body)[1]
    assert only({**body, "kind": "WorkflowTemplate"})[0] is Verdict.PASSED


def test_an_argument_that_is_not_taken_is_a_warning() -> None:
    body = workflow(dag(task(arguments={"rate": "1", "rat": "2"})), leaf("leaf", "rate"))
    assert only(body) == (Verdict.WARNING, "main.a passes rat to leaf, which does not take it", "did you mean rate?")


def test_a_missing_artifact_is_named() -> None:
    template = leaf(
        inputs={"artifacts": [{"name": "data", "path": "/d"}, {"name": "o", "path": "/o", "optional": True}]}
    )
    assert only(workflow(dag(task()), template))[1] == "main.a calls leaf without artifact data"


@pytest.mark.parametrize(
    ("tasks", "said", "hint"),
    [
        (
            [task("a"), task("b", arguments={"x": "{{tasks.aa.outputs.result}}"}, depends="a")],
            "there is no aa",
            "mean a?",
        ),
        (
            [task("a"), task("b", arguments={"x": "{{tasks.a.outputs.result}}"})],
            "without waiting for a",
            "dependencies",
        ),
        (
            [task("a"), task("b", arguments={"x": "{{tasks.a.outputs.parameters.q}}"}, depends="a")],
            "which is not an output of leaf",
            "there is y",
        ),
        ([task("b", arguments={"x": "{{item}}"})], "reads {{item}} and is not repeated", "with_items"),
        (
            [task("b", arguments={"x": "{{item.k}}"}, withItems=[{"k": "1"}, {"kk": "2"}])],
            'which item {"kk": "2"}',
            "kk",
        ),
        (
            [task("b", arguments={"x": "{{inputs.parameters.z}}"})],
            "reads {{inputs.parameters.z}}, which is not one of its inputs",
            "",
        ),
        (
            [task("b", arguments={"x": "{{workflow.parameters.z}}"})],
            "which the workflow does not have",
            "arguments={'z'",
        ),
    ],
)
def test_variables_that_stand_for_nothing(tasks: list[dict[str, Any]], said: str, hint: str) -> None:
    template = leaf(
        inputs={"parameters": [{"name": "x", "default": "d"}]},
        outputs={"parameters": [{"name": "y", "valueFrom": {"path": "/y"}}]},
    )
    verdict, detail, hinted = only(workflow(dag(*tasks), template))
    assert verdict is Verdict.FAILED
    assert said in detail
    assert hint in hinted


def test_steps_see_the_groups_before_their_own() -> None:
    reads = {"x": "{{steps.a.outputs.result}}"}
    early = {"name": "main", "steps": [[task("a", arguments={"x": ""}), task("b", arguments=reads)]]}
    late = {"name": "main", "steps": [[task("a", arguments={"x": ""})], [task("b", arguments=reads)]]}
    assert "without waiting for a" in only(workflow(early, leaf("leaf", "x")))[1]
    assert only(workflow(late, leaf("leaf", "x")))[0] is Verdict.PASSED


def test_a_hook_reads_the_task_that_it_belongs_to() -> None:
    arguments = {"parameters": [{"name": "x", "value": "{{tasks.a.status}}"}]}
    hooked = task("a", arguments={"x": "1"}, hooks={"exit": {"template": "leaf", "arguments": arguments}})
    assert only(workflow(dag(hooked), leaf("leaf", "x")))[0] is Verdict.PASSED


def test_outputs_of_a_dag_come_from_its_tasks() -> None:
    given = {"parameters": [{"name": "y", "valueFrom": {"parameter": "{{tasks.aa.outputs.result}}"}}]}
    assert "outputs of main read {{tasks.aa.outputs.result}}" in only(workflow(dag(task(), outputs=given), leaf()))[1]


def test_a_name_that_begins_with_a_digit_will_do_where_nothing_waits() -> None:
    assert only(workflow(dag(task("1st")), leaf()))[0] is Verdict.PASSED


def test_inputs_that_a_container_reads_are_declared() -> None:
    template = leaf("main", container={"image": "x", "args": ["{{inputs.parameters.rte}} {{input.parameters.rate}}"]})
    assert [(verdict, hint) for verdict, _, hint in found(workflow(template))] == [
        (Verdict.FAILED, ""),
        (Verdict.WARNING, "did you mean inputs?"),
    ]


def test_variables_of_a_template_inside_a_task_are_its_own() -> None:
    inline = leaf("", "x", container={"image": "x", "args": ["{{inputs.parameters.x}}"]})
    call = {"name": "a", "inline": inline, "arguments": {"parameters": [{"name": "x", "value": "1"}]}}
    assert only(workflow(dag(call)))[0] is Verdict.PASSED


def test_templates_and_parameters_of_a_referenced_workflow_are_not_missed() -> None:
    body = {"kind": "Workflow", "metadata": {"name": "w"}, "spec": {"workflowTemplateRef": {"name": "t"}}}
    assert only(body)[0] is Verdict.PASSED


def test_parameters_of_a_template_may_come_from_whoever_submits_it() -> None:
    body = workflow(leaf("main", container={"image": "x", "args": ["{{workflow.parameters.given}}"]}))
    assert only(body)[0] is Verdict.FAILED
    for kind in ("WorkflowTemplate", "ClusterWorkflowTemplate"):
        assert only({**body, "kind": kind})[0] is Verdict.PASSED


@pytest.mark.parametrize("operator", ["+", "-"])
def test_a_variable_in_a_script_may_be_an_operator(operator: str) -> None:
    source = "print({{inputs.parameters.a}} {{inputs.parameters.op}} 2)"
    given = {"a": "1", "op": operator}
    script = {"image": "x", "command": ["python"], "source": source}
    calc = {"name": "leaf", "inputs": {"parameters": [{"name": "a"}, {"name": "op"}]}, "script": script}
    assert only(workflow(dag(task(arguments=given)), calc), SCRIPTS)[0] is Verdict.PASSED
    for broken in (f"{source}\nprint('end'", f"print('begin'\nx = 1\n{source}"):
        calc["script"] = {**script, "source": broken}
        assert only(workflow(dag(task(arguments=given)), calc), SCRIPTS)[0] is Verdict.FAILED


X, OP, Y, Z, LAST = (f"{{{{workflow.parameters.{name}}}}}" for name in ("x", "op", "y", "z", "last"))


def verdict_of_script(source: str) -> tuple[Verdict, str]:
    script = {"image": "x", "command": ["python"], "source": source}
    body = workflow({"name": "main", "script": script})
    body["spec"]["arguments"] = {"parameters": [{"name": name, "value": "1"} for name in ("x", "op", "y", "z", "last")]}
    verdict, detail, *_ = only(body, SCRIPTS)
    return verdict, detail


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (f"print({X}\nprint(2)", "'(' was never closed: print("),
        (f"for i in range({X})\n    print(i)", "expected ':': for i in range("),
        (f"a = {X} {OP} {Y})", "unmatched ')': a = "),
        (f"print({X} {OP} {Y})\nprint('end'", "'(' was never closed: print('end'"),
        (f"if {X}:\nprint(1)", "expected an indented block after 'if' statement on line 1: print(1)"),
    ],
)
def test_a_syntax_error_beside_a_variable_is_one_whatever_the_variable_is(source: str, said: str) -> None:
    verdict, detail = verdict_of_script(source)
    assert verdict is Verdict.FAILED
    assert said in detail


@pytest.mark.parametrize(
    "source",
    [
        f"def {X}():\n    return {Y}\nprint({X}())",
        f"import {X}\nprint({X}.{Y})",
        f"print(1 {OP} 2)\nprint({X} {OP} {Y} {OP} {Z})",
        f"print('a'{LAST})",
        f"if 1 {OP} 2:\n    {X}\nelse: {Y}",
        f"print(\n    {X},\n    1 {OP} 2,\n)",
        f"print({X} +\n    1 {OP} 2)",
        f"print({X} {OP} {Y} {OP} {Z} {OP} {LAST})",
    ],
)
def test_a_variable_may_be_whatever_makes_the_script_python(source: str) -> None:
    assert verdict_of_script(source)[0] is Verdict.PASSED


def test_a_long_prefix_is_cut_by_the_server() -> None:
    body = workflow(leaf("main"))
    body["metadata"] = {"generateName": "a" * 61 + "-"}
    assert only(body)[0] is Verdict.PASSED


@pytest.mark.parametrize("fail_fast", [None, True, False])
def test_a_fan_out_of_a_dag_is_no_warning_whatever_fail_fast_says(*, fail_fast: bool | None) -> None:
    """Argo goes on with the other points of a fan-out in each case."""
    body = workflow({"name": "main", "dag": {"tasks": [task("a", withItems=[1, 2])]}}, leaf())
    if fail_fast is not None:
        body["spec"]["templates"][0]["dag"]["failFast"] = fail_fast
    assert only(body)[0] is Verdict.PASSED


def test_a_retry_of_a_whole_dag_is_a_warning() -> None:
    body = workflow(dag(task(), retryStrategy={"limit": 2}), leaf())
    assert only(body)[:2] == (Verdict.WARNING, "a retry of dag main runs all of it again, what succeeded too")


def test_many_mistakes_are_cut_and_counted_with_the_failures_first() -> None:
    tasks = [task("w", arguments={"q": "1"}), *(task(f"t{number}", "no") for number in range(20))]
    results = found(workflow(dag(*tasks), leaf()))
    assert len(results) == 9
    assert results[-1][1] == "and 13 more of the kind"
    assert results[0][0] is Verdict.FAILED


# --- size ---


def test_a_workflow_that_is_too_large_fails_with_what_would_help() -> None:
    tasks = [task(f"t{number}") for number in range(20_000)]
    verdict, detail, hint = only(workflow(dag(*tasks), leaf()), SIZE)
    assert verdict is Verdict.FAILED
    assert "Argo takes 1 MiB" in detail
    assert "20000 tasks: one task over withItems" in hint


def test_a_workflow_that_is_nearly_too_large_is_a_warning() -> None:
    items = [{"path": f"/results/{number:0100}"} for number in range(7_500)]
    verdict, detail, hint = only(workflow(dag(task(withItems=items)), leaf()), SIZE)
    assert verdict is Verdict.WARNING
    assert "% of the 1 MiB" in detail
    assert "let items hold only what differs" in hint


def test_an_argument_longer_than_the_executor_takes_is_named() -> None:
    body = workflow(dag(task(arguments={"x": "y" * 200_000})), leaf("leaf", "x"))
    verdict, detail, _ = only(body, SIZE)
    assert verdict is Verdict.FAILED
    assert detail.startswith("argument x of a has 200.0 kB")


def test_no_manifest_breaks_the_linter() -> None:
    """Whatever shape a dict has, there is a finding, not a traceback."""
    for body in (
        {"kind": "Workflow"},
        {"kind": "Workflow", "spec": None},
        {"kind": "Workflow", "metadata": None, "spec": {"templates": None}},
        {"kind": "CronWorkflow", "spec": {}},
        workflow({"name": "main", "dag": {"tasks": None}}),
        workflow({"name": "main", "steps": None}),
        workflow({"name": "main", "inputs": None, "container": {"image": "x", "volumeMounts": None}}),
    ):
        assert lint(Manifest.of(body))


PLACES = st.lists(st.integers(0, 7), min_size=1, max_size=7)
JUNK = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just([]), st.just({}), st.just([[]]))


@given(PLACES, JUNK)
@settings(max_examples=400, deadline=None)
def test_a_damaged_workflow_is_refused_or_linted(place: list[int], junk: Any) -> None:
    body = json.loads(json.dumps(SOUND))
    at: Any = body
    for step in place[:-1]:
        children = list(at.values()) if isinstance(at, dict) else at
        if (
            not isinstance(children, list)
            or not children
            or not isinstance(children[step % len(children)], (dict, list))
        ):
            break
        at = children[step % len(children)]
    if at:
        keys = list(at) if isinstance(at, dict) else range(len(at))
        at[keys[place[-1] % len(at)]] = junk
    try:
        manifest = Manifest.of(body)
    except BuildError:
        return
    assert lint(manifest)
    assert manifest.demand()
    assert manifest.to_yaml()
    assert list(manifest.containers()) is not None
