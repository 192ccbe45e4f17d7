"""Service accounts: one in each namespace from its start, and tokens for the Secrets that ask for one."""

from __future__ import annotations

import base64
import contextlib

from hera_k8s_sandbox.admission.registry import TOKEN_SECRET
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.labels import ACCOUNT_NAME, ACCOUNT_UID
from hera_k8s_sandbox.foundation.resource_types import NAMESPACES, SECRETS, SERVICE_ACCOUNTS
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_utils._types import Json


def ensure_default(state: SandboxState, namespace: str) -> None:
    """Make the account `default` of a namespace, unless it is there or the namespace is going."""
    found = state.store.find(NAMESPACES, "", namespace)
    if found is None or "deletionTimestamp" in found["metadata"]:
        return
    with contextlib.suppress(ApiError):  # already there
        state.store.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default", "namespace": namespace}})


def fill_secret(state: SandboxState, secret: Json) -> None:
    """Write a token into a Secret that asks for one; a Secret of no account is removed, as the controller does."""
    if secret.get("type") != TOKEN_SECRET or "token" in (secret.get("data") or {}):
        return
    meta = secret["metadata"]
    namespace, name = meta["namespace"], meta["name"]
    account = state.store.find(SERVICE_ACCOUNTS, namespace, meta["annotations"][ACCOUNT_NAME])
    if account is None:
        state.store.delete(SECRETS, namespace, name)
        return
    token = state.access.issue_for_secret(account, name)

    def fill(found: Json) -> None:
        found["metadata"]["annotations"][ACCOUNT_UID] = account["metadata"]["uid"]
        data = found.setdefault("data", {})
        data["token"] = base64.b64encode(token.encode()).decode()
        data["namespace"] = base64.b64encode(namespace.encode()).decode()

    state.store.change(SECRETS, namespace, name, fill)


def drop_secrets(state: SandboxState, account: Json) -> None:
    """Remove the token Secrets of an account that is gone."""
    meta = account["metadata"]
    for secret in state.store.list(SECRETS, meta["namespace"]):
        annotations = secret["metadata"].get("annotations") or {}
        if secret.get("type") == TOKEN_SECRET and annotations.get(ACCOUNT_NAME) == meta["name"]:
            state.store.delete(SECRETS, meta["namespace"], secret["metadata"]["name"])
