"""Private roots, by bubblewrap and without it: what a container sees, how it ends, and what is left of it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from machine import MOUNTS
from sandbox_api import Api
from sandbox_pods import LOOP, Pods, container, state_of

from hera_k8s_sandbox.server.launch import LaunchError, running

MARKER = f"marker-{uuid.uuid4().hex}"
"""A variable of the server has this value."""


@pytest.fixture(scope="module", params=MOUNTS[:2])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OF_THE_SERVER", MARKER)
        with running(tmp_path_factory.mktemp("sandbox"), runner=request.param, lifetime=600) as address:
            yield address


@pytest.fixture
def pods(served: Any) -> Iterator[Pods]:
    found = Pods(Api(served.url, served.token))
    yield found
    found.remove()


def volumes(*paths: str) -> dict[str, Any]:
    """An empty directory at each path: arguments of `says`."""
    mounts = [{"name": f"v{number}", "mountPath": path} for number, path in enumerate(paths)]
    return {
        "of": {"volumeMounts": mounts},
        "volumes": [{"name": mount["name"], "emptyDir": {}} for mount in mounts],
    }


def until_up(pods: Pods, name: str) -> None:
    """Wait until a container has said that it is up."""
    pods.until(name, lambda pod: "running" in state_of(pod))
    answer = pods.api.session.get(f"{pods.api.url}{pods.path}/{name}/log?follow=true", stream=True, timeout=20)
    with answer:
        assert next(answer.iter_lines()) == b"up"


@pytest.mark.parametrize(("command", "code"), [("exit 7", 7), ("kill -KILL $$$$", 137), ("kill -SEGV $$$$", 139)])
def test_the_exit_code_is_that_of_the_command(pods: Pods, command: str, code: int) -> None:
    pod = pods.run(container(command))
    assert state_of(pod)["terminated"]["exitCode"] == code
    assert pods.log(pod["metadata"]["name"]) == []


def test_a_program_that_is_not_there_is_named(pods: Pods) -> None:
    pod = pods.run({"name": "main", "image": "busybox", "command": ["/no/such/program"]})
    assert pod["status"]["phase"] == "Failed"
    assert "/no/such/program" in "\n".join(pods.log(pod["metadata"]["name"]))


def test_no_signal_is_ignored(pods: Pods) -> None:
    """But for two that the C library keeps for itself, above the others."""
    (told,) = pods.says("grep SigIgn /proc/self/status")
    assert int(told.split()[1], 16) & 0x7FFFFFFF == 0


def test_a_command_is_given_its_standard_streams_alone(pods: Pods) -> None:
    """Through another file of the sandbox's it could forge its own exit code, or reach this machine."""
    assert pods.says("for n in $(seq 0 40); do if test -e /proc/$$$$/fd/$n; then echo $n; fi; done") == ["0", "1", "2"]


def test_a_command_is_asked_to_end_as_soon_as_it_runs(pods: Pods) -> None:
    """Not the processes around it, which would end without it."""
    name = pods.create(container(f"trap 'echo asked; exit 3' TERM; echo up; {LOOP}"), terminationGracePeriodSeconds=20)
    until_up(pods, name)
    pods.api.send("DELETE", f"{pods.path}/{name}")
    assert state_of(pods.until_gone(name))["terminated"]["exitCode"] == 3


def test_variables_may_have_any_name(pods: Pods) -> None:
    env = [{"name": "a.name-with.signs", "value": "a b\nc"}]
    pod = pods.run({"name": "main", "image": "busybox", "command": ["env"], "env": env})
    assert "a.name-with.signs=a b\nc" in "\n".join(pods.log(pod["metadata"]["name"]))


def test_files_are_those_of_the_user_who_runs_the_sandbox(pods: Pods) -> None:
    given = volumes("/made/here")
    assert pods.says("id -u; touch /made/here/x; stat -c %u /made/here/x", **given) == [str(os.getuid())] * 2


def test_this_machine_is_read_only_at_every_mount(pods: Pods) -> None:
    """Those below others, such as /sys/kernel/debug or a disk of its own at /home, too."""
    command = "while read -r _ _ _ _ place options _; do echo $place $options; done < /proc/self/mountinfo"
    own = ("/", "/tmp", "/task", "/proc", "/dev", "/.sandbox", "/argo")
    lines = [line.split() for line in pods.says(command)]
    foreign = {
        place: options.split(",")
        for place, options in lines
        if place not in own and not place.startswith(tuple(f"{each}/" for each in own if each != "/"))
    }
    assert "/usr" in foreign or "/etc" in foreign
    assert [place for place, options in foreign.items() if "ro" not in options] == []


def test_mounts_may_be_within_each_other(pods: Pods) -> None:
    given = volumes("/srv", "/srv/deep", "/usr/share/of-its-own/deep")
    given["of"]["volumeMounts"].append({"name": "v0", "mountPath": "/again"})
    command = "echo 1 > /srv/a; echo 2 > /srv/deep/b; touch /usr/share/of-its-own/deep/c; cat /again/a /srv/deep/b"
    assert pods.says(command, **given) == ["1", "2"]


def test_nothing_is_written_to_this_machine(pods: Pods, served: Any) -> None:
    place = f"/of-{uuid.uuid4().hex[:8]}"
    pods.says(f"echo x > {place}/deep/x; mkdir -p /elsewhere{place}; touch /dev/shm{place}", **volumes(f"{place}/deep"))
    assert not any(Path(f"{root}{place}").exists() for root in ("", "/elsewhere", "/dev/shm"))
    found = [place for place, _, names in os.walk(served.directory) if "x" in names]  # what is being removed may go
    assert [each for each in found if "trash" not in Path(each).parts] == []


def test_a_container_sees_its_own_processes_alone(pods: Pods) -> None:
    told = pods.says("cat /proc/[0-9]*/environ | tr '\\0' '\\n'; ls -d /proc/[0-9]* | wc -l")
    assert MARKER not in "\n".join(told)
    assert int(told[-1]) < 9


def test_no_secret_is_an_argument_of_a_process(pods: Pods) -> None:
    secret = f"s-{uuid.uuid4().hex}"
    pods.api.create(f"{pods.space}/secrets", {"metadata": {"name": "salt"}, "stringData": {"SALT": secret}})
    source = {"envFrom": [{"secretRef": {"name": "salt"}}]}
    name = pods.create(container(f'test -n "$SALT" && echo up; {LOOP}', **source))
    until_up(pods, name)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes()
        except OSError:
            continue
        assert secret.encode() not in arguments


def test_bubblewrap_that_is_not_there_is_not_replaced_silently(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with (
            pytest.raises(LaunchError, match="bubblewrap does not work on this machine"),
            running(tmp_path / "state", runner="bubblewrap"),
        ):
            pass
