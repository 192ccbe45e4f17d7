"""Images that published workflows use run on the sandbox as their scripts expect."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_api import Api
from sandbox_workflows import Workflows, nodes, workflow


@pytest.fixture(scope="module")
def flows(sandbox) -> Workflows:
    return Workflows(Api(sandbox.url, sandbox.token))


def main(image: str, *args: str, command: list[str] | None = None, **more: Any) -> dict[str, Any]:
    given = {"command": command} if command else {}
    return {"name": "main", "container": {"image": image, "args": list(args), **given}, **more}


@pytest.mark.parametrize("image", ["docker/whalesay", "docker/whalesay:latest", "docker.io/docker/whalesay"])
def test_the_whale_says_hello(flows: Workflows, image: str) -> None:
    found = flows.run(workflow(main(image, "hello world", command=["cowsay"])))
    assert flows.log(found["metadata"]["name"])[1] == "< hello world >"


def test_argosay_leaves_an_output(flows: Workflows) -> None:
    outputs = {"parameters": [{"name": "p", "valueFrom": {"path": "/tmp/made/p"}}]}
    found = flows.run(workflow(main("argoproj/argosay:v2", "echo", "hi", "/tmp/made/p", outputs=outputs)))
    (node,) = nodes(found).values()
    assert node["outputs"]["parameters"][0]["value"] == "hi"


def test_hello_world_needs_no_command(flows: Workflows) -> None:
    found = flows.run(workflow({"name": "main", "container": {"image": "hello-world"}}))
    assert found["status"]["phase"] == "Succeeded"
    assert flows.log(found["metadata"]["name"])[0].startswith("Hello from Docker!")


@pytest.mark.needs("bash")
def test_random_numbers_of_a_shell(flows: Workflows) -> None:
    """Argo's example of a coin flip in alpine; dash would print nothing."""
    source = 'test -n "$RANDOM" && echo $((RANDOM < 32768))'
    script = {"name": "main", "script": {"image": "alpine:3.23", "command": ["sh"], "source": source}}
    assert flows.log(flows.run(workflow(script))["metadata"]["name"]) == ["1"]


def test_arguments_without_a_command_are_the_command(flows: Workflows) -> None:
    found = flows.run(workflow(main("python:3.12-slim", "python", "-c", "print(6 * 7)")))
    assert flows.log(found["metadata"]["name"]) == ["42"]


def test_an_unknown_image_names_what_to_do(flows: Workflows) -> None:
    name = flows.submit(workflow({"name": "main", "container": {"image": "acme/solver:1"}}))
    waiting = flows.until(name, lambda found: "acme/solver" in str((found.get("status") or {}).get("nodes")))
    (node,) = nodes(waiting).values()
    assert "give the template a `command`" in node["message"]
    assert "--sandbox-images" in node["message"]
    flows.api.send("PUT", f"{flows.base}/{name}/terminate", {"name": name})
