"""Claims: what their storage class makes of them, what is refused, what can be changed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from dialogue import Dialogue, until

Json = dict[str, Any]
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
ELSEWHERE = "example.com/elsewhere"  # a provisioner that never comes


def claim(name: str = "results", **spec: Any) -> Json:
    base = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"metadata": {"name": name}, "spec": base | spec}


@pytest.fixture
def storage_class(talk: Dialogue) -> Iterator[Any]:
    """Makes storage classes, whose names are the namespace's and a word."""
    made = []

    def make(word: str, **more: Any) -> str:
        name = f"{talk.namespace}-{word}"
        talk.create(CLASSES, {"metadata": {"name": name}, "provisioner": ELSEWHERE, **more})
        made.append(name)
        return name

    yield make
    for name in made:
        talk.send("DELETE", f"{CLASSES}/{name}", remember=False)


def events_about(talk: Dialogue, name: str) -> list[Json]:
    path = f"{{ns}}/events?fieldSelector=involvedObject.name%3D{name},involvedObject.kind%3DPersistentVolumeClaim"
    return list(talk.get(path, remember=False).body["items"])


def told(talk: Dialogue, name: str, reason: str) -> None:
    """Wait for an event, and remember it with the claim's state."""
    until(lambda: reason in [one["reason"] for one in events_about(talk, name)], f"the event {reason}")
    event = next(one for one in events_about(talk, name) if one["reason"] == reason)
    kept = {key: event.get(key) for key in ("type", "reason", "message", "involvedObject", "source")}
    talk.remember("the event", **kept)
    talk.get(f"{{ns}}/persistentvolumeclaims/{name}")


def test_a_claim_that_waits_for_its_first_consumer(talk: Dialogue, storage_class: Any) -> None:
    name = storage_class("wait", volumeBindingMode="WaitForFirstConsumer")
    talk.create("{ns}/persistentvolumeclaims", claim(storageClassName=name))
    told(talk, "results", "WaitForFirstConsumer")


def test_a_claim_whose_provisioner_is_elsewhere(talk: Dialogue, storage_class: Any) -> None:
    talk.create("{ns}/persistentvolumeclaims", claim(storageClassName=storage_class("now")))
    told(talk, "results", "ExternalProvisioning")


def test_a_claim_of_a_missing_class(talk: Dialogue) -> None:
    talk.create("{ns}/persistentvolumeclaims", claim(storageClassName="no-such-class"))
    told(talk, "results", "ProvisioningFailed")


def test_a_claim_without_a_class(talk: Dialogue) -> None:
    talk.create("{ns}/persistentvolumeclaims", claim(storageClassName=""))
    told(talk, "results", "FailedBinding")


def volume(name: str, **spec: Any) -> Json:
    base = {
        "capacity": {"storage": "2Gi"},
        "accessModes": ["ReadWriteMany", "ReadOnlyMany"],
        "hostPath": {"path": "/nowhere"},
        "persistentVolumeReclaimPolicy": "Retain",
    }
    return {"metadata": {"name": name}, "spec": base | spec}


def test_a_claim_takes_the_volume_that_is_meant_for_it(talk: Dialogue) -> None:
    name = f"{talk.namespace}-volume"
    reference = {"namespace": talk.namespace, "name": "results"}
    talk.create("/api/v1/persistentvolumes", volume(name, claimRef=reference))
    talk.create("{ns}/persistentvolumeclaims", claim(storageClassName="", volumeName=name))
    phase = lambda path: talk.get(path, remember=False).body["status"].get("phase")  # noqa: E731
    until(lambda: phase("{ns}/persistentvolumeclaims/results") == "Bound", "the claim to be bound")
    until(lambda: phase(f"/api/v1/persistentvolumes/{name}") == "Bound", "the volume to be bound")
    talk.get("{ns}/persistentvolumeclaims/results")
    talk.get(f"/api/v1/persistentvolumes/{name}")
    talk.send("DELETE", "{ns}/persistentvolumeclaims/results", remember=False)
    until(lambda: phase(f"/api/v1/persistentvolumes/{name}") == "Released", "the volume to be released")
    talk.send("DELETE", f"/api/v1/persistentvolumes/{name}", remember=False)


@pytest.mark.parametrize(
    ("case", "spec"),
    [
        ("modes-none", {"accessModes": []}),
        ("mode-wrong", {"accessModes": ["WriteOften"]}),
        ("modes-mixed", {"accessModes": ["ReadWriteOncePod", "ReadWriteOnce"]}),
        ("size-none", {"resources": {}}),
        ("size-zero", {"resources": {"requests": {"storage": "0"}}}),
        ("size-negative", {"resources": {"requests": {"storage": "-1Gi"}}}),
        ("size-wrong", {"resources": {"requests": {"storage": "much"}}}),
        ("size-number", {"resources": {"requests": {"storage": 1073741824}}}),
        ("size-written", {"resources": {"requests": {"storage": "1024Mi"}}}),
        ("mode-volume", {"volumeMode": "Tape"}),
        ("class-wrong", {"storageClassName": "Not A Class"}),
        ("modes-text", {"accessModes": "ReadWriteMany"}),
    ],
)
def test_claims_that_are_refused_or_completed(talk: Dialogue, case: str, spec: Json) -> None:
    body = claim(**{"storageClassName": "", **spec})
    assert talk.send("POST", "{ns}/persistentvolumeclaims?dryRun=All", body).code in (201, 400, 422)


def test_a_claim_without_a_spec(talk: Dialogue) -> None:
    assert talk.send("POST", "{ns}/persistentvolumeclaims", {"metadata": {"name": "results"}}).code == 422


def test_what_can_be_changed_of_a_claim(talk: Dialogue) -> None:
    talk.create("{ns}/persistentvolumeclaims", claim(storageClassName=""))
    path = "{ns}/persistentvolumeclaims/results"
    assert talk.patch(path, {"spec": {"accessModes": ["ReadWriteOnce"]}}).code == 422
    assert talk.patch(path, {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}).code == 422
    assert talk.patch(path, {"metadata": {"labels": {"a": "b"}}}).code == 200
    assert talk.patch(path, {"status": {"phase": "Lost"}}).body["status"]["phase"] == "Pending"


def test_a_deleted_claim_is_answered_with(talk: Dialogue) -> None:
    talk.create("{ns}/persistentvolumeclaims", claim(storageClassName=""))
    assert talk.send("DELETE", "{ns}/persistentvolumeclaims/results").body["kind"] == "PersistentVolumeClaim"
    until(lambda: talk.get("{ns}/persistentvolumeclaims/results", remember=False).code == 404, "the claim to go")


def test_the_default_class_is_written_into_a_claim(talk: Dialogue, storage_class: Any) -> None:
    mark = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    name = storage_class("usual")
    talk.patch(f"{CLASSES}/{name}", {"metadata": mark})

    def chosen() -> Any:
        body = claim(f"probe-{secrets.token_hex(3)}")
        made = talk.create("{ns}/persistentvolumeclaims?dryRun=All", body, remember=False)
        return made["spec"].get("storageClassName")

    until(lambda: chosen() == name, "the class to be the default")


@pytest.mark.parametrize(
    ("case", "change"),
    [
        ("none", {"provisioner": ""}),
        ("mode", {"volumeBindingMode": "Never"}),
        ("policy", {"reclaimPolicy": "Burn"}),
        ("parameters", {"parameters": {"a": "b"}, "allowVolumeExpansion": True, "mountOptions": ["ro"]}),
    ],
)
def test_storage_classes(talk: Dialogue, case: str, change: Json) -> None:
    body = {"metadata": {"name": f"{talk.namespace}-some"}, "provisioner": ELSEWHERE, **change}
    assert talk.send("POST", f"{CLASSES}?dryRun=All", body).code in (201, 422)


def test_a_storage_class_stays_as_it_is(talk: Dialogue, storage_class: Any) -> None:
    name = storage_class("some")
    assert talk.patch(f"{CLASSES}/{name}", {"provisioner": "example.com/other"}).code == 422
    assert talk.patch(f"{CLASSES}/{name}", {"reclaimPolicy": "Retain"}).code == 422
    assert talk.patch(f"{CLASSES}/{name}", {"volumeBindingMode": "WaitForFirstConsumer"}).code == 422
    assert talk.patch(f"{CLASSES}/{name}", {"parameters": {"a": "b"}}).code == 422
    assert talk.patch(f"{CLASSES}/{name}", {"metadata": {"labels": {"a": "b"}}}).code == 200
