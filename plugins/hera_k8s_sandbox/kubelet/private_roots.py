"""Private roots: a task sees this machine's files read-only, its volumes at their paths, and a /tmp of its own.

One list of operations describes such a root, as options of bubblewrap. The system's bubblewrap makes it where it is
installed and works; otherwise `namespaces.py` does, which needs no installation.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

from hera_k8s_sandbox.kubelet import output_capture
from hera_k8s_sandbox.kubelet.mounts import (
    SCRIPT,
    Launch,
    Mount,
    Task,
    environment,
    is_below,
    lay_out,
    through,
    write_script,
)

BUBBLEWRAP: Final = "bubblewrap"
UNSHARE: Final = "unshare"
NAMESPACES: Final = Path(__file__).with_name("namespaces.py")

_HOME: Final = "/task"
_PROGRAMS: Final = "/.sandbox/bin"
_WRITABLE: Final = ("/tmp", "/dev", _HOME)  # noqa: S108  what is the task's own
_OWN_ROOTS: Final = ("dev", "proc", "tmp", "task", ".sandbox", "argo")
_WRAPPERS: Final = 2  # one that waits, and the first process of the task's namespace
_TRIAL: Final = 20.0  # seconds


@dataclass(frozen=True)
class PrivateRoot:
    """A way to give tasks a root of their own.

    masked: a directory that they do not see.
    """

    masked: Path
    kind: ClassVar[str]

    def launch(self, task: Task) -> Launch:
        """Prepare the task's directory and say what to start. Raises TaskRefused."""
        task = replace(task, directory=task.directory.resolve(), programs=task.programs.resolve())
        lay_out(task)
        places = _Places()
        mounts = list(task.mounts)
        own = {_HOME: task.directory / "home", "/tmp": task.directory / "tmp"}  # noqa: S108
        caught = output_capture.plan(
            (_behind_links(path) for path in (*task.outputs, *task.results)),
            task.directory / "outputs",
            own | {mount.target: mount.source for mount in mounts},
        )
        places.opened.update(caught.shown)
        arguments = self._program(task)
        if caught.root is not None:
            arguments += ["--bind", str(caught.root), "/"]
        arguments += [*self._base, *caught.arguments(_show), *self._own(task)]
        mounts += [Mount(source, target) for target, source in caught.added.items()]
        mounts.sort(key=lambda mount: mount.target.count("/"))
        outputs = {path: caught.found[_behind_links(path)] for path in (*task.outputs, *task.results)}
        for mount in mounts:
            target = _behind_links(mount.target)
            arguments += places.open(target)
            arguments += ["--ro-bind" if mount.read_only else "--bind", os.path.realpath(mount.source), target]
            places.mounted.append(target)
        if task.working_directory and through(mounts, task.working_directory) is None:
            arguments += [*places.open(task.working_directory), "--dir", task.working_directory]
        arguments += ["--chdir", task.working_directory or output_capture.ROOT, "--hostname", task.name[:63], "--"]
        env = environment(task, home=_HOME, tmp="/tmp", programs=_PROGRAMS)  # noqa: S108
        return Launch((*arguments, *task.command), env, task.directory, outputs, wrappers=_WRAPPERS)

    def works(self) -> bool:
        """Try it: whether a task can be started and writes through a mount at a path that this machine lacks."""
        with tempfile.TemporaryDirectory(prefix="hera-k8s-") as name:
            directory = Path(name)
            mount = Mount(directory, "/hera-k8s-trial")
            write = "touch /hera-k8s-trial/written"
            task = Task("trial", directory / "pod", ("sh", "-c", write), directory, mounts=(mount,))
            launch = self.launch(task)
            try:
                ended = subprocess.run(
                    launch.argv, env=dict(launch.env), capture_output=True, timeout=_TRIAL, check=False
                )
            except (OSError, subprocess.TimeoutExpired):
                return False
            return ended.returncode == 0 and (directory / "written").exists()

    def _program(self, task: Task) -> list[str]:
        """The program that makes the root, and its options that come first."""
        raise NotImplementedError

    def _own(self, task: Task) -> list[str]:
        """What is not a volume: /tmp, the home directory, programs, the script, and what is hidden."""
        arguments = ["--bind", str(task.directory / "tmp"), "/tmp", *self._interpreter]  # noqa: S108
        if self.masked.is_dir() and not is_below(self.masked, "/tmp"):  # noqa: S108
            arguments += ["--tmpfs", str(self.masked)]
        arguments += ["--bind", str(task.directory / "home"), _HOME, "--ro-bind", str(task.programs), _PROGRAMS]
        if task.script is not None:
            arguments += ["--ro-bind", str(write_script(task, task.script)), SCRIPT]
        return arguments

    @cached_property
    def _base(self) -> list[str]:
        arguments: list[str] = []
        with os.scandir("/") as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                if entry.name not in _OWN_ROOTS:
                    arguments += _show(entry)
        return [*arguments, "--proc", "/proc", "--dev", "/dev"]

    @cached_property
    def _interpreter(self) -> list[str]:
        """The interpreter's files and the links that lead to it, where the task's own /tmp would hide them."""
        directories = {path for each in (sys.prefix, sys.base_prefix) for path in (each, os.path.realpath(each))}
        hidden = sorted(each for each in directories if is_below(each, "/tmp"))  # noqa: S108
        arguments = [argument for each in hidden for argument in ("--ro-bind", os.path.realpath(each), each)]
        for link in _links(sys.executable):
            if is_below(link, "/tmp") and not any(is_below(link, each) for each in hidden):  # noqa: S108
                arguments += ["--symlink", os.readlink(link), link]
        return arguments


@dataclass(frozen=True)
class Bubblewrap(PrivateRoot):
    """Roots made by the system's bubblewrap.

    program: its path.
    """

    program: str
    kind: ClassVar[str] = BUBBLEWRAP

    @classmethod
    def find(cls, state_directory: Path) -> Bubblewrap | None:
        """Bubblewrap when it is installed and works on this machine."""
        program = shutil.which("bwrap")
        if program is None:
            return None
        view = cls(state_directory.resolve(), program)
        return view if view.works() else None

    def _program(self, task: Task) -> list[str]:  # noqa: ARG002
        return [self.program, "--die-with-parent", "--unshare-pid", "--unshare-uts", "--unshare-ipc"]


@dataclass(frozen=True)
class Unshare(PrivateRoot):
    """Roots made by a program of our own with the system calls unshare, mount and pivot_root."""

    kind: ClassVar[str] = UNSHARE

    @classmethod
    def find(cls, state_directory: Path) -> Unshare | None:
        """These roots when this machine permits namespaces."""
        view = cls(state_directory.resolve())
        return view if sys.platform == "linux" and view.works() else None

    def _program(self, task: Task) -> list[str]:
        root = task.directory / "root"
        root.mkdir(exist_ok=True)
        return [sys.executable, "-I", "-S", str(NAMESPACES), "--root", str(root)]


class _Places:
    """Where mount points can be made: on volumes, and not on this machine's read-only directories."""

    def __init__(self) -> None:
        self.opened: set[str] = set()
        self.mounted: list[str] = []

    def open(self, target: str) -> list[str]:
        """What it takes so that the mount point can be made; empty when it is there or can be made."""
        if os.path.exists(target) or any(is_below(target, root) for root in (*_WRITABLE, *self.mounted)):
            return []
        nearest = next(parent for parent in Path(target).parents if parent.is_dir())
        if nearest == Path("/") or str(nearest) in self.opened:
            return []
        self.opened.add(str(nearest))
        arguments = ["--tmpfs", str(nearest)]
        with os.scandir(nearest) as entries:
            for entry in entries:
                arguments += _show(entry)
        return arguments


def _links(path: str) -> Iterator[str]:
    """A path and those that it leads to, as far as they are links."""
    while os.path.islink(path):
        yield path
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))


def _behind_links(target: str) -> str:
    """Where this machine's links lead, which the task sees and bubblewrap does not follow: /run for /var/run."""
    own = target in _WRITABLE or any(is_below(target, root) for root in _WRITABLE)
    return target if own else os.path.realpath(target)


def _show(entry: os.DirEntry[str]) -> list[str]:
    if entry.is_symlink():
        return ["--symlink", os.readlink(entry.path), entry.path]
    return ["--ro-bind-try", entry.path, entry.path]
