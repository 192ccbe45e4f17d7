"""One million points named with `hive`: how many a second, against formatting them by hand, and what memory it takes.

Baseline: `f"a={a}/b={b}"` over the same product, in the same run. Memory: growth of this process's resident set.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path

from hera_k8s_layouts import hive
from hera_k8s_utils.sweep.inputs import Inputs, linspace
from hera_k8s_utils.sweep.layout import Layout

ROUNDS = 5
LEAST_A_SECOND = 300_000
MOST_MIB = 50.0
A, B = linspace(2.5, 4.0, 1000), range(1000)


def resident() -> int:
    """Bytes of this process in memory now (Linux), or the most it ever had (elsewhere)."""
    status = Path("/proc/self/statm")
    if status.exists():
        import os

        return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def consume(names: Iterable[str]) -> int:
    """Go through all names; the most that the process grew on the way, looked at every 100,000 names."""
    before = most = resident()
    for number, _ in enumerate(names):
        if number % 100_000 == 0:
            most = max(most, resident())
    return max(most, resident()) - before


def seconds(names: Callable[[], Iterable[str]]) -> float:
    """Seconds for one million, the best of some rounds on a machine that does other things too."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in names():
            pass
        best = min(best, time.perf_counter() - start)
    return best


def main() -> int:
    """Print the figures; the status is 1 when a target is missed."""
    gc.collect()
    before = resident()
    inputs = Inputs(parameters={"a": A, "b": B})
    layout = Layout(hive.build(None, inputs, ""), inputs, "/results/bench/run", strategy="hive")
    naming = consume(layout.path(point) for point in inputs)
    growth = max(naming, resident() - before) / 2**20

    by_hand = seconds(lambda: (f"a={a}/b={b}" for a, b in product(A, B)))
    ours = seconds(lambda: (layout.path(point) for point in inputs))
    start = time.perf_counter()
    before = resident()
    proof = layout.verify()
    proving, proof_growth = time.perf_counter() - start, (resident() - before) / 2**20

    long = Inputs(parameters={"a": range(1_000_000)})
    alone = Layout(hive.build(None, long, ""), long, "/results/bench/run", strategy="hive")
    one_axis = seconds(lambda: (alone.path(point) for point in long))

    rate, rate_by_hand = len(inputs) / ours, len(inputs) / by_hand
    print(f"hive, {len(inputs)} points streamed: {rate:,.0f} a second (target {LEAST_A_SECOND:,})")
    print(
        f'baseline f"a={{a}}/b={{b}}", the same product: {rate_by_hand:,.0f} a second; ours takes {ours / by_hand:.2f}x'
    )
    print(f"one parameter of a million values: {len(long) / one_axis:,.0f} a second")
    print(f"memory growth while naming: {growth:.1f} MiB (target below {MOST_MIB:.0f})")
    print(f"proof: {proof.paths} paths in {proving:.1f} s, memory growth {proof_growth:.1f} MiB")
    return 0 if rate >= LEAST_A_SECOND and growth < MOST_MIB else 1


if __name__ == "__main__":
    sys.exit(main())
