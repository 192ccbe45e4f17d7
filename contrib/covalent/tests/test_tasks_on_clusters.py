"""Tasks as Covalent's dispatcher gives them to the executor, run on each cluster as Jobs."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("covalent", reason="needs Covalent: nox -s 'contrib(covalent)'")
pytest.importorskip("covalent_kubernetes_plugin", reason="needs hera-k8s-covalent: nox -s 'contrib(covalent)'")

import covalent as ct

from hera_k8s_utils import SubmitError

JOBS = "/apis/batch/v1/namespaces/{}/jobs"


def test_a_task_returns_its_result(dispatcher: Any, executor: Any, nothing_left: Any) -> None:
    result, _, _, status = asyncio.run(dispatcher.run(executor(), lambda a, b: ", ".join([a, b]), "Hello", b="World"))
    assert (result, status) == ("Hello, World", "COMPLETED")
    assert json.loads(dispatcher.handles[0])["job"] == f"job-{dispatcher.dispatch_id}-0"


def test_what_a_task_prints_comes_back_each_output_by_itself(
    dispatcher: Any, executor: Any, nothing_left: Any, tmp_path: Path
) -> None:
    def talk() -> None:
        print("to standard output, ünd more")
        print("to standard error", file=sys.stderr)
        subprocess.run(["echo", "from a child"], check=True)

    files = {"log_stdout": "out.log", "log_stderr": str(tmp_path / "err.log")}
    _, stdout, stderr, _ = asyncio.run(dispatcher.run(executor(**files), talk))
    assert stdout == "to standard output, ünd more\nfrom a child\n"
    assert stderr == "to standard error\n"
    assert (tmp_path / dispatcher.dispatch_id / "out.log").read_text() == stdout
    assert (tmp_path / "err.log").read_text() == stderr


def test_a_tasks_exception_fails_it_with_its_own_traceback(dispatcher: Any, executor: Any, nothing_left: Any) -> None:
    def fail() -> None:
        print("so far so good")
        raise ValueError("no good")

    result, stdout, stderr, status = asyncio.run(dispatcher.run(executor(), fail))
    assert (result, status, stdout) == (None, "FAILED", "so far so good\n")
    assert stderr.startswith("Traceback (most recent call last):\n")
    assert stderr.endswith("ValueError: no good\n")
    assert "runner.py" not in stderr


def test_a_task_that_kills_its_process_is_told_from_one_that_raises(
    dispatcher: Any, executor: Any, nothing_left: Any
) -> None:
    def crash() -> None:
        import os
        import signal

        print("last words", flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)

    _, stdout, stderr, status = asyncio.run(dispatcher.run(executor(), crash))
    assert (status, stdout) == ("FAILED", "last words\n")
    assert "its process was ended by SIGSEGV, without a result" in stderr


def test_what_covalent_runs_before_and_after_a_task_runs_in_its_pod(
    dispatcher: Any, executor: Any, nothing_left: Any
) -> None:
    def use(given: str = "", files: Any = None) -> Any:
        return given, files, open("left-by-bash").read()

    before = [
        ct.DepsBash(["echo by bash > left-by-bash"]),
        ct.DepsCall(lambda word: word.upper(), args=["injected"], retval_keyword="given"),
        ct.DepsCall(lambda: "one", retval_keyword="files", override_reserved_retval_keys=True),
    ]
    after = [ct.DepsCall(lambda word: print(word), args=["afterwards"])]
    result, stdout, _, _ = asyncio.run(dispatcher.run(executor(), use, before=before, after=after))
    assert result == ("INJECTED", ["one"], "by bash\n")
    assert stdout == "afterwards\n"


def test_any_callable_is_run_and_its_result_unpickled(dispatcher: Any, executor: Any, nothing_left: Any) -> None:
    result, *_ = asyncio.run(dispatcher.run_raw(executor(), lambda x, by: {"value": x * by}, [21], {"by": 2}))
    assert result == {"value": 42}


@pytest.fixture
def with_login(executor: Any, tmp_path: Path) -> Any:
    """The kubeconfig of the executors with a program in place of its token. It runs the given line of shell first."""

    def make(line: str) -> str:
        config = json.loads(Path(executor().k8s_config_file).read_text())
        (user,) = config["users"]
        (tmp_path / "answer").write_text(
            json.dumps(
                {
                    "apiVersion": "client.authentication.k8s.io/v1",
                    "kind": "ExecCredential",
                    "status": {"token": user["user"].pop("token")},
                }
            )
        )
        login = tmp_path / "login"
        login.write_text(f"#!/bin/sh\n{line}\ncat {tmp_path / 'answer'}\n")
        login.chmod(stat.S_IRWXU)
        version = "client.authentication.k8s.io/v1"
        user["user"]["exec"] = {"apiVersion": version, "command": str(login), "interactiveMode": "Never"}
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        return str(tmp_path / "kubeconfig")

    return make


def test_many_tasks_run_at_once_over_one_client_and_one_watch(
    dispatcher: Any, executor: Any, with_login: Any, tmp_path: Path, nothing_left: Any
) -> None:
    config = with_login(f"echo login >> {tmp_path / 'logins'}")
    before = set(threading.enumerate())

    async def all_of_them() -> tuple[list[Any], int]:
        made = [executor(k8s_config_file=config) for _ in range(24)]
        running = [asyncio.create_task(dispatcher.run(each, pow, n, 2, node=n)) for n, each in enumerate(made)]
        watches = set[threading.Thread]()
        while not all(each.done() for each in running):
            watches |= {each for each in threading.enumerate() if each.name == "covalent-k8s-watch"} - before
            await asyncio.sleep(0.05)
        return [each.result()[0] for each in running], len(watches)

    results, watches = asyncio.run(all_of_them())
    assert results == [n * n for n in range(24)]
    assert (tmp_path / "logins").read_text() == "login\n"
    assert watches == 1


def test_a_login_that_waits_for_somebody_does_not_hold_up_covalents_loop(
    dispatcher: Any, executor: Any, with_login: Any, tmp_path: Path, nothing_left: Any
) -> None:
    began, go = tmp_path / "began", tmp_path / "go"
    config = with_login(f"touch {began}; until test -e {go}; do sleep 0.05; done")

    async def the_loop_lets_it_in() -> Any:
        running = asyncio.create_task(dispatcher.run(executor(k8s_config_file=config), pow, 3, 2))
        while not began.exists() and not running.done():
            await asyncio.sleep(0.02)
        go.touch()  # if the login held up the loop, this line would never be reached
        return await running

    result, *_ = asyncio.run(the_loop_lets_it_in())
    assert result == 9


def test_who_chooses_another_context_meanwhile_gets_it_with_the_next_task(
    dispatcher: Any,
    executor: Any,
    each_cluster: Any,
    nothing_left: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    config = json.loads(Path(executor().k8s_config_file).read_text())
    (context,) = config["contexts"]
    elsewhere = {"name": "elsewhere", "context": {**context["context"], "namespace": "not-there"}}
    config["contexts"].append(elsewhere)
    file = tmp_path / "kubeconfig"
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'absent'}{os.pathsep}{file}")

    def run() -> Any:
        return asyncio.run(dispatcher.run(executor(k8s_config_file=""), pow, 2, 2))

    file.write_text(json.dumps(config))
    result, *_ = run()
    assert result == 4
    file.write_text(json.dumps({**config, "current-context": "elsewhere"}))
    with pytest.raises(SubmitError, match="not-there"):
        run()


def test_within_a_cluster_the_pods_own_account_is_taken(
    dispatcher: Any, real_cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a real server speaks https, as a pod's account wants it."""
    from covalent_kubernetes_plugin.k8s import KubernetesExecutor
    from covalent_tasks import RULES

    config = json.loads(real_cluster.account("covalent", RULES).read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    address = urlsplit(cluster["server"])
    (tmp_path / "token").write_text(user["token"])
    (tmp_path / "namespace").write_text(real_cluster.namespace)
    (tmp_path / "ca.crt").write_bytes(Path(cluster["certificate-authority"]).read_bytes())
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(address.hostname))
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(address.port))
    monkeypatch.setenv("HERA_K8S_IN_CLUSTER_DIRECTORY", str(tmp_path))
    result, *_ = asyncio.run(dispatcher.run(KubernetesExecutor(vcpu="50m", memory="64Mi"), pow, 2, 2))
    assert result == 4
    assert json.loads(dispatcher.handles[0])["namespace"] == real_cluster.namespace


def test_without_a_cluster_the_sandbox_is_started(
    dispatcher: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from covalent_kubernetes_plugin.k8s import KubernetesExecutor

    from hera_k8s_sandbox.server.launch import stop

    monkeypatch.setenv("HERA_K8S_SANDBOX", "1")
    monkeypatch.setenv("HERA_K8S_SANDBOX_DIR", str(tmp_path / "sandbox"))
    try:
        result, *_ = asyncio.run(dispatcher.run(KubernetesExecutor(), pow, 3, 3))
    finally:
        stop(tmp_path / "sandbox")
    assert result == 27


class Relay:
    """Passes connections on to a port of this machine, for as long as it is up."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._connections: list[asyncio.Task[Any]] = []
        self._server: asyncio.Server | None = None
        self.port = 0

    async def up(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        assert self._server is not None
        self._server.close()
        for each in self._connections:
            each.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._connections.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.append(task)
        try:
            onwards, back = await asyncio.open_connection("127.0.0.1", self._to)
            await asyncio.gather(self._copy(reader, back), self._copy(onwards, writer))
        finally:
            writer.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while some := await reader.read(65536):
                writer.write(some)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()


def test_a_task_outlives_a_cluster_that_cannot_be_reached_for_a_while(
    dispatcher: Any, executor: Any, each_cluster: Any, claim: Path, tmp_path: Path, nothing_left: Any
) -> None:
    config = json.loads(Path(executor().k8s_config_file).read_text())
    address = urlsplit(config["clusters"][0]["cluster"]["server"])

    def wait() -> str:
        import os
        import time

        while not os.path.exists(os.environ["COVALENT_STORE"] + "/go"):
            time.sleep(0.05)
        return "gone on"

    async def run() -> Any:
        assert address.port is not None
        relay = Relay(address.port)
        await relay.up()
        moved = address._replace(netloc=f"{address.hostname}:{relay.port}").geturl()
        config["clusters"][0]["cluster"]["server"] = moved
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        store = f"claim:data@{claim}"
        running = asyncio.create_task(
            dispatcher.run(executor(k8s_config_file=str(tmp_path / "kubeconfig"), data_store=store), wait)
        )
        jobs = f"/apis/batch/v1/namespaces/{each_cluster.namespace}/jobs/job-{dispatcher.dispatch_id}-0"
        await asyncio.to_thread(each_cluster.kube.until, jobs, lambda job: bool((job.get("status") or {}).get("ready")))
        while not dispatcher.handles and not running.done():
            await asyncio.sleep(0.02)
        await relay.down()
        (directory,) = claim.iterdir()
        (directory / "go").touch()
        await asyncio.to_thread(
            each_cluster.kube.until, jobs, lambda job: bool((job.get("status") or {}).get("succeeded"))
        )
        assert not running.done()
        await relay.up()
        try:
            return await running
        finally:
            await relay.down()

    result, *_ = asyncio.run(run())
    assert result == "gone on"


def test_the_pod_asks_for_what_was_set_and_is_run_once(
    dispatcher: Any, executor: Any, each_cluster: Any, nothing_left: Any
) -> None:
    """Observed while an image cannot be pulled."""

    async def look() -> Any:
        running = asyncio.create_task(
            dispatcher.run(
                executor(base_image="unknown.invalid/x:1", vcpu="250m", memory="", time_limit=600), pow, 2, 2
            )
        )
        name = f"{JOBS.format(each_cluster.namespace)}/job-{dispatcher.dispatch_id}-0"
        found = await asyncio.to_thread(each_cluster.kube.until, name, lambda job: bool(job))
        with pytest.raises(Exception, match="cannot start"):
            await running
        return found

    job = asyncio.run(look())
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (job["spec"]["backoffLimit"], pod["restartPolicy"]) == (0, "Never")
    assert job["spec"]["activeDeadlineSeconds"] == 600
    assert container["resources"] == {"requests": {"cpu": "250m"}, "limits": {"cpu": "250m"}}
    assert pod["automountServiceAccountToken"] is False
