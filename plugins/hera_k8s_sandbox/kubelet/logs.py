"""Logs: what containers wrote, line by line with the time of each line.

A container writes straight into files, without a process in between. What is kept beside them is how long they were at
which time, noted by a sampler while the container runs and by every reader. So a line's time is known to a fraction
of a second, and is the same whenever the line is read again.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import os
import time
from bisect import bisect_left
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Final

from hera_k8s_sandbox.foundation.errors import bad_request
from hera_k8s_sandbox.foundation.resource_types import PODS
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_utils._types import Json

OUTPUT: Final = "output.log"  # standard output, and standard error too unless that is apart
ERRORS: Final = "errors.log"  # standard error, when the standard output is an output of the workflow
LARGEST: Final = 256 << 20  # bytes of a file; a kubelet rotates at 10 MiB, and keeps five
_DROPPED: Final = b"[the sandbox has dropped what was written before: the log had more than 256 MiB]\n"
_TIMES: Final = ".times"
_NOTE: Final = 42  # bytes of a line of the index
_POLL: Final = 0.1  # seconds
_CHUNK: Final = 1 << 20
_PAUSE_AFTER: Final = 4096  # lines

_Line = tuple[float, bytes]
"""When a line was written (seconds since the epoch), and the line with its newline."""


@dataclass(frozen=True)
class LogOptions:
    """Which part of a log is wanted, and how.

    tail_lines: only the last lines.
    since: only lines since then, in seconds since the epoch.
    limit_bytes: stop after this many.
    timestamps: each line begins with its time.
    """

    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since: float | None = None
    limit_bytes: int | None = None


def log_directory(pod_directory: Path, container: str = "main", attempt: int = 0) -> Path:
    """Where the log of one run of a container is; attempt: how often the container had been started before."""
    return pod_directory / "logs" / container / str(attempt)


def sample(directory: Path) -> None:
    """Note how long the files of a log are now, and begin one anew that has become too long."""
    for name in (OUTPUT, ERRORS):
        with contextlib.closing(_Stream(directory / name)) as stream:
            if stream.sample() > LARGEST:
                stream.begin_anew()


async def read_log(
    state: SandboxState,
    namespace: str,
    pod: str,
    container: str = "main",
    options: LogOptions | None = None,
    *,
    previous: bool = False,
) -> AsyncIterator[bytes]:
    """The lines of a container's log, each with its newline; ends when the container has, if it follows.

    previous: of its run before this one. Raises ApiError: 404 (no such pod), 400 (no such container, or it has not
    started).
    """
    found = state.store.get(PODS, namespace, pod)
    attempt = require_started(found, container, previous=previous)
    name = container or found["spec"]["containers"][0]["name"]
    directory = log_directory(state.pod_directory(namespace, pod), name, attempt)

    def runs() -> bool:
        now = state.store.find(PODS, namespace, pod)
        return now is not None and not previous and is_running(now, name, attempt)

    async for line in read_lines(directory, options or LogOptions(), runs):
        yield line


async def read_lines(directory: Path, options: LogOptions, runs: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The lines of the log in a directory; runs: whether more may be written to it."""
    streams = [_Stream(directory / OUTPUT), _Stream(directory / ERRORS)]
    try:
        async for line in _read(streams, options, runs):
            yield line
    finally:
        for stream in streams:
            stream.close()


async def _read(streams: list[_Stream], options: LogOptions, runs: Callable[[], bool]) -> AsyncIterator[bytes]:
    ended = not runs()
    lines = _merged(streams, at_end=ended)
    if options.since is not None:
        lines = _since(lines, options.since)
    if options.tail_lines is not None:
        lines = await _last(lines, options.tail_lines)
    left = options.limit_bytes
    while True:
        for at, line in lines:
            text = f"{_time_text(at)} ".encode() + line if options.timestamps else line
            if left is not None:
                if left <= 0:
                    return
                text, left = text[:left], left - len(text)
            yield text
        if not options.follow or ended:
            return
        await asyncio.sleep(_POLL)
        ended = not runs()
        lines = _merged(streams, at_end=ended)


def require_started(pod: Json, container: str = "main", *, previous: bool = False) -> int:
    """Which run of a container has the log that is asked for. Raises ApiError 400: no such container, no such run."""
    name, spec = pod["metadata"]["name"], pod["spec"]
    names = [one["name"] for field in ("initContainers", "containers") for one in spec.get(field) or ()]
    if container and container not in names:
        raise bad_request(f"container {container} is not valid for pod {name}")
    shown = container or spec["containers"][0]["name"]
    status = _status_of(pod, shown)
    restarts = int(status.get("restartCount") or 0)
    state, last = status.get("state") or {}, (status.get("lastState") or {}).get("terminated")
    if previous:
        if last is None:
            raise bad_request(f'previous terminated container "{shown}" in pod "{name}" not found')
        return restarts if "waiting" in state else max(0, restarts - 1)
    if "running" in state or "terminated" in state or last is not None:
        return restarts
    if not state and (pod.get("status") or {}).get("phase", "Pending") != "Pending":
        return restarts
    waiting = state.get("waiting") or {}
    why = waiting.get("reason", "ContainerCreating")
    message = why if why in ("ContainerCreating", "PodInitializing") else waiting.get("message") or why
    raise bad_request(f'container "{shown}" in pod "{name}" is waiting to start: {message}')


def is_running(pod: Json, container: str, attempt: int = 0) -> bool:
    """Whether that run of a container is still in progress."""
    phase = (pod.get("status") or {}).get("phase")
    status = _status_of(pod, container)
    if not status:
        return bool(phase == "Running")
    return phase in ("Pending", "Running") and "running" in status["state"] and status["restartCount"] == attempt


def _status_of(pod: Json, container: str) -> Json:
    status = pod.get("status") or {}
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return next((dict(one) for one in statuses if one["name"] == container), {})


def read_result(path: Path, limit: int) -> str:
    """A container's standard output without its last newline; of a longer one the last bytes."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        size = path.stat().st_size
        file.seek(max(0, size - limit - 1))
        text = file.read()
    return text.removesuffix(b"\n")[-limit:].decode("utf-8", "replace")


class _Stream:
    """One file of a log and the index of its times; reads on from where it was.

    Once opened, it can be read to its end also when the pod has been removed meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._index: IO[bytes] | None = None
        self._position = 0
        self._index_position = 0
        self._sizes: list[int] = []
        self._times: list[float] = []

    def close(self) -> None:
        """Read no more."""
        for file in (self._file, self._index):
            if file is not None:
                file.close()

    def sample(self) -> int:
        """Note the file's length, unless it is the one noted last; the length."""
        if not self._is_open():
            return 0
        assert self._file is not None
        assert self._index is not None
        size = os.fstat(self._file.fileno()).st_size
        if size and size != self._last_noted(self._index):
            self._index.write(f"{size:020d} {time.time_ns():020d}\n".encode())  # at the end, wherever it was read
            self._index.flush()
        return size

    def begin_anew(self) -> None:
        """Drop what is there; who writes goes on at what is then the end."""
        for path in (self._path.with_name(self._path.name + _TIMES), self._path):
            os.truncate(path, 0)
        with self._path.open("ab") as file:
            file.write(_DROPPED)

    def lines(self, *, at_end: bool) -> Iterator[_Line]:
        """New whole lines with their times; at the end also one that lacks its newline."""
        size = self.sample()
        if size < self._position:
            self._position = self._index_position = 0  # the log was begun anew
            self._sizes, self._times = [], []
        if size <= self._position:
            return
        assert self._file is not None
        assert self._index is not None
        sizes, times = self._noted(self._index)
        self._file.seek(self._position)
        while self._position < size:
            line = self._file.readline(min(_CHUNK, size - self._position))
            if not line.endswith(b"\n") and len(line) < _CHUNK:
                if not at_end:
                    return
                line += b"\n"
            self._position = self._file.tell()
            where = min(bisect_left(sizes, self._position), len(times) - 1)
            yield times[where], line

    def _is_open(self) -> bool:
        if self._file is None:
            with contextlib.suppress(FileNotFoundError):  # nothing is written yet, or the pod was removed
                file = self._path.open("rb")
                try:
                    self._index = self._path.with_name(self._path.name + _TIMES).open("a+b")
                except FileNotFoundError:
                    file.close()
                    raise
                self._file = file
        return self._file is not None

    def _last_noted(self, index: IO[bytes]) -> int:
        try:
            index.seek(-_NOTE, os.SEEK_END)
            return int(index.read(20))
        except (OSError, ValueError):
            return -1

    def _noted(self, index: IO[bytes]) -> tuple[list[int], list[float]]:
        """Lengths and times; a log that is followed for hours has many, and each is read once."""
        index.seek(self._index_position)
        for line in index:
            size, at = line.split()
            self._sizes.append(int(size))
            self._times.append(int(at) / 1e9)
        self._index_position = index.tell()
        return self._sizes, self._times


def _merged(streams: list[_Stream], *, at_end: bool) -> Iterator[_Line]:
    """New lines in the order of their times, one at a time: a log may be larger than the memory."""
    return heapq.merge(*(stream.lines(at_end=at_end) for stream in streams), key=_time_of)


def _time_of(line: _Line) -> float:
    return line[0]


def _since(lines: Iterator[_Line], moment: float) -> Iterator[_Line]:
    return (line for line in lines if line[0] >= moment)


async def _last(lines: Iterator[_Line], count: int) -> Iterator[_Line]:
    """The last lines; others are served while they are looked for."""
    kept: deque[_Line] = deque(maxlen=max(0, count))
    for number, line in enumerate(lines, start=1):
        kept.append(line)
        if number % _PAUSE_AFTER == 0:
            await asyncio.sleep(0)
    return iter(kept)


def _time_text(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}000Z"
