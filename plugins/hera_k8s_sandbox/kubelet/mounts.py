"""Mounts: what a task is to see of this machine's files, where, and how it is started so that it does.

Two ways: a private root (`roots.py`), or paths that are rewritten (`rewriting.py`); `views.py` chooses.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from hera_k8s_sandbox.kubelet.images import SYSTEM_PATH

SCRIPT: Final = "/argo/staging/script"  # where a task sees its script


class TaskRefused(Exception):
    """A task cannot be run as it asks to be; the message says why."""


@dataclass(frozen=True)
class Mount:
    """A directory or file of this machine, and where the task sees it.

    given: its files are written for this task: from a ConfigMap, a Secret, fields, or an artifact.
    """

    source: Path
    target: str
    read_only: bool = False
    given: bool = False


@dataclass(frozen=True)
class Task:
    """What is to be run.

    directory: the container's own.
    command: program and arguments as the container gives them.
    script: the source that the last argument names.
    outputs: paths of files that are read when it has ended.
    results: of files or directories.
    programs: a directory for PATH.
    """

    name: str
    directory: Path
    command: tuple[str, ...]
    programs: Path
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    script: str | None = None
    working_directory: str = ""
    outputs: tuple[str, ...] = ()
    results: tuple[str, ...] = ()


@dataclass(frozen=True)
class Launch:
    """A process to start.

    outputs: where on this machine each output will be found.
    wrappers: how many processes, each the child of the one before, come before the task's own: the first of them is
        the one that is started.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    outputs: Mapping[str, Path]
    wrappers: int = 0


def lay_out(task: Task) -> None:
    """Make the directories of a task."""
    for name in ("home", "tmp", *(("outputs",) if task.outputs or task.results else ())):
        (task.directory / name).mkdir(parents=True, exist_ok=True)


def write_script(task: Task, text: str) -> Path:
    """The file with a task's script, which may be executed as it is in Argo: `command: [sh, -c]`."""
    path = task.directory / "script"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def environment(task: Task, *, home: str, tmp: str, programs: str) -> dict[str, str]:
    """The variables of a task; programs: the directory for PATH as the task sees it."""
    path = f"{programs}:{Path(sys.executable).parent}:{SYSTEM_PATH}"
    base = {"PATH": path, "HOME": home, "TMPDIR": tmp, "LANG": "C.UTF-8", "HOSTNAME": task.name}
    return base | dict(task.env)


def holder(mounts: Iterable[Mount], path: str) -> Mount | None:
    """The mount that holds a path of the task."""
    for mount in sorted(mounts, key=lambda one: -len(one.target)):
        if path == mount.target or is_below(path, mount.target):
            return mount
    return None


def through(mounts: Iterable[Mount], path: str) -> Path | None:
    """Where on this machine a path of the task lies, when a mount holds it."""
    mount = holder(mounts, path)
    return None if mount is None else mount.source / PurePosixPath(path).relative_to(mount.target)


def is_below(path: str | Path, directory: str) -> bool:
    """Whether a path is below a directory."""
    return Path(directory) in Path(path).parents
