"""What every API server rejects, whatever its version: known before it is asked.

The rules are those of Kubernetes 1.33: `ValidateConfigMap`, `ValidateSecret` and `ValidatePersistentVolumeClaim` in
pkg/apis/core/validation, and `IsConfigMapKey` in apimachinery.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from hera_k8s_kube.requirements import (
    KeyValueRequirement,
    KubeRequirement,
    Namespace,
    Permission,
    PersistentVolumeClaim,
    Secret,
)
from hera_k8s_utils import CheckResult, fail, is_dns_label, is_dns_subdomain, parse_quantity

_KEY: Final = re.compile(r"[-._a-zA-Z0-9]+")
_LONGEST_KEY: Final = 253
_MOST_DATA: Final = 1024 * 1024
"""Bytes of all values of a ConfigMap or a Secret."""
_MOST_REQUEST: Final = 1536 * 1024
"""Bytes of a whole object: the default of etcd's --max-request-bytes."""
_MOST_JSON: Final = 3 * 1024 * 1024
"""Bytes of the body of a request, in which letters beyond ASCII take six bytes or more."""
_OVERHEAD: Final = 1024
"""Bytes of an object beside its data: names, labels and managed fields."""
_TYPED_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
"""Keys that a Secret of a type must have."""
_JSON_KEYS: Final = frozenset({".dockerconfigjson", ".dockercfg"})
"""Those among them whose values must be JSON."""


def problem_of(wanted: KubeRequirement) -> CheckResult | None:
    """The first thing that an API server rejects; None when nothing is known against it."""
    return next(_problems(wanted), None)


def _problems(wanted: KubeRequirement) -> Iterator[CheckResult]:
    yield from _name_problems(wanted)
    if isinstance(wanted, KeyValueRequirement):
        yield from _key_problems(wanted)
        yield from _size_problems(wanted)
    if isinstance(wanted, Secret):
        yield from _type_problems(wanted)
    if isinstance(wanted, PersistentVolumeClaim):
        yield from _claim_problems(wanted)


def _name_problems(wanted: KubeRequirement) -> Iterator[CheckResult]:
    if isinstance(wanted, Permission):  # its name is that of a resource, such as pods/log
        return
    if isinstance(wanted, Namespace):
        valid, rule = is_dns_label(wanted.name), "lower-case letters, digits and dashes, at most 63"
    else:
        valid, rule = is_dns_subdomain(wanted.name), "lower-case letters, digits, dashes and dots, at most 253"
    if not valid:
        shown = wanted.name if len(wanted.name) <= 60 else f"{wanted.name[:57]}... ({len(wanted.name)} characters)"
        hint = f"--bind {wanted.role}=NAME" if not wanted.where else f"another name: {rule}"
        yield fail(f"{shown!r} is not a valid name: {rule}", hint=hint)


def _key_problems(wanted: KeyValueRequirement) -> Iterator[CheckResult]:
    for key in sorted(wanted.wanted_keys):
        shown = key if len(key) <= 60 else f"{key[:57]}..."
        if len(key) > _LONGEST_KEY:
            yield fail(f"the key {shown!r} has {len(key)} characters, at most {_LONGEST_KEY} are allowed")
        elif not _KEY.fullmatch(key) or key == "." or key.startswith(".."):
            yield fail(
                f"{shown!r} is not a valid key", hint="letters, digits, dashes, underscores and dots; no two dots first"
            )


def _size_problems(wanted: KeyValueRequirement) -> Iterator[CheckResult]:
    sizes = {key: _size(value) for key, value in wanted.data.items()}
    total = sum(sizes.values())
    if total > _MOST_DATA:
        largest = max(sizes, key=lambda key: sizes[key])
        yield fail(
            f"{_shown_size(total)} of data, a {wanted.kind} holds at most 1 MiB; the largest key is {largest}",
            hint="put large inputs on a claim or into the image",
        )
    elif not isinstance(wanted, Secret) and _OVERHEAD + len(json.dumps(dict(wanted.data))) > _MOST_JSON:
        yield fail(
            f"{_shown_size(total)} of data takes more than 3 MiB as JSON, the most of a request to the API server",
            hint="put large inputs on a claim or into the image",
        )
    elif _OVERHEAD + _stored(wanted, sizes) > _MOST_REQUEST:
        yield fail(
            f"{len(sizes)} keys with {_shown_size(total)} of data, etcd stores at most 1.5 MiB for one object",
            hint="fewer keys, or a file on a claim",
        )


def _stored(wanted: KeyValueRequirement, sizes: Mapping[str, int]) -> int:
    """Bytes of the data as it is stored, each key twice: managed fields name it too."""
    return sum(size + 2 * len(key) + 16 for key, size in sizes.items()) + len(wanted.name)


def _type_problems(wanted: Secret) -> Iterator[CheckResult]:
    needed = _TYPED_KEYS.get(wanted.type, ())
    if not (wanted.data or wanted.generate):  # it is not created here
        return
    missing = [key for key in needed if key not in wanted.wanted_keys]
    if missing:
        yield fail(f"a Secret of type {wanted.type} needs {' and '.join(missing)}", hint="add it to data=")
    for key in _JSON_KEYS.intersection(needed, wanted.data):
        try:
            json.loads(wanted.data[key])
        except ValueError:
            yield fail(f"the value of {key} is not JSON, which type {wanted.type} needs")


def _claim_problems(wanted: PersistentVolumeClaim) -> Iterator[CheckResult]:
    if wanted.size and parse_quantity(wanted.size) <= 0:
        yield fail(f"size {wanted.size}: a claim needs more than zero", hint='such as size="1Gi"')
    if wanted.storage_class and not is_dns_subdomain(wanted.storage_class):
        yield fail(f"{wanted.storage_class!r} is not a valid name of a storage class", hint="kubectl get storageclass")
    if wanted.sub_path.startswith("/") or ".." in wanted.sub_path.split("/"):
        yield fail(f"sub_path {wanted.sub_path!r} must be relative and within the claim")


def _size(value: str) -> int:
    return len(value.encode(errors="surrogatepass"))


def _shown_size(size: int) -> str:
    return f"{size / (1024 * 1024):.2f} MiB" if size >= 1024 * 1024 else f"{size / 1024:.0f} KiB"
