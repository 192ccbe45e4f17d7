"""Config maps and secrets: present, of the right type, with the keys that tasks read and the values that are declared.

Values of secrets are never shown.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final, TypeVar

from hera_k8s_kube.lookups import find, is_deleting, kubectl_command, missing_result
from hera_k8s_kube.pod_usage import UsedPod, keyed_uses, resolved, used_pods
from hera_k8s_kube.requirements import ConfigMap, KeyValueRequirement, Secret
from hera_k8s_utils import CheckResult, Context, Json, fail, join_names, ok, warn
from hera_k8s_utils.experiment import Manifest, Unresolved
from hera_k8s_utils.labels import EXPERIMENT_LABEL, MANAGED_BY, MANAGER
from hera_k8s_utils.redaction import register_secrets

Q = TypeVar("Q", ConfigMap, Secret)

_SECRET: Final = 8
"""Characters of a value that is masked wherever it comes up."""
_SHOWN: Final = 24
"""Characters of a config map's value that a message shows."""
_NAMED: Final = 3
"""Keys with other values that a message shows."""
RANDOM_BYTES: Final = 24
"""Of randomness in a generated value, which is their URL-safe base64: 32 characters."""


def check_config_map(settings: None, context: Context, wanted: ConfigMap) -> CheckResult:
    """Read the one named config map; listing would need a wider right."""
    found = find(context, "v1", "configmaps", wanted.name)
    if found is None:
        by_hand = kubectl_command(context, f"create configmap {wanted.name}{_literals(wanted)}")
        return missing_result(context, wanted, otherwise=by_hand, can_be_made=_can_be_made(wanted))
    return _fit(context, wanted, found, "configmap")


def check_secret(settings: None, context: Context, wanted: Secret) -> CheckResult:
    """Read the one named secret; only the names of its keys are used."""
    found = find(context, "v1", "secrets", wanted.name)
    if found is None:
        by_hand = kubectl_command(context, f"create secret generic {wanted.name}{_literals(wanted)}")
        return missing_result(context, wanted, otherwise=by_hand, can_be_made=_can_be_made(wanted))
    register_secrets(value for value in _texts(found) if len(value) >= _SECRET)
    register_secrets(value for value in wanted.data.values() if len(value) >= _SECRET)
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
        said = f"{wanted.subject}lacks {keys} {join_names(missing)}"
        return fail(said, hint=_remedy(context, wanted, found, resource))
    differing = _differing(wanted, found)
    if differing:
        said = f"{wanted.label}{_difference(wanted, found, differing)}"
        judge = warn if wanted.when_different == "warn" else fail
        owner = _other_owner(context, found)
        if owner:
            return judge(said, hint=f"it belongs to the experiment {owner}: --bind {wanted.role}=NAME")
        return judge(said, hint=f"{_remedy(context, wanted, found, resource)}    or  --bind {wanted.role}=NAME")
    number = len(wanted.wanted_keys)
    detail = f"has {join_names(sorted(wanted.wanted_keys), most=4)}" if number else f"there, {len(present)} keys"
    return ok(f"{wanted.label}{detail}")


# --- values that differ ------------------------------------------------------------------------------------------


def _differing(wanted: KeyValueRequirement, found: Json) -> list[str]:
    """The keys whose values on the cluster are not the declared ones, byte by byte."""
    there = _bytes(found, encoded=isinstance(wanted, Secret))
    return sorted(key for key in wanted.declared_keys if there[key] != wanted.data[key].encode(errors="surrogatepass"))


def _difference(wanted: KeyValueRequirement, found: Json, differing: list[str]) -> str:
    """`SAMPLES is "400", declared "10"`; of a secret, the keys alone."""
    if isinstance(wanted, Secret):
        values = "another value" if len(differing) == 1 else "other values"
        return f"has {values} than declared for {join_names(differing)}"
    there = _bytes(found, encoded=False)
    shown = [f"{key} is {_compared(there[key], wanted.data[key])}" for key in differing[:_NAMED]]
    rest = len(differing) - len(shown)
    return "; ".join([*shown, *([f"{rest} more differ: {join_names(differing[_NAMED:])}"] if rest else [])])


def _compared(found: bytes, declared: str) -> str:
    """Both values, cut to where they differ."""
    there = found.decode(errors="replace")
    same = next((i for i, pair in enumerate(zip(there, declared, strict=False)) if pair[0] != pair[1]), None)
    start = min(len(there), len(declared)) if same is None else same
    start = 0 if max(len(there), len(declared)) <= _SHOWN else max(0, start - _SHOWN // 3)
    return f"{_excerpt(there, start)}, declared {_excerpt(declared, start)}"


def _excerpt(text: str, start: int) -> str:
    before = "..." if start else ""
    after = "..." if len(text) > start + _SHOWN else ""
    return before + json.dumps(text[start : start + _SHOWN], ensure_ascii=False) + after


def _remedy(context: Context, wanted: KeyValueRequirement, found: Json, resource: str) -> str:
    """What to type so that the object is as it is declared: `provision` changes only what it made."""
    labels = (found.get("metadata") or {}).get("labels") or {}
    if labels.get(MANAGED_BY) != MANAGER or not _can_be_made(wanted):
        return kubectl_command(context, f"edit {resource} {wanted.name}")
    if found.get("immutable"):
        return f"{kubectl_command(context, f'delete {resource} {wanted.name}')}, then hera-k8s provision"
    return "hera-k8s provision"


def _other_owner(context: Context, found: Json) -> str:
    """The other experiment whose object it is; empty when it is this one's, or nobody's."""
    owner = ((found.get("metadata") or {}).get("labels") or {}).get(EXPERIMENT_LABEL) or ""
    own = context.experiment.experiment.name if context.experiment else owner
    return "" if owner == own else str(owner)


def _bytes(found: Json, *, encoded: bool) -> dict[str, bytes]:
    """The values on the cluster by key. encoded: `data` holds base64, as in a secret."""
    plain: Mapping[str, str] = found.get("data") or {}
    binary: Mapping[str, str] = found.get("binaryData") or {}
    values = {key: _decoded(value) if encoded else str(value).encode() for key, value in plain.items()}
    return {**values, **{key: _decoded(value) for key, value in binary.items()}}


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(str(value))
    except ValueError:
        return b""


def _texts(found: Json) -> Iterator[str]:
    """The values of a secret that are text."""
    for value in _bytes(found, encoded=True).values():
        with suppress(ValueError):
            yield value.decode()


def _made_keys(wanted: KeyValueRequirement) -> set[str]:
    """The keys for which `hera-k8s provision` has a value."""
    return {*wanted.data, *(wanted.generate if isinstance(wanted, Secret) else ())}


def _literals(wanted: KeyValueRequirement) -> str:
    return "".join(f" --from-literal={key}=VALUE" for key in sorted(wanted.wanted_keys)[:4])


def _can_be_made(wanted: KeyValueRequirement) -> bool:
    values = _made_keys(wanted)
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
    if not _can_be_made(wanted):
        return None
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": wanted.name},
        "data": dict(wanted.data),
    }


def build_secret(settings: None, context: Context, wanted: Secret) -> Json | None:
    """The secret to create, with fresh random text for the keys of `generate`; None as for config maps."""
    if not _can_be_made(wanted):
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
