"""Creates, gets, watch events a second: the sandbox and a real control plane, by one official client in one run.

    python tests/bench/bench_controlplane.py

Prints, and judges nothing: both servers share the processors with the client. Also tells how long the real one took to
be built, and takes to start: the first time in this run, again, and with a node that runs pods.
"""

from __future__ import annotations

import contextlib
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

REPOSITORY: Final = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(REPOSITORY / "tests" / folder) for folder in ("support", "clusters")]

import controlplane  # noqa: E402

COUNT: Final = 1000  # requests of each kind
THREADS: Final = 8
NAMESPACE: Final = "bench"


@contextlib.contextmanager
def sandbox(users: Path) -> Iterator[tuple[str, str | None]]:
    """A sandbox: its URL, and no authority to trust."""
    from hera_k8s_sandbox.server.launch import running

    with tempfile.TemporaryDirectory() as directory, running(Path(directory), users=users) as address:
        yield address.url, None


@contextlib.contextmanager
def real(users: Path) -> Iterator[tuple[str, str | None]]:
    """A real control plane: its URL, and the file of its authority."""
    with controlplane.running(users) as plane:
        yield plane.url, str(plane.ca)


def client(url: str, ca: str | None, token: str) -> Any:
    """The official client's core API."""
    from kubernetes import client as kubernetes

    config = kubernetes.Configuration(host=url)
    config.api_key = {"authorization": f"Bearer {token}"}
    config.ssl_ca_cert = ca
    config.connection_pool_maxsize = THREADS + 1
    return kubernetes.CoreV1Api(kubernetes.ApiClient(config))


def a_second(work: Callable[[int], object], threads: int) -> float:
    """How many of COUNT calls are done in a second."""
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(COUNT)))
    return COUNT / (time.perf_counter() - began)


def measure(core: Any) -> dict[str, float]:
    """The rates of one server, by what was done."""
    core.create_namespace({"metadata": {"name": NAMESPACE}})

    def create(prefix: str) -> Callable[[int], object]:
        return lambda index: core.create_namespaced_config_map(
            NAMESPACE, {"metadata": {"name": f"{prefix}-{index}"}, "data": {"point": str(index)}}
        )

    def get(index: int) -> object:
        return core.read_namespaced_config_map(f"one-{index}", NAMESPACE)

    create("warm")(-1)
    return {
        "creates, 1 thread": a_second(create("one"), 1),
        f"creates, {THREADS} threads": a_second(create("many"), THREADS),
        "gets, 1 thread": a_second(get, 1),
        f"gets, {THREADS} threads": a_second(get, THREADS),
        "watched events": watched(core, create("seen")),
    }


def watched(core: Any, create: Callable[[int], object]) -> float:
    """How many events of changes under way reach one watch in a second."""
    from kubernetes import watch

    version = core.list_namespaced_secret(NAMESPACE).metadata.resource_version
    writer = threading.Thread(target=lambda: a_second(create, THREADS))
    began = time.perf_counter()
    writer.start()
    seen = 0
    stream = watch.Watch()
    for event in stream.stream(core.list_namespaced_config_map, NAMESPACE, resource_version=version):
        seen += event["object"].metadata.name.startswith("seen-")
        if seen == COUNT:
            stream.stop()
    writer.join()
    return COUNT / (time.perf_counter() - began)


def main() -> None:
    """Measure both and print them side by side."""
    lacking = controlplane.missing()
    if lacking:
        sys.exit(f"no control plane: {lacking}")
    was_built = controlplane.built()
    for program in controlplane.PROGRAMS:
        controlplane.build(program)
    seconds = [f"{name} {took:.0f} s" for name, took in controlplane.build_seconds().items()]
    print(f"built {'before' if was_built else 'now'}: {', '.join(seconds) or 'nobody noted how long it took'}")
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as directory:
        users, token = Path(directory) / "users.csv", secrets.token_urlsafe(24)
        users.touch(mode=0o600)
        users.write_text(f"{token},admin,admin-uid,system:masters\n", encoding="ascii")
        for name, server in (("sandbox", sandbox), ("real", real)):
            began = time.perf_counter()
            with server(users) as (url, ca):
                print(f"{name}: ready after {time.perf_counter() - began:.1f} s")
                found[name] = measure(client(url, ca, token))
        for name, kubelet in (("real, again", False), ("real, with a node", True)):
            with controlplane.running(users, kubelet=kubelet) as plane:
                print(f"{name}: ready after {plane.seconds_to_ready:.1f} s")
    print(f"\n{'a second':24}{'sandbox':>10}{'real':>10}{'ratio':>8}")
    for what, rate in found["sandbox"].items():
        print(f"{what:24}{rate:10.0f}{found['real'][what]:10.0f}{rate / found['real'][what]:8.2f}")


if __name__ == "__main__":
    main()
