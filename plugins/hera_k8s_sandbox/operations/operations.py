"""Operations: what the API does when an object is created, updated or deleted, wherever the request came from.

Both APIs and the workflow controller write through these, so that the same rules hold for all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final

from hera_k8s_sandbox.admission.crds import CLEANUP
from hera_k8s_sandbox.admission.pods import set_pod_status_defaults
from hera_k8s_sandbox.admission.registry import set_defaults, validate_new, validate_status, validate_update
from hera_k8s_sandbox.foundation.clock import CLOCK
from hera_k8s_sandbox.foundation.errors import (
    ApiError,
    Cause,
    bad_request,
    forbidden,
    gone_and_back,
    invalid,
    not_found,
    unsupported,
)
from hera_k8s_sandbox.foundation.field_errors import required
from hera_k8s_sandbox.foundation.kind_registry import is_fixed
from hera_k8s_sandbox.foundation.labels import CLAIM_PROTECTION, NODE_NOT_READY, VOLUME_PROTECTION
from hera_k8s_sandbox.foundation.resource_types import (
    CLAIMS,
    CLUSTER_ROLES,
    CUSTOM_RESOURCE_DEFINITIONS,
    JOBS,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUMES,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STORAGE_CLASSES,
    Resource,
)
from hera_k8s_sandbox.operations import crds, garbage, service_accounts, service_addresses, volume_claims
from hera_k8s_sandbox.rbac.default_roles import aggregate
from hera_k8s_sandbox.schema.decoding import cannot_be_handled, check_metadata_types, check_types, go_name
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.store import Entry, now_text, time_text
from hera_k8s_utils._types import Json

Reaction = Callable[[SandboxState, Json], None]

_PROTECTED: Final[Mapping[Resource, tuple[str, ...]]] = {
    CLAIMS: (CLAIM_PROTECTION,),
    PERSISTENT_VOLUMES: (VOLUME_PROTECTION,),
}
_NOT_READY: Final = {"key": NODE_NOT_READY, "effect": "NoSchedule"}  # of a node that is new
_SYSTEM_NAMESPACES: Final = frozenset({"default", "kube-system", "kube-public"})


def create(state: SandboxState, resource: Resource, namespace: str, obj: Json, *, dry_run: bool = False) -> Entry:
    """Add an object as the API would; `obj` is completed in place.

    Raises ApiError: 400 (not of its kind), 403, 404 (no such namespace), 409 (exists), 422 (invalid).
    """
    meta = _own_metadata(resource, namespace, obj)
    _require_namespace(state, resource, namespace, meta)
    if meta.get("resourceVersion"):  # an error of the storage, which the API server does not translate
        raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
    for owned in ("uid", "creationTimestamp", "deletionTimestamp", "resourceVersion", "selfLink"):
        meta.pop(owned, None)
    if resource is JOBS:  # whose pods are selected by its name and uid
        meta["uid"] = str(uuid.uuid4())
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = state.store.free_name(resource, namespace, meta["generateName"])
    if resource.generation:
        meta.pop("generation", None)
    for finalizer in _PROTECTED.get(resource, ()):
        meta["finalizers"] = [*(one for one in meta.get("finalizers") or () if one != finalizer), finalizer]
    if "status" in resource.subresources:
        obj.pop("status", None)
    if not meta.get("name") and not meta.get("generateName"):
        raise invalid(resource, "", [required("metadata.name", "name or generateName is required")])
    with _decoding(resource):
        _prepare(state, resource, obj)
        named = obj if meta.get("name") else obj | {"metadata": meta | {"name": f"{meta['generateName']}xxxxx"}}
        causes = validate_new(resource, named)
    if causes:
        raise invalid(resource, meta.get("name", ""), causes)
    _admit(state, resource, obj)
    entry = state.store.insert(resource, obj, dry_run=dry_run)
    if not dry_run:
        _react(_AFTER_WRITE.get(resource), state, entry.object)
    return entry


def update(
    state: SandboxState,
    resource: Resource,
    old: Entry,
    obj: Json,
    *,
    subresource: str = "",
    dry_run: bool = False,
) -> Entry:
    """Write a new state of an object as the API would; with subresource `status`, of its status only.

    Raises ApiError: 400, 404, 409 (stale resourceVersion or another uid), 422.
    """
    namespace, name = old.key
    meta = _own_metadata(resource, namespace, obj)
    if meta.setdefault("name", name) != name:
        message = f"the name of the object ({meta['name']}) does not match the name on the URL ({name})"
        raise bad_request(message)
    if subresource == "status":
        obj = old.object | {"status": obj.get("status"), "metadata": old.meta | _preconditions(meta) | _labelled(meta)}
        if resource is PODS:
            set_pod_status_defaults(obj)
        causes = validate_status(resource, obj)
        if causes:
            raise invalid(resource, name, causes)
    else:
        if "status" in resource.subresources and "status" in old.object:
            obj["status"] = old.object["status"]
        if resource is JOBS:
            meta.setdefault("uid", old.meta["uid"])
        if resource is SERVICES:
            service_addresses.keep(old.object, obj)
        with _decoding(resource):
            _prepare(state, resource, obj)
            causes = validate_update(resource, old.object, obj)
        if causes:
            raise invalid(resource, name, causes)
        if resource is SERVICES:
            service_addresses.allocate(state.store, obj)
        if "deletionTimestamp" in old.meta:
            meta["deletionTimestamp"] = old.meta["deletionTimestamp"]
    entry = state.store.put(resource, obj, dry_run=dry_run, bounded=True)
    if not dry_run:
        if _may_go(resource, entry):
            _remove(state, resource, entry)
        else:
            _react(_AFTER_WRITE.get(resource), state, entry.object)
    return entry


def delete(
    state: SandboxState,
    resource: Resource,
    namespace: str,
    name: str,
    *,
    preconditions: Mapping[str, str] | None = None,
    propagation: str = garbage.BACKGROUND,
    grace: int | None = None,
    dry_run: bool = False,
) -> tuple[Json, bool]:
    """Remove an object as the API would; propagation: what becomes of what it owns, one of `garbage.POLICIES`.

    grace: seconds that a pod gets to end; without, those that it asks for. Returns the last state, and whether it is
    gone (False: a finalizer holds it, or it is a pod that is asked to end). Raises ApiError 404, 403, 409.
    """
    entry = state.store.entry(resource, namespace, name)
    for field, wanted in (preconditions or {}).items():
        found = entry.meta[field]
        if found != wanted:
            message = {"uid": "UID", "resourceVersion": "ResourceVersion"}[field]
            raise gone_and_back(resource, name, message, wanted, found)
    if resource is NAMESPACES and name in _SYSTEM_NAMESPACES:
        raise forbidden(resource, name, "this namespace may not be deleted")
    if dry_run:
        return entry.object, True
    if resource is NAMESPACES:
        return _delete_namespace(state, name), False
    if resource is PODS and (seconds := _grace_of(entry, grace)) > 0:
        return state.store.change(PODS, namespace, name, partial(_ask_to_end, seconds=seconds)), False
    finalizers = garbage.finalizers_for(propagation, entry.meta.get("finalizers") or [])
    if resource is CUSTOM_RESOURCE_DEFINITIONS:
        if is_fixed(name):
            raise unsupported(f"the deletion of {name}: it serves that kind by itself")
        finalizers = list(dict.fromkeys([*finalizers, CLEANUP]))
    if finalizers:
        graceful = resource is not CUSTOM_RESOURCE_DEFINITIONS
        mark = partial(_mark_deleted, finalizers=finalizers, graceful=graceful)
        marked = state.store.change(resource, namespace, name, mark)
        _react(_AFTER_WRITE.get(resource), state, marked)
        _react(partial(_settle_dependents, resource), state, marked)
        return marked, False
    last = _remove(state, resource, entry)
    return (_as_ended(last) if resource is PODS else last), True


def _own_metadata(resource: Resource, namespace: str, obj: Json) -> Json:
    meta = obj.setdefault("metadata", {})
    if not isinstance(meta, dict):
        message = f"json: cannot unmarshal {go_name(meta)} into Go struct field"
        raise cannot_be_handled(resource, f"{message} {resource.kind}.metadata of type v1.ObjectMeta")
    check_metadata_types(resource, meta)
    if not resource.namespaced:
        meta.pop("namespace", None)
        return meta
    if meta.get("namespace") and meta["namespace"] != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    meta["namespace"] = namespace
    return meta


def _require_namespace(state: SandboxState, resource: Resource, namespace: str, meta: Json) -> None:
    if not resource.namespaced:
        return
    found = state.store.find(NAMESPACES, "", namespace)
    if found is None:
        raise not_found(NAMESPACES, namespace)
    if found["status"]["phase"] != "Terminating":
        return
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    error = forbidden(resource, meta.get("name", ""), why)
    cause = Cause("metadata.namespace", f"namespace {namespace} is being terminated", "NamespaceTerminating")
    error.details = (error.details or {}) | {"causes": [cause.as_json()]}
    raise error


@contextlib.contextmanager
def _decoding(resource: Resource) -> Iterator[None]:
    """The API server decodes a body by the kind's schema first; the sandbox detects wrong types on access."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise cannot_be_handled(resource, f"a field is of another type than expected ({error})") from error


def _prepare(state: SandboxState, resource: Resource, obj: Json) -> None:
    check_types(resource, obj)
    set_defaults(resource, obj)
    if resource is CLAIMS:
        volume_claims.choose_class(state, obj)


def _admit(state: SandboxState, resource: Resource, obj: Json) -> None:
    if resource is SERVICES:
        service_addresses.allocate(state.store, obj)
    if resource is CUSTOM_RESOURCE_DEFINITIONS and obj["spec"]["conversion"]["strategy"] == "Webhook":
        raise unsupported("conversion of custom kinds by a webhook")
    if resource is NODES:
        obj["spec"]["taints"] = [*(obj["spec"].get("taints") or ()), dict(_NOT_READY)]
    if resource is not PODS:
        return
    meta, account = obj["metadata"], obj["spec"]["serviceAccountName"]
    if state.store.find(SERVICE_ACCOUNTS, meta["namespace"], account) is None:
        why = f'error looking up service account {meta["namespace"]}/{account}: serviceaccount "{account}" not found'
        raise forbidden(PODS, meta.get("name") or meta["generateName"], why)
    state.pod_quota.take(meta.get("name") or meta["generateName"])


def _preconditions(meta: Json) -> Json:
    return {key: meta[key] for key in ("resourceVersion", "uid") if meta.get(key)}


def _labelled(meta: Json) -> Json:
    """What of the metadata is written along with a status."""
    return {key: meta[key] for key in ("labels", "annotations", "finalizers", "ownerReferences") if meta.get(key)}


def _may_go(resource: Resource, entry: Entry) -> bool:
    """Whether an object that was written is being deleted, and nothing holds it any more."""
    if "deletionTimestamp" not in entry.meta or entry.meta.get("finalizers"):
        return False
    return resource is not PODS or not entry.meta.get("deletionGracePeriodSeconds")


def _grace_of(pod: Entry, grace: int | None) -> int:
    """The seconds that a pod gets when it is deleted: none when nothing of it can be running."""
    spec, phase = pod.object["spec"], (pod.object.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    if "deletionTimestamp" in pod.meta:
        left = int(pod.meta.get("deletionGracePeriodSeconds") or 0)
        return left if grace is None else min(left, max(grace, 0))
    wanted = int(spec["terminationGracePeriodSeconds"]) if grace is None else grace
    return wanted if wanted >= 0 else 1


def _ask_to_end(pod: Json, seconds: int) -> None:
    """Mark a pod: the kubelet ends it and then removes it."""
    meta = pod["metadata"]
    if meta.get("deletionGracePeriodSeconds") == seconds:
        return
    meta["deletionTimestamp"] = time_text(CLOCK.now() + seconds)
    meta["deletionGracePeriodSeconds"] = seconds


def _mark_deleted(obj: Json, finalizers: list[str] | None = None, *, graceful: bool = True) -> None:
    obj["metadata"].setdefault("deletionTimestamp", now_text())
    if graceful:
        obj["metadata"]["deletionGracePeriodSeconds"] = 0
    if finalizers is not None:
        obj["metadata"]["finalizers"] = finalizers


def _as_ended(pod: Json) -> Json:
    """A pod as the answer to its deletion shows it: marked, with no grace, which counts as a change of it."""
    ended = pod | {"metadata": dict(pod["metadata"])}
    if "deletionTimestamp" not in ended["metadata"]:
        ended["metadata"]["generation"] = ended["metadata"].get("generation", 0) + 1
    _mark_deleted(ended)
    return ended


def _remove(state: SandboxState, resource: Resource, entry: Entry) -> Json:
    last = state.store.delete(resource, *entry.key, cascade=False)
    _react(_after_custom_object if resource.custom else _AFTER_DELETE.get(resource), state, last)
    _react(_follow_dependents, state, last)
    _finish_namespace(state, entry.key[0])
    return last


def _settle_dependents(resource: Resource, state: SandboxState, obj: Json) -> None:
    meta = obj["metadata"]
    entry = state.store.entry(resource, meta.get("namespace", ""), meta["name"])
    garbage.settle(state.store, entry, partial(_collect, state), partial(_drop_finalizer, state))


def _follow_dependents(state: SandboxState, gone: Json) -> None:
    garbage.follow(state.store, gone, partial(_collect, state), partial(_drop_finalizer, state))


def _collect(state: SandboxState, entry: Entry, propagation: str) -> None:
    delete(state, entry.resource, *entry.key, propagation=propagation)


def _drop_finalizer(state: SandboxState, entry: Entry, finalizer: str) -> None:
    found = state.store.entry(entry.resource, *entry.key)
    obj = found.copy()
    obj["metadata"]["finalizers"] = [one for one in obj["metadata"].get("finalizers") or () if one != finalizer]
    update(state, entry.resource, found, obj)


def _delete_namespace(state: SandboxState, name: str) -> Json:
    def terminate(obj: Json) -> None:
        obj["metadata"].setdefault("deletionTimestamp", now_text())
        obj["status"]["phase"] = "Terminating"

    last = state.store.change(NAMESPACES, "", name, terminate)
    for entry in _content(state, name):
        with contextlib.suppress(ApiError):  # gone already with its owner
            delete(state, entry.resource, *entry.key)
    _finish_namespace(state, name)
    return last


def _finish_namespace(state: SandboxState, name: str) -> None:
    """Remove a namespace that is being terminated, once nothing is left in it."""
    found = state.store.find(NAMESPACES, "", name) if name else None
    if found is not None and found["status"]["phase"] == "Terminating" and not _content(state, name):
        state.store.delete(NAMESPACES, "", name)


def _content(state: SandboxState, namespace: str) -> list[Entry]:
    return [
        entry
        for resource in state.store.kinds.stored()
        if resource.namespaced
        for entry in state.store.entries(resource, namespace)
    ]


def _react(reaction: Reaction | None, state: SandboxState, obj: Json) -> None:
    """Let a controller react soon after, as in a cluster: the answer to the request shows the state before."""
    if reaction is None:
        return

    def run() -> None:
        with contextlib.suppress(ApiError):  # the object changed again, or is gone
            reaction(state, obj)

    try:
        asyncio.get_running_loop().call_soon(run)
    except RuntimeError:  # no loop: the sandbox is being set up
        run()


def _after_namespace(state: SandboxState, obj: Json) -> None:
    service_accounts.ensure_default(state, obj["metadata"]["name"])


def _after_claim(state: SandboxState, claim: Json) -> None:
    _release_protection(state, CLAIMS, claim, CLAIM_PROTECTION)
    volume_claims.settle(state, claim)


def _after_volume(state: SandboxState, volume: Json) -> None:
    _release_protection(state, PERSISTENT_VOLUMES, volume, VOLUME_PROTECTION)
    volume_claims.offer(state, volume)


def _after_node(state: SandboxState, node: Json) -> None:
    def mark(found: Json) -> None:
        found["metadata"].setdefault("annotations", {}).setdefault("node.alpha.kubernetes.io/ttl", "0")
        left = [one for one in found["spec"].pop("taints", ()) if one != _NOT_READY]
        found["spec"] |= {"taints": left} if left else {}

    state.store.change(NODES, "", node["metadata"]["name"], mark)


def _release_protection(state: SandboxState, resource: Resource, obj: Json, finalizer: str) -> None:
    """What is being deleted goes at once: the sandbox does not wait for its users to leave."""
    if "deletionTimestamp" not in obj["metadata"]:
        return
    meta = obj["metadata"]
    entry = state.store.entry(resource, meta.get("namespace", ""), meta["name"])
    left = [one for one in entry.meta.get("finalizers") or () if one != finalizer]
    if left != entry.meta.get("finalizers"):
        changed = entry.copy()
        changed["metadata"]["finalizers"] = left
        update(state, resource, entry, changed)


def _after_definition(state: SandboxState, definition: Json) -> None:
    crds.settle(state, definition, partial(_collect, state), partial(_drop_finalizer, state))


def _after_custom_object(state: SandboxState, gone: Json) -> None:
    crds.after_object(state, gone, partial(_collect, state), partial(_drop_finalizer, state))


def _after_account_deleted(state: SandboxState, obj: Json) -> None:
    service_accounts.drop_secrets(state, obj)
    if obj["metadata"]["name"] == "default":
        service_accounts.ensure_default(state, obj["metadata"]["namespace"])


_AFTER_WRITE: Final[Mapping[Resource, Reaction]] = {
    NAMESPACES: _after_namespace,
    NODES: _after_node,
    SECRETS: service_accounts.fill_secret,
    CLAIMS: _after_claim,
    PERSISTENT_VOLUMES: _after_volume,
    STORAGE_CLASSES: lambda state, _: volume_claims.settle_all(state),
    CUSTOM_RESOURCE_DEFINITIONS: _after_definition,
    CLUSTER_ROLES: lambda state, _: aggregate(state.store),
}
_AFTER_DELETE: Final[Mapping[Resource, Reaction]] = {
    SERVICE_ACCOUNTS: _after_account_deleted,
    CLAIMS: volume_claims.release,
    CLUSTER_ROLES: lambda state, _: aggregate(state.store),
}
