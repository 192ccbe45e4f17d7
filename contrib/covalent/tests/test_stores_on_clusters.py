"""Tasks that travel by a data store: a claim, a path, a bucket."""

from __future__ import annotations

import asyncio
import http.server
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("covalent", reason="needs Covalent: nox -s 'contrib(covalent)'")
pytest.importorskip("covalent_kubernetes_plugin", reason="needs hera-k8s-covalent: nox -s 'contrib(covalent)'")

from cluster_access import wait_until
from covalent_kubernetes_plugin import k8s
from covalent_kubernetes_plugin.errors import StoreUnreadable, TaskFailed
from covalent_kubernetes_plugin.stores import open_store

LARGE = 5_000_000
"""Bytes: more than a Secret or a log takes."""


@pytest.mark.parametrize("inside", ["", "/tasks"])
def test_a_claim_carries_what_a_secret_does_not(
    dispatcher: Any, executor: Any, claim: Path, inside: str, nothing_left: Any
) -> None:
    store = f"claim:data{inside}@{claim}{inside}"
    given = os.urandom(LARGE)
    work = dispatcher.run(executor(data_store=store), lambda some: (print("seen"), some[::-1])[1], given)
    result, stdout, _, _ = asyncio.run(work)
    assert result == given[::-1]
    assert stdout == "seen\n"
    assert [each.name for each in claim.rglob("*") if each.name != "tasks"] == []


def test_a_failed_task_on_a_claim_leaves_nothing_there(
    dispatcher: Any, executor: Any, claim: Path, nothing_left: Any
) -> None:
    _, _, stderr, status = asyncio.run(dispatcher.run(executor(data_store=f"claim:data@{claim}"), lambda: 1 / 0))
    assert (status, list(claim.iterdir())) == ("FAILED", [])
    assert "ZeroDivisionError" in stderr


def test_an_outcome_that_the_pod_did_not_write_is_not_read(
    dispatcher: Any, executor: Any, claim: Path, nothing_left: Any
) -> None:
    """Somebody who may write to the claim puts another outcome in its place."""

    def forge() -> None:
        import os

        with open(os.environ["COVALENT_STORE"] + "/outcome", "wb") as file:
            file.write(b"0" * 64 + b'\n{"state": "done"}\n')
        os.kill(os.getppid(), 9)  # the runner, so that it writes none itself

    with pytest.raises(TaskFailed, match="is not authentic"):
        asyncio.run(dispatcher.run(executor(data_store=f"claim:data@{claim}"), forge))


def test_a_store_that_the_pod_does_not_see_is_told(
    dispatcher: Any, executor: Any, claim: Path, tmp_path: Path, nothing_left: Any
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(TaskFailed, match="the task cannot be fetched: FileNotFoundError"):
        asyncio.run(dispatcher.run(executor(data_store=f"claim:data@{elsewhere}"), pow, 2, 2))


def test_a_store_that_this_machine_cannot_write_to_is_told_before_anything_is_created(
    dispatcher: Any, executor: Any, tmp_path: Path, nothing_left: Any
) -> None:
    with pytest.raises(TaskFailed, match="cannot be written to the data store"):
        asyncio.run(dispatcher.run(executor(data_store=f"claim:data@{tmp_path}/absent/deeper"), pow, 2, 2))


@pytest.fixture
def broken(dispatcher: Any, executor: Any, each_cluster: Any, claim: Path, tmp_path: Path) -> Callable[[], Any]:
    """A running task whose store this machine loses before the task ends: (the task, how this machine sees it)."""
    seen = tmp_path / "seen"
    seen.symlink_to(claim)

    def task() -> str:
        import os
        import time

        until = time.monotonic() + 60
        while not os.path.exists(os.environ["COVALENT_STORE"] + "/go") and time.monotonic() < until:
            time.sleep(0.05)
        return "computed"

    async def begin() -> Any:
        running = asyncio.create_task(dispatcher.run(executor(data_store=f"claim:data@{seen}"), task))
        path = f"/apis/batch/v1/namespaces/{each_cluster.namespace}/jobs/job-{dispatcher.dispatch_id}-0"
        await asyncio.to_thread(each_cluster.kube.until, path, lambda job: (job.get("status") or {}).get("ready"))
        seen.unlink()
        seen.symlink_to(seen)  # to read it is an error, as of a mount that is stale
        (directory,) = claim.iterdir()
        (directory / "go").touch()
        return running, seen

    return begin


def test_a_store_that_cannot_be_read_for_a_moment_costs_no_result(
    broken: Any, claim: Path, nothing_left: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> Any:
        running, seen = await broken()
        told = lambda: running.done() or "cannot be read" in caplog.text  # noqa: E731
        await asyncio.to_thread(wait_until, told, "the store to be found unreadable")
        seen.unlink()
        seen.symlink_to(claim)
        return await running

    result, *_ = asyncio.run(work())
    assert result == "computed"
    assert list(claim.iterdir()) == []


def test_a_store_that_cannot_be_read_keeps_the_outcome_and_the_error_says_where_it_is(
    broken: Any, claim: Path, nothing_left: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(k8s, "_OUTCOME_ATTEMPTS", 2)  # one second rather than one minute

    async def work() -> Any:
        running, seen = await broken()
        with pytest.raises(StoreUnreadable) as told:
            await running
        seen.unlink()
        seen.symlink_to(claim)
        return seen, told.value

    seen, error = asyncio.run(work())
    (directory,) = claim.iterdir()
    assert f"{seen / directory.name / 'outcome'}" in error.found
    assert "what is stored stays there" in error.hint
    assert b"computed" in (directory / "outcome").read_bytes()


def test_a_path_of_the_nodes_is_mounted_where_it_was_set(
    dispatcher: Any, executor: Any, each_cluster: Any, tmp_path: Path, nothing_left: Any
) -> None:
    """Neither cluster here runs pods with such volumes, which the Job's own pod is looked at for."""
    jobs = f"/apis/batch/v1/namespaces/{each_cluster.namespace}/jobs"

    async def look() -> Any:
        store = f"/data@{tmp_path}"
        running = asyncio.create_task(
            dispatcher.run(executor(data_store=store, base_image="unknown.invalid/x:1", pending_limit=0), pow, 2, 2)
        )
        path = f"{jobs}/job-{dispatcher.dispatch_id}-0"
        found = await asyncio.to_thread(each_cluster.kube.until, path, lambda job: bool(job))
        there = [each.name for each in tmp_path.glob("job-*")]
        await asyncio.gather(running, return_exceptions=True)
        return found, there

    job, (stored,) = asyncio.run(look())
    volumes = {each["name"]: each for each in job["spec"]["template"]["spec"]["volumes"]}
    assert volumes["store"]["hostPath"] == {"path": f"/data/{stored}", "type": "Directory"}
    assert list(tmp_path.glob("job-*")) == []


# --- buckets --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server on the loopback."""
    moto = pytest.importorskip("moto.server", reason="needs moto: nox -s 'contrib(covalent)'")
    pytest.importorskip("s3fs", reason="needs s3fs: nox -s 'contrib(covalent)'")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The names of the objects in a bucket called `results`."""
    import boto3

    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": s3}.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", region_name="eu-west-3", endpoint_url=s3)
    client.create_bucket(Bucket="results", CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})

    def names() -> list[str]:
        return [each["Key"] for each in client.list_objects_v2(Bucket="results").get("Contents", ())]

    yield names
    for name in names():
        client.delete_object(Bucket="results", Key=name)
    client.delete_bucket(Bucket="results")


def test_a_bucket_carries_a_task_below_its_prefix_and_the_pod_has_no_credentials(
    dispatcher: Any, executor: Any, bucket: Callable[[], list[str]], nothing_left: Any
) -> None:
    seen = list[str]()

    def look(some: bytes) -> Any:
        import os

        return some[::-1], sorted(name for name in os.environ if name.startswith("AWS"))

    async def work() -> Any:
        wanted = executor(data_store="s3://results/some/prefix/", region="eu-west-3")
        running = asyncio.create_task(dispatcher.run(wanted, look, given))
        while not running.done():
            seen.extend(await asyncio.to_thread(bucket))
            await asyncio.sleep(0.02)
        return await running

    given = os.urandom(LARGE)
    (result, variables), *_ = asyncio.run(work())
    assert result == given[::-1]
    assert variables == []
    assert {name.rpartition("/")[2] for name in seen} >= {"task"}
    assert all(name.startswith(f"some/prefix/job-{dispatcher.dispatch_id}-0-") for name in seen)
    assert bucket() == []


def test_a_bucket_that_is_not_there_is_told_before_anything_is_created(
    dispatcher: Any, executor: Any, bucket: Any, nothing_left: Any
) -> None:
    with pytest.raises(TaskFailed, match="s3://absent/x"):
        asyncio.run(dispatcher.run(executor(data_store="s3://absent/x"), pow, 2, 2))


def test_a_bucket_whose_server_has_trouble_is_told_from_an_outcome_that_is_not_there(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Busy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(503)

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            """Nothing is said."""

    there = open_store("s3://results/x", region="eu-west-3")
    assert there.fetch("job-1", "", lambda: ()) is None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        busy = open_store("s3://results/x", region="eu-north-1")  # fsspec keeps its clients, by region
        try:
            with pytest.raises(StoreUnreadable, match="s3://results/x/job-1/outcome"):
                busy.fetch("job-1", "", lambda: ())
        finally:
            server.shutdown()
