"""The sandbox: creates and gets a second through the official client, and what it adds to a task.

    python tests/bench/bench_sandbox.py [--objects N] [--tasks N] [--runner bubblewrap|unshare|rewrite]

Baselines, in the same run: for requests, a real kube-apiserver 1.36 through the same client on a two-core machine (569
creates and 905 gets a second, recorded earlier, not measured here); for tasks, the same number of `true` processes
started by a bare thread pool of the same width.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hera_k8s_sandbox.server.launch import Address, running
from hera_k8s_utils import Experiment, build_container

REAL = {"creates": 569, "gets": 905}


def rate(count: int, work: Callable[[int], object]) -> float:
    """How often a second, one after another."""
    start = time.perf_counter()
    for number in range(count):
        work(number)
    return count / (time.perf_counter() - start)


def requests(address: Address, count: int) -> dict[str, float]:
    """Creates and gets of ConfigMaps a second through the official client."""
    from kubernetes import client

    configuration = client.Configuration(host=address.url)
    configuration.api_key = {"BearerToken": address.token}
    configuration.api_key_prefix = {"BearerToken": "Bearer"}
    api = client.CoreV1Api(client.ApiClient(configuration))

    def create(number: int) -> object:
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=f"bench-{number}"), data={"key": "value"})
        return api.create_namespaced_config_map("default", body)

    return {
        "creates": rate(count, create),
        "gets": rate(count, lambda number: api.read_namespaced_config_map(f"bench-{number}", "default")),
    }


def sweep(tasks: int) -> dict[str, object]:
    """A workflow that runs `true` so many times."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "bench-"},
        "spec": {
            "entrypoint": "all",
            "templates": [
                {
                    "name": "all",
                    "dag": {
                        "failFast": False,
                        "tasks": [{"name": "task", "template": "true", "withSequence": {"count": str(tasks)}}],
                    },
                },
                {"name": "true", "container": {"image": "busybox", "command": ["true"]}},
            ],
        },
    }


def run_sweep(directory: Path, tasks: int) -> float:
    """Seconds from submission to the end of the sweep, as our own engine sees them."""
    experiment = Experiment(name="bench", workflow=lambda *_: sweep(tasks))
    with build_container(experiment, environ={}, sandbox=True, sandbox_dir=str(directory)) as container:
        start = time.perf_counter()
        submission = container.engine().submit(container.experiment())
        *_, last = container.engine().follow(submission.name)
        if last.phase != "Succeeded":
            raise SystemExit(f"the sweep ended in {last.phase}: {last.message}")
        return time.perf_counter() - start


def run_bare(tasks: int, width: int) -> float:
    """Seconds that as many processes take, started by a thread pool."""
    start = time.perf_counter()
    with ThreadPoolExecutor(width) as pool:
        list(pool.map(lambda _: subprocess.run(["true"], check=True), range(tasks)))
    return time.perf_counter() - start


def main() -> int:
    """Print rates, seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--runner", default="auto", choices=["auto", "bubblewrap", "unshare", "rewrite"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        with running(directory / "requests", lifetime=600) as address:
            found = requests(address, asked.objects)
        for name, baseline in REAL.items():
            print(
                f"{name:8} {found[name]:8.0f} a second   {found[name] / baseline:5.2f} x a real apiserver ({baseline})"
            )
        with running(directory / "tasks", runner=asked.runner, lifetime=600):
            ours = run_sweep(directory / "tasks", asked.tasks)
        bare = run_bare(asked.tasks, 4)
    overhead = (ours - bare) / asked.tasks * 1000
    print(f"tasks    {asked.tasks} of `true` in {ours:.2f} s, bare processes {bare:.2f} s: {overhead:.1f} ms more each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
