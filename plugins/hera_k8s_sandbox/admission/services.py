"""Services and their endpoints: what they are completed with, and what they are refused for."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator
from typing import Any, Final

from hera_k8s_sandbox.foundation.errors import Cause
from hera_k8s_sandbox.foundation.field_errors import duplicate, invalid_value, required, unsupported_value
from hera_k8s_sandbox.foundation.metadata_validation import LABEL, LABEL_RULE, validate_labels, validate_subdomain
from hera_k8s_utils._types import Json

_TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
_AFFINITIES: Final = ("ClientIP", "None")
_AFFINITY_SECONDS: Final = 10800
_HIGHEST: Final = 65535
_ADDRESS_TYPES: Final = ("FQDN", "IPv4", "IPv6")
_HEADLESS: Final = "None"
PORT_RULE: Final = f"must be between 1 and {_HIGHEST}, inclusive"
_PORT_NAME: Final = re.compile(r"(?=.*[a-z])[a-z0-9]([a-z0-9]|-(?!-))*")


def set_service_defaults(obj: Json) -> None:
    """Fill in, in place, what the API server fills in; its addresses come after."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if spec["sessionAffinity"] == "ClientIP":
        client = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        client.setdefault("timeoutSeconds", _AFFINITY_SECONDS)
    if not spec.get("ports"):
        spec.pop("ports", None)
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in (None, "", 0):
            port["targetPort"] = port.get("port")
    if spec["type"] == "ExternalName":
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if not spec.get(field) or field != "clusterIP":
                spec.pop(field, None)
    else:
        spec.setdefault("internalTrafficPolicy", "Cluster")
        _set_families_defaults(spec)
    if spec["type"] in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    else:
        for port in spec.get("ports") or ():
            port.pop("nodePort", None)
        for field in ("externalTrafficPolicy", "allocateLoadBalancerNodePorts", "healthCheckNodePort"):
            spec.pop(field, None)
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    obj.setdefault("status", {"loadBalancer": {}})


def _set_families_defaults(spec: Json) -> None:
    if not spec.get("clusterIP") and spec.get("clusterIPs"):
        spec["clusterIP"] = spec["clusterIPs"][0]
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    if spec.get("clusterIP") == _HEADLESS and not spec.get("selector"):
        spec.setdefault("ipFamilies", ["IPv4", "IPv6"])
        spec.setdefault("ipFamilyPolicy", "RequireDualStack")
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")


def set_endpoints_defaults(obj: Json) -> None:
    """Fill in, in place, what the API server fills in."""
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            port.setdefault("protocol", "TCP")


def set_slice_defaults(obj: Json) -> None:
    """Fill in, in place, what the API server fills in."""
    obj["endpoints"] = obj.get("endpoints") or []
    obj["ports"] = obj.get("ports") or None
    for one in obj["endpoints"]:
        one.setdefault("conditions", {})
    for port in obj["ports"] or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def validate_slice(obj: Json) -> Iterator[Cause]:
    """What is wrong with a slice of endpoints."""
    if not obj.get("addressType"):
        yield required("addressType")
    elif obj["addressType"] not in _ADDRESS_TYPES:
        yield unsupported_value("addressType", obj["addressType"], _ADDRESS_TYPES)
    for index, one in enumerate(obj["endpoints"]):
        if not one.get("addresses"):
            yield required(f"endpoints[{index}].addresses", "must contain at least 1 address")
    seen: set[str] = set()
    for index, port in enumerate(obj["ports"] or ()):
        if port["name"] in seen:
            yield duplicate(f"ports[{index}].name", port["name"])
        seen.add(port["name"])


def validate_service(obj: Json) -> Iterator[Cause]:
    """What is wrong with a service."""
    spec = obj["spec"]
    if spec["type"] not in _TYPES:
        yield unsupported_value("spec.type", spec["type"], _TYPES)
    is_headless = spec.get("clusterIP") == _HEADLESS
    if not spec.get("ports") and not is_headless and spec["type"] != "ExternalName":
        yield required("spec.ports")
    if spec["type"] == "ExternalName":
        yield from _validate_external(spec)
    yield from _validate_port(spec.get("ports") or [])
    for cause in validate_labels({"labels": spec.get("selector") or {}}):
        yield Cause("spec.selector", cause.message, cause.reason)
    if spec["sessionAffinity"] not in _AFFINITIES:
        yield unsupported_value("spec.sessionAffinity", spec["sessionAffinity"], _AFFINITIES)
    yield from _validate_address(spec)


def validate_service_update(old: Json, new: Json) -> Iterator[Cause]:
    """What is wrong with a change: an address stays."""
    before, after = old["spec"], new["spec"]
    if "ExternalName" in (before.get("type"), after.get("type")):
        return
    if before.get("clusterIPs") and before["clusterIPs"] != after.get("clusterIPs"):
        yield invalid_value("spec.clusterIPs[0]", after.get("clusterIPs"), "may not change once set")


def _validate_external(spec: Json) -> Iterator[Cause]:
    name = spec.get("externalName")
    if not name:
        yield required("spec.externalName")
    else:
        yield from validate_subdomain("spec.externalName", name.removesuffix("."))


def _validate_port(ports: list[Json]) -> Iterator[Cause]:
    names: set[str] = set()
    seen: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        where, name = f"spec.ports[{index}]", port.get("name")
        if len(ports) > 1 and not name:
            yield required(f"{where}.name")
        elif name and not re.fullmatch(LABEL, name):
            yield invalid_value(f"{where}.name", name, LABEL_RULE)
        elif name and name in names:
            yield duplicate(f"{where}.name", name)
        names.add(name or "")
        if not 1 <= int(port.get("port") or 0) <= _HIGHEST:
            yield invalid_value(f"{where}.port", port.get("port") or 0, PORT_RULE)
        if not port.get("protocol"):
            yield required(f"{where}.protocol")
        elif port["protocol"] not in _PROTOCOLS:
            yield unsupported_value(f"{where}.protocol", port["protocol"], _PROTOCOLS)
        yield from validate_target(f"{where}.targetPort", port.get("targetPort"))
    for index, port in enumerate(ports):
        key = (port.get("protocol"), port.get("port"))
        if key in seen:
            shown = {
                "Name": "",
                "Protocol": key[0],
                "AppProtocol": None,
                "Port": key[1],
                "TargetPort": 0,
                "NodePort": 0,
            }
            yield Cause(f"spec.ports[{index}]", f"Duplicate value: {_compact(shown)}", duplicate("", "").reason)
        seen.add(key)


def validate_target(where: str, target: Any) -> Iterator[Cause]:
    """What is wrong with a port that is given as a number or by its name."""
    if isinstance(target, int):
        if not 1 <= target <= _HIGHEST:
            yield invalid_value(where, target, PORT_RULE)
        return
    name = str(target or "")
    if len(name) > 15:
        yield invalid_value(where, name, "must be no more than 15 characters")
    elif not re.fullmatch(r"[-a-z0-9]+", name):
        yield invalid_value(where, name, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    elif not re.search(r"[a-z]", name):
        yield invalid_value(where, name, "must contain at least one letter (a-z)")
    elif "--" in name:
        yield invalid_value(where, name, "must not contain consecutive hyphens")
    elif not _PORT_NAME.fullmatch(name) or name.endswith("-"):
        yield invalid_value(where, name, "must not begin or end with a hyphen")


def _validate_address(spec: Json) -> Iterator[Cause]:
    address = spec.get("clusterIP")
    if not address or address == _HEADLESS:
        return
    try:
        ipaddress.ip_address(address)
    except ValueError:
        message = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        yield invalid_value("spec.clusterIPs[0]", address, message)


def _compact(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"))
