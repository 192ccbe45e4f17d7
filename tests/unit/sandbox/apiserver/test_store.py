"""The sandbox's store: versions, watches, and what is left after a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.resource_types import CONFIG_MAPS, PODS, WORKFLOWS
from hera_k8s_sandbox.foundation.selectors import parse_fields, parse_labels
from hera_k8s_sandbox.store.store import Store


def new(name: str, labels: dict[str, str] | None = None, **data: str) -> dict:
    return {"metadata": {"name": name, "namespace": "default", "labels": labels or {}}, "data": data}


@pytest.fixture
def store():
    store = Store(None)
    yield store
    store.close()


def test_created_objects_get_identity_and_a_rising_version(store: Store) -> None:
    first = store.create(CONFIG_MAPS, new("a"))
    second = store.create(CONFIG_MAPS, new("b"))

    assert first["metadata"]["uid"] != second["metadata"]["uid"]
    assert int(first["metadata"]["resourceVersion"]) < int(second["metadata"]["resourceVersion"])
    assert first["kind"] == "ConfigMap"


def test_generated_names_have_the_base_and_five_characters(store: Store) -> None:
    obj = {"metadata": {"generateName": "run-", "namespace": "default"}}
    names = {store.create(CONFIG_MAPS, obj)["metadata"]["name"] for _ in range(50)}

    assert len(names) == 50
    assert all(name.startswith("run-") and len(name) == len("run-") + 5 for name in names)


def test_a_taken_name_is_refused(store: Store) -> None:
    store.create(CONFIG_MAPS, new("a"))
    with pytest.raises(ApiError, match='configmaps "a" already exists') as caught:
        store.create(CONFIG_MAPS, new("a"))
    assert (caught.value.code, caught.value.reason) == (409, "AlreadyExists")


def test_a_stale_version_is_refused(store: Store) -> None:
    old = store.create(CONFIG_MAPS, new("a"))
    store.change(CONFIG_MAPS, "default", "a", lambda obj: obj["data"].update(k="v"))
    with pytest.raises(ApiError, match="the object has been modified") as caught:
        store.replace(CONFIG_MAPS, old)
    assert caught.value.reason == "Conflict"


def test_a_change_that_alters_nothing_makes_no_version(store: Store) -> None:
    store.create(CONFIG_MAPS, new("a", k="v"))
    before = store.version
    store.change(CONFIG_MAPS, "default", "a", lambda obj: obj["data"].update(k="v"))
    assert store.version == before


def test_what_an_editor_keeps_does_not_alter_the_store(store: Store) -> None:
    kept = {"k": "v"}
    store.create(CONFIG_MAPS, new("a"))
    store.change(CONFIG_MAPS, "default", "a", lambda obj: obj.update(data=kept))
    kept["k"] = "altered later"
    assert store.get(CONFIG_MAPS, "default", "a")["data"] == {"k": "v"}


def test_deleting_an_owner_deletes_what_it_owns(store: Store) -> None:
    owner = store.create(WORKFLOWS, {"metadata": {"name": "w", "namespace": "default"}, "spec": {}})
    reference = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "w"}
    pod = {"metadata": {"name": "p", "namespace": "default"}}
    pod["metadata"]["ownerReferences"] = [reference | {"uid": owner["metadata"]["uid"]}]
    store.create(PODS, pod)

    store.delete(WORKFLOWS, "default", "w")

    assert store.list(PODS) == []


def test_generation_counts_changes_outside_the_metadata(store: Store) -> None:
    store.create(WORKFLOWS, {"metadata": {"name": "w", "namespace": "default"}, "spec": {}})
    labelled = store.change(WORKFLOWS, "default", "w", lambda obj: obj["metadata"].update(labels={"a": "b"}))
    changed = store.change(WORKFLOWS, "default", "w", lambda obj: obj["spec"].update(entrypoint="main"))
    assert (labelled["metadata"]["generation"], changed["metadata"]["generation"]) == (1, 2)


def test_a_watch_tells_what_enters_and_leaves_its_selection(store: Store) -> None:
    subscription = store.watch(CONFIG_MAPS, "default", since=store.version, labels=parse_labels("tier=hot"))
    store.create(CONFIG_MAPS, new("a"))
    store.change(CONFIG_MAPS, "default", "a", lambda obj: obj["metadata"].update(labels={"tier": "hot"}))
    store.change(CONFIG_MAPS, "default", "a", lambda obj: obj["data"].update(k="v"))
    store.change(CONFIG_MAPS, "default", "a", lambda obj: obj["metadata"].update(labels={}))
    store.delete(CONFIG_MAPS, "default", "a")

    assert [event.type for event in subscription.pending()] == ["ADDED", "MODIFIED", "DELETED"]


def test_a_watch_goes_on_from_a_version_that_was_seen(store: Store) -> None:
    store.create(CONFIG_MAPS, new("a"))
    seen = store.version
    store.create(CONFIG_MAPS, new("b"))
    events = store.watch(CONFIG_MAPS, since=seen).pending()
    assert [(event.type, event.object["metadata"]["name"]) for event in events] == [("ADDED", "b")]


def test_a_watch_from_before_what_is_remembered_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.sqlite")
    seen = store.version
    store.create(CONFIG_MAPS, new("a"))
    store.close()
    again = Store(tmp_path / "state.sqlite")
    with pytest.raises(ApiError) as caught:
        again.watch(CONFIG_MAPS, since=seen)
    assert (caught.value.code, caught.value.reason) == (410, "Expired")
    again.close()


def test_a_watch_that_falls_behind_ends_as_expired(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hera_k8s_sandbox.store.subscriptions.BACKLOG", 3)
    for name in "abcdefg":
        store.create(CONFIG_MAPS, new(name))
    subscription = store.watch(CONFIG_MAPS)
    for name in "hij":
        store.create(CONFIG_MAPS, new(name))
    assert len(subscription.pending()) == 10  # what was there already is no backlog
    for name in "klmnopqrstuvwxyz":
        store.create(CONFIG_MAPS, new(name))

    async def follow() -> None:
        async for _ in subscription:
            pass

    with pytest.raises(ApiError) as caught:
        asyncio.run(follow())
    assert caught.value.reason == "Expired"


def test_iteration_waits_for_events_and_ends_when_closed(store: Store) -> None:
    async def follow() -> list[str]:
        subscription = store.watch(CONFIG_MAPS)
        loop = asyncio.get_running_loop()
        loop.call_soon(store.create, CONFIG_MAPS, new("a"))
        loop.call_soon(store.delete, CONFIG_MAPS, "default", "a")
        loop.call_soon(lambda: loop.call_soon(subscription.close))
        return [event.type async for event in subscription]

    assert asyncio.run(follow()) == ["ADDED", "DELETED"]


def test_objects_and_versions_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    store = Store(path)
    made = store.create(CONFIG_MAPS, new("a", colour="blau ä"))
    store.create(CONFIG_MAPS, new("b"))
    store.delete(CONFIG_MAPS, "default", "b")
    version = store.version
    store.close()

    again = Store(path)
    assert again.list(CONFIG_MAPS) == [made]
    assert again.version == version
    again.close()


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("app=x", "a"),
        ("app==x,tier!=cold", "a"),
        ("app", "ab"),
        ("!app", "c"),
        ("app in (x, y)", "ab"),
        ("app notin (x)", "bc"),
        ("size>5", "a"),
        ("size<5", "b"),
    ],
)
def test_label_selectors(store: Store, selector: str, names: str) -> None:
    store.create(CONFIG_MAPS, new("a", {"app": "x", "size": "10"}))
    store.create(CONFIG_MAPS, new("b", {"app": "y", "size": "1"}))
    store.create(CONFIG_MAPS, new("c"))
    found = store.list(CONFIG_MAPS, labels=parse_labels(selector))
    assert "".join(obj["metadata"]["name"] for obj in found) == names


def test_field_selectors_reach_into_the_object(store: Store) -> None:
    for name, phase in (("a", "Running"), ("b", "Pending")):
        store.create(PODS, {"metadata": {"name": name, "namespace": "default"}, "status": {"phase": phase}})
    found = store.list(PODS, fields=parse_fields("status.phase!=Pending,metadata.namespace=default"))
    assert [obj["metadata"]["name"] for obj in found] == ["a"]


@pytest.mark.parametrize("selector", ["a b", "=x", "a in x", "a>b"])
def test_unreadable_selectors_are_refused(selector: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_labels(selector)
    assert caught.value.code == 400
