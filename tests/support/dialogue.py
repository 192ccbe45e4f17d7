"""A dialogue with a Kubernetes API: requests, and the answers without what differs from run to run.

Two servers are alike when the same requests give the same dialogue. So what a server makes up (uids, times, versions,
random names, tokens) is replaced by a mark; uids by numbered ones, so that references are still compared.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from cluster_access import Access

Json = dict[str, Any]

TIMEOUT: Final = 30.0  # seconds
WAIT: Final = 30.0  # seconds for a controller to do its part

_UID: Final = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_TIME: Final = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_VERSIONS: Final = (
    (re.compile(r"(resource version: )\d+"), r"\1<version>"),
    (re.compile(r"(current: )\d+"), r"\1<version>"),
    (re.compile(r"(<version> )\(\d+\)"), r"\1(<version>)"),
)
# What a parser of another language says after the same beginning, and differences drawn for people to read.
_WORDS: Final = tuple(
    (re.compile(pattern, re.DOTALL), mark)
    for pattern, mark in (
        (r"(json parse error: ).*", r"\1<why>"),
        (r"(error decoding patch: ).*", r"\1<why>"),
        (r"(error decoding YAML: ).*", r"\1<why>"),
        (r"(continue key is not valid: ).*", r"\1<why>"),
        (r"(must be of type \w+\): yaml: ).*", r"\1<why>"),
        (r"(must be of type \w+\): Object 'Kind' is missing).*", r"\1"),
        (r"(Invalid value: \"\{).*(\}\": ).*", r"\1...\2<why>"),
        (r"(<secret contents redacted>\": ).*", r"\1<why>"),
        (r"(the server rejected our request due to an error in our request).*", r"\1"),
        (r"\n@@.*", ""),
    )
)
_TEMPLATE_HASH: Final = "pod-template-hash"  # a label; its value is also a part of names
_ALLOCATED: Final = ("clusterIP", "clusterIPs", "nodePort")  # a service's, from ranges that each cluster has for itself
_MARKED: Final = {"resourceVersion": "<version>", "continue": "<continue>", "token": "<token>"}


@dataclass(frozen=True)
class Cluster:
    """A server that conformance is about, and how one is one of its users.

    tokens: by the name of the user that they belong to. admin: on a cluster that was given there are no tokens: its
    administrator, with this way in, impersonates the users, whose groups are `groups`. sign: makes a service account's
    token of claims, where the key is to be had.
    """

    name: str
    url: str
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    verify: str | bool = True
    admin: Access | None = None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sign: Callable[[Json], str] | None = field(default=None, repr=False)

    def headers_of(self, user: str) -> dict[str, str]:
        """What makes a request a user's."""
        if self.admin is None:
            return bearer(self.tokens.get(user, ""))
        if not user:
            return {}
        groups = {"Impersonate-Group": ",".join(self.groups[user])} if self.groups[user] else {}
        return bearer(self.admin.token) | {"Impersonate-User": user, "Impersonate-Uid": f"{user}-uid"} | groups

    def token_of(self, user: str) -> str:
        """A user's token; skips the test where users are impersonated."""
        if self.admin is not None:
            pytest.skip("needs a user's token: on a cluster that was given, users are impersonated")
        return self.tokens[user]


def bearer(token: str) -> dict[str, str]:
    """The header for a token; none for none."""
    return {"Authorization": f"Bearer {token}"} if token else {}


@dataclass(frozen=True)
class Answer:
    """What came back; body: the JSON, or the text when it is none."""

    code: int
    body: Any
    headers: Mapping[str, str]

    @property
    def message(self) -> str:
        """The sentence of a Status."""
        return str(self.body["message"])

    @property
    def reason(self) -> str:
        """The word of a Status."""
        return str(self.body["reason"])

    @property
    def names(self) -> list[str]:
        """The names of a list's items."""
        return [item["metadata"]["name"] for item in self.body["items"]]


class Dialogue:
    """One test's requests to a cluster, in a namespace of its own, and what is remembered of the answers.

    `{ns}` in a path stands for the namespace's path: `{ns}/configmaps`.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.lines: list[Json] = []
        self._uids: dict[str, str] = {}
        self._generated: dict[str, str] = {}
        self._hashes: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = cluster.verify

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user: str = "admin",
        token: str | None = None,
        kind: str = "application/json",
        accept: str = "application/json",
        remember: bool = True,
        **headers: str,
    ) -> Answer:
        """One request as a user (empty: anonymous) or with a token.

        body: sent as JSON unless it is bytes. remember: whether the answer belongs to what is compared.
        """
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()} | {"Accept": accept}
        if data is not None:
            given["Content-Type"] = kind
        own = token is None and bool(user)
        who = self.cluster.headers_of(user) if token is None else bearer(token)
        found = self._session.request(
            method,
            self.cluster.url + self.path(path),
            data=data,
            headers=who | given,
            timeout=TIMEOUT,
            cert=self.cluster.admin.certificate if own and self.cluster.admin else None,
        )
        answer = Answer(found.status_code, _body(found), found.headers)
        if remember:
            asked = f"{method} {path}" + (f" as {user or 'system:anonymous'}" if user != "admin" else "")
            self.remember(asked, code=answer.code, answer=answer.body, **_told_headers(found))
        else:
            self._normal(answer.body)  # what is made up may be spoken of later
        return answer

    def path(self, path: str) -> str:
        """A path with the namespace in it."""
        return path.replace("{ns}", f"/api/v1/namespaces/{self.namespace}").replace("{namespace}", self.namespace)

    def create(self, path: str, body: Json, **more: Any) -> Json:
        """The object that a POST makes."""
        answer = self.send("POST", path, body, **more)
        assert answer.code == 201, answer.body
        return dict(answer.body)

    def get(self, path: str, **more: Any) -> Answer:
        """One GET."""
        return self.send("GET", path, **more)

    def patch(self, path: str, body: Any, kind: str = "merge-patch+json", **more: Any) -> Answer:
        """One PATCH; kind: what comes after `application/`."""
        return self.send("PATCH", path, body, kind=f"application/{kind}", **more)

    def watch(self, path: str, *, until: int | None = None, accept: str = "application/json") -> list[Json]:
        """The events of a watch until it ends, or until there are so many."""
        events = []
        headers = self.cluster.headers_of("admin") | {"Accept": accept}
        certificate = self.cluster.admin.certificate if self.cluster.admin else None
        url = self.cluster.url + self.path(path)
        with self._session.get(url, headers=headers, cert=certificate, stream=True, timeout=TIMEOUT) as found:
            for line in found.iter_lines():
                events.append(json.loads(line))
                if until is not None and len(events) >= until:
                    break
        return events

    def remember(self, asked: str, **told: Any) -> None:
        """Add a line to what is compared."""
        line = {"asked": asked, **told}
        self.lines.append(json.loads(self._unmarked(json.dumps(self._normal(line), sort_keys=True))))

    def _normal(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            self._learn_generated(value)
            return {name: self._normal(child, name) for name, child in sorted(value.items()) if name != "managedFields"}
        if key in _ALLOCATED and value and value not in ("None", ["None"]):
            if key == "clusterIP":
                self._addresses[value] = f"<{key}>"
            return f"<{key}>"
        if isinstance(value, list):
            return [self._normal(child) for child in value]
        if key in _MARKED and isinstance(value, str) and value:
            return _MARKED[key]
        if key == "message" and isinstance(value, str):
            for pattern, mark in _WORDS:
                value = pattern.sub(mark, value)
        return value

    def _learn_generated(self, meta: Json) -> None:
        if isinstance(template := meta.get(_TEMPLATE_HASH), str):
            self._hashes.setdefault(template, f"<hash-{len(self._hashes) + 1}>")
        base, name = meta.get("generateName"), meta.get("name")
        if base and isinstance(name, str):
            self._generated[name] = base[: len(name) - 5] + "<5>"

    def _unmarked(self, text: str) -> str:
        for name, mark in (*self._generated.items(), *self._hashes.items(), *self._addresses.items()):
            text = text.replace(name, mark)
        text = text.replace(self.namespace, "<namespace>")
        text = _UID.sub(lambda found: self._uids.setdefault(found[0], f"<uid-{len(self._uids) + 1}>"), text)
        text = _TIME.sub("<time>", text)
        for pattern, mark in _VERSIONS:
            text = pattern.sub(mark, text)
        return text


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for what a controller does on its own."""
    ends_at = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > ends_at:
            raise AssertionError(f"waited {WAIT:g} s for {what}")
        time.sleep(0.02)


def golden_path(directory: Path, file: str, test: str) -> Path:
    """Where the dialogue of a test is kept."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", test).strip("-")
    return directory / file / f"{name}.json"


def differences(wanted: list[Json], found: list[Json]) -> Iterator[str]:
    """Where two dialogues differ, request by request."""
    for index, (one, other) in enumerate(zip(wanted, found, strict=False)):
        if one.get("code") != other.get("code"):  # then all the rest differs, too
            told = [f"     recorded: {_outcome(one)}\n     found:    {_outcome(other)}"]
        else:
            told = list(_differences(one, other, ""))
        if told:
            yield "\n".join([f"{index + 1}. {one['asked']}", *told])
    if len(wanted) != len(found):
        yield f"{len(wanted)} requests were recorded, {len(found)} were made"


def _outcome(line: Json) -> str:
    answer = line.get("answer")
    message = answer.get("message", "an object") if isinstance(answer, dict) else answer
    return f"{line.get('code')} {message}"


def _differences(wanted: Any, found: Any, where: str) -> Iterator[str]:
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted(wanted.keys() | found.keys()):
            yield from _differences(wanted.get(key, _ABSENT), found.get(key, _ABSENT), f"{where}.{key}")
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from _differences(one, other, f"{where}[{index}]")
    elif wanted != found:
        yield f"   {where}\n     recorded: {_shown(wanted)}\n     found:    {_shown(found)}"


def _shown(value: Any) -> str:
    return "(absent)" if value is _ABSENT else json.dumps(value)


_ABSENT: Final = object()


def _body(found: requests.Response) -> Any:
    try:
        return found.json()
    except ValueError:
        return found.text


def _told_headers(found: requests.Response) -> Json:
    told = {name.lower(): found.headers[name] for name in ("Warning", "Retry-After") if name in found.headers}
    kind = found.headers.get("Content-Type", "").partition(";")[0]
    return told | ({} if kind == "application/json" else {"type": kind})
