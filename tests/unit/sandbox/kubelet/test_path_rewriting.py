"""Path rewriting refuses the tasks that would miss their mounts, by name and before they start."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_api import Api, claim, config_map
from sandbox_pods import Pods, container, state_of
from sandbox_workflows import Workflows, workflow
from sandbox_workflows import container as template

from hera_k8s_sandbox.kubelet.mounts import Mount, Task
from hera_k8s_sandbox.kubelet.path_rewriting import RewritingView, Unrewritable
from hera_k8s_sandbox.server.launch import running

PLACE = f"/data-of-{uuid.uuid4().hex[:8]}"
"""A path that this machine does not have."""


def task(directory: Path, *command: str, targets: tuple[str, ...] = ("/mnt/results",), **more: Any) -> Task:
    (directory / "claim").mkdir(exist_ok=True)
    mounts = tuple(Mount(directory / "claim", target) for target in targets)
    return Task("pod", directory / "pod", command, directory, **{"mounts": mounts, **more})


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (("ls", "/mnt"), "the command names /mnt, a parent of the mount /mnt/results"),
        (("sh", "-c", "cd /mnt/ && cat results/x"), "the command names /mnt, a parent of the mount"),
        (("touch", "//mnt/results/x"), "the command names the mount /mnt/results as //mnt/results"),
        (("touch", "/mnt/./results/x"), "the command names the mount /mnt/results as /mnt/./results"),
        (("sh", "-c", "echo x > /mnt//results/x"), "the command names the mount /mnt/results as /mnt//results"),
        (("sh", "-c", "cat /mnt/*/x"), "the command names /mnt, a parent of the mount"),
        (("sh", "-c", 'cat "/mnt/$DIR/x"'), "the command names /mnt, a parent of the mount"),
        (("sh", "-c", "cd / && cat mnt/results/x"), "the command names /, a parent of the mount"),
        (("find", "/", "-name", "x"), "the command names /, a parent of the mount"),
        (("sh", "-c", "find / -name x"), "the command names /, a parent of the mount"),
        (("python", "-c", "import os; os.path.join('/', 'mnt', 'results')"), "the command names /, a parent"),
        (("sh", "-c", "cat /${A}/results/x"), "the command computes a path (sh -c cat /${A}/results/x)"),
        (("python", "-c", "print(open(f'/{a}/x'))"), "the command computes a path"),
        (("python", "-c", "name = '/' + a"), "the command computes a path (python -c name = '/' + a)"),
    ],
)
def test_a_command_that_reaches_its_mount_another_way_is_refused(
    tmp_path: Path, command: tuple[str, ...], why: str
) -> None:
    with pytest.raises(Unrewritable) as refused:
        RewritingView().launch(task(tmp_path, *command))
    assert why in str(refused.value)
    assert "allow user namespaces, or install bubblewrap" in str(refused.value)


def test_scripts_variables_and_directories_are_looked_through_too(tmp_path: Path) -> None:
    script = "import os\nfor name in os.listdir('/mnt'):\n    print(name)\n"
    for given, why in (
        ({"script": script}, "the script names /mnt"),
        ({"env": {"ROOT": "/mnt"}}, "the variable ROOT names /mnt"),
        ({"working_directory": "/mnt"}, "the working directory /mnt is a parent of a mount"),
        ({"working_directory": "/"}, "the working directory / is a parent of a mount"),
        ({"outputs": ("/elsewhere/z",)}, "the output /elsewhere/z is not below a mount or /tmp"),
        ({"results": ("/z",)}, "the output /z is not below a mount or /tmp"),
    ):
        with pytest.raises(Unrewritable, match=why):
            RewritingView().launch(task(tmp_path, "true", **given))


def test_a_mount_within_another_is_not_reached_through_it(tmp_path: Path) -> None:
    with pytest.raises(Unrewritable, match="the command names /data, a parent of the mount /data/in"):
        RewritingView().launch(task(tmp_path, "ls", "/data", targets=("/data", "/data/in")))


def test_a_script_on_a_volume_that_names_a_mount_is_refused(tmp_path: Path) -> None:
    (tmp_path / "claim").mkdir()
    (tmp_path / "claim" / "main.py").write_text("open('/mnt/results/x')\n")
    for command in (("python", "/mnt/results/main.py"), ("sh", "-c", "cd /tmp; python /mnt/results/main.py")):
        with pytest.raises(Unrewritable, match=r"the file /mnt/results/main\.py names the mount /mnt/results"):
            RewritingView().launch(task(tmp_path, *command))


@pytest.mark.parametrize(
    "command",
    [
        ("echo", "/mnt/results/a"),
        ("sh", "-c", "cp /mnt/results/a /mnt/results/b; ls /mnt/other; echo a/b /mntx"),
        ("sh", "-c", 'x=3; echo "$HOME"/$x ${x}/a http://$HOST/$x a/$x; ls /usr'),
        ("python", "-c", "print('a/b'.split('/'), 4 / 2, '/'.join('ab'))"),
        ("sed", "s/$x/y/"),
    ],
)
def test_other_commands_are_served(tmp_path: Path, command: tuple[str, ...]) -> None:
    launch = RewritingView().launch(task(tmp_path, *command))
    assert launch.argv == tuple(word.replace("/mnt/results", str(tmp_path / "claim")) for word in command)


def test_an_address_is_no_spelling_of_a_mount(tmp_path: Path) -> None:
    line = "fetch s3://mnt/results"
    assert RewritingView().launch(task(tmp_path, "sh", "-c", line)).argv[2] == line


def test_without_a_mount_nothing_can_be_missed(tmp_path: Path) -> None:
    assert RewritingView().launch(task(tmp_path, "sh", "-c", "cd / && ls", targets=())).argv[2] == "cd / && ls"


# On a server


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running(tmp_path_factory.mktemp("sandbox"), runner="rewrite", lifetime=600) as address:
        yield address


@pytest.fixture
def pods(served: Any) -> Iterator[Pods]:
    found = Pods(Api(served.url, served.token))
    yield found
    found.remove()


def with_claim(*volumes: dict[str, Any]) -> dict[str, Any]:
    source = {"name": "v", "persistentVolumeClaim": {"claimName": "results"}}
    return {"volumes": [source, *volumes]}


def test_a_file_that_names_a_mount_keeps_its_pod_from_starting(pods: Pods) -> None:
    pods.api.create(f"{pods.space}/persistentvolumeclaims", claim("results"))
    pods.api.create(f"{pods.space}/configmaps", config_map("points", one=f"output={PLACE}/x"))
    mounts = [{"name": "v", "mountPath": PLACE}, {"name": "p", "mountPath": "/points"}]
    shell = ". /points/one; mkdir -p $output"
    source = {"name": "p", "configMap": {"name": "points"}}
    pod = pods.run(container(shell, volumeMounts=mounts), **with_claim(source))
    ended = state_of(pod)["terminated"]
    assert (pod["status"]["phase"], ended["reason"], ended["exitCode"]) == ("Failed", "StartError", 128)
    assert f"the file /points/one names the mount {PLACE}" in ended["message"]
    assert not Path(PLACE).exists()


def test_a_workflow_is_refused_before_its_first_task(pods: Pods) -> None:
    flows = Workflows(pods.api, pods.namespace)
    first = {"name": "main", "steps": [[{"name": "a", "template": "easy"}], [{"name": "b", "template": "late"}]]}
    late = template("late", outputs={"parameters": [{"name": "x", "valueFrom": {"path": "/elsewhere/x"}}]})
    found = flows.run(workflow(first, template("easy"), late))
    assert found["status"]["phase"] == "Error"
    assert "templates.late: the output /elsewhere/x is not below a mount or /tmp" in found["status"]["message"]
    assert pods.api.get(pods.path)["items"] == []
