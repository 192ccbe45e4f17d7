"""Catches: places for what a task may leave at a path, a file or a directory, so that it is there when it has ended.

In a private root, what a task writes beside its volumes is gone with its file system. So the directory around the path
is one of the task's own, which shows what this machine's directory holds, and takes what the task puts there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

ROOT: Final = "/"


@dataclass
class OutputCapture:
    """Where the results of one task will be.

    found: by the path that the task sees.
    root: a directory for `/` itself, where one of them is there.
    shown: directories of this machine, and those that stand for them.
    without: names in them that the task is to make.
    added: directories for paths that this machine does not have.
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
    """Places below `directory` for paths; known: directories that the task writes to anyway, by where it sees them."""
    planned = OutputCapture()
    for number, path in enumerate(sorted(paths, key=lambda each: each.count("/"))):
        beside = {**known, **planned.added, **planned.shown}
        inside = _inside(beside, path)
        own = directory / f"a{number}.d"
        parent = os.path.dirname(path)
        if inside is not None:
            planned.found[path] = inside
            planned.without.add(path)
            continue
        if os.path.isdir(path):
            planned.added[path] = planned.found[path] = _made(own)
        elif parent == ROOT:
            planned.root = _made(directory / "root")
            planned.found[path] = planned.root / path.lstrip("/")
        else:
            into = planned.shown if os.path.isdir(parent) else planned.added
            into[parent] = _made(own)
            planned.found[path] = own / os.path.basename(path)
            planned.without.add(path)
    return planned


def _inside(places: Mapping[str, Path], path: str) -> Path | None:
    """Where a path is, when one of the places holds it: the nearest one."""
    for place in sorted(places, key=len, reverse=True):
        if path == place:
            return places[place]
        if PurePosixPath(place) in PurePosixPath(path).parents:
            return places[place] / PurePosixPath(path).relative_to(place)
    return None


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory
