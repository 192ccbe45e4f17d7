"""Containers of pods and of templates: what they are completed with, and what they are refused for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from hera_k8s_sandbox.admission.services import PORT_RULE, validate_target
from hera_k8s_sandbox.foundation.errors import Cause
from hera_k8s_sandbox.foundation.field_errors import (
    duplicate,
    forbidden_field,
    invalid_value,
    required,
    unknown_reference,
    unsupported_value,
)
from hera_k8s_sandbox.foundation.metadata_validation import LABEL, LABEL_RULE
from hera_k8s_utils._types import Json

PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_DEFAULTS: Final = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_PROBE: Final = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_PROBE_COUNTS: Final = ("initialDelaySeconds", *_PROBE)
_PROBE_ACTIONS: Final = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_ACTIONS: Final = ("exec", "httpGet", "tcpSocket", "sleep")
_PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
_SCHEMES: Final = ("HTTP", "HTTPS")
_PULLS: Final = ("Always", "IfNotPresent", "Never")
_MESSAGES: Final = ("File", "FallbackToLogsOnError")
_HIGHEST_PORT: Final = 65535
_REFERENCES: Final = (
    ("fieldRef", "fieldPath"),
    ("resourceFieldRef", "resource"),
    ("configMapKeyRef", "key"),
    ("secretKeyRef", "key"),
)
_NOT_NEGATIVE: Final = "must be greater than or equal to 0"


def set_container_defaults(container: Json) -> None:
    """Fill in, in place, what the API server fills in."""
    for field, value in _DEFAULTS.items():
        container.setdefault(field, dict(value) if isinstance(value, dict) else value)
    _, _, tag = container.get("image", "").rpartition("/")[2].partition(":")
    container.setdefault("imagePullPolicy", "IfNotPresent" if tag not in ("", "latest") else "Always")
    resources = container["resources"]
    if resources.get("limits"):
        resources["requests"] = resources["limits"] | (resources.get("requests") or {})
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for one in container.get("env") or ():
        if (one.get("valueFrom") or {}).get("fieldRef"):
            one["valueFrom"]["fieldRef"].setdefault("apiVersion", "v1")
        if (one.get("valueFrom") or {}).get("resourceFieldRef"):
            one["valueFrom"]["resourceFieldRef"].setdefault("divisor", "0")
    for name in PROBES:
        if container.get(name):
            _set_probe_defaults(container[name])
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _set_action_defaults(hook)


def _set_probe_defaults(probe: Json) -> None:
    for field, value in _PROBE.items():
        if not probe.get(field):
            probe[field] = value
    _set_action_defaults(probe)
    if probe.get("grpc"):
        probe["grpc"].setdefault("service", "")


def _set_action_defaults(action: Json) -> None:
    get = action.get("httpGet")
    if get is not None:
        get["path"] = get.get("path") or "/"
        get["scheme"] = get.get("scheme") or "HTTP"


def validate_container(
    where: str, container: Json, volumes: set[Any], seen: set[str], *, init: bool
) -> Iterator[Cause]:
    """What is wrong with a container; volumes, seen: the names of the pod's volumes, and of its containers so far."""
    name = container.get("name")
    if not name:
        yield required(f"{where}.name")
    elif not re.fullmatch(LABEL, name):
        yield invalid_value(f"{where}.name", name, LABEL_RULE)
    elif name in seen:
        yield duplicate(f"{where}.name", name)
    else:
        seen.add(name)
    if not container.get("image"):
        yield required(f"{where}.image")
    yield from _validate_port(f"{where}.ports", container.get("ports") or [])
    yield from _validate_env(f"{where}.env", container.get("env") or [])
    yield from _validate_mount(f"{where}.volumeMounts", container.get("volumeMounts") or [], volumes)
    if container.get("imagePullPolicy") not in _PULLS:
        yield unsupported_value(f"{where}.imagePullPolicy", container.get("imagePullPolicy"), _PULLS)
    if container.get("terminationMessagePolicy") not in _MESSAGES:
        yield unsupported_value(
            f"{where}.terminationMessagePolicy", container.get("terminationMessagePolicy"), _MESSAGES
        )
    if init and container.get("restartPolicy") != "Always":
        yield from _validate_init(where, container)
        return
    for hook, action in (container.get("lifecycle") or {}).items():
        if hook in ("postStart", "preStop"):
            yield from _validate_action(f"{where}.lifecycle.{hook}", action or {}, _HOOK_ACTIONS)
    for field in PROBES:
        if container.get(field):
            yield from _validate_probe(f"{where}.{field}", container[field], once=field != "readinessProbe")


def _validate_init(where: str, container: Json) -> Iterator[Cause]:
    for field in ("lifecycle", *PROBES):
        if container.get(field):
            yield forbidden_field(f"{where}.{field}", "may not be set for init containers without restartPolicy=Always")


def _validate_port(where: str, ports: list[Json]) -> Iterator[Cause]:
    names: set[str] = set()
    for index, port in enumerate(ports):
        at, name, number = f"{where}[{index}]", port.get("name"), port.get("containerPort")
        if name:
            yield from validate_target(f"{at}.name", name)
            if name in names:
                yield duplicate(f"{at}.name", name)
            names.add(name)
        if not number:
            yield required(f"{at}.containerPort")
        elif not 1 <= number <= _HIGHEST_PORT:
            yield invalid_value(f"{at}.containerPort", number, PORT_RULE)
        if port.get("hostPort") and not 1 <= port["hostPort"] <= _HIGHEST_PORT:
            yield invalid_value(f"{at}.hostPort", port["hostPort"], PORT_RULE)
        if port["protocol"] not in _PROTOCOLS:
            yield unsupported_value(f"{at}.protocol", port["protocol"], _PROTOCOLS)


def _validate_env(where: str, env: list[Json]) -> Iterator[Cause]:
    for index, one in enumerate(env):
        if not one.get("name"):
            yield required(f"{where}[{index}].name")
        source = one.get("valueFrom")
        if source is None:
            continue
        for kind, field in _REFERENCES:
            if source.get(kind) is not None and not source[kind].get(field):
                yield required(f"{where}[{index}].valueFrom.{kind}.{field}")
        if one.get("value"):
            yield invalid_value(f"{where}[{index}].valueFrom", "", "may not be specified when `value` is not empty")
        elif len(source) > 1:
            yield invalid_value(
                f"{where}[{index}].valueFrom", "", "may not have more than one field specified at a time"
            )
        elif not source:
            message = (
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
            )
            yield invalid_value(f"{where}[{index}].valueFrom", "", message)


def _validate_mount(where: str, mounts: list[Json], volumes: set[Any]) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        at, path = f"{where}[{index}]", mount.get("mountPath")
        if not mount.get("name"):
            yield required(f"{at}.name")
        elif mount["name"] not in volumes:
            yield unknown_reference(f"{at}.name", mount["name"])
        if not path:
            yield required(f"{at}.mountPath")
        elif path in seen:
            yield invalid_value(f"{at}.mountPath", path, "must be unique")
        seen.add(path or "")
        part = mount.get("subPath") or ""
        if part.startswith("/"):
            yield invalid_value(f"{where}.subPath", part, "must be a relative path")
        elif ".." in part.split("/"):
            yield invalid_value(f"{where}.subPath", part, "must not contain '..'")


def _validate_probe(where: str, probe: Json, *, once: bool) -> Iterator[Cause]:
    """What is wrong with a probe; once: it has succeeded when it has once."""
    yield from _validate_action(where, probe, _PROBE_ACTIONS)
    for field in _PROBE_COUNTS:
        if (probe.get(field) or 0) < 0:
            yield invalid_value(f"{where}.{field}", probe[field], _NOT_NEGATIVE)
    if once and probe.get("successThreshold") != 1:
        yield invalid_value(f"{where}.successThreshold", probe.get("successThreshold"), "must be 1")


def _validate_action(where: str, action: Json, kinds: tuple[str, ...]) -> Iterator[Cause]:
    given = [kind for kind in kinds if action.get(kind) is not None]
    if not given:
        yield required(where, "must specify a handler type")
        return
    for kind in given[1:]:
        yield forbidden_field(f"{where}.{kind}", "may not specify more than 1 handler type")
    kind, what = given[0], action[given[0]]
    at = f"{where}.{kind}"
    if kind == "exec" and not what.get("command"):
        yield required(f"{at}.command")
    if kind in ("httpGet", "tcpSocket"):
        yield from validate_target(f"{at}.port", what.get("port", 0))
    if kind == "httpGet" and what["scheme"] not in _SCHEMES:
        yield unsupported_value(f"{at}.scheme", what["scheme"], _SCHEMES)
