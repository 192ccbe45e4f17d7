"""A 10,000-task dag: our YAML against Hera's `to_yaml`, and what we add to Hera's own build and `to_dict`.

    python tests/bench/bench_manifest.py [TASKS]

Ratios within one process, the best of several runs: absolute times on a shared machine say little.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from typing import Any

import yaml
from hera.workflows import DAG, Container, Parameter, Task, Workflow

from hera_k8s_utils.checks.lint import lint
from hera_k8s_utils.experiment.manifest import Manifest


def build(tasks: int) -> Workflow:
    """A dag with an argument for each task, and one task that waits for all of them."""
    with Workflow(generate_name="bench-", entrypoint="main", namespace="bench") as workflow:
        Container(
            name="point",
            image="python:3.12-slim",
            command=["python", "-c"],
            args=["print({{inputs.parameters.rate}})"],
            inputs=[Parameter(name="rate")],
        )
        with DAG(name="main", fail_fast=False):
            for number in range(tasks - 1):
                Task(name=f"point-{number}", template="point", arguments={"rate": str(number)})
            Task(
                name="last",
                template="point",
                arguments={"rate": "0"},
                depends=" && ".join(f"point-{number}" for number in range(tasks - 1)),
            )
    return workflow


def best(run: Callable[[], Any], times: int = 5) -> float:
    """Seconds of the fastest of several runs."""
    seconds = []
    for _ in range(times):
        gc.collect()
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


class Built:
    """A Hera workflow whose own work is done, so that only ours is measured."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def to_dict(self) -> dict[str, Any]:
        """What Hera made, once."""
        return self._data


def ours(built: Built) -> None:
    """All that we do with what Hera built, short of writing it."""
    manifest = Manifest.of(built)
    assert len(manifest.digest) == 64
    assert len(list(manifest.containers())) == 1
    assert manifest.demand().pods is not None
    assert lint(manifest)


def main(tasks: int) -> None:
    """Measure and print, a line for each ratio."""
    built = build(tasks).to_dict()
    manifest = Manifest.of(built)
    text = manifest.to_yaml()
    assert yaml.load(text, Loader=yaml.CSafeLoader) == built
    hera_yaml = best(lambda: build(tasks).to_yaml(), times=1) - best(lambda: build(tasks).to_dict(), times=3)
    our_yaml = best(manifest.to_yaml)
    hera = best(lambda: build(tasks).to_dict())
    added = best(lambda: ours(Built(built)))
    print(f"{tasks:,} tasks, {len(text) / 1e6:.2f} MB of YAML")
    print(f"YAML   Hera {hera_yaml:.3f} s, ours {our_yaml:.3f} s: {hera_yaml / our_yaml:.1f} times as fast (wanted: 3)")
    share = added / hera
    print(f"added  Hera's build {hera:.3f} s, ours {added:.3f} s on top: {share:.0%} (wanted: at most 20%)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
