"""Config maps and secrets: present, of the right type, with the keys that tasks read. Values are never shown."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from hera_k8s_kube.lookups import find, is_deleting, kubectl_command, missing_result
from hera_k8s_kube.pod_usage import UsedPod, keyed_uses, resolved, used_pods
from hera_k8s_kube.requirements import ConfigMap, KeyValueRequirement, Secret
from hera_k8s_utils import CheckResult, Context, Json, fail, join_names, ok
from hera_k8s_utils.experiment import Manifest, Unresolved
from hera_k8s_utils.redaction import register_secrets

Q = TypeVar("Q", ConfigMap, Secret)

_SECRET: Final = 8
"""Characters of a value that is masked wherever it comes up."""
RANDOM_BYTES: Final = 24
"""Of randomness in a generated value, which is their URL-safe base64: 32 characters."""


def check_config_map(settings: None, context: Context, wanted: ConfigMap) -> CheckResult:
    """Read the one named config map; listing would need a wider right."""
    found = find(context, "v1", "configmaps", wanted.name)
    if found is None:
        by_hand = kubectl_command(context, f"create configmap {wanted.name}{_literals(wanted)}")
        return missing_result(context, wanted, otherwise=by_hand, can_be_made=_can_be_made(wanted, set(wanted.data)))
    return _fit(context, wanted, found, "configmap")


def check_secret(settings: None, context: Context, wanted: Secret) -> CheckResult:
    """Read the one named secret; only the names of its keys are used."""
    found = find(context, "v1", "secrets", wanted.name)
    if found is None:
        by_hand = kubectl_command(context, f"create secret generic {wanted.name}{_literals(wanted)}")
        values = {*wanted.data, *wanted.generate}
        return missing_result(context, wanted, otherwise=by_hand, can_be_made=_can_be_made(wanted, values))
    register_secrets(_values(found))
    if wanted.type and found.get("type") != wanted.type:
        return fail(
            f"{wanted.label}has type {found.get('type')}, needs {wanted.type}",
            hint=f"use another secret: --bind {wanted.role}=NAME",
        )
    return _fit(context, wanted, found, "secret")


def _fit(context: Context, wanted: KeyValueRequirement, found: Json, resource: str) -> CheckResult:
    if is_deleting(found):
        return fail(f"{wanted.label}is being deleted", hint=f"use another: --bind {wanted.role}=NAME")
    present = (found.get("data") or {}).keys() | (found.get("binaryData") or {}).keys()
    missing = sorted(wanted.wanted_keys - present)
    if missing:
        keys = "keys" if len(missing) > 1 else "key"
        edit = kubectl_command(context, f"edit {resource} {wanted.name}")
        return fail(f"{wanted.subject}lacks {keys} {join_names(missing)}", hint=edit)
    number = len(wanted.wanted_keys)
    detail = f"has {join_names(sorted(wanted.wanted_keys), most=4)}" if number else f"there, {len(present)} keys"
    return ok(f"{wanted.label}{detail}")


def _values(found: Json) -> Iterator[str]:
    """The values of a secret that are long enough to be one: a shorter one may be any word of a report."""
    for encoded in (found.get("data") or {}).values():
        try:
            value = base64.b64decode(str(encoded)).decode()
        except ValueError:
            continue
        if len(value) >= _SECRET:
            yield value


def _literals(wanted: KeyValueRequirement) -> str:
    return "".join(f" --from-literal={key}=VALUE" for key in sorted(wanted.wanted_keys)[:4])


def _can_be_made(wanted: KeyValueRequirement, values: set[str]) -> bool:
    return bool(values) and wanted.wanted_keys <= values


# --- what a workflow uses ----------------------------------------------------------------------------------------


def referenced_config_maps(manifest: Manifest) -> Iterable[ConfigMap | Unresolved]:
    """The config maps, and their keys, without which the workflow's pods do not start."""
    return _referenced(manifest, "configMap", ConfigMap)


def referenced_secrets(manifest: Manifest) -> Iterable[Secret | Unresolved]:
    """The secrets, and their keys, without which the workflow's pods do not start."""
    return _referenced(manifest, "secret", Secret)


def _referenced(manifest: Manifest, kind: str, requirement: type[Q]) -> Iterator[Q | Unresolved]:
    brought = {each["metadata"]["name"] for each in manifest.objects if each["kind"] == requirement.kind}
    for pod in used_pods(manifest):
        for use in keyed_uses(pod, kind):
            if use.name in brought:  # it is created with the Jobs
                continue
            keys, unresolved = _keys(manifest, pod, use.keys)
            yield from unresolved
            for name in resolved(manifest, pod, use.name):
                yield name if isinstance(name, Unresolved) else requirement(name, keys=keys, where=pod.where)


def _keys(manifest: Manifest, pod: UsedPod, texts: Iterable[str]) -> tuple[list[str], list[Unresolved]]:
    found = [key for text in texts for key in resolved(manifest, pod, text)]
    return [key for key in found if isinstance(key, str)], [key for key in found if isinstance(key, Unresolved)]


# --- what can be made --------------------------------------------------------------------------------------------


def build_config_map(settings: None, context: Context, wanted: ConfigMap) -> Json | None:
    """The config map to create; None when the values of its keys are not all said."""
    if not _can_be_made(wanted, set(wanted.data)):
        return None
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": wanted.name},
        "data": dict(wanted.data),
    }


def build_secret(settings: None, context: Context, wanted: Secret) -> Json | None:
    """The secret to create, with fresh random text for the keys of `generate`; None as for config maps."""
    if not _can_be_made(wanted, {*wanted.data, *wanted.generate}):
        return None
    values = {**{key: secrets.token_urlsafe(RANDOM_BYTES) for key in wanted.generate}, **wanted.data}
    register_secrets(value for value in values.values() if len(value) >= _SECRET)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": wanted.name},
        "type": wanted.type or "Opaque",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }
