"""Requests to a sandbox as any HTTP client would send them, with the answers as they came."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import requests

Json = dict[str, Any]


class Api:
    """The Kubernetes API of a sandbox under one token; no token: anonymous."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        if token is not None:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def send(
        self, method: str, path: str, body: Any = None, *, kind: str = "application/json", **headers: str
    ) -> requests.Response:
        """One request; a body that is not bytes is sent as JSON."""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if data is not None:
            given["Content-Type"] = kind
        return self.session.request(method, self.url + path, data=data, headers=given, timeout=30)

    def get(self, path: str, **headers: str) -> Json:
        """The JSON of a GET that succeeds."""
        answer = self.send("GET", path, **headers)
        assert answer.ok, answer.text
        return dict(answer.json())

    def create(self, path: str, body: Json) -> Json:
        """The JSON of a POST that succeeds."""
        answer = self.send("POST", path, body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def patch(self, path: str, body: Any, kind: str = "merge-patch+json") -> requests.Response:
        """One PATCH."""
        return self.send("PATCH", path, body, kind=f"application/{kind}")

    def watch(self, path: str) -> Iterator[Json]:
        """The events of a watch until it ends."""
        with self.session.get(self.url + path, stream=True, timeout=30) as answer:
            assert answer.ok, answer.text
            for line in answer.iter_lines():
                yield json.loads(line)


def config_map(name: str = "settings", **data: str) -> Json:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def claim(name: str, storage_class: str | None = None) -> Json:
    """A claim of 1Gi."""
    spec: Json = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def make_namespace(api: Api, name: str) -> str:
    """A new namespace; the path of its core resources."""
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    return f"/api/v1/namespaces/{name}"
