"""Discovery: the server's version, groups and resources."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from typing import Final

from hera_k8s_sandbox.foundation.kind_registry import Kinds, precedence
from hera_k8s_sandbox.foundation.resource_types import Resource
from hera_k8s_sandbox.foundation.review_types import REVIEWS
from hera_k8s_utils._types import Json

KUBERNETES_VERSION: Final = "v1.36.2"  # the server that the answers were compared with

_SUBRESOURCES: Final = {
    "status": ("", "", ("get", "patch", "update")),
    "binding": ("Binding", "", ("create",)),
    "log": ("Pod", "", ("get",)),
    "token": ("TokenRequest", "authentication.k8s.io/v1", ("create",)),
    "scale": ("Scale", "autoscaling/v1", ("get", "patch", "update")),
}


def group_versions(kinds: Kinds) -> list[tuple[str, str]]:
    """The groups and versions that anything is served under."""
    return sorted({(one.group, one.version) for one in _served(kinds)})


def known_group_version(kinds: Kinds, group: str, version: str) -> bool:
    """Whether anything is served under this group and version."""
    return any((one.group, one.version) == (group, version) for one in _served(kinds))


def _served(kinds: Kinds) -> Iterator[Resource]:
    yield from (one for one in kinds if one.verbs)
    yield from REVIEWS


def version() -> Json:
    """The answer of /version."""
    major, minor, _ = KUBERNETES_VERSION[1:].split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": KUBERNETES_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "hera-k8s-sandbox",
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }


def core_versions(address: str) -> Json:
    """The answer of /api; address: host:port."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def groups(kinds: Kinds) -> Json:
    """The answer of /apis."""
    names = sorted({group for group, _ in group_versions(kinds) if group})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(kinds, name) for name in names]}


def group(kinds: Kinds, name: str) -> Json | None:
    """The answer of /apis/NAME, or None for an unknown group."""
    if name and any(known == name for known, _ in group_versions(kinds)):
        return {"kind": "APIGroup", "apiVersion": "v1"} | _group(kinds, name)
    return None


def resources(kinds: Kinds, group: str, version: str) -> Json:
    """The answer of /api/v1 and of /apis/GROUP/VERSION."""
    head = {"kind": "APIResourceList"} | ({"apiVersion": "v1"} if group else {})  # the core's list has none
    return head | {
        "groupVersion": _group_version(group, version),
        "resources": [
            described
            for one in _served(kinds)
            if (one.group, one.version) == (group, version)
            for described in _describe(one)
        ],
    }


def _group_version(group: str, version: str) -> str:
    return f"{group}/{version}" if group else version


def _group(kinds: Kinds, name: str) -> Json:
    found = sorted((version for group, version in group_versions(kinds) if group == name), key=precedence, reverse=True)
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in found]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _describe(resource: Resource) -> Iterator[Json]:
    described: Json = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        described["shortNames"] = list(resource.short_names)
    if resource.categories:
        described["categories"] = list(resource.categories)
    yield described
    for name in resource.subresources:
        kind, group_version, verbs = _SUBRESOURCES[name]
        below: Json = {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": kind or resource.kind,
            "verbs": list(verbs),
        }
        if group_version:
            below["group"], _, below["version"] = group_version.partition("/")
        yield below
