"""An Argo server of a few lines that keeps workflows and fails where a test says so, and the ways to talk to it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from fault_server import Answer, FaultServer, Request, cut, reply

from hera_k8s_argo.engines.server import ArgoEngine
from hera_k8s_utils import Context, build_container
from hera_k8s_utils.network.retry import RetryPolicy
from hera_k8s_utils.plugins.manager import PluginManager

Json = dict[str, Any]

NAMESPACE = "vcity"
WORKFLOWS = f"/api/v1/workflows/{NAMESPACE}"
EVENTS = f"/api/v1/workflow-events/{NAMESPACE}"
TOKEN = "t0ken-that-nobody-may-see"
HURRIED = RetryPolicy(max_failures=3, reset_after=3600, sleep=lambda seconds: None)
"""Waits for nothing, so that tests do not either."""


class ArgoPeer(FaultServer):
    """Answers version, info, the cheap list, create and get; `on` puts a fault in the place of any of them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.workflows: dict[str, Json] = {}
        self.otherwise = self._get
        self.on("GET", "/api/v1/version", reply(200, {"version": "v4.1.2"}))
        self.on("GET", "/api/v1/info", reply(200, {"managedNamespace": ""}))
        self.on("GET", "/api/v1/userinfo", reply(200, {}))
        self.on("GET", WORKFLOWS, reply(200, {"metadata": {}, "items": None}))
        self.on("POST", WORKFLOWS, self.accept)

    def keep(self, request: Request) -> Json:
        """Create the workflow that a request holds."""
        workflow: Json = request.json()["workflow"]
        name = workflow["metadata"]["name"]
        self.workflows[name] = {**workflow, "metadata": {**workflow["metadata"], "uid": f"uid-{name}"}}
        return self.workflows[name]

    def accept(self, request: Request, handler: Any) -> None:
        """What the server does when all is well, a conflict of names included."""
        body = request.json()
        name = body["workflow"]["metadata"]["name"]
        if name in self.workflows:
            found = {"code": 6, "message": f'workflows.argoproj.io "{name}" already exists'}
            reply(409, found)(request, handler)
        elif body["serverDryRun"]:
            reply(200, body["workflow"])(request, handler)
        else:
            reply(200, self.keep(request))(request, handler)

    def accept_and_cut(self) -> Answer:
        """Create it, and lose the answer."""
        return cut(after=self.keep)

    def _get(self, request: Request, handler: Any) -> None:
        name = request.path.removeprefix(f"{WORKFLOWS}/")
        if request.method == "GET" and name in self.workflows:
            reply(200, self.workflows[name])(request, handler)
        else:
            reply(404, {"code": 5, "message": f'workflows.argoproj.io "{name}" not found'})(request, handler)


def refusal(status: int, message: str, code: int = 2, headers: Mapping[str, str] | None = None) -> Answer:
    """An error as the Argo server writes it."""
    return reply(status, {"code": code, "message": message}, headers=headers)


@cache
def loaded() -> PluginManager:
    """The plugins, found once for all tests of a process."""
    return PluginManager.load(environ={})


@contextmanager
def connected(server: str, experiment: Any = None, **settings: Any) -> Iterator[Any]:
    """A container whose Argo server is the peer."""
    given = {"argo_server": server, "namespace": NAMESPACE, "http_timeout": 10.0, "http_retries": 1, **settings}
    if not {"argo_token", "argo_token_file", "argo_anonymous"} & given.keys():
        given["argo_token"] = TOKEN
    with build_container(experiment, environ={}, plugins=loaded(), **given) as container:
        yield container


@contextmanager
def argo_context(server: str, **settings: Any) -> Iterator[Context]:
    """A context whose Argo server is the peer."""
    with connected(server, **settings) as container:
        yield container.context()


def engine_of(context: Context, patience: RetryPolicy = HURRIED, instance: str = "") -> ArgoEngine:
    """The engine `argo` without its pauses."""
    return ArgoEngine(context.argo, instance, patience)  # type: ignore[arg-type]


def hello(name: str = "hello", **spec: Any) -> Json:
    """A small workflow as plain data."""
    template = {"name": "main", "container": {"image": "busybox", "command": ["true"]}}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": {"entrypoint": "main", "templates": [template], **spec},
    }


def jwt(**claims: Any) -> str:
    """A token that says these things of itself, signed by nobody."""
    parts = [{"alg": "none"}, claims]
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts), "sig"])


def state(phase: str, nodes: Mapping[str, Json] | None = None, *, name: str = "hello", uid: str = "u1") -> Json:
    """A workflow as `get` and the events show it."""
    metadata = {"name": name, "uid": uid}
    return {"metadata": metadata, "status": {"phase": phase, "nodes": dict(nodes or {}), "startedAt": "s"}}


def node(phase: str, name: str = "hello.a", **rest: Any) -> Json:
    """A pod's node."""
    return {"name": name, "displayName": name.rpartition(".")[2], "type": "Pod", "phase": phase, **rest}


def event(phase: str, nodes: Mapping[str, Json] | None = None, *, kind: str = "MODIFIED", **rest: Any) -> Json:
    """An event of the stream."""
    return {"result": {"type": kind, "object": state(phase, nodes, **rest)}}


END_OF_STREAM = {"error": {"grpc_code": 8, "http_code": 429, "message": "EOF", "http_status": "Too Many Requests"}}
"""How the server ends a stream in the best of health."""
