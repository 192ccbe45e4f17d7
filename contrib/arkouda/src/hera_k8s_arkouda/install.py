"""The installation: four workflow templates and the account of the workflows, as a set that `provision` creates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hera_k8s_arkouda.requirements import DIGEST, Installed
from hera_k8s_arkouda.rights import account_objects, in_namespace
from hera_k8s_arkouda.templates import WORKFLOWS_ACCOUNT, template_bodies
from hera_k8s_utils import Context, ErrorKind, PlatformError

Json = dict[str, Any]

CREATE, UPDATE, PRESENT, REMOVE, ABSENT = "create", "update", "present", "remove", "absent"
MANAGED: Final = {"app.kubernetes.io/managed-by": "hera-k8s-utils"}


def installation(
    account: str = WORKFLOWS_ACCOUNT, *, templates: Sequence[str] | None = None, rbac: bool = True
) -> list[Installed]:
    """What is installed in a namespace. templates: only these; rbac: with the account and its rights."""
    bodies = template_bodies()
    chosen = [body for name, body in bodies.items() if templates is None or name in templates]
    return [Installed.of(body) for body in ((account_objects(account) if rbac else []) + chosen)]


@dataclass(frozen=True)
class Change:
    """What is done, or would be, about one object of the installation."""

    installed: Installed
    action: str

    def sentence(self) -> str:
        """`create Role arkouda-workflows`."""
        return f"{self.action} {self.installed.body['kind']} {self.installed.name}"

    def to_json(self) -> Json:
        """As plain data."""
        return {"kind": self.installed.body["kind"], "name": self.installed.name, "action": self.action}


def plan(wanted: Sequence[Installed], context: Context, *, removing: bool = False) -> list[Change]:
    """Look at each object; changes nothing. Raises `PlatformError` where one may not be looked at."""
    return [Change(each, _action(each, _read(each, context), removing)) for each in wanted]


def carry_out(changes: Sequence[Change], context: Context, *, force: bool = False) -> list[Change]:
    """Do what was planned; returns what was done. force: take over fields that another program wrote.

    Raises `PlatformError` at the first that the cluster refuses; what was done before stays.
    """
    done = []
    for change in changes:
        body = in_namespace(dict(change.installed.body), context.kubernetes.namespace)
        api_version, resource, name = body["apiVersion"], resource_of(body), change.installed.name
        if change.action in (CREATE, UPDATE):
            labels = {**(body["metadata"].get("labels") or {}), **MANAGED}
            placed = {**body, "metadata": {**body["metadata"], "labels": labels}}
            context.kubernetes.apply(api_version, resource, name, placed, force=force)
        elif change.action == REMOVE:
            _delete(context, api_version, resource, name)
        else:
            continue
        done.append(change)
    return done


def resource_of(body: Mapping[str, Any]) -> str:
    """The resource of one of our kinds, all of which are regular."""
    return f"{str(body['kind']).lower()}s"


def _read(installed: Installed, context: Context) -> Json | None:
    try:
        return context.kubernetes.get(installed.body["apiVersion"], resource_of(installed.body), installed.name)
    except PlatformError as error:
        if error.trouble is ErrorKind.MISSING:
            return None
        raise


def _action(installed: Installed, found: Json | None, removing: bool) -> str:
    if removing:
        return ABSENT if found is None else REMOVE
    if found is None:
        return CREATE
    written = (found["metadata"].get("annotations") or {}).get(DIGEST)
    return PRESENT if written == installed.body["metadata"]["annotations"][DIGEST] else UPDATE


def _delete(context: Context, api_version: str, resource: str, name: str) -> None:
    try:
        context.kubernetes.delete(api_version, resource, name)
    except PlatformError as error:
        if error.trouble is not ErrorKind.MISSING:
            raise
