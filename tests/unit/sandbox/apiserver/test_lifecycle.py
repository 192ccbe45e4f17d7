"""The life of a sandbox's server: started once, found again, surviving kill -9, ending when idle or told to."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sandbox_api import Api, config_map

from hera_k8s_sandbox.server import launch
from hera_k8s_sandbox.server.launch import LaunchError, ensure_running, find, running, stop


@pytest.fixture
def directory(tmp_path: Path):
    """A state directory whose server is ended after the test."""
    yield tmp_path / "state"
    stop(tmp_path / "state")


def server_process(directory: Path) -> int:
    return int(json.loads((directory / "server.json").read_text())["pid"])


def test_a_running_server_is_found_and_not_started_again(directory: Path) -> None:
    first = ensure_running(directory, lifetime=60)
    process = server_process(directory)
    assert ensure_running(directory) == first
    assert server_process(directory) == process
    assert find(directory) == first


def test_launchers_at_the_same_time_get_the_same_server(directory: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: ensure_running(directory, lifetime=60), range(4)))
    assert len({address.url for address in found}) == 1
    if Path("/proc").is_dir():  # else nobody says
        assert servers_of(directory) == [server_process(directory)]  # none is left that would take over later


def servers_of(directory: Path) -> list[int]:
    """The processes that serve a directory, or are about to."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().decode().split("\0")
            if "hera_k8s_sandbox" in words and str(directory) in words:
                found.append(int(entry.name))
    return found


def test_what_was_answered_survives_kill_9(directory: Path) -> None:
    address = ensure_running(directory, lifetime=60)
    Api(address.url, address.token).create("/api/v1/namespaces/default/configmaps", config_map("kept", k="v"))
    process = server_process(directory)
    os.kill(process, signal.SIGKILL)

    again = ensure_running(directory, lifetime=60)

    api = Api(again.url, address.token)
    assert server_process(directory) != process
    assert api.get("/api/v1/namespaces/default/configmaps/kept")["data"] == {"k": "v"}


def test_a_workflow_that_was_accepted_survives_kill_9(directory: Path) -> None:
    address = ensure_running(directory, lifetime=60)
    main = {"name": "main", "container": {"image": "busybox", "command": ["true"]}}
    body = {"workflow": {"metadata": {"name": "kept"}, "spec": {"entrypoint": "main", "templates": [main]}}}
    answer = Api(address.url, address.token).send("POST", "/api/v1/workflows/default", body)
    os.kill(server_process(directory), signal.SIGKILL)

    again = ensure_running(directory, lifetime=60)

    found = Api(again.url, address.token).get("/api/v1/workflows/default/kept")
    assert found["metadata"]["uid"] == answer.json()["metadata"]["uid"]


def test_a_watch_from_before_a_restart_has_expired(directory: Path) -> None:
    with running(directory) as address:
        Api(address.url, address.token).create("/api/v1/namespaces/default/configmaps", config_map("a"))
    with running(directory) as address:
        query = "watch=true&resourceVersion=1"
        (event,) = Api(address.url, address.token).watch(f"/api/v1/namespaces/default/configmaps?{query}")
    assert (event["type"], event["object"]["reason"], event["object"]["code"]) == ("ERROR", "Expired", 410)


def test_what_a_user_removed_stays_removed(directory: Path) -> None:
    path = "/apis/storage.k8s.io/v1/storageclasses/wait"
    with running(directory) as address:
        assert Api(address.url, address.token).send("DELETE", path).ok
    with running(directory) as address:
        assert Api(address.url, address.token).send("GET", path).status_code == 404


def test_old_events_are_forgotten_whatever_others_lack(directory: Path) -> None:
    events = "/api/v1/namespaces/default/events"
    about = {"involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}}
    with running(directory) as address:
        api = Api(address.url, address.token)
        api.create(events, {"metadata": {"name": "a"}, **about})
        api.create(events, {"metadata": {"name": "b"}, **about, "lastTimestamp": "2001-01-01T00:00:00Z"})
    with running(directory) as address:
        found = {item["metadata"]["name"] for item in Api(address.url, address.token).get(events)["items"]}
    assert "a" in found
    assert "b" not in found


def test_a_second_server_in_one_directory_is_refused_by_name(directory: Path) -> None:
    ensure_running(directory, lifetime=60)
    command = [sys.executable, "-m", "hera_k8s_sandbox", "--state", str(directory)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == launch.BUSY
    assert second.stderr == f"another sandbox already serves {directory}\n"


def test_a_stale_file_about_another_process_is_not_believed(directory: Path) -> None:
    directory.mkdir(parents=True)
    told = {"url": "http://127.0.0.1:9", "pid": os.getpid(), "admin_token": str(directory / "admin.token")}
    (directory / "server.json").write_text(json.dumps(told))
    assert find(directory) is None
    assert not stop(directory)
    assert ensure_running(directory, lifetime=60).url != told["url"]


def rewrite(directory: Path, told: object) -> None:
    (directory / "server.json").write_text(json.dumps(told))


def test_the_server_of_another_version_is_found_by_what_it_tells(directory: Path) -> None:
    address = ensure_running(directory, lifetime=60)
    rewrite(directory, {"url": address.url, "pid": server_process(directory), "colour": "green"})
    assert ensure_running(directory) == address
    assert stop(directory)


def test_a_server_that_tells_nothing_legible_is_told_at_once(directory: Path) -> None:
    ensure_running(directory, lifetime=60)
    told = json.loads((directory / "server.json").read_text())
    rewrite(directory, ["of", "a", "later", "version"])
    try:
        with pytest.raises(LaunchError, match="another version"):
            ensure_running(directory, timeout=600)
    finally:
        rewrite(directory, told)


def test_files_are_named_from_where_the_launcher_is(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "users.csv").write_text("t0ken,jane,1\n")
    monkeypatch.chdir(tmp_path)
    with running(directory, users=Path("users.csv")) as address:
        assert Api(address.url, "t0ken").send("GET", "/api").status_code == 200


def test_stopping_ends_the_server_and_takes_its_word_back(directory: Path) -> None:
    ensure_running(directory, lifetime=60)
    assert stop(directory)
    assert not (directory / "server.json").exists()
    assert not stop(directory)


def test_a_server_that_does_not_answer_is_not_taken_for_none(directory: Path) -> None:
    ensure_running(directory, lifetime=60)
    process = server_process(directory)
    os.kill(process, signal.SIGSTOP)
    try:
        with pytest.raises(LaunchError, match="has not ended after"):
            stop(directory, timeout=0.1)
    finally:
        os.kill(process, signal.SIGCONT)


def test_stopping_does_not_wait_for_open_watches(directory: Path) -> None:
    address = ensure_running(directory, lifetime=60)
    events = Api(address.url, address.token).watch("/api/v1/namespaces?watch=true")
    next(events)
    assert stop(directory)
    assert all(event["type"] in ("ADDED", "MODIFIED") for event in events)


def test_an_idle_server_ends_by_itself(directory: Path) -> None:
    command = [sys.executable, "-m", "hera_k8s_sandbox", "--state", str(directory), "--until-idle", "0.2"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_watch_keeps_the_server_until_its_client_leaves(directory: Path) -> None:
    command = [sys.executable, "-m", "hera_k8s_sandbox", "--state", str(directory), "--until-idle", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        server.stdout.readline()  # it says so when it is ready
        address = ensure_running(directory)
        events = Api(address.url, address.token).watch("/api/v1/namespaces?watch=true")
        next(events)
        with pytest.raises(subprocess.TimeoutExpired):
            server.wait(2)
        events.close()
        assert server.wait(30) == 0


def test_a_lifetime_is_an_upper_bound(directory: Path) -> None:
    command = [sys.executable, "-m", "hera_k8s_sandbox", "--state", str(directory), "--lifetime", "0.2"]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def test_a_server_that_cannot_start_shows_its_log(directory: Path) -> None:
    with pytest.raises(LaunchError, match="unrecognized arguments: --colour"), running(directory, colour="blue"):
        pass


def test_the_kubeconfig_is_there_once_the_server_is_and_follows_it_to_another_port(directory: Path) -> None:
    for _ in range(2):
        address = ensure_running(directory, lifetime=60)
        path = directory / "kubeconfig"
        assert json.loads(path.read_text())["clusters"][0]["cluster"]["server"].startswith(f"{address.url}/")
        assert path.stat().st_mode & 0o077 == 0
        os.kill(server_process(directory), signal.SIGKILL)


def test_the_kubeconfig_opens_the_official_client(directory: Path) -> None:
    from kubernetes import client, config

    with running(directory) as address:
        path = launch.write_kubeconfig(directory, address)
        assert path.stat().st_mode & 0o077 == 0
        with config.new_client_from_config(str(path), persist_config=False) as opened:
            names = [one.metadata.name for one in client.CoreV1Api(opened).list_namespace().items]
    assert "default" in names
