"""No workflow, request or object stops the sandbox: what is too large is refused by name, without taking memory."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_api import Api, config_map, make_namespace
from sandbox_workflows import Workflows, container, dag, nodes, task, workflow

from hera_k8s_sandbox.artifacts.store import ArtifactMissing, ArtifactStore
from hera_k8s_sandbox.foundation import files
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.resource_types import CONFIG_MAPS, PODS
from hera_k8s_sandbox.kubelet import logs
from hera_k8s_sandbox.store.pod_quota import MOST_PODS, PodQuota
from hera_k8s_sandbox.store.store import Store

TOO_LARGE = "workflow is longer than maximum allowed size. compressed size "
CEILING = 2 << 30  # bytes of address space that the sandbox may have
MOST_MEMORY = 600 << 10  # kB that it may have used
WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/{}/workflows"
HUGE = "100000000"


class Server:
    """A sandbox whose memory is bounded."""

    def __init__(self, directory: Path) -> None:
        log = (directory / files.LOG).open("ab")
        self.child = subprocess.Popen(
            [sys.executable, "-m", "hera_k8s_sandbox", "--state", str(directory), "--lifetime", "600"],
            stdout=log,
            stderr=log,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (CEILING, CEILING)),
        )
        deadline = time.monotonic() + 60
        while (told := files.read_server(directory)) is None or told.pid != self.child.pid:
            assert self.child.poll() is None, (directory / files.LOG).read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.api = Api(told.url, (directory / files.ADMIN_TOKEN).read_text().strip())

    def peak(self) -> int:
        """The most memory that it has had, in kB."""
        text = Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s*(\d+)", text)[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc")
    started = Server(tmp_path_factory.mktemp("bounds"))
    yield started
    started.child.terminate()
    started.child.wait(30)


@pytest.fixture
def flows(server: Server) -> Iterator[Workflows]:
    """In a namespace of its own; afterwards the sandbox still answers and has not taken much memory."""
    namespace = make_namespace(server.api, f"t-{uuid.uuid4().hex[:12]}").rpartition("/")[2]
    yield Workflows(server.api, namespace)
    assert server.api.send("GET", "/readyz").ok
    assert server.peak() < MOST_MEMORY


@pytest.fixture
def maps(flows: Workflows) -> str:
    return f"/api/v1/namespaces/{flows.namespace}/configmaps"


def steps(*group: dict[str, Any], name: str = "main", **more: Any) -> dict[str, Any]:
    return {"name": name, "steps": [list(group)], **more}


def ended(flows: Workflows, manifest: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """The phase, the message and the nodes of a workflow that was run."""
    found = flows.finish(flows.submit(manifest))
    status = found["status"]
    return status["phase"], status.get("message", ""), status.get("nodes") or {}


# Fan-outs

ONE = container("one")
FAN_OUTS = {
    "count": [steps(task("s", "one", withSequence={"count": HUGE}))],
    "end": [dag(task("s", "one", withSequence={"start": "1", "end": HUGE}))],
    "backwards": [dag(task("s", "one", withSequence={"start": HUGE, "end": 0}))],
    "nested": [
        steps(task("s", "inner", withSequence={"count": "3000"})),
        dag(task("s", "one", withSequence={"count": "3000"}), name="inner"),
    ],
    "of lists": [
        steps(task("s", "inner", withItems=list(range(1000)))),
        dag(task("s", "one", withItems=list(range(1000))), name="inner"),
    ],
    "later": [dag(task("first", "one"), task("s", "one", depends="first", withSequence={"count": HUGE}))],
}


@pytest.mark.parametrize("templates", FAN_OUTS.values(), ids=FAN_OUTS)
def test_a_fan_out_without_room_is_refused_before_a_task_starts(flows: Workflows, templates: list[Any]) -> None:
    phase, message, made = ended(flows, workflow(*templates, ONE, parallelism=2))
    assert (phase, made) == ("Error", {})
    assert message.startswith(f"{TOO_LARGE}at least ")
    assert " > maxSize 1048576 (" in message


def test_a_fan_out_of_an_exit_handler_is_refused_before_a_task_starts(flows: Workflows) -> None:
    at_exit = dag(task("s", "one", withSequence={"count": HUGE}), name="at-exit")
    phase, message, made = ended(flows, workflow(container(), at_exit, ONE, onExit="at-exit"))
    assert (phase, made) == ("Error", {})
    assert message.startswith(TOO_LARGE)


def test_a_count_that_is_a_parameter_is_refused_when_it_is_known(flows: Workflows) -> None:
    count = {"count": "{{workflow.parameters.n}}"}
    arguments = {"parameters": [{"name": "n", "value": HUGE}]}
    manifest = workflow(dag(task("s", "one", withSequence=count)), ONE, arguments=arguments)
    phase, message, made = ended(flows, manifest)
    assert (phase, [node["type"] for node in made.values()]) == ("Error", ["DAG"])
    assert message.startswith(TOO_LARGE)


def test_a_list_that_a_task_has_made_is_refused_when_it_is_too_long(flows: Workflows) -> None:
    source = {"image": "python:3", "command": ["python"], "source": "print([1] * 60000)"}
    make = {"name": "make", "script": source}
    tasks = (task("make", "make"), task("s", "one", depends="make", withParam="{{tasks.make.outputs.result}}"))
    phase, message, made = ended(flows, workflow(dag(*tasks), make, ONE))
    assert (phase, len(made)) == ("Error", 2)
    assert message.startswith(TOO_LARGE)


def test_what_a_condition_keeps_from_running_is_not_counted(flows: Workflows) -> None:
    tasks = (task("a", "one"), task("s", "one", depends="a.Failed", withSequence={"count": HUGE}))
    phase, _, made = ended(flows, workflow(dag(*tasks), ONE))
    assert (phase, len(made)) == ("Succeeded", 3)


def test_a_few_thousand_tasks_have_room(flows: Workflows) -> None:
    phase, message, made = ended(
        flows, workflow(steps(task("s", "one", withSequence={"count": "2500"}, when="1 == 2")), ONE)
    )
    assert (phase, message, len(made)) == ("Succeeded", "", 2502)


@pytest.mark.parametrize(
    ("sequence", "message"),
    [
        ({"count": "99999999999999999999"}, 'strconv.Atoi: parsing "99999999999999999999": value out of range'),
        ({"count": "9" * 5000}, f'strconv.Atoi: parsing "{"9" * 1000}": value out of range'),
        ({"count": 3, "format": "%1000000000d"}, "the sandbox writes numbers of up to 999 characters"),
    ],
)
def test_numbers_that_go_does_not_have_are_refused(flows: Workflows, sequence: dict[str, Any], message: str) -> None:
    found = flows.finish(flows.submit(workflow(steps(task("s", "one", withSequence=sequence)), ONE)))
    assert message in nodes(found)["[0]"]["message"]


def test_a_workflow_that_grows_too_large_ends_as_argo_ends_it(flows: Workflows) -> None:
    """Its outputs cannot be compressed: eight of them are larger than Argo stores."""
    source = "import os; open('/tmp/o', 'w').write(os.urandom(100_000).hex())"
    outputs = {"parameters": [{"name": "o", "valueFrom": {"path": "/tmp/o"}}]}
    make = {"name": "make", "script": {"image": "python:3", "command": ["python"], "source": source}}
    manifest = workflow(dag(task("s", "make", withSequence={"count": 16})), make | {"outputs": outputs})
    phase, message, _ = ended(flows, manifest)
    assert phase == "Error"
    told = r"(\d+) > maxSize 1048576Tried to offload but encountered error: offload node status is not supported"
    assert int(re.fullmatch(re.escape(TOO_LARGE) + told, message)[1]) > 1 << 20


def test_what_runs_of_a_workflow_that_is_too_large_is_ended(flows: Workflows) -> None:
    items = [base64.b64encode(os.urandom(6000)).decode() for _ in range(120)]
    slow = container("slow", "sleep", "300")
    tasks = (task("long", "slow"), task("s", "one", {"v": "{{item}}"}, withItems=items))
    takes = ONE | {"inputs": {"parameters": [{"name": "v"}]}}
    phase, message, _ = ended(flows, workflow(dag(*tasks), slow, takes))
    assert (phase, message[: len(TOO_LARGE)]) == ("Error", TOO_LARGE)
    pods = f"/api/v1/namespaces/{flows.namespace}/pods"
    for _ in range(500):
        active = [pod for pod in flows.api.get(pods)["items"] if pod["status"]["phase"] in ("Pending", "Running")]
        if not active:
            return
        time.sleep(0.05)
    raise AssertionError(active)


# Depth and length


def test_a_template_that_calls_itself_stops_at_the_depth_of_argo(flows: Workflows) -> None:
    phase, _, made = ended(flows, workflow(steps(task("again", "main"))))
    deepest = [
        node for node in made.values() if node.get("message", "").startswith("Maximum recursion depth exceeded.")
    ]
    assert (phase, len(deepest)) == ("Failed", 1)
    assert deepest[0]["name"].count(".again") == 99


def test_tags_that_come_to_more_than_a_request_may_hold_are_refused(flows: Workflows) -> None:
    arguments = {"parameters": [{"name": "p", "value": "x" * 400_000}]}
    manifest = workflow(container("main", "echo", "{{workflow.parameters.p}}" * 9), arguments=arguments)
    phase, message, made = ended(flows, manifest)
    assert (phase, message, made) == ("Error", "the values of tags come to more than 3145728 characters", {})


def test_conditions_that_are_nested_deeply_are_refused_by_name(flows: Workflows) -> None:
    open_, close = "(" * 5000, ")" * 5000
    found = flows.finish(flows.submit(workflow(steps(task("b", "one", when=f"{open_}1==1{close}")), ONE)))
    assert "nested too deeply" in nodes(found)["[0]"]["message"]
    tasks = (task("a", "one"), task("b", "one", depends=f"{open_}a{close}"))
    answer = flows.api.send("POST", flows.base, {"workflow": workflow(dag(*tasks), ONE)})
    assert message_of(answer) == (400, "templates.main.tasks.b depends is nested too deeply")


def test_variables_that_double_do_not_fill_the_memory(flows: Workflows) -> None:
    doubled = [{"name": f"A{number}", "value": f"$(A{number - 1})" * 2} for number in range(1, 41)]
    env = [{"name": "A0", "value": "xxxxxxxxxx"}, *doubled]
    phase, message, _ = ended(flows, workflow(container("main", "true", container={"env": env})))
    assert phase == "Failed"
    assert "Argument list too long" in message


def test_output_parameters_are_together_no_larger_than_an_object(flows: Workflows) -> None:
    source = "for i in range(4):\n    open(f'/tmp/o{i}', 'w').write('x' * 500_000)"
    outputs = {"parameters": [{"name": f"o{i}", "valueFrom": {"path": f"/tmp/o{i}"}} for i in range(4)]}
    make = {"name": "main", "script": {"image": "python:3", "command": ["python"], "source": source}}
    phase, message, _ = ended(flows, workflow(make | {"outputs": outputs}))
    assert phase == "Error"
    assert message.endswith("the output parameters have more than 1572864 bytes: etcdserver: request is too large")


def test_a_cron_workflow_with_thousands_of_schedules_is_refused(flows: Workflows) -> None:
    place = WORKFLOWS.format(flows.namespace).replace("workflows", "cronworkflows")
    spec = {"schedules": [f"{number % 60} * * * *" for number in range(1001)], "workflowSpec": workflow(ONE)["spec"]}
    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "metadata": {"name": "c"}, "spec": spec}
    flows.api.create(place, body)
    for event in flows.api.watch(f"{place}?watch=true&timeoutSeconds=20"):
        conditions = event["object"].get("status", {}).get("conditions") or []
        if conditions:
            break
    assert "more than 1000 schedules" in conditions[0]["message"]


# Requests


def message_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"]


def aliases(levels: int = 9) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("json", '{"a":' * 100_000 + "1" + "}" * 100_000, "exceeded max depth"),
        ("json", '{"a":' * 900 + "1" + "}" * 900, "exceeded max depth"),
        ("yaml", "[" * 100_000 + "]" * 100_000, "exceeded max depth"),
        ("yaml", aliases(), "document contains excessive aliasing"),
        ("json", '{"spec": {"activeDeadlineSeconds": NaN}}', "invalid character 'N' looking for beginning of value"),
        ("json", f'{{"spec": {{"activeDeadlineSeconds": {10**400}}}}}', "into Go value of type float64"),
    ],
)
def test_bodies_that_python_chokes_on_are_bad_requests(flows: Workflows, kind: str, body: str, told: str) -> None:
    place = WORKFLOWS.format(flows.namespace)
    code, message = message_of(flows.api.send("POST", place, body.encode(), kind=f"application/{kind}"))
    assert code == 400
    assert told in message


def test_aliases_of_a_reasonable_size_are_read(maps: str, flows: Workflows) -> None:
    body = b"metadata: {name: c, labels: &l {a: b}, annotations: *l}\ndata: *l"
    answer = flows.api.send("POST", maps, body, kind="application/yaml")
    assert answer.json()["metadata"]["annotations"] == {"a": "b"}


def test_a_body_larger_than_three_mebibytes_is_refused_as_by_the_api_server(maps: str, flows: Workflows) -> None:
    answer = flows.api.send("POST", maps, config_map(a="x" * (3 << 20)))
    assert message_of(answer) == (413, "Request entity too large: limit is 3145728")
    assert answer.json()["reason"] == "RequestEntityTooLarge"
    manifest = workflow(ONE, arguments={"parameters": [{"name": "p", "value": "x" * (3 << 20)}]})
    answer = flows.api.send("POST", flows.base, {"workflow": manifest})
    assert message_of(answer)[1] == "Request entity too large: limit is 3145728"


def test_a_compressed_body_is_not_decompressed(maps: str, flows: Workflows) -> None:
    packed = gzip.compress(json.dumps(config_map()).encode())
    code, message = message_of(flows.api.send("POST", maps, packed, Content_Encoding="gzip"))
    assert code == 400
    assert "json parse error" in message


def test_an_object_is_no_larger_than_etcd_takes(flows: Workflows) -> None:
    place = WORKFLOWS.format(flows.namespace)
    manifest = workflow(ONE, suspend=True, notes="x" * (1 << 20)) | {"metadata": {"name": "large"}}
    flows.api.create(place, manifest)
    grown = flows.api.patch(f"{place}/large", {"spec": {"more": "x" * (1 << 20)}})
    assert message_of(grown) == (500, "etcdserver: request is too large")
    manifest["spec"]["notes"] *= 2
    made = flows.api.send("POST", place, manifest | {"metadata": {"name": "other"}})
    assert message_of(made) == (500, "etcdserver: request is too large")


def test_a_json_patch_that_doubles_is_refused(flows: Workflows) -> None:
    place = WORKFLOWS.format(flows.namespace)
    flows.api.create(place, workflow(ONE, suspend=True, x={"a": 1}) | {"metadata": {"name": "w"}})
    doubling = [{"op": "copy", "from": "/spec/x", "path": f"/spec/x/k{number}"} for number in range(40)]
    code, message = message_of(flows.api.patch(f"{place}/w", doubling, "json-patch+json"))
    assert code == 422
    assert "exceeding the limit 3145728" in message
    many = [{"op": "test", "path": "/spec/suspend", "value": True}] * 10_001
    told = "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"
    assert message_of(flows.api.patch(f"{place}/w", many, "json-patch+json")) == (413, told)


def test_patterns_of_a_definition_are_matched_in_time_or_not_at_all(flows: Workflows) -> None:
    properties = {"s": {"type": "string", "pattern": "^(a+)+$"}, "d": {"type": "string", "format": "duration"}}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "slows", "singular": "slow", "kind": "Slow", "listKind": "SlowList"}
    spec = {"group": "bounds.io", "scope": "Namespaced", "names": names, "versions": [version]}
    definition = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    flows.api.create(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        definition | {"metadata": {"name": "slows.bounds.io"}, "spec": spec},
    )
    place = f"/apis/bounds.io/v1/namespaces/{flows.namespace}/slows"
    for _ in range(200):  # until it is served
        if flows.api.send("GET", place).ok:
            break
        time.sleep(0.05)
    made = {"apiVersion": "bounds.io/v1", "kind": "Slow", "metadata": {"name": "x"}}
    answer = flows.api.send("POST", place, made | {"spec": {"s": "a" * 40 + "b", "d": "1h 5m"}})
    assert answer.status_code in (201, 422)
    answer = flows.api.send("POST", place, made | {"metadata": {"name": "y"}, "spec": {"d": "1ns" * 40 + "!"}})
    assert answer.status_code == 422


def test_a_deployment_with_a_million_replicas_leaves_the_sandbox_answering(flows: Workflows) -> None:
    labels = {"a": "b"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "nothing-here"}]}}
    spec = {"replicas": 1_000_000, "selector": {"matchLabels": labels}, "template": template}
    place = f"/apis/apps/v1/namespaces/{flows.namespace}/deployments"
    flows.api.create(place, {"metadata": {"name": "d"}, "spec": spec})
    pods = f"/api/v1/namespaces/{flows.namespace}/pods?limit=1"
    while flows.api.get(pods)["metadata"].get("remainingItemCount", 0) < 200:
        time.sleep(0.05)
    assert flows.api.send("DELETE", f"{place}/d").ok


# What has no request of its own


def test_pods_that_have_not_ended_are_limited_as_by_a_quota() -> None:
    store = Store(None)
    for number in range(MOST_PODS):
        meta = {"name": f"p-{number}", "namespace": "default"}
        store.create(PODS, {"metadata": meta, "spec": {}, "status": {"phase": "Succeeded" if number else "Pending"}})
    quota = PodQuota(store)
    for _ in range(MOST_PODS - 1):
        quota.take("more")
    assert not quota.has_room()
    with pytest.raises(ApiError) as caught:
        quota.take("more")
    assert caught.value.code == 403
    told = f"requested: pods=1, used: pods={MOST_PODS}, limited: pods={MOST_PODS}"
    assert caught.value.message == f'pods "more" is forbidden: exceeded quota: sandbox, {told}'


def test_the_store_is_full_as_etcd_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hera_k8s_sandbox.store.store.MOST_BYTES", 1 << 20)
    store = Store(None)

    def create(name: str) -> None:
        store.create(CONFIG_MAPS, {"metadata": {"name": name, "namespace": "default"}, "data": {"a": "x" * 400_000}})

    create("a")
    create("b")
    with pytest.raises(ApiError, match="etcdserver: mvcc: database space exceeded"):
        create("c")
    store.delete(CONFIG_MAPS, "default", "a")
    create("c")


def test_an_endless_log_is_begun_anew(tmp_path: Path) -> None:
    log = tmp_path / logs.OUTPUT
    with log.open("ab", buffering=0) as written:
        written.write(b"first\n")
        os.truncate(log, logs.LARGEST + 1)
        logs.sample(tmp_path)
        assert log.stat().st_size < 1000
        written.write(b"and on\n")
    lines = log.read_text().splitlines()
    assert lines == ["[the sandbox has dropped what was written before: the log had more than 256 MiB]", "and on"]


def test_who_follows_a_log_that_is_begun_anew_reads_on(tmp_path: Path) -> None:
    asyncio.run(follow_a_log_that_is_begun_anew(tmp_path))


async def follow_a_log_that_is_begun_anew(tmp_path: Path) -> None:
    log = tmp_path / logs.OUTPUT
    log.write_bytes(b"a long first line\n")
    going = [True]
    lines = logs.read_lines(tmp_path, logs.LogOptions(follow=True), lambda: going[0])
    assert await anext(lines) == b"a long first line\n"
    for path in (log, tmp_path / f"{logs.OUTPUT}.times"):
        os.truncate(path, 0)
    log.write_bytes(b"anew\n")
    assert await anext(lines) == b"anew\n"
    going[0] = False
    assert [line async for line in lines] == []


@pytest.mark.parametrize("archive", ["zip", "tar"])
def test_an_archive_that_the_disk_has_no_room_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: str
) -> None:
    store, source = ArtifactStore(tmp_path / "artifacts"), tmp_path / "zeros"
    source.write_bytes(b"\0" * (8 << 20))
    store.save("default", "bomb", source, {archive: {}})
    usage = shutil.disk_usage(tmp_path)._replace(free=(256 + 4) << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ArtifactMissing, match="more than 4194304 bytes, and the disk has no room for it"):
        store.load("default", "bomb", tmp_path / "target", {archive: {}})
    assert not (tmp_path / "target").exists()
    assert zipfile.is_zipfile(store.place("default", "bomb")) == (archive == "zip")
