"""The sandbox's rules over any input: no body, patch or token makes the server itself fail."""

from __future__ import annotations

import contextlib
import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hera_k8s_sandbox.apiserver.columns import duration
from hera_k8s_sandbox.apiserver.protobuf import decoder
from hera_k8s_sandbox.foundation import jwt
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.resource_types import (
    CLAIMS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    PODS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    STORAGE_CLASSES,
)
from hera_k8s_sandbox.operations import operations
from hera_k8s_sandbox.operations.bootstrap import bootstrap
from hera_k8s_sandbox.rbac.authorizer import Authorizer
from hera_k8s_sandbox.schema.patches import json_patch, merge_patch, strategic_merge
from hera_k8s_sandbox.schema.server_side_apply import apply
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.store import Store

KINDS = (CONFIG_MAPS, SECRETS, CLAIMS, PODS, ROLES, CLUSTER_ROLES, ROLE_BINDINGS, STORAGE_CLASSES)
FIELDS = (
    *("data", "stringData", "binaryData", "immutable", "type", "spec", "status", "rules", "subjects", "roleRef"),
    *("accessModes", "resources", "requests", "storage", "containers", "name", "image", "restartPolicy", "verbs"),
    *("apiGroups", "kind", "labels", "annotations", "finalizers", "provisioner", "volumeBindingMode", "metadata"),
)

leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(["a", "1Gi", "YQ=="])
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(FIELDS), values, max_size=5)
texts = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("123"), max_size=4)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> SandboxState:
    store = Store(None)
    access = Authorizer(store, users={}, key=b"key")
    state = SandboxState(Path(tmp_path_factory.mktemp("state")), store, access)
    bootstrap(state)
    return state


@settings(max_examples=300, deadline=None)
@given(resource=st.sampled_from(KINDS), body=objects)
def test_any_body_is_accepted_or_refused_by_a_status(state: SandboxState, resource: Any, body: dict) -> None:
    if isinstance(body.get("metadata"), dict):
        body["metadata"].setdefault("generateName", "x-")
    try:
        made = operations.create(state, resource, "default", copy.deepcopy(body)).object
        operations.update(state, resource, state.store.entry(resource, *key_of(made)), copy.deepcopy(made))
        operations.delete(state, resource, *key_of(made))
    except ApiError as error:
        refused = error
    else:
        return
    assert refused.code in (400, 403, 409, 422)
    assert refused.status()["message"]


def key_of(obj: dict) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


@given(value=values, patch=values)
def test_a_merge_patch_applied_twice_is_the_same_as_once(value: Any, patch: Any) -> None:
    once = merge_patch(value, patch)
    assert merge_patch(once, patch) == once


@given(before=texts, after=texts)
def test_apply_leaves_exactly_what_its_only_manager_declares(before: dict, after: dict) -> None:
    def declared(data: dict) -> dict:
        return {"metadata": {"name": "a", "labels": dict(data)}, "data": dict(data)}

    live = apply(CONFIG_MAPS, None, declared(before), manager="me", force=False)
    live = apply(CONFIG_MAPS, live, declared(after), manager="me", force=False)
    assert live.get("data", {}) == after
    assert live["metadata"].get("labels", {}) == after


@given(mine=texts, yours=texts)
def test_apply_keeps_what_another_manager_declared(mine: dict, yours: dict) -> None:
    def declared(data: dict) -> dict:
        return {"metadata": {"name": "a"}, "data": dict(data)}

    live = apply(CONFIG_MAPS, None, declared(yours), manager="you", force=False)
    live = apply(CONFIG_MAPS, live, declared(mine), manager="me", force=True)
    live = apply(CONFIG_MAPS, live, {"metadata": {"name": "a"}}, manager="me", force=False)
    assert live.get("data", {}) == {key: value for key, value in yours.items() if mine.get(key) in (None, value)}


def test_several_conflicts_are_listed_by_manager() -> None:
    first = {"metadata": {"name": "a"}, "data": {"x": "1", "y": "1"}}
    second = {"metadata": {"name": "a"}, "data": {"x": "2", "y": "2"}}
    live = apply(CONFIG_MAPS, None, first, manager="me", force=False)
    with pytest.raises(ApiError) as caught:
        apply(CONFIG_MAPS, live, second, manager="you", force=False)
    told = 'Apply failed with 2 conflicts: conflicts with "me":\n- .data.x\n- .data.y'
    assert caught.value.message == told


@pytest.mark.parametrize(
    ("operations", "code"),
    [
        ({}, 400),
        ([{"op": "grow", "path": "/a"}], 422),
        ([{"op": "remove", "path": "/b"}], 422),
        ([{"op": "test", "path": "/a", "value": 2}], 422),
        ([{"op": "add", "path": "/l/7", "value": 1}], 422),
        ([{"op": "add", "path": "/b/c", "value": 1}], 422),
    ],
)
def test_json_patches_that_do_not_fit_are_refused(operations: Any, code: int) -> None:
    with pytest.raises(ApiError) as caught:
        json_patch({"a": 1, "l": [1]}, operations)
    assert caught.value.code == code


def test_json_patch_operations() -> None:
    steps = [
        {"op": "add", "path": "/l/-", "value": 3},
        {"op": "add", "path": "/l/0", "value": 0},
        {"op": "replace", "path": "/a", "value": 2},
        {"op": "copy", "from": "/a", "path": "/b~1c"},
        {"op": "remove", "path": "/l/1"},
    ]
    assert json_patch({"a": 1, "l": [1, 2]}, steps) == {"a": 2, "b/c": 2, "l": [0, 2, 3]}


def test_strategic_directives() -> None:
    pod = {"containers": [{"name": "a", "image": "x"}, {"name": "b"}], "finalizers": ["one", "two"]}
    patch = {
        "containers": [{"name": "a", "image": "y"}, {"name": "b", "$patch": "delete"}],
        "$setElementOrder/containers": [{"name": "a"}],
        "$deleteFromPrimitiveList/finalizers": ["one"],
    }
    assert strategic_merge(pod, patch) == {"containers": [{"name": "a", "image": "y"}], "finalizers": ["two"]}


@given(st.binary(max_size=64))
def test_any_protobuf_body_is_read_or_refused(raw: bytes) -> None:
    for body in (raw, b"k8s\x00" + raw):
        with contextlib.suppress(ValueError):
            assert isinstance(decoder.decode(body), dict)


def test_a_protobuf_body_is_read() -> None:
    def field(number: int, value: bytes) -> bytes:
        return bytes([number << 3 | 2, len(value)]) + value

    meta = field(1, b"a") + field(2, b"") + field(11, field(1, b"tier") + field(2, b"hot"))
    raw = field(1, meta) + field(2, field(1, b"k") + field(2, b"v")) + bytes([4 << 3, 1])
    body = b"k8s\x00" + field(1, field(1, b"v1") + field(2, b"ConfigMap")) + field(2, raw)
    assert decoder.decode(body) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "labels": {"tier": "hot"}},
        "data": {"k": "v"},
        "immutable": True,
    }


@given(st.text(max_size=40))
def test_no_text_but_ours_is_a_token(text: str) -> None:
    assert jwt.verify(text, b"key") is None
    assert jwt.verify(jwt.sign({"sub": text}, b"key"), b"key") == {"sub": text}
    assert jwt.verify(jwt.sign({"sub": text}, b"another"), b"key") is None


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (119, "119s"),
        (200, "3m20s"),
        (300, "5m"),
        (3600, "60m"),
        (3 * 3600 + 60, "3h1m"),
        (90_000, "25h"),
        (3 * 86400, "3d"),
        (400 * 86400, "400d"),
        (800 * 86400, "2y70d"),
    ],
)
def test_durations_are_shown_as_kubectl_does(seconds: int, shown: str) -> None:
    assert duration(seconds) == shown
