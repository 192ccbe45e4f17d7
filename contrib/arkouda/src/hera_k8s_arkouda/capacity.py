"""How many equal pods the nodes of a cluster have room for, by their requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from hera_k8s_utils import parse_quantity

Json = dict[str, Any]

_OVER = ("Succeeded", "Failed")
_KEEPING_OFF = ("NoSchedule", "NoExecute")


def free_places(nodes: Iterable[Json], pods: Iterable[Json], cpu: str, memory: str) -> int | None:
    """Pods of that size for which there is room; None when no node says what it can give.

    Left out are nodes that take no pods: not ready, cordoned, or tainted, since our pods tolerate nothing.
    """
    able = [node for node in nodes if _takes_pods(node)]
    if not any((node.get("status") or {}).get("allocatable") for node in able):
        return None
    used: dict[str, list[Fraction]] = {}
    for pod in pods:
        spec = pod.get("spec") or {}
        if spec.get("nodeName") and (pod.get("status") or {}).get("phase") not in _OVER:
            asked = used.setdefault(spec["nodeName"], [Fraction(0), Fraction(0), Fraction(0)])
            for index, amount in enumerate((*_requested(spec), Fraction(1))):
                asked[index] += amount
    size = (parse_quantity(cpu), parse_quantity(memory), Fraction(1))
    return sum(_places(node, used.get(node["metadata"]["name"]), size) for node in able)


def _takes_pods(node: Json) -> bool:
    spec, status = node.get("spec") or {}, node.get("status") or {}
    tainted = any(taint.get("effect") in _KEEPING_OFF for taint in spec.get("taints") or ())
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())
    return ready and not tainted and not spec.get("unschedulable")


def _places(node: Json, used: list[Fraction] | None, size: tuple[Fraction, Fraction, Fraction]) -> int:
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    given = [parse_quantity(str(allocatable.get(key, default))) for key, default in _ALLOCATABLE.items()]
    free = [have - taken for have, taken in zip(given, used or [Fraction(0)] * 3, strict=True)]
    return max(0, min(int(left // each) for left, each in zip(free, size, strict=True) if each > 0))


_ALLOCATABLE: Mapping[str, str] = {"cpu": "0", "memory": "0", "pods": "110"}


def _requested(spec: Json) -> tuple[Fraction, Fraction]:
    """Of a pod as the scheduler counts: the sum of its containers, or the largest init container."""
    together = [Fraction(0), Fraction(0)]
    for index, key in enumerate(("cpu", "memory")):
        asked = [_amount(container, key) for container in spec.get("containers") or ()]
        before = [_amount(container, key) for container in spec.get("initContainers") or ()]
        together[index] = max(sum(asked, Fraction(0)), *before, Fraction(0))
    return together[0], together[1]


def _amount(container: Json, key: str) -> Fraction:
    requests = (container.get("resources") or {}).get("requests") or {}
    return parse_quantity(str(requests.get(key, "0")))
