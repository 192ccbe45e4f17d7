"""What a container of a workflow finds in its file system, and which of its files are outputs, in private roots."""

from __future__ import annotations

import tarfile
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


def test_an_artifact_of_a_directory_that_the_image_holds_already(flows: Workflows) -> None:
    main = script("touch /etc/skel/new") | {"outputs": {"artifacts": [{"name": "a", "path": "/etc/skel"}]}}
    name = flows.run(workflow(main))["metadata"]["name"]
    packed = flows.api.send("GET", f"/artifacts/default/{name}/{name}/a").content
    with tarfile.open(fileobj=BytesIO(packed), mode="r:gz") as archive:
        found = {Path(each).name for each in archive.getnames()} - {"skel"}
    assert found == {"new", *(each.name for each in Path("/etc/skel").iterdir())}


def test_a_directory_that_holds_too_much_is_refused(flows: Workflows) -> None:
    main = script("true") | {"outputs": {"artifacts": [{"name": "a", "path": "/usr"}]}}
    found = flows.run(workflow(main))
    assert "does not take /usr for an output: it holds more than 64 MiB already" in found["status"]["message"]
