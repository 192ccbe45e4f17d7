"""Both engines against the sandbox: the same workflow is submitted, followed, read, stopped and listed either way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from argo_peer import hello, loaded

from hera_k8s_argo.probe import probe_argo
from hera_k8s_argo.settings import ArgoSettings
from hera_k8s_utils import ErrorKind, PlatformError, RunAlreadyFinished, SubmitError, Verdict, build_container

pytestmark = pytest.mark.usefixtures("work")  # runs are recorded in the working directory

Open = Callable[..., AbstractContextManager[Any]]
EXPERIMENT = "hera-k8s-utils/experiment"


@pytest.fixture(params=["argo", "kubernetes"])
def opened(request: pytest.FixtureRequest, sandbox: Any) -> Open:
    """Opens a container for a workflow, on the engine under test, under a run id of its own."""

    @contextmanager
    def open_container(workflow: Any, run_id: str, **settings: Any) -> Iterator[Any]:
        given = {"sandbox": True, "sandbox_dir": str(sandbox.directory), "engine": request.param}
        given["run_id"] = f"{request.param}-{run_id}"
        with build_container(workflow, environ={}, plugins=loaded(), **given, **settings) as container:
            yield container

    return open_container


def fan_out(command: str, name: str) -> dict[str, Any]:
    """Three tasks that run a shell command."""
    arguments = {"parameters": [{"name": "x", "value": "{{item}}"}]}
    task = {"name": "a", "template": "t", "withItems": ["1", "2", "3"], "arguments": arguments}
    container = {"image": "busybox", "command": ["sh", "-c"], "args": [command]}
    templates = [
        {"name": "main", "dag": {"tasks": [task]}},
        {"name": "t", "inputs": {"parameters": [{"name": "x"}]}, "container": container},
    ]
    return {**hello(name), "spec": {"entrypoint": "main", "templates": templates}}


def test_a_workflow_runs_to_its_end_and_tells_its_tasks(opened: Open) -> None:
    with opened(fan_out("echo {{inputs.parameters.x}}", "ends"), "r1") as container:
        engine = container.engine()
        submission = engine.submit(container.experiment())
        assert not submission.existed
        assert engine.submit(container.experiment()).existed
        updates = list(engine.follow(submission.name))
    last = {node.display_name: node for update in updates for node in update.nodes}
    assert updates[-1].phase == "Succeeded"
    assert [last[f"a({i}:{i + 1})"].phase for i in range(3)] == ["Succeeded"] * 3
    assert last["a(1:2)"].inputs == {"x": "2"}


def test_logs_are_those_of_the_pods_that_were_told(opened: Open) -> None:
    with opened(fan_out("echo said {{inputs.parameters.x}}", "says"), "r1") as container:
        engine = container.engine()
        name = engine.submit(container.experiment()).name
        pods = {n.pod: n.inputs["x"] for update in engine.follow(name) for n in update.nodes if n.pod}
        everything = [(line.pod, line.text) for line in engine.logs(name)]
        assert sorted(everything) == sorted((pod, f"said {x}") for pod, x in pods.items())
        pod, x = next(iter(pods.items()))
        assert [line.text for line in engine.logs(name, pod=pod)] == [f"said {x}"]


def test_logs_are_followed_while_the_workflow_runs(opened: Open) -> None:
    with opened(fan_out("echo begun; sleep 0.3; echo ended", "talks"), "r1") as container:
        engine = container.engine()
        name = engine.submit(container.experiment()).name
        lines = [line.text for line in engine.logs(name, follow=True)]
    assert sorted(lines) == ["begun"] * 3 + ["ended"] * 3


def test_a_suspended_workflow_is_told_to_be_one_and_goes_on(opened: Open) -> None:
    with opened(hello("held", suspend=True), "r1") as container:
        engine, context = container.engine(), container.context()
        name = engine.submit(container.experiment()).name
        told = []
        for update in engine.follow(name):
            told.append(update.suspended)
            if update.suspended and update.phase == "Running":
                patch = {"spec": {"suspend": None}}
                context.kubernetes.patch("argoproj.io/v1alpha1", "workflows", name, patch)
        assert update.phase == "Succeeded"
        assert True in told
        assert not told[-1]


@pytest.mark.parametrize("terminate", [False, True])
def test_a_workflow_that_is_stopped_has_failed(opened: Open, terminate: bool) -> None:
    with opened(fan_out("sleep 60", "sleeps"), f"t{terminate:d}") as container:
        engine = container.engine()
        name = engine.submit(container.experiment()).name
        for update in engine.follow(name):
            if any(node.pod and node.phase == "Running" for node in update.nodes):
                engine.stop(name, terminate=terminate)
        assert update.phase == "Failed"
        assert ("Terminate" if terminate else "Stop") in update.message


@pytest.mark.parametrize("terminate", [False, True])
def test_a_workflow_that_has_ended_cannot_be_stopped_and_stays_as_it_is(opened: Open, terminate: bool) -> None:
    with opened(hello("over"), f"t{terminate:d}") as container:
        engine, context = container.engine(), container.context()
        name = engine.submit(container.experiment()).name
        *_, last = engine.follow(name)
        with pytest.raises(RunAlreadyFinished, match="it is over") as caught:
            engine.stop(name, terminate=terminate)
        assert caught.value.phase == last.phase
        assert "shutdown" not in context.kubernetes.get("argoproj.io/v1alpha1", "workflows", name)["spec"]


def test_a_workflow_that_is_deleted_while_it_is_followed_is_gone(opened: Open) -> None:
    with opened(fan_out("sleep 60", "goes"), "r1") as container:
        engine, context = container.engine(), container.context()
        name = engine.submit(container.experiment()).name
        for update in engine.follow(name):
            if any(node.pod and node.phase == "Running" for node in update.nodes):
                context.kubernetes.delete("argoproj.io/v1alpha1", "workflows", name)
        assert update.gone


def test_runs_are_found_by_their_labels(opened: Open) -> None:
    with opened(hello("listed"), "r1") as container:
        engine = container.engine()
        name = engine.submit(container.experiment()).name
        *_, last = engine.follow(name)
        run = container.experiment().run_id
        (found,) = engine.runs(label_selector=f"{EXPERIMENT}=listed,hera-k8s-utils/run={run}")
        assert (found.name, found.phase) == (name, last.phase)
        assert found.labels[EXPERIMENT] == "listed"
        assert found.started_at
        assert list(engine.runs(label_selector=f"{EXPERIMENT}=nobody")) == []
        assert len(list(engine.runs(limit=1))) == 1


def test_another_experiment_under_the_same_name_is_refused(opened: Open) -> None:
    with opened(hello("taken"), "r1") as container:
        container.running().engine.submit(container.experiment())
    with (
        opened(hello("taken", parallelism=2), "r1") as container,
        pytest.raises(SubmitError, match="taken"),
    ):
        container.running().engine.submit(container.experiment())


def test_a_workflow_that_is_not_there_is_told(opened: Open) -> None:
    with opened(None, "r1") as container:
        engine = container.engine()
        for ask in (engine.follow, engine.logs):
            with pytest.raises(PlatformError) as caught:
                list(ask("nobody"))
            assert caught.value.kind is ErrorKind.MISSING


def test_a_dry_run_is_accepted_and_leaves_nothing(opened: Open) -> None:
    with opened(hello("tried"), "r1") as container:
        (finding,) = container.engine().preflight(container.experiment())
        assert finding.result.verdict is Verdict.PASSED
        assert list(container.engine().runs(label_selector=f"{EXPERIMENT}=tried")) == []


def test_the_sandbox_passes_the_probe(opened: Open) -> None:
    with opened(None, "r1") as container:
        context = container.context()
        (finding,) = probe_argo(context.options.of(ArgoSettings), context)
    assert finding.result.verdict is Verdict.PASSED
    assert "authorised" in finding.result.detail


def test_a_token_that_the_server_does_not_know_is_refused(sandbox: Any) -> None:
    with build_container(
        None, environ={}, plugins=loaded(), argo_server=sandbox.url, argo_token="made-up", namespace="default"
    ) as container:
        context = container.context()
        with pytest.raises(PlatformError) as caught:
            list(probe_argo(context.options.of(ArgoSettings), context))
    assert caught.value.kind is ErrorKind.UNAUTHORIZED
    assert "made-up" not in str(caught.value)
