"""While an experiment is loaded and built nothing is sent: the judge is a server that writes down what arrives."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from argo_peer import NAMESPACE, ArgoPeer
from command_line import SECRET, CommandLine, kubeconfig, records, write_kubeconfig
from fault_server import FaultServer, reply

from hera_k8s_utils import (
    BuildError,
    Experiment,
    HeldRequest,
    Inputs,
    LayoutStrategy,
    OfflineError,
    PluginError,
    Replacement,
    RequestGuard,
    Site,
    build_container,
    hookimpl,
    offline_phase,
    option,
)
from hera_k8s_utils.offline.phase import ForeignCode, offline
from hera_k8s_utils.plugins.manager import PluginManager

CODE = ForeignCode("a test")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        running.otherwise = reply(200, {"metadata": {"name": "from-the-server"}, "spec": {}, "status": {}})
        yield running


@pytest.fixture
def guards() -> Sequence[RequestGuard]:
    return PluginManager.load().records("request_guards", RequestGuard)


# --- every method of Hera's ------------------------------------------------------------------------------------


def services() -> list[type]:
    from hera.events.service import EventsService
    from hera.workflows import WorkflowsService

    return [WorkflowsService, EventsService]


def async_services() -> list[type]:
    pytest.importorskip("httpx", reason="Hera's asynchronous services need httpx")
    from hera.events.async_service import AsyncEventsService
    from hera.workflows import AsyncWorkflowsService

    return [AsyncWorkflowsService, AsyncEventsService]


def methods_of(kind: type) -> list[str]:
    """What a user may call on a service, besides closing it and making up an address."""
    names = [name for name, value in vars(kind).items() if inspect.isfunction(value) and not name.startswith("_")]
    return [name for name in names if name != "close" and not name.endswith("_link")]


def arguments_of(method: Callable[..., Any]) -> dict[str, Any]:
    """Something for every parameter that has no default; requests are made without validation."""
    parameters = inspect.signature(method).parameters.values()
    hints = get_type_hints(method)
    return {
        each.name: "x" if hints[each.name] is str else made_up(hints[each.name])
        for each in parameters
        if each.default is each.empty and each.name != "self"
    }


def made_up(kind: Any) -> Any:
    return kind(root={}) if "root" in kind.model_fields else kind.model_construct()


def called(service: Any, name: str) -> Any:
    """What calling a method comes to: its answer, or what it raised."""
    method = getattr(service, name)
    try:
        answer = method(**arguments_of(method))
        return asyncio.run(answer) if inspect.iscoroutine(answer) else answer
    except Exception as error:
        return error


def sends(service: Any, server: FaultServer) -> set[str]:
    """The methods of a service whose call reached the server."""
    reached = set()
    for name in methods_of(type(service)):
        before = len(server.requests)
        called(service, name)
        if len(server.requests) > before:
            reached.add(name)
    return reached


def test_no_method_of_heras_services_sends_anything(server: FaultServer, guards: Sequence[RequestGuard]) -> None:
    for kind in services():
        service = kind(host=server.url, token=SECRET, namespace="ns")
        assert sends(service, server) == set(methods_of(kind))  # outside, each of them is sent
        server.requests.clear()
        for name in methods_of(kind):
            with pytest.raises(BuildError) if is_change(kind, name) else nullcontext(), offline(CODE, guards):
                outcome = called(service, name)
                assert not isinstance(outcome, Exception) or isinstance(outcome, (OfflineError, ValueError)), name
        assert server.requests == []


def test_no_method_of_heras_asynchronous_services_sends_anything(
    server: FaultServer, guards: Sequence[RequestGuard]
) -> None:
    for kind in async_services():
        for name in methods_of(kind):
            service = kind(host=server.url, token=SECRET, namespace="ns")  # a session belongs to one loop
            before = len(server.requests)
            called(service, name)
            assert len(server.requests) == before + 1, name
            with pytest.raises(BuildError) if is_change(kind, name) else nullcontext(), offline(CODE, guards):
                outcome = called(service, name)
                assert not isinstance(outcome, Exception) or isinstance(outcome, (OfflineError, ValueError)), name
            assert len(server.requests) == before + 1, name


def is_change(kind: type, name: str) -> bool:
    source = inspect.getsource(getattr(kind, name))
    return 'method="get"' not in source and "/lint" not in source


def hera_object(kind: str, server: FaultServer, *, asynchronous: bool) -> Any:
    from hera import workflows

    service = workflows.AsyncWorkflowsService if asynchronous else workflows.WorkflowsService
    more: dict[str, Any] = {"schedules": ["@daily"]} if kind == "CronWorkflow" else {}
    if kind != "ClusterWorkflowTemplate":
        more["namespace"] = "ns"
    return getattr(workflows, kind)(name="w", workflows_service=service(host=server.url, namespace="ns"), **more)


@pytest.mark.parametrize("kind", ["Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow"])
@pytest.mark.parametrize("name", ["create", "wait", "lint", "get", "update"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_no_object_of_heras_sends_anything(
    server: FaultServer, guards: Sequence[RequestGuard], kind: str, name: str, asynchronous: bool
) -> None:
    if asynchronous:
        pytest.importorskip("httpx", reason="Hera's asynchronous services need httpx")
    found = hera_object(kind, server, asynchronous=asynchronous)
    method = getattr(found, f"async_{name}" if asynchronous else name, None)
    if method is None or (kind, name) == ("ClusterWorkflowTemplate", "wait"):  # which Hera itself refuses
        pytest.skip(f"a {kind} has no {name}")
    keywords = {"poll_interval": 0} if name == "wait" else {}
    with pytest.raises(BuildError), offline(CODE, guards):
        refuse_other_answers(method(**keywords))
    assert server.requests == []


def refuse_other_answers(answer: Any) -> None:
    """What a held back call returns is what Hera's own call would, so that a script goes on."""
    found = asyncio.run(answer) if inspect.iscoroutine(answer) else answer
    assert found.metadata.name == "w"


# --- what is recorded ------------------------------------------------------------------------------------------


def held(guards: Sequence[RequestGuard], act: Callable[[], Any]) -> Sequence[HeldRequest]:
    """What is recorded of an act."""
    found: list[Sequence[HeldRequest]] = []
    with suppress(BuildError), offline(CODE, guards):
        try:
            act()
        finally:
            phase = offline_phase()
            assert phase is not None
            found.append(phase.requests)
    return found[0]


def test_a_record_holds_the_object_as_it_would_be_sent(server: FaultServer, guards: Sequence[RequestGuard]) -> None:
    from hera.workflows import Container, Workflow, WorkflowsService

    def act() -> None:
        with Workflow(generate_name="sweep-", namespace="ns", entrypoint="a", workflows_service=service) as w:
            Container(name="a", image="busybox")
        created = w.create()
        names.append(created.metadata.name)

    names: list[str] = []
    service = WorkflowsService(host=f"{server.url}/base/", namespace="ns")
    (request,) = held(guards, act)
    act()
    (sent,) = server.asked("POST")
    assert names == ["sweep-00001", "from-the-server"]
    assert request.body == sent.json()["workflow"]
    assert (request.verb, request.kind, request.namespace, request.library) == ("create", "Workflow", "ns", "hera")
    assert request.path == sent.path
    assert Path(request.site.file).name == "test_phase.py"
    assert request.site.text == "created = w.create()"
    assert request.site.function == "Workflow.create"


def test_a_record_of_the_official_client_holds_the_object(guards: Sequence[RequestGuard], server: FaultServer) -> None:
    from kubernetes.client import BatchV1Api, V1Job, V1ObjectMeta

    def act() -> None:
        job = V1Job(metadata=V1ObjectMeta(generate_name="j-"), api_version="batch/v1", kind="Job")
        created = api.create_namespaced_job("ns", job)
        assert created.metadata.name == "j-00001"

    api = BatchV1Api(client_of(server))
    (request,) = held(guards, act)
    assert request.body == {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "j-"}}
    assert (request.verb, request.kind, request.namespace) == ("create", "Job", "ns")
    assert request.site.text == 'created = api.create_namespaced_job("ns", job)'
    assert server.requests == []


def test_what_the_code_swallows_is_known_all_the_same(server: FaultServer, guards: Sequence[RequestGuard]) -> None:
    from hera.workflows import WorkflowsService

    service = WorkflowsService(host=server.url, namespace="ns")
    with pytest.raises(BuildError, match="would stop a Workflow"), offline(CODE, guards), suppress(Exception):
        service.stop_workflow("w", arguments_of(service.stop_workflow)["req"])
    assert server.requests == []


def test_a_read_that_the_code_does_without_is_no_fault(server: FaultServer, guards: Sequence[RequestGuard]) -> None:
    from hera.workflows import WorkflowsService

    service = WorkflowsService(host=server.url, namespace="ns")
    with offline(CODE, guards), suppress(OfflineError):
        service.get_workflow("w")
    assert server.requests == []


def test_a_read_is_refused_with_its_line(server: FaultServer, guards: Sequence[RequestGuard]) -> None:
    from hera.workflows import WorkflowsService

    service = WorkflowsService(host=server.url, namespace="ns")
    with pytest.raises(OfflineError) as caught, offline(CODE, guards):
        service.get_workflow("w")
    assert 'service.get_workflow("w"): GET /api/v1/workflows/ns/w' in caught.value.found
    assert caught.value.exit_code == 6


# --- the official client ---------------------------------------------------------------------------------------


def client_of(server: FaultServer) -> Any:
    from kubernetes.client import ApiClient, Configuration

    configuration = Configuration(host=server.url)
    configuration.retries = False
    return ApiClient(configuration)


def changing_methods(api: type) -> list[str]:
    beginnings = ("create_", "replace_", "patch_", "delete_")
    names = [name for name in vars(api) if name.startswith(beginnings)]
    return [name for name in names if not name.endswith(("_with_http_info", "_without_preload_content"))]


def official_arguments(method: Callable[..., Any]) -> dict[str, Any]:
    """A text for each name, and an object for each body."""
    parameters = [each for each in inspect.signature(method).parameters.values() if each.default is each.empty]
    return {each.name: official_body(each.annotation) if each.name == "body" else "x" for each in parameters}


def official_body(kind: Any) -> Any:
    if hasattr(kind, "model_construct"):
        return kind.model_construct(**dict.fromkeys(kind.model_fields))
    return {"metadata": {"name": "x"}}


@pytest.mark.parametrize("name", ["CoreV1Api", "BatchV1Api", "CustomObjectsApi", "AppsV1Api", "RbacAuthorizationV1Api"])
def test_the_official_client_changes_nothing(server: FaultServer, guards: Sequence[RequestGuard], name: str) -> None:
    from kubernetes import client

    api = getattr(client, name)(client_of(server))
    methods = changing_methods(type(api))
    assert len(methods) > 10
    for each in methods:
        with pytest.raises(BuildError, match="nothing was sent"), offline(CODE, guards), suppress(Exception):
            getattr(api, each)(**official_arguments(getattr(api, each)))
    assert server.requests == []


def test_the_official_client_reads_nothing_either(server: FaultServer, guards: Sequence[RequestGuard]) -> None:
    from kubernetes import watch
    from kubernetes.client import CoreV1Api
    from kubernetes.stream import stream

    api = CoreV1Api(client_of(server))
    for act in (
        lambda: api.list_namespaced_pod("ns"),
        lambda: list(watch.Watch().stream(api.list_namespaced_pod, "ns")),
        lambda: stream(api.connect_get_namespaced_pod_exec, "p", "ns", command=["true"]),
        lambda: api.list_namespaced_pod("ns", async_req=True).get(),
    ):
        with pytest.raises(Exception, match=r"no server can be asked|GET .*/exec"), offline(CODE, guards):
            act()
    api.api_client.close()
    assert server.requests == []


def test_the_official_asynchronous_client_sends_nothing(server: FaultServer, guards: Sequence[RequestGuard]) -> None:
    aio = pytest.importorskip("kubernetes.aio.client", reason="this client has no asynchronous form")

    async def act() -> Any:
        async with aio.ApiClient(aio.Configuration(host=server.url)) as client:
            created = await aio.BatchV1Api(client).create_namespaced_job("ns", {"metadata": {"name": "x"}})
            assert created.metadata.name == "x"
            await aio.CoreV1Api(client).list_namespaced_pod("ns")

    with pytest.raises(BuildError, match="would create a Job"), offline(CODE, guards):
        asyncio.run(act())
    assert server.requests == []


# --- threads, tasks, processes ---------------------------------------------------------------------------------


def submission(server: FaultServer) -> Callable[[], Any]:
    return hera_object("Workflow", server, asynchronous=False).create


def test_threads_and_tasks_of_the_code_are_held_back(server: FaultServer, guards: Sequence[RequestGuard]) -> None:
    create = submission(server)

    def in_a_thread() -> None:
        thread = threading.Thread(target=create)
        thread.start()
        thread.join()

    def in_a_pool() -> None:
        with ThreadPoolExecutor() as pool:
            pool.submit(create).result()

    def in_a_task() -> None:
        async def act() -> None:
            await asyncio.gather(asyncio.to_thread(create), asyncio.get_running_loop().run_in_executor(None, create))

        asyncio.run(act())

    def in_a_thread_of_a_thread() -> None:
        thread = threading.Thread(target=in_a_pool)
        thread.start()
        thread.join()

    for act in (in_a_thread, in_a_pool, in_a_task, in_a_thread_of_a_thread):
        with (
            pytest.raises(BuildError, match=r"would submit a workflow: line [0-9]+: "),
            offline(ForeignCode("a test", file=__file__), guards),
        ):
            act()
    assert server.requests == []


def test_a_thread_that_outlives_the_phase_still_sends_nothing(
    server: FaultServer, guards: Sequence[RequestGuard]
) -> None:
    create, go, outcome = submission(server), threading.Event(), []

    def later() -> None:
        go.wait(60)
        try:
            outcome.append(create())
        except OfflineError as error:
            outcome.append(error)

    with offline(CODE, guards):
        thread = threading.Thread(target=later)
        thread.start()
    go.set()
    thread.join()
    assert isinstance(outcome[0], OfflineError)
    assert server.requests == []


def test_other_threads_send_meanwhile_and_everything_is_sent_afterwards(
    server: FaultServer, guards: Sequence[RequestGuard]
) -> None:
    create, inside, sent = submission(server), threading.Event(), threading.Event()

    def another() -> None:
        inside.wait(60)
        create()
        sent.set()

    thread = threading.Thread(target=another)
    thread.start()
    with offline(CODE, guards):
        inside.set()
        assert sent.wait(60)
    thread.join()
    assert len(server.requests) == 1
    create()
    assert len(server.requests) == 2


RESTORED = """
import sys, threading
from hera.workflows import Workflow, WorkflowsService
from kubernetes.client.rest import RESTClientObject
from hera_k8s_utils import RequestGuard
from hera_k8s_utils.offline.phase import ForeignCode, offline
from hera_k8s_utils.plugins.manager import PluginManager

def attributes():
    session = vars(WorkflowsService).get("session")
    return [Workflow.create, session, RESTClientObject.request, threading.Thread.start, list(sys.meta_path)]

guards, code, before = PluginManager.load().records("request_guards", RequestGuard), ForeignCode("a test"), attributes()
with offline(code, guards), offline(code, guards):
    assert all(now != then for now, then in zip(attributes(), before)), attributes()
    threading.Thread(target=print).start()
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join()
assert attributes() == before
"""


def test_what_was_replaced_is_put_back() -> None:
    done = subprocess.run([sys.executable, "-c", RESTORED], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_a_forked_process_sends_nothing(server: FaultServer, guards: Sequence[RequestGuard]) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("this system does not fork")
    create = submission(server)
    with offline(CODE, guards):
        child = os.fork()
        if child == 0:
            try:
                create()
            except OfflineError:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert server.requests == []


# --- modules that are imported later, and other people's -------------------------------------------------------


def test_building_without_hera_imports_neither_hera_nor_kubernetes(work: Path) -> None:
    Path("experiment.py").write_text(
        "from hera_k8s_utils import Experiment\n"
        "manifest = {'apiVersion': 'batch/v1', 'kind': 'Job', 'metadata': {'name': 'j'}, 'spec': {'template': {}}}\n"
        "experiment = Experiment(name='one', workflow=lambda *a: manifest)\n"
    )
    source = (
        "import sys\nfrom hera_k8s_cli.main import main\ncode = main(['render'])\n"
        "sys.exit(code or (9 if {'hera', 'kubernetes'} & set(sys.modules) else 0))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("imported", ["before", "within"])
def test_a_library_of_a_plugin_is_held_back_whenever_it_is_imported(
    work: Path, monkeypatch: pytest.MonkeyPatch, imported: str
) -> None:
    monkeypatch.syspath_prepend(work)
    name = f"acme_client_{imported}"
    Path(f"{name}.py").write_text("sent = []\ndef send(what):\n    sent.append(what)\n")

    def replace_send(module: Any) -> Iterator[Replacement]:
        original = module.send

        def send(what: str) -> None:
            phase = offline_phase()
            if phase is None:
                original(what)
            else:
                phase.hold(HeldRequest(library=name, method="POST", path=f"/{what}", verb="create", kind="Job"), {})

        yield Replacement(module, "send", send)

    guard = RequestGuard(name="acme", modules=[name], replace=replace_send)
    if imported == "before":
        importlib.import_module(name)
    with pytest.raises(BuildError, match="would create a Job"), offline(CODE, [guard]):
        importlib.import_module(name).send("it")
    module = importlib.import_module(name)
    assert module.sent == []
    assert type(module.__spec__.loader).__name__ == "SourceFileLoader"
    module.send("it")
    assert module.sent == ["it"]


def test_a_guard_that_cannot_be_put_in_place_ends_the_build() -> None:
    def broken(module: Any) -> Iterator[Replacement]:
        raise AttributeError("this version has no such class")
        yield

    guard = RequestGuard(name="acme", modules=["json"], replace=broken)
    with pytest.raises(PluginError, match="the request guard acme failed"), offline(CODE, [guard]):
        pass
    with offline(CODE, []):
        pass


# --- plugins and the library itself ----------------------------------------------------------------------------


class Acme:
    """A plugin whose functions ask a server where they must not."""

    def __init__(self, asks: str, ask: Callable[[], Any]) -> None:
        self._asks = asks
        self._ask = ask

    def _reach(self, what: str) -> None:
        if what == self._asks:
            self._ask()

    @hookimpl
    def sites(self) -> list[Site]:
        def amend(manifest: Any, context: Any) -> Any:
            self._reach("amend")
            return manifest

        return [Site(name="acme", amend=amend)]

    @hookimpl
    def layout_strategies(self) -> list[LayoutStrategy]:
        def build(settings: Any, inputs: Any, argument: str) -> Any:
            self._reach("layout")
            return self

        return [LayoutStrategy(name="acme", build=build)]

    def encode(self, point: Any) -> str:
        self._reach("encode")
        return f"a={point.a}"

    def decode(self, path: str) -> dict[str, int]:
        return {"a": int(path[2:])}

    @hookimpl
    def configure_container(self, container: Any) -> None:
        self._reach("configure")


def job(name: str = "j") -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": {"spec": pod}}}


def built(plugins: PluginManager | None = None, **more: Any) -> Any:
    """The manifest of an experiment of two points, after everything that is done without a server."""
    inputs = Inputs(parameters={"a": [1, 2]})
    experiment = Experiment(**{"name": "one", "workflow": lambda *_: job(), "inputs": inputs, **more})
    with build_container(experiment, plugins=plugins, environ={}) as container:
        container.requirements()
        list(container.layout().paths())
        container.layout().verify()
        return container.manifest()


@pytest.mark.parametrize(
    ("asks", "words"),
    [
        ("amend", "site acme would submit a workflow while it amends the workflow"),
        ("layout", "the layout acme would submit a workflow"),
        ("encode", "the layout acme would submit a workflow"),
        ("configure", "plugin acme would submit a workflow while it configures the container"),
    ],
)
def test_a_plugin_that_submits_while_an_experiment_is_built_is_named(
    server: FaultServer, asks: str, words: str
) -> None:
    plugins = PluginManager.load(extra={"acme": Acme(asks, submission(server))})
    with pytest.raises(BuildError, match=words):
        built(plugins, layout="acme")
    assert server.requests == []


def test_options_of_an_experiment_that_submit_are_refused(server: FaultServer) -> None:
    create = submission(server)

    @dataclass(frozen=True)
    class Mine:
        fast: bool = option(False, help="x")

        def __post_init__(self) -> None:
            create()

    with pytest.raises(BuildError, match="would submit a workflow"):
        built(options=Mine)
    assert server.requests == []


def test_two_builds_at_once_are_told_apart(server: FaultServer) -> None:
    create, together = submission(server), threading.Barrier(2, timeout=60)
    outcomes: dict[str, Any] = {}

    def build(name: str, act: Callable[[], Any]) -> None:
        def builder(*_: Any) -> Any:
            together.wait()
            act()
            together.wait()
            return job()

        try:
            outcomes[name] = built(name=name, workflow=builder)
        except BuildError as error:
            outcomes[name] = error

    threads = [
        threading.Thread(target=build, args=("submits", create)),
        threading.Thread(target=build, args=("only-builds", lambda: None)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "the builder of submits would submit a workflow" in str(outcomes["submits"])
    assert outcomes["only-builds"].body["kind"] == "Job"
    assert server.requests == []
    create()
    assert len(server.requests) == 1


# --- the command line ------------------------------------------------------------------------------------------

WORKFLOW = """
from hera.workflows import Container, Workflow, WorkflowsService
from hera_k8s_utils import Experiment

with Workflow(name="w", entrypoint="main", workflows_service=WorkflowsService(host={url!r})) as w:
    Container(name="main", image="busybox", command=["true"])

def build(environment, inputs, layout):
    {builder}
    return w

experiment = Experiment(name="one", workflow=build)
"""
OWN_ENGINE = """
from hera_k8s_utils import build_container
with build_container(experiment) as container:
    container.engine().submit(container.experiment())
"""


@pytest.fixture
def hera(work: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(capsys)


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[ArgoPeer]:
    with ArgoPeer() as running:
        for name, value in {"ARGO_SERVER": running.url, "ARGO_TOKEN": SECRET, "ARGO_NAMESPACE": NAMESPACE}.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.mark.parametrize("command", ["render", "layout --all", "run --dry-run", "check", "run", "run --detach"])
@pytest.mark.parametrize("way", ["builder", "import", "own engine"])
def test_no_command_submits_on_behalf_of_a_file(hera: CommandLine, peer: ArgoPeer, command: str, way: str) -> None:
    source = WORKFLOW.format(url=peer.url, builder="w.create()" if way == "builder" else "pass")
    source += {"builder": "", "import": "w.create()\n", "own engine": OWN_ENGINE}[way]
    Path("experiment.py").write_text(source)
    told = hera(*command.split())
    if (command, way) == ("layout --all", "builder"):
        assert told.code == 0  # which does not build the workflow
    else:
        assert told.code == 6
        assert "nothing was sent" in told.err
        assert told.out == ""
    assert [request for request in peer.requests if request.method != "GET"] == []
    assert peer.workflows == {}
    assert records() == []


def test_a_run_submits_exactly_once(hera: CommandLine, peer: ArgoPeer) -> None:
    Path("experiment.py").write_text(WORKFLOW.format(url=peer.url, builder="pass"))
    assert hera("run", "--detach", "--run-id", "r1").code == 0
    submitted = [request.json() for request in peer.requests if request.method == "POST"]
    assert [each["workflow"]["metadata"]["name"] for each in submitted if not each.get("serverDryRun", True)] == [
        "one-r1"
    ]
    assert list(peer.workflows) == ["one-r1"]


OFFLINE = ["render", "layout", "layout --all", "run --dry-run", "render --output json", "config experiment.py"]
WATCHING = """
import sys
ASKING = ("connect", "getaddrinfo", "gethostbyname", "gethostbyaddr", "sendto", "sendmsg")
asked = []
sys.addaudithook(lambda event, _: asked.append(event) if event in {f"socket.{each}" for each in ASKING} else None)
from hera_k8s_cli.main import main
code = main(sys.argv[1:])
print(asked, file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize("command", OFFLINE)
@pytest.mark.parametrize("platform", ["argo", "kubernetes"])
def test_what_works_offline_asks_nobody_not_even_for_an_address(work: Path, command: str, platform: str) -> None:
    Path("experiment.py").write_text(WORKFLOW.format(url="http://argo.invalid", builder="pass"))
    config = write_kubeconfig(work / "config", kubeconfig("https://kubernetes.invalid", {"token": SECRET}))
    argo = {"ARGO_SERVER": "http://argo.invalid", "ARGO_TOKEN": SECRET}
    environ = {**os.environ, **({"KUBECONFIG": config} if platform == "kubernetes" else argo)}
    done = subprocess.run(
        [sys.executable, "-c", WATCHING, *command.split()], env=environ, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_check_through_argo_sends_reads_a_lint_and_a_dry_run(hera: CommandLine, peer: ArgoPeer) -> None:
    Path("experiment.py").write_text(WORKFLOW.format(url="http://argo.invalid", builder="pass"))
    assert hera("check").code == 0
    assert {"GET", "POST"} == {request.method for request in peer.requests}
    for request in peer.requests:
        dry = request.method == "POST" and (request.path.endswith("/lint") or request.json().get("serverDryRun"))
        assert request.method == "GET" or dry, (request.method, request.path)
    assert peer.workflows == {}


@pytest.mark.parametrize("engine", ["kubernetes", "jobs"])
def test_a_check_through_kubernetes_sends_reads_reviews_and_a_dry_run(
    hera: CommandLine, server: FaultServer, monkeypatch: pytest.MonkeyPatch, work: Path, engine: str
) -> None:
    source = (
        f"from hera_k8s_utils import Experiment\nexperiment = Experiment(name='one', workflow=lambda *a: {job()!r})"
    )
    Path("experiment.py").write_text(
        source if engine == "jobs" else WORKFLOW.format(url="http://argo.invalid", builder="pass")
    )
    monkeypatch.setenv("KUBECONFIG", write_kubeconfig(work / "config", kubeconfig(server.url, {"token": SECRET})))
    hera("check", "--engine", engine)
    assert {"GET", "POST"} == {request.method for request in server.requests}
    for request in server.requests:
        review = request.path.partition("?")[0].endswith("reviews")
        assert request.method == "GET" or review or request.query.get("dryRun") == "All", (request.method, request.path)
