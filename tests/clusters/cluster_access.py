"""Ways into a cluster for tests: what a kubeconfig says, plain requests, and kubeconfigs of our own."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import requests

Json = dict[str, Any]

TIMEOUT: Final = 30.0  # seconds for an answer, and for a controller to do its part
_BEARER: Final = "/bearer/"  # the sandbox's kubeconfig holds the token in the server's path, for kubectl's sake
_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True)
class Access:
    """A server and the credentials of its administrator: a token, a client's certificate with its key, or both none."""

    url: str
    verify: str | bool = True
    token: str = field(default="", repr=False)
    certificate: tuple[str, str] | None = None

    def session(self, *, anonymous: bool = False) -> requests.Session:
        """For requests as the administrator, or as nobody."""
        made = requests.Session()
        made.trust_env = False
        made.verify = self.verify
        if not anonymous:
            made.cert = self.certificate
            if self.token:
                made.headers["Authorization"] = f"Bearer {self.token}"
        return made


def access_of(kubeconfig: str | Path, context: str | None = None) -> Access:
    """What a kubeconfig says, by the official client: it knows all the ways there are. Raises its ConfigException."""
    from kubernetes import client, config

    settings = client.Configuration()
    config.load_kube_config(str(kubeconfig), context=context, client_configuration=settings, persist_config=False)
    url, _, in_path = settings.host.rstrip("/").partition(_BEARER)
    token = in_path or settings.get_api_key_with_prefix("authorization", "BearerToken") or ""
    token = token or settings.get_api_key_with_prefix("BearerToken") or ""
    verify: str | bool = settings.verify_ssl
    if verify and settings.ssl_ca_cert:
        verify = settings.ssl_ca_cert
    certificate = (settings.cert_file, settings.key_file) if settings.cert_file else None
    return Access(url, verify, token.removeprefix("Bearer "), certificate)


class Kube:
    """The Kubernetes API by plain requests; `{ns}` in a path stands for the path of the namespace."""

    def __init__(self, access: Access, namespace: str, *, anonymous: bool = False) -> None:
        self.access = access
        self.namespace = namespace
        self._session = access.session(anonymous=anonymous)

    def send(self, method: str, path: str, body: Any = None, *, kind: str = "application/json") -> requests.Response:
        """One request."""
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": kind}
        url = self.access.url + path.replace("{ns}", f"/api/v1/namespaces/{self.namespace}")
        return self._session.request(method, url, data=data, headers=headers, timeout=TIMEOUT)

    def get(self, path: str) -> Json:
        """The JSON of a GET that succeeds."""
        answer = self.send("GET", path)
        assert answer.ok, answer.text
        return dict(answer.json())

    def find(self, path: str) -> Json | None:
        """The JSON of a GET; None when there is nothing."""
        answer = self.send("GET", path)
        assert answer.ok or answer.status_code == 404, answer.text
        return dict(answer.json()) if answer.ok else None

    def create(self, path: str, body: Json) -> Json:
        """The JSON of a POST that succeeds."""
        answer = self.send("POST", path, body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def patch(self, path: str, change: Any, kind: str = "merge-patch+json") -> Json:
        """The JSON of a PATCH that succeeds."""
        answer = self.send("PATCH", path, change, kind=f"application/{kind}")
        assert answer.ok, answer.text
        return dict(answer.json())

    def delete(self, path: str, options: Json | None = None) -> None:
        """Delete what may be there."""
        answer = self.send("DELETE", path, options or {})
        assert answer.ok or answer.status_code == 404, answer.text

    def watch(self, path: str, *, seconds: float = TIMEOUT) -> Iterator[Json]:
        """The events of a list's watch until the server has ended it after so many seconds."""
        join = "&" if "?" in path else "?"
        url = self.access.url + path.replace("{ns}", f"/api/v1/namespaces/{self.namespace}")
        asked = f"{url}{join}watch=1&timeoutSeconds={seconds:g}"
        with self._session.get(asked, stream=True, timeout=seconds + TIMEOUT) as answer:
            assert answer.ok, answer.text
            for line in answer.iter_lines():
                yield json.loads(line)

    def until(self, path: str, condition: Callable[[Json], Any], *, seconds: float = TIMEOUT) -> Json:
        """Wait, by a watch, until an object satisfies a condition; its state then."""
        collection, _, name = path.rpartition("/")
        last: Json = {}
        for event in self.watch(f"{collection}?fieldSelector=metadata.name%3D{name}", seconds=seconds):
            last = event["object"]
            if event["type"] in ("ADDED", "MODIFIED") and condition(last):
                return last
        raise AssertionError(f"{path} has not come to what was waited for in {seconds:g} s: {json.dumps(last)[:3000]}")

    def may(self, verb: str, resource: str, *, group: str = "", subresource: str = "") -> bool:
        """Whether one may do something in the namespace."""
        asked = {"namespace": self.namespace, "verb": verb, "resource": resource, "group": group}
        spec = {"resourceAttributes": asked | {"subresource": subresource}}
        return bool(self.create(_REVIEWS, {"spec": spec})["status"]["allowed"])


def wait_until(condition: Callable[[], Any], what: str, *, seconds: float = TIMEOUT) -> None:
    """Wait for what has no watch."""
    ends_at = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends_at:
            raise AssertionError(f"waited {seconds:g} s for {what}")
        time.sleep(0.02)


def write_kubeconfig(path: Path, access: Access, namespace: str, *, user: str = "admin") -> Path:
    """Write a kubeconfig that stands alone (0600)."""
    cluster: Json = {"server": access.url}
    if isinstance(access.verify, str):
        cluster["certificate-authority"] = os.path.abspath(access.verify)
    elif not access.verify:
        cluster["insecure-skip-tls-verify"] = True
    if access.token and access.url.startswith("http:"):  # kubectl sends no token over plain http
        cluster["server"] = f"{access.url}{_BEARER}{access.token}"
    who: Json = {"token": access.token} if access.token else {}
    if access.certificate:
        who |= dict(zip(("client-certificate", "client-key"), map(os.path.abspath, access.certificate), strict=True))
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": cluster}],
        "users": [{"name": user, "user": who}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": user, "namespace": namespace}}],
        "current-context": "here",
    }
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    path.touch(mode=0o600)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def make_account(kube: Kube, name: str, rules: list[Mapping[str, Any]]) -> Access:
    """A service account of the namespace with these rights and no others, once they hold; and the way in as it."""
    kube.create("{ns}/serviceaccounts", {"metadata": {"name": name}})
    roles = f"{_RBAC}/namespaces/{kube.namespace}"
    token = kube.create(f"{{ns}}/serviceaccounts/{name}/token", {"spec": {}})["status"]["token"]
    access = Access(kube.access.url, kube.access.verify, token)
    if not rules:
        return access
    kube.create(f"{roles}/roles", {"metadata": {"name": name}, "rules": rules})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": kube.namespace}
    binding = {"metadata": {"name": name}, "subjects": [subject], "roleRef": reference}
    kube.create(f"{roles}/rolebindings", binding)
    asks = Kube(access, kube.namespace)
    group, resource, verb = rules[0]["apiGroups"][0], rules[0]["resources"][0], rules[0]["verbs"][0]
    resource, _, part = resource.partition("/")
    what = {"verb": verb, "resource": resource, "group": group, "subresource": part, "namespace": kube.namespace}
    if rules[0].get("resourceNames"):
        what["name"] = rules[0]["resourceNames"][0]
    question = {"spec": {"resourceAttributes": what}}
    wait_until(lambda: asks.create(_REVIEWS, question)["status"]["allowed"], f"the rights of {name}")
    return access
