"""Covalent for tests: its dispatcher's side of an executor, and a server of its own. Needs Covalent installed."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from covalent import TransportableObject
from covalent.executor.utils import Signals
from covalent.executor.utils.wrappers import wrapper_fn

RULES: Final = [
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "list", "watch", "delete"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "get", "patch", "delete"]},
    {"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
]
"""What the executor's README says that it must be allowed."""
START: Final = 120.0  # seconds


@dataclass
class Dispatcher:
    """Runs tasks as Covalent's own runner does: wrapped and serialised, answering what the executor asks meanwhile.

    cancels: whether cancelling was asked for. handles: what executors said about their tasks.
    """

    directory: Path
    cancels: Callable[[], bool] = lambda: False
    handles: dict[int, str] = field(default_factory=dict)
    dispatch_id: str = "4f0c1a52-2b4d-4c9a-9c43-3d7b1c1f2a10"

    async def run(
        self,
        executor: Any,
        function: Callable[..., Any],
        *args: Any,
        node: int = 0,
        before: Sequence[Any] = (),
        after: Sequence[Any] = (),
        **kwargs: Any,
    ) -> tuple[Any, str, str, Any]:
        """(result, stdout, stderr, status), the result deserialised. before, after: Covalent's Deps."""
        serialised = TransportableObject(function)
        assembled = partial(wrapper_fn, serialised, [each.apply() for each in before], [each.apply() for each in after])
        output, stdout, stderr, status = await self.run_raw(
            executor,
            assembled,
            [TransportableObject(each) for each in args],
            {name: TransportableObject(each) for name, each in kwargs.items()},
            node=node,
        )
        result = output.get_deserialized() if isinstance(output, TransportableObject) else output
        return result, stdout, stderr, str(status)

    async def run_raw(
        self, executor: Any, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], *, node: int = 0
    ) -> tuple[Any, str, str, Any]:
        """The same for any callable."""
        executor._init_runtime(loop=asyncio.get_running_loop(), cancel_pool=None)
        listening = asyncio.create_task(self._listen(executor, node))
        try:
            done: tuple[Any, str, str, Any] = await executor._execute(
                function=function,
                args=args,
                kwargs=kwargs,
                dispatch_id=self.dispatch_id,
                results_dir=str(self.directory),
                node_id=node,
            )
            return done
        finally:
            listening.cancel()

    async def _listen(self, executor: Any, node: int) -> None:
        while True:
            action, body = await executor._send_queue.get()
            if action == Signals.EXIT:
                return
            if action == Signals.PUT:
                self.handles[node] = body[1]
            executor._recv_queue.put_nowait((True, self.cancels() if action == Signals.GET else None))


@dataclass(frozen=True)
class CovalentServer:
    """A Covalent server on the loopback, with files of its own. log: what it said."""

    environ: dict[str, str]
    log: Path

    def run(self, script: Path, *, timeout: float = 150) -> str:
        """What a script printed that talks to the server."""
        done = subprocess.run(
            [sys.executable, str(script)],
            env=self.environ,
            cwd=script.parent,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self.log.read_text()[-4000:]}"
        return done.stdout


@contextlib.contextmanager
def covalent_server(directory: Path) -> Iterator[CovalentServer]:
    """Covalent's own server, as `covalent start --no-cluster` starts it, as a child of ours."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    unwanted = ("COVALENT", "XDG", "KUBE", "HERA", "ARGO")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    environ |= {"HOME": str(directory), "COVALENT_SVC_PORT": str(port), "COVALENT_DISABLE_DASK": "1"}
    log = directory / "server.log"
    program = [sys.executable, "-c", "from covalent_dispatcher._cli.cli import cli; cli()", "db", "migrate"]
    subprocess.run(program, env=environ, cwd=directory, check=True, capture_output=True, timeout=START)
    found = importlib.util.find_spec("covalent_ui")
    assert found is not None
    assert found.origin is not None
    with log.open("wb") as told:
        child = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port), "--no-cluster"],
            cwd=Path(found.origin).parent,
            env=environ,
            stdout=told,
            stderr=told,
            start_new_session=True,  # the workers of its process pool outlive it, and hold its port
        )
        try:
            _wait_for(child, f"http://localhost:{port}/api/v2/dispatches", log)
            yield CovalentServer(environ, log)
        finally:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _wait_for(child: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + START
    while time.monotonic() < until:
        assert child.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"Covalent did not start: {log.read_text()[-4000:]}")
