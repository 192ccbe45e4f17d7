"""What a pod requests while it starts and while it runs, as Kubernetes' scheduler counts it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

from hera_k8s_utils._types import Json

Amount = Fraction | float
"""Exact, or infinite where only the run will show it."""


def stated_request(container: Mapping[str, Any], resource: str) -> Any:
    """What a container requests as it is written; a limit alone is a request too (Kubernetes copies it). Else None."""
    resources = container.get("resources") or {}
    held = (resources.get(kind) or {} for kind in ("requests", "limits"))
    return next((each[resource] for each in held if resource in each), None)


def pod_request(
    init_containers: Iterable[Json], containers: Iterable[Json], amount: Callable[[Json], Amount]
) -> Amount:
    """The most that a pod requests at one time.

    Containers run together. Init containers run one after another before them, but those with `restartPolicy: Always`
    (native sidecars) keep running beside all that start after them.

    amount: a container -> what it requests of one resource.
    """
    together: Amount = Fraction(0)
    most: Amount = Fraction(0)
    for container in init_containers:
        if container.get("restartPolicy") == "Always":
            together += amount(container)
        else:
            most = max(most, together + amount(container))
    return max(most, sum((amount(container) for container in containers), together))
