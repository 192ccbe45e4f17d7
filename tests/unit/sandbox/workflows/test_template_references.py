"""Templates of other objects in the sandbox: referred to by tasks, by workflows, and submitted."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sandbox_api import Api, make_namespace
from sandbox_workflows import Workflows, container, dag, nodes, phases, task, workflow

Json = dict[str, Any]

X = {"parameters": [{"name": "x"}]}
SAY = container("say", "echo", "{{inputs.parameters.x}}", inputs=X)
GATE = {"name": "gate", "suspend": {}}


@pytest.fixture(scope="module")
def api(sandbox) -> Api:
    return Api(sandbox.url, sandbox.token)


@pytest.fixture
def flows(api: Api) -> Workflows:
    """The Argo API in a namespace of the test's own, whose pods may run."""
    return Workflows(api, make_namespace(api, f"t-{uuid.uuid4().hex[:12]}").rpartition("/")[2])


class Shelf:
    """The templates of a namespace, or of the cluster."""

    def __init__(self, flows: Workflows, *, cluster: bool = False) -> None:
        self._api = flows.api
        self._base = f"/api/v1/workflow-templates/{flows.namespace}"
        if cluster:
            self._base = "/api/v1/cluster-workflow-templates"

    def put(self, name: str, *templates: Json, **spec: Any) -> None:
        body = {"template": {"metadata": {"name": name}, "spec": {"templates": list(templates), **spec}}}
        answer = self._api.send("POST", self._base, body)
        assert answer.ok, answer.text

    def change(self, name: str, *templates: Json, **spec: Any) -> None:
        found = self._api.get(f"{self._base}/{name}")
        found["spec"] = {"templates": list(templates), **spec}
        answer = self._api.send("PUT", f"{self._base}/{name}", {"template": found})
        assert answer.ok, answer.text


@pytest.fixture
def shelf(flows: Workflows) -> Shelf:
    return Shelf(flows)


def ref(name: str, template: str, **more: Any) -> Json:
    return {"templateRef": {"name": name, "template": template, **more}}


def call(name: str, reference: Json, arguments: Json | None = None, **more: Any) -> Json:
    made = task(name, "", arguments, **more) | reference
    del made["template"]
    return made


def created(flows: Workflows, manifest: Json) -> Any:
    return flows.api.send("POST", flows.base, {"workflow": manifest})


def submitted(flows: Workflows, kind: str, resource: str, **options: Any) -> Any:
    body = {"resourceKind": kind, "resourceName": resource, "submitOptions": options}
    return flows.api.send("POST", f"{flows.base}/submit", body)


# templateRef


def test_a_task_calls_a_template_of_another_object(flows: Workflows, shelf: Shelf) -> None:
    shelf.put("library", SAY)
    found = flows.run(workflow(dag(call("a", ref("library", "say"), {"x": "hello"}))))
    assert flows.log(found["metadata"]["name"]) == ["hello"]
    node = nodes(found)["a"]
    assert (node["templateRef"], node.get("templateName")) == ({"name": "library", "template": "say"}, None)
    assert node["templateScope"] == f"local/{found['metadata']['name']}"
    assert found["status"]["storedTemplates"].keys() == {"namespaced/library/say"}
    assert (
        found["status"]["storedTemplates"]["namespaced/library/say"]["container"]["command"]
        == SAY["container"]["command"]
    )


def test_templates_of_another_object_call_their_own_and_those_of_the_cluster(flows: Workflows, shelf: Shelf) -> None:
    name = f"c-{uuid.uuid4().hex[:8]}"
    Shelf(flows, cluster=True).put(name, SAY)
    inner = dag(
        task("own", "say", {"x": "own"}),
        call("far", ref(name, "say", clusterScope=True), {"x": "far"}, depends="own"),
        name="both",
    )
    shelf.put("library", inner, SAY)
    found = flows.run(workflow({"name": "main", "steps": [[call("a", ref("library", "both"))]]}))
    assert found["status"]["phase"] == "Succeeded"
    assert flows.log(found["metadata"]["name"]) == ["own", "far"]
    own = nodes(found)["own"]
    assert (own["templateName"], own["templateScope"]) == ("say", "namespaced/library")
    kept = {"namespaced/library/both", "namespaced/library/say", f"cluster/{name}/say"}
    assert found["status"]["storedTemplates"].keys() == kept


def test_items_are_fanned_out_over_a_template_of_another_object(flows: Workflows, shelf: Shelf) -> None:
    shelf.put("library", SAY)
    tasks = call("a", ref("library", "say"), {"x": "{{item}}"}, withItems=["1", "2"])
    found = flows.run(workflow(dag(tasks)))
    assert phases(found)["a(1:2)"] == "Succeeded"
    assert nodes(found)["a"]["type"] == "TaskGroup"
    assert nodes(found)["a"]["templateRef"]["template"] == "say"


def test_the_name_of_the_template_may_be_a_parameter(flows: Workflows, shelf: Shelf) -> None:
    shelf.put("left", container("go", "echo", "left"))
    shelf.put("right", container("go", "echo", "right"))
    inner = dag(call("a", ref("{{inputs.parameters.side}}", "go")), inputs={"parameters": [{"name": "side"}]})
    arguments = {"parameters": [{"name": "side", "value": "right"}]}
    found = flows.run(workflow(inner, arguments=arguments))
    assert flows.log(found["metadata"]["name"]) == ["right"]


def test_a_template_that_is_changed_meanwhile_changes_no_running_workflow(flows: Workflows, shelf: Shelf) -> None:
    shelf.put("library", container("late", "echo", "before"), GATE)
    late = call("late", ref("library", "late"), depends="gate")
    name = flows.submit(workflow(dag(call("gate", ref("library", "gate")), late)))
    flows.until(name, lambda one: phases(one).get("gate") == "Running" if one.get("status", {}).get("nodes") else False)
    shelf.change("library", container("late", "echo", "after"), GATE)
    assert flows.api.send("PUT", f"{flows.base}/{name}/resume", {}).ok
    flows.finish(name)
    assert flows.log(name) == ["before"]


def test_pod_metadata_of_the_other_object_is_put_on_its_pods(flows: Workflows, shelf: Shelf) -> None:
    shelf.put("library", container("go", "true"), podMetadata={"labels": {"team": "blue"}})
    flows.run(workflow(dag(call("a", ref("library", "go")))))
    (pod,) = flows.api.get(f"/api/v1/namespaces/{flows.namespace}/pods")["items"]
    assert pod["metadata"]["labels"]["team"] == "blue"


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (call("a", ref("nowhere", "say")), "templates.main.tasks.a template reference nowhere.say not found"),
        (call("a", ref("library", "gone")), "templates.main.tasks.a template reference library.gone not found"),
        (call("a", ref("library", "say")), "templates.main.tasks.a inputs.parameters.x was not supplied"),
        (call("a", ref("", "say")), "templates.main.tasks.a resource name is required"),
        (call("a", ref("library", "")), "templates.main.tasks.a template name is required"),
        (task("a", "main") | ref("library", "say"), "template name cannot be specified with templateRef."),
        (call("a", ref("library", "broken")), "failed to resolve {{inputs.parameters.nothing}}"),
        (call("a", ref("library", "lost")), "template name 'nobody' undefined"),
    ],
)
@pytest.mark.parametrize("verb", ["", "/lint"])
def test_a_reference_that_leads_nowhere_is_told_at_once(
    flows: Workflows, shelf: Shelf, step: Json, words: str, verb: str
) -> None:
    broken = dag(task("b", "say", {"x": "{{inputs.parameters.nothing}}"}), name="broken")
    lost = dag(task("b", "nobody"), name="lost")
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{flows.namespace}/workflowtemplates"
    flows.api.create(  # as kubectl writes it: nobody lints
        path,
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "WorkflowTemplate",
            "metadata": {"name": "library"},
            "spec": {"templates": [SAY, broken, lost]},
        },
    )
    answer = flows.api.send("POST", f"{flows.base}{verb}", {"workflow": workflow(dag(step))})
    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_who_may_not_read_templates_cannot_refer_to_them(sandbox, flows: Workflows, shelf: Shelf) -> None:
    shelf.put("library", SAY)
    space = f"/api/v1/namespaces/{flows.namespace}"
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{flows.namespace}"
    flows.api.create(f"{space}/serviceaccounts", {"metadata": {"name": "submitter"}})
    rules = [{"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["create", "get"]}]
    flows.api.create(f"{rbac}/roles", {"metadata": {"name": "submitter"}, "rules": rules})
    flows.api.create(
        f"{rbac}/rolebindings",
        {
            "metadata": {"name": "submitter"},
            "roleRef": {"kind": "Role", "name": "submitter", "apiGroup": "rbac.authorization.k8s.io"},
            "subjects": [{"kind": "ServiceAccount", "name": "submitter", "namespace": flows.namespace}],
        },
    )
    asked = flows.api.create(f"{space}/serviceaccounts/submitter/token", {"spec": {"expirationSeconds": 600}})
    theirs = Workflows(Api(sandbox.url, asked["status"]["token"]), flows.namespace)
    assert created(theirs, workflow(container())).status_code == 200
    answer = created(theirs, workflow(dag(call("a", ref("library", "say"), {"x": "1"}))))
    assert answer.status_code == 403
    assert 'cannot get resource "workflowtemplates"' in answer.json()["message"]


def test_a_workflow_object_whose_reference_leads_nowhere_fails_before_any_task(flows: Workflows) -> None:
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{flows.namespace}/workflows"
    name = flows.api.create(path, workflow(dag(call("a", ref("nowhere", "say")))))["metadata"]["name"]
    found = flows.finish(name)
    told = "invalid spec: templates.main.tasks.a template reference nowhere.say not found"
    assert (found["status"]["phase"], found["status"]["message"]) == ("Failed", told)


# workflowTemplateRef


def whole(name: str, **spec: Any) -> Json:
    """A workflow made from a template."""
    meta = {"generateName": f"{name}-"}
    return {"metadata": meta, "spec": {"workflowTemplateRef": {"name": name}, **spec}}


SIZES = {"parameters": [{"name": "size", "value": "small"}, {"name": "colour", "value": "red"}]}
TELL = container("tell", "echo", "{{workflow.parameters.size}} {{workflow.parameters.colour}}")


def test_a_workflow_takes_its_whole_spec_from_a_template(flows: Workflows, shelf: Shelf) -> None:
    shelf.put("whole", TELL, SAY, entrypoint="tell", arguments=SIZES)
    found = flows.run(whole("whole", arguments={"parameters": [{"name": "size", "value": "large"}]}))
    assert flows.log(found["metadata"]["name"]) == ["large red"]
    kept = found["status"]["storedWorkflowTemplateSpec"]
    assert kept["entrypoint"] == "tell"
    assert {one["name"]: one["value"] for one in kept["arguments"]["parameters"]} == {"size": "large", "colour": "red"}
    assert "templates" not in found["spec"]
    assert nodes(found)[found["metadata"]["name"]]["templateScope"] == "local/"


def test_its_own_fields_come_before_those_of_the_template(flows: Workflows, shelf: Shelf) -> None:
    shelf.put("whole", TELL, SAY, entrypoint="tell", arguments=SIZES, ttlStrategy={"secondsAfterCompletion": 900})
    own = {"parameters": [{"name": "x", "value": "other"}]}
    found = flows.run(whole("whole", entrypoint="say", arguments=own))
    assert flows.log(found["metadata"]["name"]) == ["other"]
    assert found["status"]["storedWorkflowTemplateSpec"]["ttlStrategy"] == {"secondsAfterCompletion": 900}


def test_metadata_for_workflows_is_put_on_them(flows: Workflows, shelf: Shelf) -> None:
    metadata = {
        "labels": {"team": "blue"},
        "annotations": {"note": "kept"},
        "labelsFrom": {"size": {"expression": "workflow.parameters.size + '-one'"}},
    }
    tell = container("tell", "echo", "{{workflow.labels.team}} {{workflow.labels.size}}")
    shelf.put("whole", tell, entrypoint="tell", arguments=SIZES, workflowMetadata=metadata)
    found = flows.run(whole("whole"))
    assert {"team": "blue", "size": "small-one"}.items() <= found["metadata"]["labels"].items()
    assert found["metadata"]["annotations"]["note"] == "kept"
    assert flows.log(found["metadata"]["name"]) == ["blue small-one"]


def test_a_label_that_cannot_be_one_ends_the_workflow(flows: Workflows) -> None:
    found = flows.run(workflow(container(), workflowMetadata={"labels": {"team": "not a label"}}))
    assert found["status"]["phase"] == "Error"
    assert 'invalid label value "not a label" for label "team"' in found["status"]["message"]


def test_a_whole_template_that_is_not_there(flows: Workflows) -> None:
    answer = created(flows, whole("nowhere"))
    assert (answer.status_code, answer.json()["code"]) == (404, 5)
    assert answer.json()["message"] == 'workflowtemplates.argoproj.io "nowhere" not found'


def test_templates_beside_a_whole_template_are_refused(flows: Workflows, shelf: Shelf) -> None:
    shelf.put("whole", TELL, entrypoint="tell", arguments=SIZES)
    answer = created(flows, whole("whole", templates=[SAY]))
    told = "Templates is invalid field in spec if workflow referred WorkflowTemplate reference"
    assert (answer.status_code, answer.json()["message"]) == (400, told)


def test_a_workflow_of_a_template_is_stopped(flows: Workflows, shelf: Shelf) -> None:
    shelf.put("whole", container("wait", "sleep", "60"), entrypoint="wait")
    name = flows.submit(whole("whole"))
    flows.until(name, lambda one: one.get("status", {}).get("phase") == "Running")
    assert flows.api.send("PUT", f"{flows.base}/{name}/stop", {}).ok
    found = flows.finish(name)
    assert found["status"]["message"] == "Stopped with strategy 'Stop'"


# Submitting from a template


def test_a_template_is_submitted_with_options(flows: Workflows, shelf: Shelf) -> None:
    shelf.put("whole", TELL, SAY, entrypoint="tell", arguments=SIZES)
    answer = submitted(
        flows,
        "WorkflowTemplate",
        "whole",
        parameters=["size=huge", "colour=a=b"],
        labels="team=blue,room=2",
        annotations="note=yes",
        generateName="mine-",
        serviceAccount="default",
    )
    made = answer.json()
    assert made["metadata"]["name"].startswith("mine-")
    labels = {"team": "blue", "room": "2", "workflows.argoproj.io/workflow-template": "whole"}
    assert labels.items() <= made["metadata"]["labels"].items()
    assert made["spec"]["workflowTemplateRef"] == {"name": "whole"}
    flows.finish(made["metadata"]["name"])
    assert flows.log(made["metadata"]["name"]) == ["huge a=b"]


def test_a_cluster_template_is_submitted_under_a_name_with_another_entrypoint(flows: Workflows) -> None:
    name = f"c-{uuid.uuid4().hex[:8]}"
    Shelf(flows, cluster=True).put(name, container("one", "echo", "1"), container("two", "echo", "2"), entrypoint="one")
    made = submitted(flows, "cwftmpl", name, name="mine", entryPoint="two").json()
    assert made["metadata"]["name"] == "mine"
    assert made["metadata"]["labels"]["workflows.argoproj.io/cluster-workflow-template"] == name
    flows.finish("mine")
    assert flows.log("mine") == ["2"]


@pytest.mark.parametrize("option", ["dryRun", "serverDryRun"])
def test_a_submission_that_is_only_tried_leaves_nothing(flows: Workflows, shelf: Shelf, option: str) -> None:
    shelf.put("whole", TELL, entrypoint="tell", arguments=SIZES)
    made = submitted(flows, "workflowtemplate", "whole", **{option: True}).json()
    assert made["spec"]["workflowTemplateRef"] == {"name": "whole"}
    assert flows.api.get(flows.base)["items"] is None


def test_what_cannot_be_submitted(flows: Workflows, shelf: Shelf) -> None:
    shelf.put("whole", TELL, entrypoint="tell", arguments={"parameters": [{"name": "size"}, {"name": "colour"}]})
    for kind, name, options, code, words in (
        ("Job", "whole", {}, 400, "Resource kind 'Job' is not supported for submitting"),
        ("WorkflowTemplate", "nowhere", {}, 404, 'workflowtemplates.argoproj.io "nowhere" not found'),
        ("CronWorkflow", "nowhere", {}, 404, 'cronworkflows.argoproj.io "nowhere" not found'),
        ("WorkflowTemplate", "whole", {}, 400, "spec.arguments.size.value"),
        ("WorkflowTemplate", "whole", {"parameters": ["size"]}, 500, "NAME=VALUE. Received: size"),
    ):
        answer = submitted(flows, kind, name, **options)
        assert (answer.status_code, words in answer.json()["message"]) == (code, True), answer.text


def test_hera_submits_and_refers_to_templates(sandbox, flows: Workflows) -> None:
    from hera.workflows import DAG, Container, Parameter, Task, Workflow, WorkflowsService, WorkflowTemplate
    from hera.workflows.models import SubmitOpts, TemplateRef, WorkflowSubmitRequest

    service = WorkflowsService(host=sandbox.url, token=sandbox.token, namespace=flows.namespace)
    with WorkflowTemplate(name="library", entrypoint="say", workflows_service=service, namespace=flows.namespace) as w:
        w.arguments = [Parameter(name="x", value="1")]
        Container(
            name="say", image="busybox", command=["echo", "{{inputs.parameters.x}}"], inputs=[Parameter(name="x")]
        )
    w.lint()
    w.create()
    w.update()
    one = Workflow(generate_name="ref-", entrypoint="d", workflows_service=service, namespace=flows.namespace)
    with one, DAG(name="d"):
        Task(name="a", template_ref=TemplateRef(name="library", template="say"), arguments={"x": "2"})
    made = one.create()
    flows.finish(made.metadata.name)
    assert flows.log(made.metadata.name) == ["2"]
    request = WorkflowSubmitRequest(
        resource_kind="WorkflowTemplate", resource_name="library", submit_options=SubmitOpts(parameters=["x=3"])
    )
    other = service.submit_workflow(request)
    flows.finish(other.metadata.name)
    assert flows.log(other.metadata.name) == ["3"]


def test_templates_of_exit_handlers_and_hooks_are_kept_from_the_start(flows: Workflows, shelf: Shelf) -> None:
    shelf.put("library", GATE, container("late", "echo", "before"))
    gate = call("gate", ref("library", "gate"), hooks={"exit": ref("library", "late")})
    name = flows.submit(workflow(dag(gate), hooks={"exit": ref("library", "late")}))
    flows.until(name, lambda one: phases(one).get("gate") == "Running" if one.get("status", {}).get("nodes") else False)
    shelf.change("library", GATE, container("late", "echo", "after"))
    assert flows.api.send("PUT", f"{flows.base}/{name}/resume", {}).ok
    assert flows.finish(name)["status"]["phase"] == "Succeeded"
    assert flows.log(name) == ["before", "before"]


def test_artifacts_of_a_submission_are_refused_by_name(flows: Workflows, shelf: Shelf) -> None:
    shelf.put("whole", TELL, entrypoint="tell", arguments=SIZES)
    answer = submitted(flows, "WorkflowTemplate", "whole", artifacts=["data=key"])
    assert (answer.status_code, answer.json()["code"]) == (501, 12)
    assert answer.json()["message"] == "the sandbox does not support submitOptions.artifacts"


def test_hera_keeps_templates_of_the_cluster(sandbox, flows: Workflows) -> None:
    from hera.workflows import ClusterWorkflowTemplate, Container, Workflow, WorkflowsService
    from hera.workflows.models import WorkflowTemplateRef

    service = WorkflowsService(host=sandbox.url, token=sandbox.token, namespace=flows.namespace)
    name = f"c-{uuid.uuid4().hex[:8]}"
    with ClusterWorkflowTemplate(name=name, entrypoint="say", workflows_service=service) as kept:
        say = Container(name="say", image="busybox", command=["echo", "one"])
    kept.lint()
    kept.create()
    say.command = ["echo", "two"]
    kept.update()
    reference = WorkflowTemplateRef(name=name, cluster_scope=True)
    made = Workflow(
        generate_name="w-", workflow_template_ref=reference, workflows_service=service, namespace=flows.namespace
    ).create()
    flows.finish(made.metadata.name)
    assert flows.log(made.metadata.name) == ["two"]
    service.delete_cluster_workflow_template(name)
    assert name not in [one.metadata.name for one in service.list_cluster_workflow_templates().items or ()]
