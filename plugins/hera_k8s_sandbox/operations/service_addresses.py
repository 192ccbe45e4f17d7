"""Services: the addresses and ports that they are given."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Final

from hera_k8s_sandbox.foundation.errors import invalid
from hera_k8s_sandbox.foundation.field_errors import invalid_value
from hera_k8s_sandbox.foundation.resource_types import SERVICES
from hera_k8s_sandbox.store.store import Store
from hera_k8s_utils._types import Json

HEADLESS: Final = "None"
ADDRESSES: Final = ipaddress.ip_network("10.96.0.0/16")
NODE_PORTS: Final = range(30000, 32768)
_RESERVED: Final = 11  # addresses at the start, which a cluster keeps for what its administrators name


def allocate(store: Store, service: Json) -> None:
    """Give a service its address and the ports of nodes that it has a right to. Raises ApiError 422."""
    spec, name = service["spec"], service["metadata"].get("name", "")
    others = [one for one in store.list(SERVICES) if not _is_same(one, service)]
    if spec["type"] != "ExternalName":
        _give_address(name, spec, {one["spec"].get("clusterIP") for one in others})
    if spec["type"] in ("NodePort", "LoadBalancer") and spec.get("allocateLoadBalancerNodePorts", True):
        _give_ports(name, spec, set(_node_ports(others)))


def keep(old: Json, new: Json) -> None:
    """What was allocated stays, when a change does not speak of it."""
    before, after = old["spec"], new.setdefault("spec", {})
    if after.get("type", "ClusterIP") == "ExternalName" or before.get("type") == "ExternalName":
        return
    for field in ("clusterIP", "clusterIPs"):
        if not after.get(field) and before.get(field):
            after[field] = before[field]
    if after.get("type", "ClusterIP") not in ("NodePort", "LoadBalancer"):
        return
    known = {(one["port"], one.get("protocol", "TCP")): one.get("nodePort") for one in before.get("ports") or ()}
    for one in after.get("ports") or ():
        found = known.get((one.get("port"), one.get("protocol", "TCP")))
        if found and not one.get("nodePort"):
            one["nodePort"] = found


def _is_same(one: Json, other: Json) -> bool:
    return all(one["metadata"].get(key) == other["metadata"].get(key) for key in ("namespace", "name"))


def _give_address(name: str, spec: Json, taken: set[str]) -> None:
    wanted = spec.get("clusterIP")
    if wanted and wanted != HEADLESS:
        why = _refusal(wanted, taken)
        if why:
            message = f"failed to allocate IP {wanted}: {why}"
            raise invalid(SERVICES, name, [invalid_value("spec.clusterIPs", [wanted], message)])
    elif not wanted:
        first = int(ADDRESSES.network_address) + _RESERVED
        free = (str(ipaddress.ip_address(first + number)) for number in range(ADDRESSES.num_addresses - _RESERVED - 1))
        spec["clusterIP"] = next(address for address in free if address not in taken)
    spec["clusterIPs"] = [spec["clusterIP"]]


def _refusal(wanted: str, taken: set[str]) -> str:
    if ipaddress.ip_address(wanted) not in ADDRESSES:
        return f"the provided IP ({wanted}) is not in the valid range. The range of valid IPs is {ADDRESSES}"
    return "provided IP is already allocated" if wanted in taken else ""


def _give_ports(name: str, spec: Json, taken: set[int]) -> None:
    for index, one in enumerate(spec.get("ports") or ()):
        port = one.get("nodePort")
        if port and (port not in NODE_PORTS or port in taken):
            why = "provided port is already allocated"
            if port not in NODE_PORTS:
                why = f"provided port is not in the valid range. The range of valid ports is {_shown(NODE_PORTS)}"
            raise invalid(SERVICES, name, [invalid_value(f"spec.ports[{index}].nodePort", port, why)])
        one["nodePort"] = port or next(number for number in NODE_PORTS if number not in taken)
        taken.add(one["nodePort"])


def _shown(numbers: range) -> str:
    return f"{numbers.start}-{numbers.stop - 1}"


def _node_ports(services: Iterable[Json]) -> Iterator[int]:
    for service in services:
        for one in service["spec"].get("ports") or ():
            if one.get("nodePort"):
                yield int(one["nodePort"])
