"""How many equal pods fit on the nodes of a cluster, by resource requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from hera_k8s_utils import Json, parse_quantity

_FINISHED = ("Succeeded", "Failed")
_BLOCKING_EFFECTS = ("NoSchedule", "NoExecute")


def pods_that_fit(nodes: Iterable[Json], pods: Iterable[Json], cpu: str, memory: str) -> int | None:
    """Number of pods of this size that fit; None if no node reports what it can allocate.

    Nodes that accept no pods are skipped: not ready, cordoned, or tainted (the pods have no tolerations).
    """
    schedulable = [node for node in nodes if _is_schedulable(node)]
    if not any((node.get("status") or {}).get("allocatable") for node in schedulable):
        return None
    used: dict[str, list[Fraction]] = {}
    for pod in pods:
        spec = pod.get("spec") or {}
        if spec.get("nodeName") and (pod.get("status") or {}).get("phase") not in _FINISHED:
            requested = used.setdefault(spec["nodeName"], [Fraction(0), Fraction(0), Fraction(0)])
            for index, amount in enumerate((*_requests(spec), Fraction(1))):
                requested[index] += amount
    size = (parse_quantity(cpu), parse_quantity(memory), Fraction(1))
    return sum(_pods_on(node, used.get(node["metadata"]["name"]), size) for node in schedulable)


def _is_schedulable(node: Json) -> bool:
    spec, status = node.get("spec") or {}, node.get("status") or {}
    tainted = any(taint.get("effect") in _BLOCKING_EFFECTS for taint in spec.get("taints") or ())
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())
    return ready and not tainted and not spec.get("unschedulable")


def _pods_on(node: Json, used: list[Fraction] | None, size: tuple[Fraction, Fraction, Fraction]) -> int:
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    capacity = [parse_quantity(str(allocatable.get(key, default))) for key, default in _ALLOCATABLE.items()]
    free = [total - taken for total, taken in zip(capacity, used or [Fraction(0)] * 3, strict=True)]
    return max(0, min(int(left // each) for left, each in zip(free, size, strict=True) if each > 0))


_ALLOCATABLE: Mapping[str, str] = {"cpu": "0", "memory": "0", "pods": "110"}


def _requests(spec: Json) -> tuple[Fraction, Fraction]:
    """CPU and memory of a pod as the scheduler counts: the sum of its containers, or the largest init container."""
    totals = [Fraction(0), Fraction(0)]
    for index, key in enumerate(("cpu", "memory")):
        running = [_amount(container, key) for container in spec.get("containers") or ()]
        initial = [_amount(container, key) for container in spec.get("initContainers") or ()]
        totals[index] = max(sum(running, Fraction(0)), *initial, Fraction(0))
    return totals[0], totals[1]


def _amount(container: Json, key: str) -> Fraction:
    requests = (container.get("resources") or {}).get("requests") or {}
    return parse_quantity(str(requests.get(key, "0")))
