"""The installation: four workflow templates, and the service account of the workflows with its role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hera_k8s_arkouda.lookup import find_object
from hera_k8s_arkouda.permissions import account_objects, in_namespace
from hera_k8s_arkouda.requirements import DIGEST, Installed
from hera_k8s_arkouda.templates import WORKFLOWS_ACCOUNT, template_bodies
from hera_k8s_utils import Context, ErrorKind, Json, PlatformError

CREATE, UPDATE, PRESENT, REMOVE, ABSENT = "create", "update", "present", "remove", "absent"
MANAGED: Final = {"app.kubernetes.io/managed-by": "hera-k8s-utils"}


def installation(
    account: str = WORKFLOWS_ACCOUNT, *, templates: Sequence[str] | None = None, rbac: bool = True
) -> list[Installed]:
    """The objects installed in a namespace.

    templates: only these; None: all four.
    rbac: include the service account, its role and the binding.
    """
    bodies = template_bodies()
    chosen = [body for name, body in bodies.items() if templates is None or name in templates]
    return [Installed.of(body) for body in ((account_objects(account) if rbac else []) + chosen)]


@dataclass(frozen=True)
class Change:
    """A change of one object of the installation.

    installed: the object.
    action: `create`, `update`, `present`, `remove` or `absent`.
    """

    installed: Installed
    action: str

    def describe(self) -> str:
        """`create Role arkouda-workflows`."""
        return f"{self.action} {self.installed.body['kind']} {self.installed.name}"

    def to_json(self) -> Json:
        """As JSON data."""
        return {"kind": self.installed.body["kind"], "name": self.installed.name, "action": self.action}


def plan(wanted: Sequence[Installed], context: Context, *, removing: bool = False) -> list[Change]:
    """What has to change, without changing it. Raises `PlatformError` if an object cannot be read."""
    return [Change(each, _action(each, _read(each, context), removing)) for each in wanted]


def apply_changes(changes: Sequence[Change], context: Context, *, force: bool = False) -> list[Change]:
    """Apply the changes; returns those that were made.

    force: take over fields that another program manages.

    Raises `PlatformError` at the first change that the cluster rejects; earlier changes stay.
    """
    done = []
    for change in changes:
        body = in_namespace(dict(change.installed.body), context.kubernetes.namespace)
        api_version, resource, name = body["apiVersion"], resource_of(body), change.installed.name
        if change.action in (CREATE, UPDATE):
            labels = {**(body["metadata"].get("labels") or {}), **MANAGED}
            labelled = {**body, "metadata": {**body["metadata"], "labels": labels}}
            context.kubernetes.apply(api_version, resource, name, labelled, force=force)
        elif change.action == REMOVE:
            _delete(context, api_version, resource, name)
        else:
            continue
        done.append(change)
    return done


def resource_of(body: Mapping[str, Any]) -> str:
    """The plural of the kind; all kinds used here are regular."""
    return f"{str(body['kind']).lower()}s"


def _read(installed: Installed, context: Context) -> Json | None:
    return find_object(context, installed.body["apiVersion"], resource_of(installed.body), installed.name)


def _action(installed: Installed, found: Json | None, removing: bool) -> str:
    if removing:
        return ABSENT if found is None else REMOVE
    if found is None:
        return CREATE
    digest = (found["metadata"].get("annotations") or {}).get(DIGEST)
    return PRESENT if digest == installed.body["metadata"]["annotations"][DIGEST] else UPDATE


def _delete(context: Context, api_version: str, resource: str, name: str) -> None:
    try:
        context.kubernetes.delete(api_version, resource, name)
    except PlatformError as error:
        if error.kind is not ErrorKind.MISSING:
            raise
