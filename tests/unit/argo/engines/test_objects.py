"""The engine `kubernetes` where the API server fails: one workflow, and a following that is taken up again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from argo_peer import HURRIED, hello, loaded, node, state
from fault_server import FaultServer, cut, reply, stream

from hera_k8s_argo.engines.objects import KubernetesEngine
from hera_k8s_utils import ErrorKind, PlatformError, SubmitError, Verdict, WorkloadKind, build_container, hookimpl
from hera_k8s_utils.plugins.manager import PluginManager

pytestmark = pytest.mark.usefixtures("work")  # runs are recorded in the working directory

WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/vcity/workflows"
HELLO = f"{WORKFLOWS}/hello-r1"
POD_LOG = "/api/v1/namespaces/vcity/pods"


def status(code: int, reason: str, message: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }


@pytest.fixture
def api() -> Iterator[FaultServer]:
    with FaultServer() as server:
        missing = status(404, "NotFound", 'workflows.argoproj.io "hello-r1" not found')
        server.otherwise = reply(404, missing)
        yield server


@contextmanager
def opened(api: FaultServer, directory: Path, workflow: Any = None, **settings: Any) -> Iterator[Any]:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "peer",
        "contexts": [{"name": "peer", "context": {"cluster": "peer", "user": "me", "namespace": "vcity"}}],
        "clusters": [{"name": "peer", "cluster": {"server": api.url}}],
        "users": [{"name": "me", "user": {"token": "abc"}}],
    }
    file = directory / "kubeconfig"
    file.write_text(json.dumps(config))
    given = {"engine": "kubernetes", "run_id": "r1", "k8s_config_file": str(file), **settings}
    with build_container(workflow or hello(), environ={}, plugins=loaded(), **given) as container:
        yield container


@pytest.fixture
def container(api: FaultServer, tmp_path: Path) -> Iterator[Any]:
    with opened(api, tmp_path) as container:
        yield container


@pytest.fixture
def engine(container: Any) -> KubernetesEngine:
    return KubernetesEngine(container.context().kubernetes, patience=HURRIED)


def test_an_answer_that_was_lost_makes_no_second_workflow(
    api: FaultServer, container: Any, engine: KubernetesEngine
) -> None:
    def keep(request: Any) -> None:
        api.on("GET", HELLO, reply(200, request.json()))

    api.on("POST", WORKFLOWS, cut(after=keep))
    submission = engine.submit(container.experiment())
    assert (submission.name, submission.existed) == ("hello-r1", True)
    assert len(api.asked("POST")) == 1


def test_a_taken_name_is_told_from_a_quota(api: FaultServer, container: Any, engine: KubernetesEngine) -> None:
    api.on("POST", WORKFLOWS, reply(409, status(409, "AlreadyExists", "already exists")))
    api.on("GET", HELLO, reply(200, hello("hello-r1")))
    with pytest.raises(SubmitError, match="taken"):
        engine.submit(container.experiment())
    api.on("POST", WORKFLOWS, reply(409, status(409, "Conflict", "Operation cannot be fulfilled on resourcequotas")))
    api.on("GET", HELLO, api.otherwise)
    with pytest.raises(SubmitError, match="resourcequotas"):
        engine.submit(container.experiment())


@pytest.mark.parametrize(
    ("kind", "api_version", "place"),
    [
        ("Workflow", "argoproj.io/v1alpha1", WORKFLOWS),
        ("CronWorkflow", "argoproj.io/v1alpha1", "/apis/argoproj.io/v1alpha1/namespaces/vcity/cronworkflows"),
        ("ClusterWorkflowTemplate", "argoproj.io/v1alpha1", "/apis/argoproj.io/v1alpha1/clusterworkflowtemplates"),
        ("SweepOfAcme", "acme.example/v1", "/apis/acme.example/v1/namespaces/vcity/sweepofacmes"),
    ],
)
def test_a_dry_run_goes_to_the_resource_of_the_kind(
    api: FaultServer, tmp_path: Path, kind: str, api_version: str, place: str
) -> None:
    """Also of a kind of a plugin whose objects Argo is to run."""

    class Acme:
        @hookimpl
        def workload_kinds(self) -> Iterator[WorkloadKind]:
            yield WorkloadKind(name="SweepOfAcme", engine_kind="Workflow")

    PluginManager.load(environ={}, extra={"acme": Acme()})
    spec = {"workflowSpec": hello()["spec"], "schedules": ["@daily"]} if kind == "CronWorkflow" else hello()["spec"]
    api.on("POST", place, lambda request, handler: reply(201, request.json())(request, handler))
    body = {**hello(), "apiVersion": api_version, "kind": kind, "spec": spec}
    with opened(api, tmp_path, body) as container:
        found, *_ = container.engine().preflight(container.experiment())
    assert found.result.verdict is Verdict.PASSED, found
    assert api.asked("POST")[0].path == place


def test_an_object_that_is_refused_is_told_in_the_servers_words(
    api: FaultServer, container: Any, engine: KubernetesEngine
) -> None:
    api.on("POST", WORKFLOWS, reply(422, status(422, "Invalid", "Workflow hello-r1 is invalid: spec.entrypoint")))
    with pytest.raises(SubmitError, match=r"spec\.entrypoint"):
        engine.submit(container.experiment())


def test_the_instance_of_the_controller_is_a_label(api: FaultServer, tmp_path: Path) -> None:
    api.on("POST", WORKFLOWS, lambda request, handler: reply(201, request.json())(request, handler))
    with opened(api, tmp_path, argo_instanceid="mine") as container:
        container.engine().submit(container.experiment())
        list_of_none = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowList", "metadata": {}, "items": []}
        api.on("GET", WORKFLOWS, reply(200, list_of_none))
        assert list(container.engine().runs(label_selector="a=b")) == []
    labels = api.asked("POST")[0].json()["metadata"]["labels"]
    assert labels["workflows.argoproj.io/controller-instanceid"] == "mine"
    asked = api.asked("GET", WORKFLOWS)[0].query["labelSelector"]
    assert asked == "a=b,workflows.argoproj.io/controller-instanceid=mine"


def watched(*states: dict[str, Any], end: Any = "clean") -> Any:
    return stream([json.dumps({"type": "MODIFIED", "object": each}) for each in states], end=end)


@pytest.mark.parametrize("end", ["clean", "cut"])
def test_a_watch_that_ends_is_taken_up_again(api: FaultServer, engine: KubernetesEngine, end: Any) -> None:
    running, done = {"a": node("Running")}, {"a": node("Succeeded")}
    api.on("GET", HELLO, reply(200, state("Pending", name="hello-r1")))
    again = watched(state("Succeeded", done, name="hello-r1"))
    api.on("GET", WORKFLOWS, watched(state("Running", running, name="hello-r1"), end=end), again)
    updates = list(engine.follow("hello-r1"))
    assert [update.phase for update in updates if update.nodes] == ["Running", "Succeeded"]
    assert api.asked("GET", WORKFLOWS)[0].query["fieldSelector"] == "metadata.name=hello-r1"


def numbered(phase: str, version: str) -> dict[str, Any]:
    found = state(phase, name="hello-r1")
    return {**found, "metadata": {**found["metadata"], "resourceVersion": version}}


def test_nothing_is_missed_between_reading_and_watching(api: FaultServer, engine: KubernetesEngine) -> None:
    """Deleted in that instant: a watch from the version that was read tells it, one from now on would be silent."""

    def watch(request: Any, handler: Any) -> None:
        deleted = json.dumps({"type": "DELETED", "object": numbered("Running", "8")})
        known = request.query.get("resourceVersion") == "7"
        stream([deleted] if known else [], end="clean" if known else "silent")(request, handler)

    api.on("GET", HELLO, reply(200, numbered("Running", "7")))
    api.on("GET", WORKFLOWS, watch)
    *_, last = engine.follow("hello-r1")
    assert last.gone


def test_a_version_that_is_too_old_to_begin_with_is_left_out(api: FaultServer, engine: KubernetesEngine) -> None:
    """A workflow that nobody has changed for long: its version is not remembered, however often it is read."""
    expired = {"type": "ERROR", "object": status(410, "Expired", "too old resource version: 7 (5000)")}

    def watch(request: Any, handler: Any) -> None:
        if "resourceVersion" in request.query:
            stream([json.dumps(expired)])(request, handler)
        else:
            watched(numbered("Running", "7"), numbered("Succeeded", "5001"))(request, handler)

    api.on("GET", HELLO, reply(200, numbered("Running", "7")))
    api.on("GET", WORKFLOWS, watch)
    updates = list(engine.follow("hello-r1"))
    assert [update.phase for update in updates] == ["Running", "Succeeded"]
    first, second = api.asked("GET", WORKFLOWS)
    assert first.query["resourceVersion"] == "7"
    assert float(second.query["timeoutSeconds"]) < float(first.query["timeoutSeconds"])


def test_a_right_to_watch_that_is_missing_is_told_at_once(api: FaultServer, engine: KubernetesEngine) -> None:
    api.on("GET", HELLO, reply(200, state("Running", name="hello-r1")))
    api.on("GET", WORKFLOWS, reply(403, status(403, "Forbidden", "cannot watch resource")))
    with pytest.raises(PlatformError) as caught:
        list(engine.follow("hello-r1"))
    assert caught.value.kind is ErrorKind.FORBIDDEN
    assert len(api.asked("GET", WORKFLOWS)) == 1


def test_logs_of_a_workflow_whose_pods_are_gone_say_so(api: FaultServer, engine: KubernetesEngine) -> None:
    api.on("GET", POD_LOG, reply(200, {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": []}))
    with pytest.raises(PlatformError, match="no pods"):
        list(engine.logs("hello-r1"))
    assert api.asked("GET", POD_LOG)[0].query["labelSelector"] == "workflows.argoproj.io/workflow=hello-r1"


def test_one_pod_that_is_gone_does_not_hide_the_logs_of_others(api: FaultServer, engine: KubernetesEngine) -> None:
    pods = [{"metadata": {"name": name, "creationTimestamp": "t"}} for name in ("p1", "p2")]
    api.on("GET", POD_LOG, reply(200, {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": pods}))
    api.on("GET", f"{POD_LOG}/p2/log", stream(["one", "two"], content_type="text/plain"))
    found = [(line.pod, line.text) for line in engine.logs("hello-r1")]
    assert found == [("p2", "one"), ("p2", "two")]


def test_followed_logs_raise_what_broke_one_of_them(api: FaultServer, engine: KubernetesEngine) -> None:
    nodes = {
        "1": node("Succeeded", "hello-r1.a", templateName="t"),
        "2": node("Failed", "hello-r1.b", templateName="t"),
    }
    api.on("GET", HELLO, reply(200, state("Failed", nodes, name="hello-r1")))
    told = [n.pod for update in engine.follow("hello-r1") for n in update.nodes]
    api.on("GET", f"{POD_LOG}/{told[0]}/log", stream(["one"], content_type="text/plain"))
    api.on("GET", f"{POD_LOG}/{told[1]}/log", reply(403, status(403, "Forbidden", "cannot get pods/log")))
    lines = engine.logs("hello-r1", follow=True)
    assert next(lines).text == "one"
    with pytest.raises(PlatformError, match="pods/log"):
        next(lines)
