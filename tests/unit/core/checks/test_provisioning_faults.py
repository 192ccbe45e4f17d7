"""Provisioning over a bad line: what is declared is made once, and generated values are generated once."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argo_peer import loaded
from command_line import kubeconfig
from fault_server import Answer, FaultServer, Request, cut, reply

from hera_k8s_kube import Secret
from hera_k8s_utils import Experiment, PlatformError, Requirement, build_container, provision

Json = dict[str, Any]
SECRETS = "/api/v1/namespaces/vcity/secrets"
SALT = f"{SECRETS}/salt"


def status(code: int, reason: str) -> Answer:
    return reply(code, {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": reason})


class SecretsPeer(FaultServer):
    """An API server of a few lines that keeps Secrets, and refuses changes of an object as it was before."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Json] = {}
        self.on("POST", SECRETS, self.create)
        self.on("GET", SALT, self.get)
        self.on("PATCH", SALT, self.patch)

    def keep(self, request: Request) -> None:
        """Create the Secret that a request holds, unless there is one."""
        body = request.json()
        metadata = {**body["metadata"], "resourceVersion": "1"}
        self.kept.setdefault(body["metadata"]["name"], {**body, "metadata": metadata})

    def change(self, request: Request) -> bool:
        """Merge a patch; False when it was made for an older version."""
        body, found = request.json(), self.kept["salt"]
        version = found["metadata"]["resourceVersion"]
        if body["metadata"].get("resourceVersion") not in (None, version):
            return False
        found["data"].update(body["data"])
        found["metadata"]["resourceVersion"] = str(int(version) + 1)
        return True

    def create(self, request: Request, handler: Any) -> None:
        """A POST, when all is well."""
        if "salt" in self.kept:
            status(409, "AlreadyExists")(request, handler)
        else:
            self.keep(request)
            reply(201, self.kept["salt"])(request, handler)

    def get(self, request: Request, handler: Any) -> None:
        """A GET, when all is well."""
        (reply(200, self.kept["salt"]) if "salt" in self.kept else status(404, "NotFound"))(request, handler)

    def patch(self, request: Request, handler: Any) -> None:
        """A PATCH, when all is well."""
        (reply(200, {"kind": "Secret"}) if self.change(request) else status(409, "Conflict"))(request, handler)

    @property
    def values(self) -> Json:
        """The values that are kept."""
        return dict(self.kept["salt"]["data"])


@pytest.fixture
def peer() -> Iterator[SecretsPeer]:
    with SecretsPeer() as peer:
        yield peer


def provisioned(peer: SecretsPeer, directory: Path, *keys: str, data: dict[str, str] | None = None) -> list[str]:
    """Provision an experiment that wants a Secret with these generated keys; what was done."""
    file = directory / "kubeconfig"
    file.write_text(json.dumps(kubeconfig(peer.url, namespace="vcity")))
    file.chmod(0o600)
    requires: list[Requirement] = [Secret("salt", generate=list(keys), data=data or {})]
    workflow = {
        "kind": "Workflow",
        "metadata": {"name": "hello"},
        "spec": {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]},
    }
    experiment = Experiment(name="hello", requires=requires, workflow=lambda *_: workflow)
    given = {"k8s_config_file": str(file), "http_retries": 1}
    with build_container(experiment, environ={}, plugins=loaded(), **given) as container:
        return [step.action for step in provision(container)]


@pytest.mark.parametrize("lost", [cut, lambda after: late_502(after)], ids=["cut", "502"])
def test_a_secret_whose_creation_was_not_confirmed_is_read_back(peer: SecretsPeer, tmp_path: Path, lost: Any) -> None:
    peer.on("POST", SECRETS, lost(peer.keep))
    assert provisioned(peer, tmp_path, "A") == ["create"]
    values = peer.values
    assert provisioned(peer, tmp_path, "A") == []
    assert peer.values == values
    assert len(peer.asked("POST")) == 1


def late_502(after: Any) -> Answer:
    """Carry it out, and say 502."""

    def answer(request: Request, handler: Any) -> None:
        after(request)
        reply(502, "")(request, handler)

    return answer


def test_a_creation_that_arrives_late_replaces_no_value(peer: SecretsPeer, tmp_path: Path) -> None:
    first: list[Request] = []
    peer.on("POST", SECRETS, cut(after=first.append), peer.create)
    with pytest.raises(PlatformError, match="it is not known whether Secret salt was made") as caught:
        provisioned(peer, tmp_path, "A")
    assert "never makes it twice" in caught.value.hint
    provisioned(peer, tmp_path, "A")
    values = peer.values
    peer.keep(first[0])
    assert peer.values == values
    assert peer.asked("PATCH") == []


def test_a_completion_that_arrives_late_replaces_no_value(peer: SecretsPeer, tmp_path: Path) -> None:
    provisioned(peer, tmp_path, "A")
    first: list[Request] = []
    peer.on("PATCH", SALT, cut(after=first.append))
    with pytest.raises(PlatformError, match="it is not known whether Secret salt was made"):
        provisioned(peer, tmp_path, "A", "B")
    peer.on("PATCH", SALT, peer.patch)
    assert provisioned(peer, tmp_path, "A", "B") == ["complete"]
    values = peer.values
    assert values.keys() == {"A", "B"}
    assert not peer.change(first[0])
    assert peer.values == values


def test_a_completion_whose_answer_was_lost_is_recognised(peer: SecretsPeer, tmp_path: Path) -> None:
    provisioned(peer, tmp_path, "A")
    peer.on("PATCH", SALT, cut(after=peer.change), peer.patch)
    assert provisioned(peer, tmp_path, "A", "B") == ["complete"]
    assert peer.values.keys() == {"A", "B"}


def test_a_creation_that_is_refused_is_told(peer: SecretsPeer, tmp_path: Path) -> None:
    peer.on("POST", SECRETS, status(403, "Forbidden"))
    with pytest.raises(PlatformError, match="Forbidden"):
        provisioned(peer, tmp_path, "A")


# --- declared values --------------------------------------------------------------------------------------------


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def overtaken(peer: SecretsPeer, key: str, value: str) -> Answer:
    """Another client changes the Secret just before the request arrives."""

    def answer(request: Request, handler: Any) -> None:
        found = peer.kept["salt"]
        found["data"][key] = coded(value)
        found["metadata"]["resourceVersion"] = str(int(found["metadata"]["resourceVersion"]) + 1)
        peer.patch(request, handler)

    return answer


def test_an_update_is_made_anew_after_a_change_by_another_client(peer: SecretsPeer, tmp_path: Path) -> None:
    provisioned(peer, tmp_path, "A", data={"USER": "jane"})
    generated = peer.values["A"]
    peer.on("PATCH", SALT, overtaken(peer, "OTHER", "1"), peer.patch)
    assert provisioned(peer, tmp_path, "A", data={"USER": "john"}) == ["update"]
    assert peer.values == {"A": generated, "USER": coded("john"), "OTHER": coded("1")}


def test_an_update_that_another_client_has_made_needs_no_other(peer: SecretsPeer, tmp_path: Path) -> None:
    provisioned(peer, tmp_path, data={"USER": "jane"})
    peer.on("PATCH", SALT, overtaken(peer, "USER", "john"))
    assert provisioned(peer, tmp_path, data={"USER": "john"}) == ["update"]
    assert len(peer.asked("PATCH")) == 1


def test_a_value_that_never_stops_changing_is_told(peer: SecretsPeer, tmp_path: Path) -> None:
    provisioned(peer, tmp_path, data={"USER": "jane"})
    peer.on("PATCH", SALT, overtaken(peer, "USER", "jack"))
    with pytest.raises(PlatformError, match="Secret salt was not changed: another client changed it 5 times"):
        provisioned(peer, tmp_path, data={"USER": "john"})


@pytest.mark.parametrize("lost", [cut, late_502], ids=["cut", "502"])
def test_an_update_whose_answer_was_lost_is_recognised(peer: SecretsPeer, tmp_path: Path, lost: Any) -> None:
    provisioned(peer, tmp_path, data={"USER": "jane"})
    peer.on("PATCH", SALT, lost(peer.change), peer.patch)
    assert provisioned(peer, tmp_path, data={"USER": "john"}) == ["update"]
    assert peer.values == {"USER": coded("john")}
