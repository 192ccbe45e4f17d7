"""The logistic map as a lattice: one task for each growth rate, then one that counts the values each orbit settles on.

    covalent start
    python logistic_map.py

The executor is `k8s` with the settings of `[executors.k8s]` in Covalent's configuration, and an image of this Python.
"""

from __future__ import annotations

import sys

import covalent as ct
from covalent_kubernetes_plugin.k8s import KubernetesExecutor

small = KubernetesExecutor(
    base_image=f"python:{sys.version_info.major}.{sys.version_info.minor}-slim", vcpu="100m", memory="128Mi"
)


@ct.electron(executor=small)
def settle(growth_rate, transient=1000, samples=64):
    """Where x <- r x (1 - x) settles, once the transient has died out."""
    x = 0.5
    for _ in range(transient):
        x = growth_rate * x * (1 - x)
    orbit = []
    for _ in range(samples):
        x = growth_rate * x * (1 - x)
        orbit.append(x)
    print(f"r = {growth_rate}: from {min(orbit):.4f} to {max(orbit):.4f}")
    return orbit


@ct.electron(executor=small)
def count(growth_rates, orbits):
    """How many values each orbit has: 1, 2, 4, 8, ... on the way into chaos."""
    return {rate: len({round(x, 6) for x in orbit}) for rate, orbit in zip(growth_rates, orbits, strict=True)}


@ct.lattice
def bifurcations(growth_rates):
    """All tasks at once, then the last."""
    return count(growth_rates, [settle(rate) for rate in growth_rates])


if __name__ == "__main__":
    dispatch_id = ct.dispatch(bifurcations)([2.9, 3.2, 3.5, 3.55])
    found = ct.get_result(dispatch_id, wait=True)
    print(found.status, found.result)
