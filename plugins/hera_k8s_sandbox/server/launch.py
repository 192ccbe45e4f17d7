"""Launching: find the server of a state directory, start one, stop it. Imports nothing heavy."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from hera_k8s_sandbox.foundation import files
from hera_k8s_utils.redaction import environment_for_children, redact

BUSY: Final = 75  # exit code of a server whose directory is served already
START_TIMEOUT: Final = 30.0  # seconds
STOP_TIMEOUT: Final = 15.0  # seconds
_ANSWER_TIMEOUT: Final = 300.0  # seconds; when the clock is advanced, each scheduled time on the way is met
_PROBE_TIMEOUT: Final = 2.0  # seconds
_LOG_TAIL: Final = 2000  # characters
_SAFE_PATH: Final = ("-P",) if sys.version_info >= (3, 11) else ()  # no modules from the working directory
_STRANGE: Final = 2  # times that a server's file is found illegible until it is believed: one may be about to go


class LaunchError(Exception):
    """A sandbox did not start or did not end."""


@dataclass(frozen=True)
class Address:
    """Where a sandbox is, the token of its administrator, and its state directory."""

    url: str
    token: str = field(repr=False)
    directory: Path

    def advance(self, seconds: float) -> datetime:
        """Let time pass at once in the sandbox; what it takes for now then.

        Each time on the way at which a cron workflow is due is met. Raises LaunchError.
        """
        answer = _ask(self, "POST", files.CLOCK_PATH, {"seconds": seconds})
        return datetime.strptime(answer["now"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)

    def ahead(self) -> float:
        """The seconds by which the sandbox's clock is ahead of this machine's. Raises LaunchError."""
        return float(_ask(self, "GET", files.CLOCK_PATH)["ahead"])

    def assess_images(self, containers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Whether containers can be started, an answer for each, see `image_routes`. Raises LaunchError."""
        answers: list[dict[str, Any]] = []
        for start in range(0, len(containers), files.MOST_CONTAINERS):
            part = containers[start : start + files.MOST_CONTAINERS]
            answers += _ask(self, "POST", files.IMAGES_PATH, {"containers": part})["containers"]
        return answers


def find(directory: Path) -> Address | None:
    """The live server of a state directory, or None; a file left by a killed server is not believed."""
    server = files.read_server(directory)
    if server is None:
        return None
    files.require_own(directory)
    if not _answers(server):
        return None
    return Address(server.url, read_token(directory), directory.resolve())


def read_token(directory: Path) -> str:
    """The administrator's token, once a server has been started in the directory."""
    return (directory / files.ADMIN_TOKEN).read_text(encoding="ascii").strip()


def ensure_running(directory: Path, *, timeout: float = START_TIMEOUT, **options: object) -> Address:
    """The live server of a state directory, started when there is none.

    options: as the command line of `python -m hera_k8s_sandbox`, such as `until_idle=600`. They hold for a
    server that is started, not for one that is there. timeout: seconds. Raises LaunchError.
    """
    directory = directory.resolve()
    deadline = time.monotonic() + timeout
    child: subprocess.Popen[bytes] | None = None
    strange = 0
    while time.monotonic() < deadline:
        address = find(directory)
        if address is not None:
            if child is not None:
                _drop(child, directory)
                write_kubeconfig(directory, address)  # the port is a new one
            return address
        if child is None:
            child = _start(directory, options)
        elif child.poll() == BUSY:  # another server was quicker, or is just ending
            child = None
            strange += _is_illegible(directory)
            if strange >= _STRANGE:
                raise LaunchError(f"{directory} is served by a sandbox of another version: end it, or take another one")
        elif child.poll() is not None:
            raise LaunchError(f"the sandbox ended with code {child.returncode} at its start\n{_tail(directory)}")
        time.sleep(0.02)
    raise LaunchError(f"the sandbox in {directory} was not ready after {timeout:g} s\n{_tail(directory)}")


def _drop(child: subprocess.Popen[bytes], directory: Path) -> None:
    """End a child that came second: it would serve the directory later, when the first one is asked to end."""
    server = files.read_server(directory)
    if server is not None and server.pid != child.pid:
        child.kill()
        child.wait()


def _is_illegible(directory: Path) -> bool:
    return (directory / files.SERVER).exists() and files.read_server(directory) is None


def stop(directory: Path, *, timeout: float = STOP_TIMEOUT) -> bool:
    """End the server of a state directory, whether it answers or not; False when there was none. timeout: seconds.

    Raises LaunchError for one that has not ended in time.
    """
    server = files.read_server(directory)
    if server is None:
        return False
    files.require_own(directory)
    if not _is_served(directory):
        return False
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        os.kill(server.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout
    while _is_served(directory):
        if time.monotonic() > deadline:
            hint = f"kill -9 {server.pid} ends it, and loses nothing that was answered"
            raise LaunchError(f"the sandbox (process {server.pid}) has not ended after {timeout:g} s: {hint}")
        time.sleep(0.02)
    return True


def kubeconfig(address: Address, *, namespace: str = "default", user: str = "sandbox-admin") -> str:
    """The text of a kubeconfig, which holds the token: for files that only their owner may read.

    kubectl sends no token over plain http, so the server's path holds it too.
    """
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "sandbox", "cluster": {"server": f"{address.url}/{files.TOKEN_PATH}/{address.token}"}}],
        "users": [{"name": user, "user": {"token": address.token}}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": user, "namespace": namespace}}],
        "current-context": "sandbox",
    }
    return json.dumps(config, indent=2) + "\n"  # JSON is YAML


def write_kubeconfig(directory: Path, address: Address, *, namespace: str = "default") -> Path:
    """Write the administrator's kubeconfig (0600) into the state directory; its path."""
    path = directory.resolve() / files.KUBECONFIG
    files.write_private(path, kubeconfig(address, namespace=namespace))
    return path


@contextlib.contextmanager
def running(directory: Path, *, timeout: float = START_TIMEOUT, **options: object) -> Iterator[Address]:
    """A server of our own for as long as the block lasts, as a child on a free port.

    options: as for `ensure_running`. timeout: seconds until ready. Raises LaunchError.
    """
    directory = directory.resolve()
    child = _start(directory, options)
    try:
        yield _wait_for(child, directory, timeout)
    finally:
        _end(child)


def _wait_for(child: subprocess.Popen[bytes], directory: Path, timeout: float) -> Address:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        server = files.read_server(directory)
        if server is not None and server.pid == child.pid and (address := find(directory)) is not None:
            write_kubeconfig(directory, address)
            return address
        if child.poll() is not None:
            raise LaunchError(f"the sandbox ended with code {child.returncode} at its start\n{_tail(directory)}")
        time.sleep(0.02)
    raise LaunchError(f"the sandbox in {directory} was not ready after {timeout:g} s\n{_tail(directory)}")


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _start(directory: Path, options: dict[str, object]) -> subprocess.Popen[bytes]:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    files.require_own(directory)
    files.require_sealed(directory)
    command = [sys.executable, *_SAFE_PATH, "-m", "hera_k8s_sandbox", "--state", str(directory)]
    for name, value in options.items():
        if value is not None:
            given = value.resolve() if isinstance(value, Path) else value  # the server runs in another directory
            command += [f"--{name.replace('_', '-')}", str(given)]
    descriptor = os.open(directory / files.LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment_for_children(os.environ),
            cwd=directory,  # python -m finds modules in its directory first: not in the user's
            start_new_session=True,  # a Ctrl-C at the launcher is not meant for it
        )


def _ask(address: Address, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    place = urlsplit(address.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_ANSWER_TIMEOUT)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Authorization": f"Bearer {address.token}"})
        answer = connection.getresponse()
        answered: dict[str, Any] = json.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise LaunchError(f"the sandbox does not answer at {path}: {error}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise LaunchError(str(answered.get("message", f"HTTP {answer.status}")))
    return answered


def _answers(server: files.ServerFile) -> bool:
    if not _is_alive(server.pid):
        return False
    place = urlsplit(server.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_PROBE_TIMEOUT)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status == 200 and answer.getheader(files.PID_HEADER) == str(server.pid)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _is_served(directory: Path) -> bool:
    """Whether a server holds the lock; releasing it is the last step of a server, even when its process is not reaped.

    Who holds it has written server.json, or is about to: the first that a server does is to remove an old one.
    """
    import fcntl

    try:
        with (directory / files.LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _tail(directory: Path) -> str:
    try:
        return redact((directory / files.LOG).read_text(encoding="utf-8", errors="replace"))[-_LOG_TAIL:].strip()
    except OSError:
        return ""
