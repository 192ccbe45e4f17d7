"""Artifacts go from outputs to inputs through the sandbox's repository, and can be had from the Argo server."""

from __future__ import annotations

import io
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from machine import MOUNTS
from sandbox_api import Api
from sandbox_workflows import Workflows, container, dag, nodes, phases, task, workflow

from hera_k8s_sandbox.server.launch import running
from hera_k8s_sandbox.workflows.validation import Unsupported, WorkflowInvalid, validate


@pytest.fixture(scope="module", params=MOUNTS)
def sandbox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A sandbox in which tasks see their mounts in one way or the other."""
    with running(tmp_path_factory.mktemp("sandbox"), lifetime=600, runner=request.param) as address:
        yield address


@pytest.fixture(scope="module")
def flows(sandbox: Any) -> Workflows:
    return Workflows(Api(sandbox.url, sandbox.token))


def writes(name: str, script: str, *artifacts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return container(name, f"{script} ;", outputs={"artifacts": list(artifacts)}, **more)


def reads(name: str, script: str, *artifacts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return container(name, f"{script} ;", inputs={"artifacts": list(artifacts)}, **more)


def passing(name: str, template: str, before: str = "", **artifacts: Any) -> dict[str, Any]:
    """A task that passes artifacts: a text is what to take it from."""
    given = [{"name": key, **({"from": it} if isinstance(it, str) else it)} for key, it in artifacts.items()]
    return {
        "name": name,
        "template": template,
        "arguments": {"artifacts": given},
        **({"depends": before} if before else {}),
    }


FILE = {"name": "out", "path": "/tmp/out.txt"}
SHOW = reads("show", "cat /tmp/in.txt", {"name": "in", "path": "/tmp/in.txt"})


# From one to another


def test_a_file_goes_from_task_to_task(flows: Workflows) -> None:
    found = flows.run(
        workflow(
            dag(task("a", "write"), passing("b", "show", "a", **{"in": "{{tasks.a.outputs.artifacts.out}}"})),
            writes("write", "echo hello > /tmp/out.txt", FILE),
            SHOW,
        )
    )
    name, by_name = found["metadata"]["name"], nodes(found)
    assert found["status"]["phase"] == "Succeeded", found["status"]
    assert flows.log(name) == ["hello"]
    (made,) = by_name["a"]["outputs"]["artifacts"]
    pod = f"{name}-write-{by_name['a']['id'].rpartition('-')[2]}"
    assert made == {**FILE, "s3": {"key": f"{name}/{pod}/out.tgz"}}
    assert by_name["b"]["inputs"]["artifacts"] == [
        {"name": "in", "path": "/tmp/in.txt", "s3": {"key": made["s3"]["key"]}}
    ]


@pytest.mark.parametrize("path", ["/tmp/tree", "/made/up/tree", "/tree", "/srv/tree", "/data/tree/inner"])
def test_a_directory_goes_from_step_to_step(flows: Workflows, request: pytest.FixtureRequest, path: str) -> None:
    """Or is refused: where paths are rewritten, only what lies below a mount or /tmp can be found afterwards."""
    script = f"mkdir -p {path}/sub; echo one > {path}/1; echo two > {path}/sub/2"
    main = {
        "name": "main",
        "steps": [
            [{"name": "a", "template": "write"}],
            [passing("b", "list", tree="{{steps.a.outputs.artifacts.tree}}")],
        ],
    }
    found = flows.run(
        workflow(
            main,
            writes("write", script, {"name": "tree", "path": path}),
            reads("list", "cd /in/tree && cat 1 sub/2", {"name": "tree", "path": "/in/tree"}),
        )
    )
    if "rewrite" in request.node.name and not path.startswith("/tmp"):
        assert found["status"]["phase"] == "Error"
        assert f"templates.write: the output {path} is not below a mount or /tmp" in found["status"]["message"]
        return
    assert found["status"]["phase"] == "Succeeded", nodes(found)
    assert flows.log(found["metadata"]["name"]) == ["one", "two"]


@pytest.mark.parametrize(
    ("archive", "ending"),
    [({}, "out.tgz"), ({"none": {}}, "out.txt"), ({"zip": {}}, "out.zip"), ({"tar": {}}, "out.tgz")],
)
def test_an_artifact_is_packed_as_it_says(flows: Workflows, archive: dict[str, Any], ending: str) -> None:
    wanted = {"name": "in", "path": "/tmp/in.txt", **({"archive": archive} if archive else {})}
    found = flows.run(
        workflow(
            dag(task("a", "write"), passing("b", "show", "a", **{"in": "{{tasks.a.outputs.artifacts.out}}"})),
            writes("write", "echo hello > /tmp/out.txt", {**FILE, **({"archive": archive} if archive else {})}),
            reads("show", "cat /tmp/in.txt", wanted),
        )
    )
    assert found["status"]["phase"] == "Succeeded", nodes(found)
    assert nodes(found)["a"]["outputs"]["artifacts"][0]["s3"]["key"].endswith(f"/{ending}")
    assert flows.log(found["metadata"]["name"]) == ["hello"]


def test_raw_artifacts_have_their_mode(flows: Workflows) -> None:
    raw = {
        "name": "tool",
        "path": "/usr/local/bin/tool",
        "mode": 0o755,
        "raw": {"data": "#!/bin/sh\necho from a tool\n"},
    }
    found = flows.run(workflow(reads("main", "/usr/local/bin/tool", raw)))
    assert flows.log(found["metadata"]["name"]) == ["from a tool"]


def test_a_raw_artifact_may_be_passed(flows: Workflows) -> None:
    found = flows.run(workflow(dag(passing("a", "show", **{"in": {"raw": {"data": "{{workflow.name}}\n"}}})), SHOW))
    assert flows.log(found["metadata"]["name"]) == [found["metadata"]["name"]]


def test_a_key_names_an_artifact_of_another_workflow(flows: Workflows) -> None:
    kept = {**FILE, "s3": {"key": "shared/{{workflow.name}}.tgz"}}
    first = flows.run(workflow(writes("main", "echo kept > /tmp/out.txt", kept)))
    key = f"shared/{first['metadata']['name']}.tgz"
    assert nodes(first)[first["metadata"]["name"]]["outputs"]["artifacts"][0]["s3"] == {"key": key}
    second = flows.run(
        workflow(reads("main", "cat /tmp/in.txt", {"name": "in", "path": "/tmp/in.txt", "s3": {"key": key}}))
    )
    assert flows.log(second["metadata"]["name"]) == ["kept"]


def test_a_missing_output_fails_the_node_unless_it_is_optional(flows: Workflows) -> None:
    missing = flows.run(workflow(writes("main", "true", FILE)))
    assert missing["status"]["phase"] == "Error"
    assert "out.txt.tgz: no such file or directory" in missing["status"]["message"]
    optional = flows.run(workflow(writes("main", "true", {**FILE, "optional": True})))
    assert optional["status"]["phase"] == "Succeeded"
    assert "artifacts" not in nodes(optional)[optional["metadata"]["name"]]["outputs"]


def test_an_optional_input_need_not_come(flows: Workflows) -> None:
    optional = {"name": "in", "path": "/tmp/in.txt", "optional": True}
    main = dag(
        task("a", "write"),
        passing("b", "look", "a", **{"in": {"from": "{{tasks.a.outputs.artifacts.out}}", "optional": True}}),
    )
    found = flows.run(
        workflow(
            main,
            writes("write", "true", {**FILE, "optional": True}),
            reads("look", "test ! -e /tmp/in.txt && echo none", optional),
        )
    )
    assert found["status"]["phase"] == "Succeeded", nodes(found)
    assert flows.log(found["metadata"]["name"]) == ["none"]


def test_an_optional_input_that_did_not_come_is_passed_on(flows: Workflows) -> None:
    optional = {"name": "in", "path": "/tmp/in.txt", "optional": True}
    inner = dag(
        passing("b", "look", **{"in": "{{inputs.artifacts.x}}"}),
        name="inner",
        inputs={"artifacts": [{"name": "x", "optional": True}]},
    )
    look = reads("look", "test ! -e {{inputs.artifacts.in.path}} && echo none", optional)
    found = flows.run(workflow(dag({"name": "a", "template": "inner"}), inner, look))
    assert found["status"]["phase"] == "Succeeded", nodes(found)
    assert flows.log(found["metadata"]["name"]) == ["none"]
    assert nodes(found)["b"]["inputs"]["artifacts"] == [optional]


def test_an_input_that_did_not_come_is_missed_by_the_template_that_needs_it(flows: Workflows) -> None:
    inner = {
        "name": "inner",
        "inputs": {"artifacts": [{"name": "x", "optional": True}]},
        "steps": [[passing("b", "show", **{"in": "{{inputs.artifacts.x}}"})]],
    }
    found = flows.run(workflow(dag({"name": "a", "template": "inner"}), inner, SHOW))
    assert nodes(found)["b"]["phase"] == "Error"
    assert nodes(found)["b"]["message"] == "inputs.artifacts.in missing location information"


def test_an_input_that_was_not_made_is_an_error(flows: Workflows) -> None:
    found = flows.run(
        workflow(
            dag(
                task("a", "fail"), passing("b", "show", "a || a.Failed", **{"in": "{{tasks.a.outputs.artifacts.out}}"})
            ),
            writes("fail", "exit 3", FILE),
            SHOW,
        )
    )
    assert "Unable to resolve: {{tasks.a.outputs.artifacts.out}}" in nodes(found)["b"]["message"]


def test_what_a_failed_task_left_is_kept(flows: Workflows) -> None:
    found = flows.run(workflow(writes("main", "echo partial > /tmp/out.txt; exit 3", FILE)))
    assert found["status"]["message"] == "main: Error (exit code 3)"
    assert nodes(found)[found["metadata"]["name"]]["outputs"]["artifacts"][0]["name"] == "out"


def test_templates_hand_artifacts_on(flows: Workflows) -> None:
    inner = dag(
        passing("w", "copy", **{"in": "{{inputs.artifacts.given}}"}),
        name="inner",
        inputs={"artifacts": [{"name": "given"}]},
        outputs={"artifacts": [{"name": "made", "from": "{{tasks.w.outputs.artifacts.out}}"}]},
    )
    copy = container(
        "copy",
        "tr a-z A-Z < /tmp/in.txt > /tmp/out.txt;",
        inputs={"artifacts": [{"name": "in", "path": "/tmp/in.txt"}]},
        outputs={"artifacts": [FILE]},
    )
    main = dag(
        passing("i", "inner", given={"raw": {"data": "shout\n"}}),
        passing("s", "show", "i", **{"in": "{{tasks.i.outputs.artifacts.made}}"}),
    )
    found = flows.run(workflow(main, inner, copy, SHOW))
    assert flows.log(found["metadata"]["name"]) == ["SHOUT"]
    assert nodes(found)["i"]["outputs"]["artifacts"][0]["name"] == "made"


def test_an_expression_chooses_an_artifact(flows: Workflows) -> None:
    text = "tasks.flip.outputs.result == 'heads' ? tasks.h.outputs.artifacts.out : tasks.t.outputs.artifacts.out"
    main = dag(
        task("flip", "flip"),
        task("h", "heads", depends="flip", when="{{tasks.flip.outputs.result}} == heads"),
        task("t", "tails", depends="flip", when="{{tasks.flip.outputs.result}} == tails"),
        passing("s", "show", "h && t", **{"in": {"fromExpression": text}}),
        outputs={"artifacts": [{"name": "chosen", "fromExpression": text}]},
    )
    found = flows.run(
        workflow(
            main,
            container("flip", "echo tails;"),
            writes("heads", "echo H > /tmp/out.txt", FILE),
            writes("tails", "echo T > /tmp/out.txt", FILE),
            SHOW,
        )
    )
    assert found["status"]["phase"] == "Succeeded", nodes(found)
    assert "T" in flows.log(found["metadata"]["name"])
    root = nodes(found)[found["metadata"]["name"]]
    assert root["outputs"]["artifacts"][0]["s3"] == nodes(found)["t"]["outputs"]["artifacts"][0]["s3"]


def test_a_global_artifact_is_the_workflows(flows: Workflows) -> None:
    main = {
        "name": "main",
        "steps": [
            [{"name": "a", "template": "write"}],
            [passing("b", "show", **{"in": "{{workflow.outputs.artifacts.everywhere}}"})],
        ],
    }
    found = flows.run(
        workflow(main, writes("write", "echo far > /tmp/out.txt", {**FILE, "globalName": "everywhere"}), SHOW)
    )
    assert flows.log(found["metadata"]["name"]) == ["far"]
    assert found["status"]["outputs"]["artifacts"][0]["name"] == "everywhere"


def test_an_input_within_a_volume_is_written_into_it(flows: Workflows) -> None:
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    wanted = {"name": "in", "path": "/v/sub/in.txt", "raw": {"data": "inside\n"}}
    template = reads("main", "cp -r /v/sub /tmp/x; cat /tmp/x/in.txt", wanted, container=mount)
    found = flows.run(workflow(template, volumes=[{"name": "v", "emptyDir": {}}]))
    assert flows.log(found["metadata"]["name"]) == ["inside"]


def test_logs_are_kept_as_an_artifact_when_asked(flows: Workflows) -> None:
    found = flows.run(workflow(container("main", "echo said; echo loudly >&2;"), archiveLogs=True))
    name = found["metadata"]["name"]
    (logs,) = nodes(found)[name]["outputs"]["artifacts"]
    assert logs == {"name": "main-logs", "s3": {"key": f"{name}/{name}/main.log"}}
    assert sorted(served(flows, found, name, "main-logs").text.split()) == ["loudly", "said"]


# From the server


def served(flows: Workflows, found: dict[str, Any], node: str, artifact: str, api: Api | None = None) -> Any:
    path = f"/artifacts/default/{found['metadata']['name']}/{nodes(found)[node]['id']}/{artifact}"
    return (api or flows.api).send("GET", path)


def test_the_server_hands_artifacts_out(flows: Workflows) -> None:
    found = flows.run(
        workflow(
            dag(task("a", "write"), passing("b", "show", "a", **{"in": "{{tasks.a.outputs.artifacts.out}}"})),
            writes(
                "write",
                "echo hello > /tmp/out.txt; mkdir -p /tmp/d; echo in > /tmp/d/x.txt",
                FILE,
                {"name": "page", "path": "/tmp/d/x.txt", "archive": {"none": {}}},
                {"name": "zip", "path": "/tmp/d", "archive": {"zip": {}}},
                {"name": "dir", "path": "/tmp/d", "archive": {"none": {}}},
            ),
            SHOW,
        )
    )
    name = found["metadata"]["name"]
    packed = served(flows, found, "a", "out")
    assert packed.headers["Content-Disposition"] == 'filename="out.tgz"'
    with tarfile.open(fileobj=io.BytesIO(packed.content)) as archive:
        assert archive.extractfile("out.txt").read() == b"hello\n"  # type: ignore[union-attr]
    page = served(flows, found, "a", "page")
    assert (page.text, page.headers["Content-Type"].partition(";")[0]) == ("in\n", "text/plain")
    assert zipfile.ZipFile(io.BytesIO(served(flows, found, "a", "zip").content)).namelist() == ["d/x.txt"]
    given = flows.api.send("GET", f"/input-artifacts/default/{name}/{nodes(found)['b']['id']}/in")
    assert given.content == packed.content
    files = f"/artifact-files/default/workflows/{name}/{nodes(found)['a']['id']}/outputs"
    assert flows.api.send("GET", f"{files}/page").text == "in\n"
    assert "x.txt" in flows.api.send("GET", f"{files}/dir/").text
    assert flows.api.send("GET", f"{files}/dir/x.txt").text == "in\n"


def test_only_who_may_read_the_workflow_gets_its_artifacts(flows: Workflows, sandbox: Any) -> None:
    found = flows.run(workflow(writes("main", "echo x > /tmp/out.txt", FILE)))
    name = found["metadata"]["name"]
    stranger = Api(
        sandbox.url, flows.api.create("/api/v1/namespaces/default/serviceaccounts/default/token", {})["status"]["token"]
    )
    assert served(flows, found, name, "out", stranger).status_code == 403
    assert served(flows, found, name, "out", Api(sandbox.url, None)).status_code == 401
    assert served(flows, found, name, "none").status_code == 404
    for path in ("..%2F..%2Fadmin.token", "%2e%2e/%2e%2e/state.sqlite"):
        files = f"/artifact-files/default/workflows/{name}/{nodes(found)[name]['id']}/outputs/out/{path}"
        assert flows.api.send("GET", files).status_code == 404


# Garbage


def until(condition: Callable[[], bool]) -> None:
    """Wait for what no stream tells of."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("strategy", ["OnWorkflowCompletion", "OnWorkflowDeletion"])
def test_artifacts_are_removed_when_the_workflow_says(flows: Workflows, sandbox: Any, strategy: str) -> None:
    kept = {"name": "kept", "path": "/tmp/kept", "artifactGC": {"strategy": "Never"}}
    script = "echo a > /tmp/out.txt; echo b > /tmp/kept"
    name = flows.submit(workflow(writes("main", script, FILE, kept), artifactGC={"strategy": strategy}))
    found = flows.until(name, lambda one: one.get("status", {}).get("phase") == "Succeeded")
    directory = sandbox.directory / "artifacts" / "default" / name / name
    if strategy == "OnWorkflowDeletion":
        assert {each.name for each in directory.iterdir()} == {"out.tgz", "kept.tgz"}
        assert flows.api.send("DELETE", f"{flows.base}/{name}").ok
        until(lambda: not (directory / "out.tgz").exists())
    else:
        found = flows.until(name, lambda one: nodes(one)[name]["outputs"]["artifacts"][0].get("deleted"))
        assert [one.get("deleted") for one in nodes(found)[name]["outputs"]["artifacts"]] == [True, None]
    assert {each.name for each in directory.iterdir()} == {"kept.tgz"}


# Through Hera


def test_heras_artifacts_work(flows: Workflows, sandbox: Any) -> None:
    from hera.workflows import DAG, Artifact, Container, NoneArchiveStrategy, Workflow, WorkflowsService

    service = WorkflowsService(host=sandbox.url, token=sandbox.token, namespace="default")
    with Workflow(generate_name="hera-", entrypoint="main", namespace="default", workflows_service=service) as w:
        made = Artifact(name="out", path="/tmp/out", archive=NoneArchiveStrategy())
        write = Container(name="w", image="busybox", command=["sh", "-c", "echo from hera > /tmp/out"], outputs=[made])
        read = Container(
            name="r", image="busybox", command=["cat", "/tmp/in"], inputs=[Artifact(name="in", path="/tmp/in")]
        )
        with DAG(name="main"):
            first = write(name="first")
            second = read(name="second", arguments=[first.get_artifact("out").with_name("in")])
            first >> second
    name = w.create().metadata.name
    found = flows.finish(name)
    assert phases(found)["second"] == "Succeeded", nodes(found)
    assert flows.log(name) == ["from hera"]


# Validation


@pytest.mark.parametrize(
    ("words", "template"),
    [
        ("outputs.artifacts.a.path must be specified", writes("main", "true", {"name": "a"})),
        ("inputs.artifacts.a was not supplied", reads("main", "true", {"name": "a", "path": "/a"})),
        ("path not specified", reads("main", "true", {"name": "a", "optional": True})),
        ("must be an absolute path", writes("main", "true", {"name": "a", "path": "a/b"})),
        ("name 'a' is not unique", writes("main", "true", *[{"name": "a", "path": "/a"}] * 2)),
        ("mode: '4096' must be between 0 and 511", writes("main", "true", {"name": "a", "path": "/a", "mode": 4096})),
        ("from or expression must be specified", dag(task("x", "easy"), outputs={"artifacts": [{"name": "a"}]})),
        ("s3.key: '../x' is invalid", writes("main", "true", {"name": "a", "path": "/a", "s3": {"key": "../x"}})),
        (
            "failed to resolve {{tasks.gone.outputs.artifacts.x}}",
            dag(passing("b", "easy", x="{{tasks.gone.outputs.artifacts.x}}")),
        ),
    ],
)
def test_artifacts_that_make_no_sense_are_refused(words: str, template: dict[str, Any]) -> None:
    with pytest.raises(WorkflowInvalid) as refused:
        validate(workflow(template, container("easy")))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("artifacts.a.http", {"http": {"url": "http://x"}}),
        ("artifacts.a.git", {"git": {"repo": "x"}}),
        ("artifacts.a.gcs", {"gcs": {"bucket": "b", "key": "k"}}),
        ("artifacts.a.s3.bucket", {"s3": {"bucket": "b", "key": "k"}}),
    ],
)
def test_places_elsewhere_are_refused_by_name(words: str, place: dict[str, Any]) -> None:
    with pytest.raises(Unsupported) as refused:
        validate(workflow(reads("main", "true", {"name": "a", "path": "/a", **place})))
    assert words in str(refused.value)
