"""Images: which local commands stand for what a container image would run."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_UNREACHABLE_HOST: Final = "unknown.invalid"
_MISSING_TAG: Final = "does-not-exist"


@dataclass(frozen=True)
class Image:
    """What stands for images.

    pattern: of the repository without its tag, as a shell would match it.
    command: what runs when the template gives no command.
    commands: names of programs and what is run in their place.
    """

    pattern: str
    command: tuple[str, ...] = ()
    commands: Mapping[str, str] = field(default_factory=dict)


INTERPRETER: Final = {"python": sys.executable, "python3": sys.executable}
TABLE: Final = (
    Image("python", ("python3",)),
    Image("*/python", ("python3",)),
    *(Image(name, ("sh",)) for name in ("busybox", "alpine", "debian", "ubuntu", "fedora", "*/busybox", "*/alpine")),
    Image("bash", ("bash",)),
    Image("quay.io/argoproj/argoexec"),  # what runs in its place is the sandbox's own
    Image("*/bash", ("bash",)),
)


class Images:
    """The table of images, with what a file adds to it.

    extra: a JSON object of `{pattern: {"command": [...], "commands": {name: program}}}`; its rows come first.
    Raises ValueError when the file cannot be read.
    """

    def __init__(self, extra: Path | None = None) -> None:
        self._rows = (*_read(extra), *TABLE) if extra is not None else TABLE

    def find(self, image: str) -> Image | None:
        """The row for an image; None when the table has none."""
        name = repository(image)
        return next((row for row in self._rows if fnmatchcase(name, row.pattern)), None)

    def commands(self, image: str) -> dict[str, str]:
        """Names of programs that an image holds and the local programs behind them."""
        row = self.find(image)
        return INTERPRETER | dict(row.commands if row is not None else {})


class Programs:
    """Directories for PATH with the programs of images, one for each set; made below `directory` when first needed."""

    def __init__(self, images: Images, directory: Path) -> None:
        self._images = images
        self._directory = directory.resolve()
        self._made: dict[str, Path] = {}

    def of(self, image: str) -> Path:
        """The directory for an image."""
        commands = self._images.commands(image)
        key = json.dumps(commands, sort_keys=True)
        if key not in self._made:
            directory = self._directory / str(len(self._made))
            shutil.rmtree(directory, ignore_errors=True)
            write_programs(directory, commands)
            self._made[key] = directory
        return self._made[key]


def repository(image: str) -> str:
    """An image without its tag and digest: `python` for `python:3.12-slim`."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def pull_error(image: str) -> str | None:
    """Why an image cannot be pulled, for two names that are reserved for trying it out; None for any other."""
    name = image.partition("@")[0]
    if name.startswith(f"{_UNREACHABLE_HOST}/"):
        return (
            f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": failed to do '
            f"request: dial tcp: lookup {_UNREACHABLE_HOST}: no such host"
        )
    if name.rpartition("/")[2].partition(":")[2] == _MISSING_TAG:
        return (
            f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": failed to resolve '
            f'reference "{image}": {image}: not found'
        )
    return None


def write_programs(directory: Path, commands: Mapping[str, str]) -> None:
    """Fill a directory for PATH with programs that start others under further names.

    They are scripts, not links: through a link, Python would not find the environment that it belongs to.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, program in commands.items():
        target = directory / name
        text = f'#!/bin/sh\nexec {shlex.quote(program)} "$@"\n'
        if target.exists() and target.read_text() == text:
            continue
        part = directory / f".{name}.{os.getpid()}"
        part.write_text(text)
        part.chmod(0o755)
        part.replace(target)


def _read(path: Path) -> Iterable[Image]:
    rows = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(rows, dict):
        raise ValueError(f"{path}: expected an object of image patterns")
    for pattern, row in rows.items():
        unknown = row.keys() - {"command", "commands"}
        if unknown:
            raise ValueError(f"{path}: {pattern}: unknown key {sorted(unknown)[0]!r}; known: command, commands")
        yield Image(pattern, tuple(row.get("command") or ()), dict(row.get("commands") or {}))
