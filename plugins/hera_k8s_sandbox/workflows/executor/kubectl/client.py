"""Client: requests to the Kubernetes API as kubectl makes them, with nothing but the standard library."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Final

from hera_k8s_utils._types import Json

_TIMEOUT: Final = 60.0  # seconds, for one request
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Refused(Exception):
    """The API server refuses a request.

    status: its Status object.
    """

    def __init__(self, status: Json) -> None:
        super().__init__(status.get("message", ""))
        self.status = status

    @property
    def reason(self) -> str:
        """The machine's word for why, such as `NotFound`."""
        return str(self.status.get("reason") or "")


class Client:
    """The API at a URL, under a token.

    namespace: of objects that do not name one.
    """

    def __init__(self, url: str, token: str, namespace: str) -> None:
        self.namespace = namespace
        self._url = url
        self._token = token
        self._known: dict[str, list[Json]] = {}

    def send(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Json:
        """One request; the answer's JSON. Raises Refused."""
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", "Content-Type": kind}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data=data, headers=headers, method=method)  # noqa: S310
        try:
            with _OPENER.open(request, timeout=_TIMEOUT) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            try:
                status = json.load(error)
            except ValueError:
                status = {"message": f"the server answered {error.code}", "code": error.code}
            raise Refused(status) from None

    # Where things are

    def place_of(self, obj: Json) -> str:
        """The path at which objects of an object's kind and namespace are. Raises ValueError."""
        version, kind = str(obj.get("apiVersion") or ""), str(obj.get("kind") or "")
        for one in self._resources(version):
            if one["kind"] == kind and "/" not in one["name"]:
                return self._path(version, one, str((obj.get("metadata") or {}).get("namespace") or ""))
        raise ValueError(f'no matches for kind "{kind}" in version "{version}"')

    def place_named(self, word: str, namespace: str = "") -> tuple[str, Json]:
        """The path of what a word such as `deploy` or `jobs.batch` names, and its kind. Raises ValueError."""
        wanted, _, group = word.lower().partition(".")
        for version in ["v1", *self._versions()]:
            if group and not version.startswith(f"{group}/"):
                continue
            for one in self._resources(version):
                names = (one["name"], one.get("singularName"), one["kind"].lower(), *(one.get("shortNames") or ()))
                if "/" not in one["name"] and wanted in names:
                    return self._path(version, one, namespace), {"apiVersion": version, "kind": one["kind"]}
        raise ValueError(f'the server doesn\'t have a resource type "{word}"')

    def is_own(self, obj: Json) -> bool:
        """Whether the API server knows a kind's schema, so that lists in its patches are merged."""
        group = str(obj.get("apiVersion") or "").rpartition("/")[0]
        return "." not in group or group.endswith(".k8s.io")

    def _path(self, version: str, resource: Json, namespace: str) -> str:
        base = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        if not resource["namespaced"]:
            return f"{base}/{resource['name']}"
        return f"{base}/namespaces/{urllib.parse.quote(namespace or self.namespace)}/{resource['name']}"

    def _versions(self) -> list[str]:
        return [one["preferredVersion"]["groupVersion"] for one in self.send("GET", "/apis")["groups"]]

    def _resources(self, version: str) -> list[Json]:
        if version not in self._known:
            base = f"/api/{version}" if "/" not in version else f"/apis/{version}"
            try:
                self._known[version] = list(self.send("GET", base)["resources"])
            except Refused as refused:
                if refused.status.get("code") != 404:
                    raise
                self._known[version] = []
        return self._known[version]
