"""Mounts: how a task sees its volumes at the paths where it expects them.

With bubblewrap the task gets a file system of its own: this machine's read-only, the volumes at their true paths,
/tmp for itself. Where bubblewrap does not work, the paths are rewritten wherever they occur in the task's command,
environment and script.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from hera_k8s_sandbox import catches
from hera_k8s_sandbox.images import SYSTEM_PATH

BUBBLEWRAP: Final = "bubblewrap"
REWRITE: Final = "rewrite"

_HOME: Final = "/task"
_PROGRAMS: Final = "/.sandbox/bin"
_SCRIPT: Final = "/argo/staging/script"
_PLAIN_PATH: Final = re.compile(r"[\w./@%+=:,~-]+")  # what a shell takes for one word, without quotes
_WRITABLE: Final = ("/tmp", "/dev", _HOME)  # noqa: S108  what is the task's own
_OWN_ROOTS: Final = ("dev", "proc", "tmp", "task", ".sandbox", "argo")


@dataclass(frozen=True)
class Mount:
    """A directory or file of this machine, and where the task sees it."""

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class Task:
    """What is to be run.

    directory: the container's own. command: program and arguments as the container gives them. script: the source that
    the last argument names. outputs: paths of files that are read when it has ended; results: of files or directories.
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
    """A process to start; outputs: where on this machine each output will be found."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    outputs: Mapping[str, Path]


class View(Protocol):
    """A way to show a task its mounts."""

    @property
    def kind(self) -> str:
        """`bubblewrap` or `rewrite`."""

    def launch(self, task: Task) -> Launch:
        """Prepare the task's directory and say what to start."""


def choose_view(kind: str, state_directory: Path) -> View:
    """The view of a kind; `auto` takes bubblewrap where it works. Raises ValueError for a kind that does not."""
    wrapped = None if kind == REWRITE else Bubblewrap.find(state_directory)
    if wrapped is not None:
        return wrapped
    if kind == BUBBLEWRAP:
        raise ValueError("bubblewrap does not work on this machine")
    if not _PLAIN_PATH.fullmatch(str(state_directory.resolve())):
        raise ValueError(
            f"a shell would take {str(state_directory)!r}, to which mount paths are rewritten, for several words: "
            "take a directory without blanks and quotes (--sandbox-dir), or install bubblewrap"
        )
    return Rewriting()


def _lay_out(task: Task) -> None:
    for name in ("home", "tmp", *(("outputs",) if task.outputs or task.results else ())):
        (task.directory / name).mkdir(parents=True, exist_ok=True)


def _environment(task: Task, *, home: str, tmp: str, programs: str) -> dict[str, str]:
    path = f"{programs}:{Path(sys.executable).parent}:{SYSTEM_PATH}"
    base = {"PATH": path, "HOME": home, "TMPDIR": tmp, "LANG": "C.UTF-8", "HOSTNAME": task.name}
    return base | dict(task.env)


# Bubblewrap


@dataclass(frozen=True)
class Bubblewrap:
    """Mounts at their true paths, by bubblewrap; masked: a directory that tasks do not see."""

    program: str
    masked: Path
    kind: str = BUBBLEWRAP

    @classmethod
    def find(cls, state_directory: Path) -> Bubblewrap | None:
        """Bubblewrap when it is installed and may do on this machine what is asked of it."""
        program = shutil.which("bwrap")
        if program is None:
            return None
        view = cls(program, state_directory.resolve())
        return view if view._works() else None

    def launch(self, task: Task) -> Launch:
        """Prepare the task's directory and say what to start."""
        _lay_out(task)
        places = _Places()
        mounts = sorted(task.mounts, key=lambda mount: mount.target.count("/"))
        own = {_HOME: task.directory / "home", "/tmp": task.directory / "tmp"}  # noqa: S108
        caught = catches.plan(
            (_behind_links(path) for path in task.results),
            task.directory / "outputs",
            own | {mount.target: mount.source for mount in mounts},
        )
        places.opened.update(caught.shown)
        arguments = list(self._base)
        if caught.root is not None:
            arguments[1:1] = ["--bind", str(caught.root), "/"]
        arguments += caught.arguments(_show)
        arguments += ["--bind", str(task.directory / "tmp"), "/tmp"]  # noqa: S108  the task's own
        arguments += self._interpreter
        if self.masked.is_dir() and not _is_below(self.masked, "/tmp"):  # noqa: S108
            arguments += ["--tmpfs", str(self.masked)]
        arguments += ["--bind", str(task.directory / "home"), _HOME, "--ro-bind", str(task.programs), _PROGRAMS]
        if task.script is not None:
            source = task.directory / "script"
            source.write_text(task.script, encoding="utf-8")
            arguments += ["--ro-bind", str(source), _SCRIPT]
        mounts += [Mount(source, target) for target, source in caught.added.items()]
        outputs = {path: caught.found[_behind_links(path)] for path in task.results}
        for mount in [*mounts, *_output_mounts(task, mounts, outputs)]:
            target = _behind_links(mount.target)
            arguments += places.open(target)
            arguments += ["--ro-bind" if mount.read_only else "--bind", str(mount.source), target]
        if task.working_directory and through(mounts, task.working_directory) is None:
            arguments += [*places.open(task.working_directory), "--dir", task.working_directory]
        arguments += ["--chdir", task.working_directory or _HOME, "--hostname", task.name[:63], "--"]
        env = _environment(task, home=_HOME, tmp="/tmp", programs=_PROGRAMS)  # noqa: S108
        return Launch((*arguments, *task.command), env, task.directory, outputs)

    @cached_property
    def _base(self) -> list[str]:
        arguments = [self.program, "--die-with-parent", "--unshare-pid", "--unshare-uts", "--unshare-ipc"]
        with os.scandir("/") as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                if entry.name not in _OWN_ROOTS:
                    arguments += _show(entry)
        return [*arguments, "--proc", "/proc", "--dev", "/dev"]

    @cached_property
    def _interpreter(self) -> list[str]:
        """The interpreter's files and the links that lead to it, where the task's own /tmp would hide them."""
        directories = {path for each in (sys.prefix, sys.base_prefix) for path in (each, os.path.realpath(each))}
        hidden = sorted(each for each in directories if _is_below(Path(each), "/tmp"))  # noqa: S108
        arguments = [argument for each in hidden for argument in ("--ro-bind", each, each)]
        for link in _links(sys.executable):
            if _is_below(Path(link), "/tmp") and not any(_is_below(Path(link), each) for each in hidden):  # noqa: S108
                arguments += ["--symlink", os.readlink(link), link]
        return arguments

    def _works(self) -> bool:
        with tempfile.TemporaryDirectory(prefix="hera-k8s-") as name:
            directory = Path(name)
            mount = Mount(directory, "/hera-k8s-trial")
            write = "touch /hera-k8s-trial/written"
            task = Task("trial", directory / "pod", ("sh", "-c", write), directory, mounts=(mount,))
            launch = self.launch(task)
            try:
                ended = subprocess.run(launch.argv, env=dict(launch.env), capture_output=True, timeout=20, check=False)
            except (OSError, subprocess.TimeoutExpired):
                return False
            return ended.returncode == 0 and (directory / "written").exists()


class _Places:
    """Where mount points can be made: on this machine's read-only directories they cannot."""

    def __init__(self) -> None:
        self.opened: set[str] = set()

    def open(self, target: str) -> list[str]:
        """What it takes so that the mount point can be made; empty when it is there or can be made."""
        if os.path.exists(target) or any(_is_below(Path(target), root) for root in _WRITABLE):
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
    own = target in _WRITABLE or any(_is_below(Path(target), root) for root in _WRITABLE)
    return target if own else os.path.realpath(target)


def _show(entry: os.DirEntry[str]) -> list[str]:
    if entry.is_symlink():
        return ["--symlink", os.readlink(entry.path), entry.path]
    return ["--ro-bind-try", entry.path, entry.path]


def _output_mounts(task: Task, mounts: list[Mount], outputs: dict[str, Path]) -> Iterator[Mount]:
    """Mounts that catch the outputs which no volume holds; fills in where each output will be."""
    for number, path in enumerate(task.outputs):
        found = through(mounts, path)
        if found is not None:
            outputs[path] = found
        elif _is_below(Path(path), "/tmp"):  # noqa: S108
            outputs[path] = task.directory / "tmp" / PurePosixPath(path).relative_to("/tmp")  # noqa: S108
        elif os.path.isdir(os.path.dirname(path)):
            caught = task.directory / "outputs" / str(number)
            caught.touch()
            os.utime(caught, ns=(0, 0))  # by which a file that nobody wrote is told
            outputs[path] = caught
            yield Mount(caught, path)
        else:
            caught = task.directory / "outputs" / f"{number}.d"
            caught.mkdir(exist_ok=True)
            mount = Mount(caught, os.path.dirname(path))
            mounts.append(mount)
            outputs[path] = caught / os.path.basename(path)
            yield mount


def holder(mounts: Iterable[Mount], path: str) -> Mount | None:
    """The mount that holds a path of the task."""
    for mount in sorted(mounts, key=lambda one: -len(one.target)):
        if path == mount.target or _is_below(Path(path), mount.target):
            return mount
    return None


def through(mounts: Iterable[Mount], path: str) -> Path | None:
    """Where on this machine a path of the task lies, when a mount holds it."""
    mount = holder(mounts, path)
    return None if mount is None else mount.source / PurePosixPath(path).relative_to(mount.target)


def _is_below(path: Path, directory: str) -> bool:
    return Path(directory) in path.parents


# Rewriting


@dataclass(frozen=True)
class Rewriting:
    """Paths of mounts are replaced by those behind them, wherever they occur."""

    kind: str = REWRITE

    def launch(self, task: Task) -> Launch:
        """Prepare the task's directory and say what to start."""
        _lay_out(task)
        home, tmp = task.directory / "home", task.directory / "tmp"
        mounts = [*task.mounts, Mount(tmp, "/tmp")]  # noqa: S108
        outputs = {}
        for number, path in enumerate((*task.outputs, *task.results)):
            found = through(mounts, path)
            if found is None:
                found = task.directory / "outputs" / str(number)
                mounts.append(Mount(found, path))
            outputs[path] = found
        rewrite = _Rewriter(mounts)
        command = [rewrite(each) for each in task.command]
        if task.script is not None:
            source = task.directory / "script"
            source.write_text(rewrite(task.script), encoding="utf-8")
            command = [str(source) if each == _SCRIPT else each for each in command]
        own = {name: rewrite(value) for name, value in task.env.items()}
        env = _environment(task, home=str(home), tmp=str(tmp), programs=str(task.programs)) | own
        wanted = Path(rewrite(task.working_directory)) if task.working_directory else home
        return Launch(tuple(command), env, wanted if wanted.is_dir() else home, outputs)


class _Rewriter:
    def __init__(self, mounts: Iterable[Mount]) -> None:
        self._sources = {mount.target: str(mount.source) for mount in mounts}
        targets = sorted(self._sources, key=len, reverse=True)
        either = "|".join(re.escape(target) for target in targets)
        self._pattern = re.compile(rf"(?<![\w.\-/])(?:{either})(?![\w\-]|\.\w)")

    def __call__(self, text: str) -> str:
        return self._pattern.sub(lambda found: self._sources[found[0]], text)
