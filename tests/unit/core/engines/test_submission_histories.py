"""Histories of a submission behind a gateway that fails: what is reported is what is there, and it is there once.

Each seed decides the faults that creations and readings meet, and what the user does next. 40 histories are tried;
`HISTORIES=200 pytest tests/unit/core/engines/test_submission_histories.py` tries as many as it says.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from argo_peer import hello, loaded
from command_line import SMALL, CommandLine, ended, program
from fault_gateway import Fault, FaultGateway, faults_of
from fault_server import Request
from jobs_peer import job
from sandbox_api import Api

from hera_k8s_argo.engines.server import ArgoEngine
from hera_k8s_cli.runs.selection import RunHandle
from hera_k8s_cli.runs.settling import settle
from hera_k8s_kube.jobs.engine import JobsEngine
from hera_k8s_utils import Experiment, SubmitError, SubmittedInPart, build_container
from hera_k8s_utils.container.recorded_submission import submit
from hera_k8s_utils.formatting import format_timestamp, now
from hera_k8s_utils.network.retry import RetryPolicy
from hera_k8s_utils.runs.records import RunStore, Submitted

Json = dict[str, Any]

HISTORIES = int(os.environ.get("HISTORIES", "40"))
KILLED = max(1, HISTORIES // 10)
ENGINES = ("argo", "kubernetes", "jobs")
MAP: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}, "data": {"a": "1"}}
COLLECTIONS = {
    "argo": "/apis/argoproj.io/v1alpha1/namespaces/default/workflows",
    "kubernetes": "/apis/argoproj.io/v1alpha1/namespaces/default/workflows",
    "jobs": "/apis/batch/v1/namespaces/default/jobs",
}


@dataclass
class History:
    """One run, what is reported of it, and what is on the server, which is asked directly."""

    engine: str
    run_id: str
    gateway: FaultGateway
    server: Api
    directory: Path

    # --- what a user does --------------------------------------------------------------------------------------

    def submit(self) -> str:
        """`hera-k8s run --run-id ID`: what it reports."""
        with self._opened() as container:
            built = container.experiment()
            record = RunStore(self.directory / "runs").start(built)
            container.engine.override(self._hurried(container))
            try:
                submit(built, record, container)
            except SubmitError as error:
                return verdict_of(error)
            return "accepted"

    def follow(self) -> str:
        """What `hera-k8s follow ID` finds out before it follows: what it reports."""
        with self._opened() as container:
            built = container.experiment()
            record = RunStore(self.directory / "runs").find(self.run_id)
            try:
                settle(RunHandle(built.name, record), container)
            except SubmitError as error:
                return verdict_of(error)
            assert record.attempt.state is Submitted.ACCEPTED
            return "accepted"

    def let_pass(self, seconds: float) -> None:
        """Let time pass, for the gateway and for the record."""
        self.gateway.pass_time(seconds)
        path = self.directory / "runs" / self.run_id / "submission_failed.json"
        if path.exists():
            told = json.loads(path.read_text())
            path.write_text(json.dumps({**told, "at": format_timestamp(now() - timedelta(seconds=seconds))}))

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        user = {"token": self.gateway.token}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me", "namespace": "default"}}],
            "clusters": [{"name": "it", "cluster": {"server": self.gateway.url}}],
            "users": [{"name": "me", "user": user}],
        }
        file = self.directory / "kubeconfig"
        file.write_text(json.dumps(config))
        given: Json = {"namespace": "default", "run_id": self.run_id, "http_timeout": 1.5, "http_retries": 1}
        if self.engine == "argo":
            given |= {"argo_server": self.gateway.url, "argo_token": self.gateway.token}
        else:
            given |= {"k8s_config_file": str(file)}
        with build_container(self._experiment(), environ={}, plugins=loaded(), **given) as container:
            yield container

    def _experiment(self) -> Any:
        if self.engine != "jobs":
            return hello(suspend=True)
        jobs = [MAP, job("a", suspend=True), job("b", suspend=True), job("c", suspend=True)]
        return Experiment(name="hello", workflow=lambda *_: jobs)

    def _hurried(self, container: Any) -> Any:
        """The engine, whose pauses take no time but the gateway's."""
        engine = container.running().engine
        patience = RetryPolicy(sleep=self.gateway.pass_time)
        if isinstance(engine, JobsEngine):
            return JobsEngine(replace(engine.jobs, patience=patience))
        assert isinstance(engine, ArgoEngine) == (self.engine == "argo")
        return replace(engine, patience=patience)

    # --- what there is -----------------------------------------------------------------------------------------

    @property
    def wanted(self) -> int:
        """How many objects make the whole run."""
        return 3 if self.engine == "jobs" else 1

    def there(self) -> int:
        """How many objects of the run there are."""
        found = self.server.get(f"{COLLECTIONS[self.engine]}?labelSelector=hera-k8s-utils/run={self.run_id}")
        return len(found["items"])

    def judge(self, reported: str) -> None:
        """Hold a report against the server; what the gateway still holds back may appear."""
        there, coming = self.there(), {name for name in self.gateway.held if not name.startswith("configmaps/")}
        told = f"{reported}, {there} of {self.wanted} there, {coming or 'nothing'} on its way; {self.gateway.met}"
        if reported == "accepted":
            assert there == self.wanted, told
        elif reported == "not accepted":
            assert not there, told
            assert not coming, told
        elif reported == "in part":
            assert 0 < there < self.wanted, told
        else:
            assert reported == "unknown"
            assert self.gateway.met, told
        for name, uids in self.gateway.created.items():
            assert len(uids) <= 1, f"{name} was created {len(uids)} times; {told}"


def verdict_of(error: SubmitError) -> str:
    """What an error reports."""
    if error.exit_code == 10:
        return "unknown"
    assert error.exit_code == 7
    return "in part" if isinstance(error, SubmittedInPart) else "not accepted"


@pytest.fixture(scope="module")
def server(sandbox: Any) -> Api:
    """The sandbox behind the gateway, asked directly."""
    return Api(sandbox.url, sandbox.token)


@pytest.fixture
def begin(sandbox: Any, server: Api, tmp_path: Path) -> Iterator[Callable[[int, str], History]]:
    """Begins the history of a seed."""
    with FaultGateway(sandbox.url, sandbox.token) as gateway:

        def history(seed: int, engine: str) -> History:
            gateway.plan = faults_of(seed)
            return History(engine, f"h{seed}", gateway, server, tmp_path)

        yield history


@pytest.mark.parametrize("seed", range(HISTORIES - KILLED))
def test_what_is_reported_of_a_submission_is_true(begin: Callable[[int, str], History], seed: int) -> None:
    history = begin(seed, ENGINES[seed % len(ENGINES)])
    then = random.Random(seed)
    reported = history.submit()
    history.judge(reported)
    if then.random() < 0.5:
        history.let_pass(then.choice((1.0, 20.0, 90.0, 400.0)))
        reported = history.follow()
        history.judge(reported)
    if then.random() < 0.5:
        history.gateway.plan = lambda *_: None
    reported = history.submit()
    history.judge(reported)
    history.gateway.plan = lambda *_: None
    history.let_pass(400.0)
    history.judge("accepted" if reported == "accepted" else history.follow())
    history.judge(history.submit())
    assert history.submit() == "accepted"
    history.gateway.deliver_all()
    history.judge("accepted")


def test_without_faults_nothing_is_unknown(begin: Callable[[int, str], History]) -> None:
    for number, engine in enumerate(ENGINES):
        history = begin(5000 + number, engine)
        history.gateway.plan = lambda *_: None
        assert [history.submit(), history.submit(), history.follow()] == ["accepted"] * 3
        history.judge("accepted")


# --- clients that are killed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10_000, 10_000 + KILLED))
def test_a_client_that_is_killed_leaves_a_run_that_is_found_out(
    begin: Callable[[int, str], History],
    seed: int,
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    then = random.Random(seed)
    history = begin(seed, "argo")
    gateway = history.gateway
    (work / "experiment.py").write_text(SMALL.replace('entrypoint="main"', 'entrypoint="main", suspend=True'))
    told = {"ARGO_SERVER": gateway.url, "ARGO_TOKEN": gateway.token, "ARGO_NAMESPACE": "default"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    creating, last = then.random() < 0.7, then.randrange(1, 4)
    delivers = then.choice(("now", "never"))
    gateway.plan = lambda *_: Fault("reset", delivers)
    came: list[Request] = []

    with program("run", "--detach", "--run-id", history.run_id) as process:

        def kill(request: Request) -> None:
            """Kill it at the request that creates, before or after its delivery, or at an earlier one."""
            came.append(request)
            real = request.method == "POST" and not request.json().get("serverDryRun")
            if real if creating else len(came) == last:
                process.kill()
                process.wait()

        gateway.on_request = kill
        assert ended(process).code == -9
    gateway.on_request = lambda request: None
    gateway.plan = lambda *_: None

    hera = CommandLine(capsys)
    recorded = history.directory / "work" / "runs" / history.run_id
    assert recorded.exists() == creating
    if creating:
        (listed,) = json.loads(hera("runs", "--output", "json").out)
        assert (listed["phase"], listed["submission"]) == ("outcome unknown", "unknown")
        looked = hera("logs", history.run_id)
        assert looked.code == (0 if history.there() else 10), looked.text
    again = hera("run", "--detach", "--run-id", history.run_id)
    assert again.code == 0, again.text
    assert ("was submitted before" in again.text) == (creating and delivers == "now")
    history.judge("accepted")
