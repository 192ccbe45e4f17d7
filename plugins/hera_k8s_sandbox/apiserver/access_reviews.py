"""Reviews: questions to the server about access, answered and not kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hera_k8s_sandbox.foundation import jwt
from hera_k8s_sandbox.foundation.errors import ApiError, bad_request, invalid
from hera_k8s_sandbox.foundation.field_errors import invalid_value
from hera_k8s_sandbox.foundation.resource_types import PODS, SECRETS, SERVICE_ACCOUNTS, Resource
from hera_k8s_sandbox.foundation.review_types import (
    AUTHENTICATION,
    AUTHORIZATION,
    LOCAL_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_REVIEWS,
    SELF_SUBJECT_RULES_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
    TOKEN_REQUESTS,
    TOKEN_REVIEWS,
)
from hera_k8s_sandbox.rbac.authorizer import Identity
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.store import now_text, time_text
from hera_k8s_utils._types import Json

Review = Callable[[SandboxState, Identity, str, Json], Json]  # state, who asks, namespace, question -> answer


def answer(state: SandboxState, identity: Identity, resource: Resource, namespace: str, question: Json) -> Json:
    """The review with its status. Raises ApiError 422 when the question is incomplete."""
    head = {"kind": resource.kind, "apiVersion": resource.api_version}
    meta = {"creationTimestamp": now_text()} if resource.group == AUTHENTICATION else {}
    question["metadata"] = (question.get("metadata") or {}) | meta
    return head | question | {"status": _REVIEWERS[resource](state, identity, namespace, question)}


def request_token(state: SandboxState, namespace: str, name: str, question: Json) -> Json:
    """The answer to a TokenRequest for a service account. Raises ApiError 404, 409, 422."""
    account = state.store.get(SERVICE_ACCOUNTS, namespace, name)
    spec = question.get("spec") or {}
    seconds = spec.get("expirationSeconds", 3600)
    if not isinstance(seconds, int) or seconds < jwt.SHORTEST:
        why = "may not specify a duration less than 10 minutes"
        raise invalid(TOKEN_REQUESTS, "", [invalid_value("spec.expirationSeconds", seconds, why)])
    if seconds > jwt.LONGEST:
        why = "may not specify a duration larger than 2^32 seconds"
        raise invalid(TOKEN_REQUESTS, "", [invalid_value("spec.expirationSeconds", seconds, why)])
    audiences = spec.get("audiences") or [jwt.AUDIENCE]
    bound = _bound_object(state, namespace, spec.get("boundObjectRef"))
    token, expires_at = state.access.issue(account, audiences, seconds, bound)
    return {
        "kind": "TokenRequest",
        "apiVersion": f"{AUTHENTICATION}/v1",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": account["metadata"]["uid"],
            "creationTimestamp": now_text(),
        },
        "spec": {
            "audiences": audiences,
            "expirationSeconds": seconds,
            "boundObjectRef": spec.get("boundObjectRef"),
        },
        "status": {"token": token, "expirationTimestamp": time_text(expires_at)},
    }


def _bound_object(state: SandboxState, namespace: str, wanted: Json | None) -> Json | None:
    if not wanted:
        return None
    resource = {"Pod": PODS, "Secret": SECRETS}.get(wanted.get("kind", ""))
    if resource is None:
        group, _, version = wanted.get("apiVersion", "").rpartition("/")
        raise bad_request(f"cannot bind token to object of type {group}/{version}, Kind={wanted.get('kind', '')}")
    meta = state.store.get(resource, namespace, wanted["name"])["metadata"]
    if wanted.get("uid") not in (None, "", meta["uid"]):
        why = (
            f'Operation cannot be fulfilled on {resource.kind} "{wanted["name"]}": the UID in the bound object '
            f"reference ({wanted['uid']}) does not match the UID in record. The object might have been deleted and "
            "then recreated"
        )
        raise ApiError(409, "Conflict", why, details={"kind": resource.kind, "name": wanted["name"]})
    return {"kind": wanted["kind"], "name": wanted["name"], "uid": meta["uid"]}


def _decision(state: SandboxState, identity: Identity, spec: Json) -> Json:
    attributes, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if attributes is None and path is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        raise invalid(_KINDLESS, "", [invalid_value("spec.resourceAttributes", None, why)])
    if attributes is not None and path is not None:
        shown = {"Path": path.get("path", ""), "Verb": path.get("verb", "")}
        why = "cannot be specified in combination with resourceAttributes"
        raise invalid(_KINDLESS, "", [invalid_value("spec.nonResourceAttributes", shown, why)])
    if path is not None:
        allowed = state.access.allowed_path(identity, path.get("verb", ""), path.get("path", ""))
        return {"allowed": allowed}
    assert attributes is not None
    verb, group = attributes.get("verb", ""), attributes.get("group", "")
    plural, _, sub = attributes.get("resource", "").partition("/")
    sub = attributes.get("subresource", "") or sub
    namespace, name = attributes.get("namespace", ""), attributes.get("name", "")
    if state.access.allowed(identity, verb, group, plural, namespace, name, sub):
        return {"allowed": True}
    return {"allowed": False}


def _review_self(state: SandboxState, identity: Identity, namespace: str, question: Json) -> Json:
    return _decision(state, identity, question.get("spec") or {})


def _review_subject(state: SandboxState, identity: Identity, namespace: str, question: Json) -> Json:
    spec = question.get("spec") or {}
    if not spec.get("user") and not spec.get("groups"):
        raise invalid(
            _KINDLESS, "", [invalid_value("spec.user", "", "at least one of user or group must be specified")]
        )
    return _decision(state, _subject_of(spec), spec)


def _review_local_subject(state: SandboxState, identity: Identity, namespace: str, question: Json) -> Json:
    attributes = (question.get("spec") or {}).get("resourceAttributes") or {}
    if attributes.get("namespace", "") != namespace:
        why = "must match metadata.namespace"
        raise invalid(
            _KINDLESS, "", [invalid_value("spec.resourceAttributes.namespace", attributes.get("namespace", ""), why)]
        )
    return _review_subject(state, identity, namespace, question)


def _subject_of(spec: Json) -> Identity:
    name, groups = spec.get("user", ""), list(spec.get("groups") or ())
    return Identity(name, spec.get("uid", ""), tuple(groups))


def _review_rules(state: SandboxState, identity: Identity, namespace: str, question: Json) -> Json:
    wanted = (question.get("spec") or {}).get("namespace")
    if not wanted:
        raise ApiError(400, "BadRequest", "no namespace on request")
    rules = state.access.rules(identity, wanted)
    return {
        "resourceRules": [rule for rule in rules if not rule.get("nonResourceURLs")],
        "nonResourceRules": [rule for rule in rules if rule.get("nonResourceURLs")],
        "incomplete": False,
    }


def _review_whoami(state: SandboxState, identity: Identity, namespace: str, question: Json) -> Json:
    return {"userInfo": _user(identity)}


def _review_token(state: SandboxState, identity: Identity, namespace: str, question: Json) -> Json:
    spec = question.get("spec") or {}
    if not spec.get("token"):
        raise bad_request("token is required for TokenReview in authentication")
    try:
        found, audiences = state.access.reviewed(spec["token"], spec.get("audiences") or [jwt.AUDIENCE])
    except ApiError:
        return {"user": {}, "error": "invalid bearer token"}
    return {"authenticated": True, "user": _user(found), "audiences": audiences}


def _user(identity: Identity) -> Json:
    user: Json = {"username": identity.name, "groups": list(identity.groups)}
    if identity.uid:
        user["uid"] = identity.uid
    if identity.extra:
        user["extra"] = dict(identity.extra)
    return user


_KINDLESS: Final = Resource(AUTHORIZATION, "v1", "", "", "")  # how the API server names a review that it refuses

_REVIEWERS: Final[Mapping[Resource, Review]] = {
    SELF_SUBJECT_ACCESS_REVIEWS: _review_self,
    SUBJECT_ACCESS_REVIEWS: _review_subject,
    LOCAL_SUBJECT_ACCESS_REVIEWS: _review_local_subject,
    SELF_SUBJECT_RULES_REVIEWS: _review_rules,
    SELF_SUBJECT_REVIEWS: _review_whoami,
    TOKEN_REVIEWS: _review_token,
}
