"""Images: which local commands stand for what a container image would run."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Final

SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_UNREACHABLE_HOST: Final = "unknown.invalid"
_MISSING_TAG: Final = "does-not-exist"


Program = str | tuple[str, ...]
"""What is run in place of a program: another program, or its words."""


@dataclass(frozen=True)
class Image:
    """What stands for images.

    pattern: of the repository without its tag, as a shell would match it.
    command: what runs when the template gives no command: the image's entrypoint.
    commands: names of programs and what is run in their place.
    default: what runs when the template gives neither a command nor arguments; without an entrypoint, arguments are
        the command.
    tags: pattern of the tag.
    """

    pattern: str
    command: tuple[str, ...] = ()
    commands: Mapping[str, Program] = field(default_factory=dict)
    default: tuple[str, ...] = ()
    tags: str = "*"


def _own(name: str) -> Program:
    """One of our programs, as words: where the package lies is not visible in every task."""
    source = Path(__file__).with_name("image_programs").joinpath(f"{name}.py").read_text(encoding="utf-8")
    return (sys.executable, "-I", "-S", "-c", source)


def _shells() -> Mapping[str, Program]:
    """A shell that has what busybox's has and dash has not, such as $RANDOM."""
    for words in (("busybox", "sh"), ("bash", "--posix")):
        found = shutil.which(words[0])
        if found is not None:
            program = os.path.realpath(found)  # a link in a home directory is not visible in every task
            return {"sh": (program, *words[1:]), "ash": (program, *words[1:])}
    return {}


_SH: Final = ("sh",)
_BUSYBOX: Final = _shells()
_COWSAY: Final = {"cowsay": _own("cowsay")}
_ARGOSAY: Final = {**_COWSAY, "argosay": _own("argosay")}
_BIN: Final = ("/", "/bin", "/usr/bin", "/usr/local/bin", "/usr/games")  # where images have their programs

INTERPRETER: Final[Mapping[str, Program]] = {"python": sys.executable, "python3": sys.executable}
_TABLE: Final = (
    Image("python", commands=_BUSYBOX, default=("python3",), tags="*alpine*"),
    Image("python", default=("python3",)),
    Image("busybox", commands=_BUSYBOX, default=_SH),
    Image("alpine", commands=_BUSYBOX, default=_SH),
    *(Image(name, default=("bash",)) for name in ("debian", "ubuntu", "fedora")),
    Image("bash", ("bash",)),
    Image("docker/whalesay", commands=_COWSAY, default=("cowsay",)),
    Image("hello-world", commands={"hello": _own("hello")}, default=("hello",)),
    Image("argoproj/argosay", commands=_COWSAY, default=("cowsay",), tags="v1"),
    Image("argoproj/argosay", ("argosay",), _ARGOSAY),
    Image("argoproj/argoexec"),  # what runs in its place is the sandbox's own
)
TABLE: Final = tuple(each for row in _TABLE for each in (row, replace(row, pattern=f"*/{row.pattern}")))
HINT: Final = "the sandbox pulls no images: map it to a program of this machine with --sandbox-images"


class ImageUnknown(ValueError):
    """It is not known what an image runs."""


class Images:
    """The table of images, with what a file adds to it.

    extra: a JSON object of `{pattern: {"command": [...], "commands": {name: program}}}`; its rows come first.
    Raises ValueError when the file cannot be read.
    """

    def __init__(self, extra: Path | None = None) -> None:
        self._rows: tuple[Image, ...] = (*_read(extra), *TABLE) if extra is not None else TABLE

    def find(self, image: str) -> Image | None:
        """The row for an image; None when the table has none."""
        name, tag = repository(image), _tag(image)
        rows = (row for row in self._rows if fnmatchcase(tag, row.tags))
        return next((row for row in rows if fnmatchcase(name, row.pattern)), None)

    def commands(self, image: str) -> dict[str, Program]:
        """Names of programs that an image holds and the local programs behind them."""
        row = self.find(image)
        return {**INTERPRETER, **(row.commands if row is not None else {})}

    def words(self, image: str, command: Sequence[str], args: Sequence[str]) -> list[str]:
        """What a container runs, as Docker and Argo put it together. Raises ImageUnknown."""
        row = self.find(image) or Image("")
        words = [*command, *args] if command else [*row.command, *args] or list(row.default)
        if not words or not (command or row.command or row.default):
            raise ImageUnknown(f'what the image "{image}" runs is not known: give the template a `command` ({HINT})')
        head, _, name = words[0].rpartition("/")
        is_its_own = words[0].startswith("/") and (head or "/") in _BIN and name in self.commands(image)
        return [name if is_its_own else words[0], *words[1:]]

    def problem(
        self,
        image: str,
        command: Sequence[str] = (),
        args: Sequence[str] = (),
        *,
        mounts: Sequence[str] = (),
        directory: str = "",
        sets_path: bool = False,
    ) -> str:
        """Why a container of this image could not be started, and what to do about it; empty when it can be.

        mounts: paths of its volumes, whose programs are not known before it runs.
        directory: its working directory.
        sets_path: whether it has a PATH of its own, which is not known either.
        """
        if (why := pull_error(image)) is not None:
            return why
        try:
            program = self.words(image, command, args)[0]
        except ImageUnknown as error:
            return str(error)
        if "/" in program:
            program = os.path.normpath(os.path.join(directory or "/", program))
            is_elsewhere = any(PurePosixPath(program).is_relative_to(mount) for mount in mounts)
        else:
            is_elsewhere = sets_path or program in self.commands(image)
        path = f"{Path(sys.executable).parent}:{SYSTEM_PATH}"
        if "$(" in program or "{{" in program or is_elsewhere or shutil.which(program, path=path):
            return ""
        return f'the program "{program}" of the image "{image}" is not installed ({HINT})'


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


def _tag(image: str) -> str:
    last = image.partition("@")[0].rpartition("/")[2]
    return last.partition(":")[2] or "latest"


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


def write_programs(directory: Path, commands: Mapping[str, Program]) -> None:
    """Fill a directory for PATH with programs that start others under further names.

    They are scripts, not links: through a link, Python would not find the environment that it belongs to.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, program in commands.items():
        target = directory / name
        words = [program] if isinstance(program, str) else program
        text = f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n'
        if target.exists() and target.read_text() == text:
            continue
        part = directory / f".{name}.{os.getpid()}"
        part.write_text(text)
        part.chmod(0o755)
        part.replace(target)


def _read(path: Path) -> Iterable[Image]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    if not isinstance(rows, dict):
        raise ValueError(f"{path}: expected an object of image patterns")
    for pattern, row in rows.items():
        unknown = row.keys() - {"command", "commands"}
        if unknown:
            raise ValueError(f"{path}: {pattern}: unknown key {sorted(unknown)[0]!r}; known: command, commands")
        yield Image(pattern, tuple(row.get("command") or ()), dict(row.get("commands") or {}))
