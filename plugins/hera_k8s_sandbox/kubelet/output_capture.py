"""Catches: places for what a task may leave at a path, a file or a directory, so that it is there when it has ended.

In a private root, what a task writes beside its volumes is gone with its file system. So the directory around the path
is one of the task's own, which shows what this machine's directory holds, and takes what the task puts there. A file of
this machine at the path is copied. A directory starts empty: its files are this machine's, and no result of the task.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from hera_k8s_sandbox.kubelet.mounts import TaskRefused

ROOT: Final = "/"
_LARGEST: Final = 16 << 20  # bytes of a file that is copied; the server waits for it
_NEEDED: Final = ("/usr/bin", "/usr/lib")  # without them no task starts


@dataclass
class OutputCapture:
    """Where the results of one task will be.

    found: by the path that the task sees.
    root: a directory for `/` itself, where one of them is there.
    shown: directories of this machine, and those that stand for them.
    without: what is not shown in them: it has a place of its own.
    added: directories in place of those that are outputs themselves.
    """

    found: dict[str, Path] = field(default_factory=dict)
    root: Path | None = None
    shown: dict[str, Path] = field(default_factory=dict)
    without: set[str] = field(default_factory=set)
    added: dict[str, Path] = field(default_factory=dict)

    def arguments(self, show: Callable[[os.DirEntry[str]], list[str]]) -> list[str]:
        """Options of bubblewrap, which put the directories that are shown in their places."""
        arguments: list[str] = []
        for place in sorted(self.shown, key=lambda each: each.count("/")):
            arguments += ["--bind", str(self.shown[place]), place]
            with contextlib.suppress(PermissionError), os.scandir(place) as entries:
                for entry in entries:
                    if entry.path not in self.without:
                        arguments += show(entry)
        return arguments


def plan(paths: Iterable[str], directory: Path, known: Mapping[str, Path]) -> OutputCapture:
    """Places below `directory` for paths; known: directories that the task writes to anyway, by where it sees them.

    Raises TaskRefused for too large a file of this machine, and for a directory without which no task starts.
    """
    planned = OutputCapture()
    for number, path in enumerate(sorted(dict.fromkeys(paths), key=lambda each: each.count("/"))):
        found = _inside(known, path)
        if found is None:
            found = _inside(planned.added, path) or _place(planned, path, directory, directory / f"a{number}.d")
            _fill(path, found)
        planned.found[path] = found
    return planned


def _place(planned: OutputCapture, path: str, directory: Path, own: Path) -> Path:
    """A place for a path that none holds: its nearest directory that is there becomes one of the task's own."""
    if os.path.isdir(path):
        planned.added[path] = own / os.path.basename(path)
        return planned.added[path]
    around = next(str(parent) for parent in PurePosixPath(path).parents if os.path.isdir(parent))
    planned.without.add(path)
    if around == ROOT:
        planned.root = _made(directory / "root")
        return planned.root / path.lstrip("/")
    if around not in planned.shown:
        planned.shown[around] = _made(own)
    return planned.shown[around] / PurePosixPath(path).relative_to(around)


def _inside(places: Mapping[str, Path], path: str) -> Path | None:
    """Where a path is, when one of the places holds it: the nearest one."""
    for place in sorted(places, key=len, reverse=True):
        if path == place:
            return places[place]
        if PurePosixPath(place) in PurePosixPath(path).parents:
            return places[place] / PurePosixPath(path).relative_to(place)
    return None


def _fill(path: str, place: Path) -> None:
    """Put into a place what the task is to find there; what a probe's command finds put there stays."""
    refused = f"the sandbox does not take {path} for an output"
    if os.path.isdir(path):
        if any(PurePosixPath(needed).is_relative_to(path) for needed in _NEEDED):
            raise TaskRefused(f"{refused}: it holds programs of this machine")
        _made(place)
    elif os.path.isfile(path) and not place.exists():
        if os.path.getsize(path) > _LARGEST:
            raise TaskRefused(f"{refused}: this machine's file exceeds {_LARGEST >> 20} MiB")
        _made(place.parent)
        try:
            shutil.copy(path, place)
        except PermissionError:
            return  # a file that may not be read is as good as none
        except OSError as error:
            raise TaskRefused(f"{refused}: this machine's file cannot be copied: {error.strerror}") from error


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory
