"""Pull secrets: present, of a type for registry logins, and with a login for the images' registry."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final

from hera_k8s_kube.lookups import find, is_deleting, kubectl_command, missing_result
from hera_k8s_kube.pod_usage import resolved, used_pods
from hera_k8s_kube.requirements import PullSecret
from hera_k8s_utils import CheckResult, Context, CoreSettings, Json, fail, join_names, ok
from hera_k8s_utils.experiment import Manifest, Unresolved
from hera_k8s_utils.reading import parse_json
from hera_k8s_utils.redaction import register_secrets

_KEYS: Final = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}
"""The key of each type that holds logins."""
_DOCKER_HUB: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


def check_pull_secret(settings: None, context: Context, wanted: PullSecret) -> CheckResult:
    """Read the one named secret; only the names of its registries are used."""
    found = find(context, "v1", "secrets", wanted.name)
    host = registry_host(wanted.registry or context.options.of(CoreSettings).registry)
    if found is None:
        server = f" --docker-server={host}" if host else ""
        create = f"create secret docker-registry {wanted.name}{server} --docker-username=NAME --docker-password=TOKEN"
        return missing_result(context, wanted, otherwise=kubectl_command(context, create))
    if is_deleting(found):
        return fail(f"{wanted.label}is being deleted", hint=f"use another: --bind {wanted.role}=NAME")
    kind = str(found.get("type") or "")
    if kind not in _KEYS:
        return fail(
            f"{wanted.label}has type {kind}, which is not a registry login",
            hint=f"its type must be {next(iter(_KEYS))}",
        )
    covered = _registries(found, kind)
    if covered is None:
        return fail(f"{wanted.label}does not contain readable registry logins", hint="recreate it with kubectl")
    if host and not any(_covers(each, host) for each in covered):
        return fail(
            f"{wanted.label}has no login for {host}, only for {join_names(sorted(covered)) or 'none'}",
            hint=f"use another secret: --bind {wanted.role}=NAME",
        )
    return ok(f"{wanted.label}covers {host or join_names(sorted(covered))}")


def _registries(found: Json, kind: str) -> list[str] | None:
    try:
        config = parse_json(base64.b64decode((found.get("data") or {}).get(_KEYS[kind]) or ""))
        logins = config["auths"] if kind.endswith("dockerconfigjson") else config
        register_secrets(_passwords(logins))
        return [registry_host(str(name)) for name in dict(logins)]
    except (ValueError, KeyError, TypeError):
        return None


def _is_mapping(value: object) -> bool:
    return isinstance(value, dict)


def _passwords(logins: Json) -> Iterator[str]:
    for login in filter(_is_mapping, dict(logins).values()):
        yield from (str(login[key]) for key in ("auth", "password", "identitytoken") if login.get(key))


def registry_host(text: str) -> str:
    """The host (and port) of a registry, from any of the forms in which people write one."""
    return text.partition("://")[2].partition("/")[0] if "://" in text else text.partition("/")[0]


def _covers(login: str, host: str) -> bool:
    """Whether a login is for a host; kubelet lets `*` stand for a part of a name."""
    if login in _DOCKER_HUB and host in _DOCKER_HUB:
        return True
    parts, wanted = login.split("."), host.split(".")
    return len(parts) == len(wanted) and all(map(fnmatchcase, wanted, parts))


def referenced_pull_secrets(manifest: Manifest) -> Iterable[PullSecret | Unresolved]:
    """The pull secrets that the workflow, or a pod which it creates, names."""
    for reference in manifest.pull_secrets():
        for name in manifest.names(reference.scope, reference.text, reference.where):
            yield name if isinstance(name, Unresolved) else PullSecret(name, where=reference.where)
    for pod in used_pods(manifest):
        for secret in pod.pull_secrets:
            for name in resolved(manifest, pod, secret.get("name") or ""):
                yield name if isinstance(name, Unresolved) else PullSecret(name, where=pod.where)
