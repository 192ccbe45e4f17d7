"""What a container of a workflow finds in its file system, and which of its files are outputs, in private roots."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from machine import MOUNTS
from sandbox_api import Api
from sandbox_workflows import Workflows, nodes, workflow

from hera_k8s_sandbox.server.launch import running


@pytest.fixture(scope="module", params=MOUNTS[:2])
def flows(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflows]:
    with running(tmp_path_factory.mktemp("sandbox"), lifetime=600, runner=request.param) as address:
        yield Workflows(Api(address.url, address.token))


def script(source: str, *paths: str, **more: Any) -> dict[str, Any]:
    """A template that runs a script, and whose output parameters are at these paths."""
    outputs = {"parameters": [{"name": f"p{at}", "valueFrom": {"path": path}} for at, path in enumerate(paths)]}
    command = more.pop("command", ["sh"])
    body = {"image": "busybox", "command": command, "source": source} | more.pop("script", {})
    return {"name": "main", "script": body, "outputs": outputs if paths else {}, **more}


def outputs(found: dict[str, Any]) -> list[str]:
    assert found["status"]["phase"] == "Succeeded", nodes(found)
    (node,) = nodes(found).values()
    return [one["value"] for one in node["outputs"]["parameters"]]


def test_a_container_starts_in_the_root_directory(flows: Workflows) -> None:
    found = flows.run(workflow(script("pwd; echo relative > made.txt", "/made.txt")))
    assert flows.log(found["metadata"]["name"]) == ["/"]
    assert outputs(found) == ["relative"]


def test_a_working_directory_of_its_own(flows: Workflows) -> None:
    found = flows.run(workflow(script("pwd; echo x > y", "/srv/work/y", script={"workingDir": "/srv/work"})))
    assert flows.log(found["metadata"]["name"]) == ["/srv/work"]
    assert outputs(found) == ["x"]


def test_a_script_may_be_executed(flows: Workflows) -> None:
    """As in Argo, its mode is 0755: `sh -c /argo/staging/script`."""
    python = script("#!/usr/bin/env python3\nprint(6 * 7)", command=["sh", "-c"])
    assert flows.log(flows.run(workflow(python))["metadata"]["name"]) == ["42"]


@pytest.mark.parametrize("path", ["/made/up/x", "/usr/share/made/up/x", "/srv/up/x"])
def test_the_directory_of_an_output_is_the_containers_to_make(flows: Workflows, path: str) -> None:
    parent = path.rpartition("/")[0]
    source = f"test ! -e {parent} && mkdir -p {parent} && echo done > {path}"
    assert outputs(flows.run(workflow(script(source, path)))) == ["done"]
    lazy = flows.run(workflow(script(f"echo done > {path}", path)))
    assert lazy["status"]["phase"] == "Failed"


def test_an_output_that_the_image_holds_already(flows: Workflows) -> None:
    path = "/etc/passwd"
    kept = Path(path).read_text(encoding="utf-8").removesuffix("\n")
    assert outputs(flows.run(workflow(script("true", path)))) == [kept]
    assert outputs(flows.run(workflow(script(f"echo more >> {path}; cp {path} /tmp/p", path)))) == [f"{kept}\nmore"]
    assert Path(path).read_text(encoding="utf-8").removesuffix("\n") == kept


def artifact(flows: Workflows, source: str, path: str, *parameters: str) -> set[str]:
    """The names in the artifact of a path, after a script."""
    main = script(source, *parameters)
    found = flows.run(workflow(main | {"outputs": main["outputs"] | {"artifacts": [{"name": "a", "path": path}]}}))
    assert found["status"]["phase"] == "Succeeded", nodes(found)
    name = found["metadata"]["name"]
    packed = flows.api.send("GET", f"/artifacts/default/{name}/{name}/a").content
    with tarfile.open(fileobj=BytesIO(packed), mode="r:gz") as archive:
        return {each.partition("/")[2] for each in archive.getnames()} - {""}


@pytest.mark.parametrize("path", ["/etc/skel", "/etc/ssl", "/etc", "/usr/share", "/opt"])
def test_an_artifact_of_a_directory_holds_no_files_of_this_machine(flows: Workflows, path: str) -> None:
    before = sorted(Path(path).iterdir())
    assert artifact(flows, f"echo mine > {path}/mine", path) == {"mine"}
    assert sorted(Path(path).iterdir()) == before


def test_outputs_beside_and_within_each_other(flows: Workflows) -> None:
    source = "echo 1 > /etc/foo.txt; echo 2 > /etc/ssl/x; test -e /etc/passwd"
    assert artifact(flows, source, "/etc/ssl", "/etc/foo.txt") == {"x"}
    source = "mkdir /etc/ssl; echo 1 > /etc/ssl/foo.txt; echo 2 > /etc/x"
    assert artifact(flows, source, "/etc", "/etc/ssl/foo.txt") == {"ssl", "ssl/foo.txt", "x"}
    found = flows.run(workflow(script("echo 1 > /etc/a; echo 2 > /etc/ssl/b", "/etc/a", "/etc/ssl/b")))
    assert outputs(found) == ["1", "2"]


def test_a_volume_within_an_output(flows: Workflows) -> None:
    volume = {"volumes": [{"name": "v", "emptyDir": {}}]}
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/srv/data"}]}
    main = script("echo 1 > /srv/mine; echo 2 > /srv/data/x; cat /srv/data/x", script=mounts) | volume
    found = flows.run(workflow(main | {"outputs": {"artifacts": [{"name": "a", "path": "/srv"}]}}))
    assert found["status"]["phase"] == "Succeeded", nodes(found)
    assert flows.log(found["metadata"]["name"]) == ["2"]


@pytest.mark.parametrize("path", ["/usr", "/usr/bin"])
def test_a_directory_of_programs_is_refused(flows: Workflows, path: str) -> None:
    main = script("true") | {"outputs": {"artifacts": [{"name": "a", "path": path}]}}
    found = flows.run(workflow(main))
    assert f"does not take {path} for an output: it holds programs of this machine" in found["status"]["message"]


def test_a_large_file_of_this_machine_is_refused(flows: Workflows) -> None:
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as large:
        large.truncate((16 << 20) + 1)
        found = flows.run(workflow(script("true", large.name)))
    told = f"does not take {large.name} for an output: this machine's file exceeds 16 MiB"
    assert told in found["status"]["message"]
