"""Environment: the variables that a container is given, from values, fields, config maps and secrets."""

from __future__ import annotations

import base64
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final

from hera_k8s_sandbox.foundation import quantities
from hera_k8s_sandbox.kubelet.pod_context import PodBlocked, Sources, containers_of
from hera_k8s_utils._types import Json

ADDRESS: Final = "127.0.0.1"  # of every pod and of the node: all share this machine's loopback
_REFERENCE: Final = re.compile(r"\$(\$|\((?P<name>[^)]*)\))")
_LONGEST: Final = 256 << 10  # characters; Linux gives a program words of 128 KiB at most
_MOST: Final = 8 << 20  # characters of all variables that are written out; Linux gives a program 2 MiB
_VARIABLE: Final = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_KEYED: Final = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


def environment_of(pod: Json, container: Json, sources: Sources) -> dict[str, str]:
    """The variables of a container, in their order. Raises PodBlocked when one refers to what is not there."""
    env: dict[str, str] = {}
    left = _MOST
    for source in container.get("envFrom") or ():
        for key, value in _all_of(source, sources).items():
            env[f"{source.get('prefix') or ''}{key}"] = value
    for one in container.get("env") or ():
        if one.get("valueFrom"):
            found = _one_of(pod, container, one["valueFrom"], sources)
            if found is None:  # optional
                continue
        else:
            found = expand_references(str(one.get("value") or ""), env)
            left -= len(found)
            if left < 0:
                raise config_error(f"the variables of container {container['name']} have more than {_MOST} characters")
        env[one["name"]] = found
    return env


def expand_references(text: str, env: Mapping[str, str]) -> str:
    """A text in which `$(NAME)` is replaced as in a container's command, and `$$` stands for one dollar sign.

    A name that is no variable of the container's stays as it is written. What becomes longer than a program may be
    given is cut off, and still too long: the program does not start, as in a cluster.
    """
    parts: list[str] = []
    length = end = 0
    for found in _REFERENCE.finditer(text):
        name = found["name"]
        value = "$" if name is None else env.get(name, found[0])
        parts += [text[end : found.start()], value]
        length += len(value)
        end = found.end()
        if length > _LONGEST:
            break
    return "".join([*parts, text[end:]])[: max(_LONGEST, len(text))]


def data_of(kind: str, obj: Json) -> dict[str, bytes]:
    """What a ConfigMap or Secret holds, by its keys."""
    plain = obj.get("data") or {}
    if kind == "Secret":
        return {key: base64.b64decode(value or "") for key, value in plain.items()}
    coded = {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}
    return {key: value.encode() for key, value in plain.items()} | coded


def _all_of(source: Json, sources: Sources) -> dict[str, str]:
    for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
        if source.get(field):
            found = _find(sources, kind, source[field])
            data = {} if found is None else data_of(kind, found)
            return {key: _text(value) for key, value in data.items() if _VARIABLE.fullmatch(key)}
    return {}


def _one_of(pod: Json, container: Json, source: Json, sources: Sources) -> str | None:
    if source.get("fieldRef"):
        return field_of(pod, source["fieldRef"].get("fieldPath", ""))
    if source.get("resourceFieldRef"):
        return resource_of(pod, source["resourceFieldRef"], container)
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if source.get(field):
            return _key(pod, kind, source[field], sources)
    raise config_error(f"the sandbox does not support env from {', '.join(sorted(source))}", event_message=None)


def _key(pod: Json, kind: str, reference: Json, sources: Sources) -> str | None:
    found = _find(sources, kind, reference)
    if found is None:
        return None
    data = data_of(kind, found)
    if reference["key"] in data:
        return _text(data[reference["key"]])
    if reference.get("optional"):
        return None
    where = f"{pod['metadata']['namespace']}/{reference['name']}"
    raise config_error(f"couldn't find key {reference['key']} in {kind} {where}")


def _find(sources: Sources, kind: str, reference: Json) -> Json | None:
    name = reference.get("name", "")
    found = sources.objects.get((kind, name))
    if found is None and not reference.get("optional"):
        raise config_error(f'{kind.lower()} "{name}" not found')
    return found


def config_error(message: str, event_message: str | None = "Error: ") -> PodBlocked:
    """The error of an incomplete container configuration; event_message: how its event begins, None: as the error."""
    event = f"{event_message}{message}" if event_message else ""
    return PodBlocked("CreateContainerConfigError", message, event="Failed", event_message=event)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape").replace("\0", "")


# Fields


_FIELDS: Final[Mapping[str, Callable[[Json], Any]]] = {
    "metadata.name": lambda pod: pod["metadata"]["name"],
    "metadata.namespace": lambda pod: pod["metadata"]["namespace"],
    "metadata.uid": lambda pod: pod["metadata"]["uid"],
    "metadata.labels": lambda pod: _listed(pod["metadata"].get("labels") or {}),
    "metadata.annotations": lambda pod: _listed(pod["metadata"].get("annotations") or {}),
    "spec.nodeName": lambda pod: pod["spec"].get("nodeName", ""),
    "spec.serviceAccountName": lambda pod: pod["spec"].get("serviceAccountName", ""),
    "status.hostIP": lambda _: ADDRESS,
    "status.hostIPs": lambda _: ADDRESS,
    "status.podIP": lambda _: ADDRESS,
    "status.podIPs": lambda _: ADDRESS,
}


def field_of(pod: Json, path: str) -> str:
    """The text of a pod's field as `fieldRef` names it. Raises PodBlocked for one that cannot be had."""
    if path in _FIELDS:
        return str(_FIELDS[path](pod))
    keyed = _KEYED.fullmatch(path)
    if keyed is None:
        raise config_error(f"unsupported fieldPath: {path}")
    return str((pod["metadata"].get(keyed[1]) or {}).get(keyed[2], ""))


def resource_of(pod: Json, reference: Json, container: Json | None = None) -> str:
    """An amount as `resourceFieldRef` asks for it: in whole units of its divisor, rounded up.

    Without a limit it is the node's amount; without a request it is nothing. Raises PodBlocked.
    """
    name = reference.get("containerName") or ""
    owner = container if not name else next((one for one in containers_of(pod) if one["name"] == name), None)
    if owner is None:
        raise config_error(f"container {name} not found")
    kind, _, what = str(reference.get("resource", "")).partition(".")
    if kind not in ("limits", "requests") or not what:
        raise config_error(f"unsupported container resource : {reference.get('resource', '')}")
    resources = owner.get("resources") or {}
    given = (resources.get(kind) or {}).get(what)
    amount = quantities.read_quantity(str(given)) if given is not None else None
    if amount is None:
        amount = _of_the_node(what) if kind == "limits" else Fraction(0)
    divisor = quantities.read_quantity(str(reference.get("divisor") or "1")) or Fraction(1)  # 0: not set
    return str(math.ceil(amount / divisor))


def _of_the_node(what: str) -> Fraction:
    if what == "cpu":
        return Fraction(os.cpu_count() or 1)
    if what == "memory":
        return Fraction(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return Fraction(0)


def _listed(pairs: Mapping[str, str]) -> str:
    return "\n".join(f"{key}={json.dumps(value)}" for key, value in sorted(pairs.items()))
