"""Workflows on a sandbox: small manifests, submission, and waiting on the event stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from sandbox_api import Api

Json = dict[str, Any]
ENDED = ("Succeeded", "Failed", "Error")


def container(name: str = "main", *command: str, **more: Any) -> Json:
    """A template that runs a command; `sh -c` for a single one with spaces."""
    run = ["sh", "-c", command[0]] if len(command) == 1 and " " in command[0] else list(command or ("true",))
    return {"name": name, "container": {"image": "busybox", "command": run} | more.pop("container", {}), **more}


def dag(*tasks: Json, name: str = "main", **more: Any) -> Json:
    """A DAG template."""
    return {"name": name, "dag": {"tasks": list(tasks), **more.pop("dag", {})}, **more}


def task(name: str, template: str, arguments: dict[str, Any] | None = None, **more: Any) -> Json:
    """A task of a DAG, or a step."""
    parameters = [{"name": key, "value": value} for key, value in (arguments or {}).items()]
    return {"name": name, "template": template, "arguments": {"parameters": parameters}, **more}


def workflow(*templates: Json, **spec: Any) -> Json:
    """A workflow whose entrypoint is its first template."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "test-"},
        "spec": {"entrypoint": templates[0]["name"], "templates": list(templates), **spec},
    }


class Workflows:
    """The Argo API of a sandbox, in one namespace."""

    def __init__(self, api: Api, namespace: str = "default") -> None:
        self.api = api
        self.namespace = namespace
        self.base = f"/api/v1/workflows/{namespace}"

    def submit(self, manifest: Json) -> str:
        """Create a workflow; its name."""
        answer = self.api.send("POST", self.base, {"workflow": manifest})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["metadata"]["name"])

    def get(self, name: str) -> Json:
        """The workflow."""
        return self.api.get(f"{self.base}/{name}")

    def events(self, name: str) -> Iterator[Json]:
        """The event stream's frames about one workflow."""
        path = f"/api/v1/workflow-events/{self.namespace}?listOptions.fieldSelector=metadata.name={name}"
        with self.api.session.get(
            self.api.url + path, headers={"Accept": "text/event-stream"}, stream=True, timeout=60
        ) as answer:
            assert answer.ok, answer.text
            for line in answer.iter_lines():
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])

    def until(self, name: str, condition: Callable[[Json], Any]) -> Json:
        """Wait until a state of the workflow satisfies a condition; that state."""
        for frame in self.events(name):
            found = frame["result"]["object"]
            if condition(found):
                return dict(found)
        raise AssertionError("the event stream ended")

    def finish(self, name: str) -> Json:
        """Wait for the end; the workflow."""
        return self.until(name, lambda found: found.get("status", {}).get("phase") in ENDED)

    def run(self, manifest: Json) -> Json:
        """Submit and wait for the end."""
        return self.finish(self.submit(manifest))

    def log(self, name: str, **query: str) -> list[str]:
        """The lines of a workflow's log."""
        given = {"logOptions.container": "main"} | query
        parameters = "&".join(f"{key}={value}" for key, value in given.items())
        answer = self.api.send("GET", f"{self.base}/{name}/log?{parameters}")
        assert answer.ok, answer.text
        return [json.loads(line)["result"]["content"] for line in answer.text.splitlines()]


def nodes(found: Json) -> dict[str, Json]:
    """A workflow's nodes by display name."""
    return {node["displayName"]: node for node in found["status"]["nodes"].values()}


def phases(found: Json) -> dict[str, str]:
    """The phases of a workflow's nodes by display name."""
    return {name: node["phase"] for name, node in nodes(found).items()}
