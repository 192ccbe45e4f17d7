"""Catches: places for what a task may leave at a path, a file or a directory, so that it is there when it has ended.

In a private root, what a task writes beside its volumes is gone with its file system. So the directory around the path
is one of the task's own, which shows what this machine's directory holds, and takes what the task puts there.
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
_MOST_COPIED: Final = 64 << 20  # bytes


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
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.path not in self.without:
                        arguments += show(entry)
        return arguments


def plan(paths: Iterable[str], directory: Path, known: Mapping[str, Path]) -> OutputCapture:
    """Places below `directory` for paths; known: directories that the task writes to anyway, by where it sees them.

    What this machine holds at a path is copied to its place: an image's files are there until the task changes them.
    Raises TaskRefused when that is too much.
    """
    planned = OutputCapture()
    for number, path in enumerate(sorted(dict.fromkeys(paths), key=lambda each: each.count("/"))):
        if (volume := _inside(known, path)) is not None:
            planned.found[path] = volume
            continue
        found = _inside({**planned.added, **planned.shown}, path)
        if found is None:
            found = _place(planned, path, directory, directory / f"a{number}.d")
        planned.found[path] = found
        planned.without.add(path)
        _copy(path, found)
    return planned


def _place(planned: OutputCapture, path: str, directory: Path, own: Path) -> Path:
    """A place for a path that none holds: its nearest directory that is there becomes one of the task's own."""
    if os.path.isdir(path):
        planned.added[path] = _made(own / os.path.basename(path))
        return planned.added[path]
    around = next(str(parent) for parent in PurePosixPath(path).parents if os.path.isdir(parent))
    if around == ROOT:
        planned.root = _made(directory / "root")
        return planned.root / path.lstrip("/")
    planned.shown[around] = _made(own)
    return own / PurePosixPath(path).relative_to(around)


def _inside(places: Mapping[str, Path], path: str) -> Path | None:
    """Where a path is, when one of the places holds it: the nearest one."""
    for place in sorted(places, key=len, reverse=True):
        if path == place:
            return places[place]
        if PurePosixPath(place) in PurePosixPath(path).parents:
            return places[place] / PurePosixPath(path).relative_to(place)
    return None


def _copy(path: str, place: Path) -> None:
    """Copy what this machine holds at a path, if anything; what a probe's command finds copied stays."""
    source = Path(path)
    if source.is_dir() and not any(place.iterdir()):
        left = _MOST_COPIED
        for parent, _, names in os.walk(source):
            sizes = (os.lstat(os.path.join(parent, name)).st_size for name in names)
            left -= sum(sizes)
            if left < 0:
                raise TaskRefused(f"the sandbox does not take {path} for an output: it holds more than 64 MiB already")
        with contextlib.suppress(shutil.Error):  # what may not be read
            shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True)
    elif source.is_file() and not place.exists() and source.stat().st_size <= _MOST_COPIED:
        place.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(PermissionError):
            shutil.copy(source, place)


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory
