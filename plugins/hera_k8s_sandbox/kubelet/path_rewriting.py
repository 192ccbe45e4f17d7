"""Rewriting: paths of mounts in a task's words are replaced by those of this machine, where private roots do not work.

Only what is written out can be replaced. A task that reaches its mounts in another way is refused before it starts:
it would read and write this machine's own directories instead. See `Unrewritable`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from hera_k8s_sandbox.kubelet.mounts import (
    SCRIPT,
    Launch,
    Mount,
    Task,
    TaskRefused,
    environment,
    is_below,
    lay_out,
    through,
    write_script,
)

REWRITE: Final = "rewrite"

_TMP: Final = "/tmp"  # noqa: S108  the task's own
_OURS: Final = ("/dev", "/argo")  # below them are mounts that no template asks for
_LARGEST_FILE: Final = 1 << 20  # bytes of a file that is searched for paths; a ConfigMap holds as many
_SCRIPTS: Final = (".py", ".sh", ".bash")
_END: Final = r"(?![\w\-]|\.\w)"  # a path is not the beginning of a longer name
_BEGIN: Final = r"(?<![\w.\-/])"  # nor the end of a longer path
_ROOT: Final = re.compile(
    r"\b(?:cd|ls|du|find|chdir|listdir|scandir|walk|Path|join)(?:\s+-\w+)*[\s(]+[\"']?/(?![\w.\-/])"
)
_COMPUTED: Final = re.compile(r"(?:^|(?<=[\s=:;(&|,]))(?:[rf]*[\"']?/[${`]|[\"']/[\"']\s*\+)", re.MULTILINE)


class Unrewritable(TaskRefused):
    """A task that path rewriting cannot serve: it needs its mounts at their true paths."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            f"the sandbox rewrites mount paths on this machine, and cannot do so here: {why}; "
            "allow user namespaces, or install bubblewrap"
        )


@dataclass(frozen=True)
class RewritingView:
    """Paths of mounts are replaced by those behind them, wherever they are written out."""

    kind: str = REWRITE

    def launch(self, task: Task) -> Launch:
        """Prepare the task's directory and say what to start. Raises Unrewritable."""
        check(task)
        lay_out(task)
        home, tmp = task.directory / "home", task.directory / "tmp"
        mounts = [*task.mounts, Mount(tmp, _TMP)]
        rewrite = _Rewriter(mounts)
        command = [rewrite(each) for each in task.command]
        if task.script is not None:
            source = write_script(task, rewrite(task.script))
            command = [str(source) if each == SCRIPT else each for each in command]
        own = {name: rewrite(value) for name, value in task.env.items()}
        env = environment(task, home=str(home), tmp=str(tmp), programs=str(task.programs)) | own
        wanted = Path(rewrite(task.working_directory)) if task.working_directory else home
        outputs = {path: _found(mounts, path) for path in (*task.outputs, *task.results)}
        return Launch(tuple(command), env, wanted if wanted.is_dir() else home, outputs)


class _Rewriter:
    def __init__(self, mounts: Iterable[Mount]) -> None:
        self._sources = {mount.target: str(mount.source) for mount in mounts}
        self._pattern = _any_of(self._sources)

    def __call__(self, text: str) -> str:
        return self._pattern.sub(lambda found: self._sources[found[0]], text)


def _any_of(paths: Iterable[str]) -> re.Pattern[str]:
    either = "|".join(re.escape(path) for path in sorted(paths, key=len, reverse=True))
    return re.compile(f"{_BEGIN}(?:{either}){_END}")


def _found(mounts: Iterable[Mount], path: str) -> Path:
    found = through(mounts, path)
    assert found is not None, "checked before"
    return found


# What cannot be rewritten


def check(task: Task) -> None:
    """Refuse what would reach another place than its mount. Raises Unrewritable."""
    for path in (*task.outputs, *task.results):
        if path != _TMP and not is_below(path, _TMP) and through(task.mounts, path) is None:
            raise Unrewritable(f"the output {path} is not below a mount or /tmp")
    targets = [mount.target for mount in task.mounts if not any(is_below(mount.target, each) for each in _OURS)]
    if not targets:
        return
    if any(is_below(target, task.working_directory or "/none") for target in targets):
        raise Unrewritable(f"the working directory {task.working_directory} is a parent of a mount")
    for where, text in _texts(task):
        _check_text(where, text, targets)
    for where, file in _files(task):
        _check_file(where, file, targets)


def _texts(task: Task) -> Iterator[tuple[str, str]]:
    """What is rewritten, and what it is called."""
    yield "the command", " ".join(task.command)
    if task.script is not None:
        yield "the script", task.script
    for name, value in task.env.items():
        yield f"the variable {name}", value


def _check_text(where: str, text: str, targets: list[str]) -> None:
    parents = _parents(targets)
    if parents and (found := re.search(rf"{_BEGIN}(?:{_either(parents)})/?(?![\w.\-/])", text)):
        parent = found[0].rstrip("/")
        raise Unrewritable(f"{where} names {parent}, a parent of the mount {parents[parent]}")
    for target in targets:
        if other := next((found[0] for found in _spelt(target).finditer(text) if found[0] != target), ""):
            raise Unrewritable(f"{where} names the mount {target} as {other}")
    if _ROOT.search(text):
        raise Unrewritable(f"{where} names /, a parent of the mount {targets[0]}")
    if found := _COMPUTED.search(text):
        raise Unrewritable(f"{where} computes a path ({_line_of(text, found.start())}), which may be {targets[0]}")


def _spelt(path: str) -> re.Pattern[str]:
    """A path in any spelling that means the same, such as `//results` and `/./results`; in no address."""
    parts = "".join(rf"/+(?:\./+)*{re.escape(part)}" for part in PurePosixPath(path).parts[1:])
    return re.compile(rf"(?<![\w.\-/:]){parts}{_END}")


def _parents(targets: Iterable[str]) -> Mapping[str, str]:
    """The directories above mounts, but for the root, and a mount below each."""
    return {str(parent): target for target in targets for parent in list(PurePosixPath(target).parents)[:-1]}


def _either(paths: Iterable[str]) -> str:
    return "|".join(re.escape(path) for path in paths)


def _line_of(text: str, position: int) -> str:
    line = text[text.rfind("\n", 0, position) + 1 :].partition("\n")[0].strip()
    return line if len(line) <= 60 else f"{line[:57]}..."


def _files(task: Task) -> Iterator[tuple[str, Path]]:
    """Files whose text a task may act on: those that it is given, and scripts on its volumes that it names."""
    for mount in task.mounts:
        if mount.given:
            for path in _files_below(mount.source):
                yield mount.target, path
    named = re.compile(f"{_BEGIN}(?:{_either(mount.target for mount in task.mounts)})[\\w./@%+=:,~-]*")
    for _, text in _texts(task):
        for found in named.finditer(text):
            script = through(task.mounts, found[0])
            if script is not None and script.is_file() and _is_script(script):
                yield found[0], script


def _files_below(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
    for directory, _, names in os.walk(source):
        yield from (Path(directory, name) for name in names)


def _is_script(path: Path) -> bool:
    return path.suffix in _SCRIPTS or os.access(path, os.X_OK)


def _check_file(where: str, path: Path, targets: list[str]) -> None:
    if not path.is_file() or path.stat().st_size > _LARGEST_FILE:
        return
    found = _any_of(targets).search(path.read_text(encoding="utf-8", errors="replace"))
    if found:
        name = where if where.endswith(path.name) else f"{where}/{path.name}"
        raise Unrewritable(f"the file {name} names the mount {found[0]}")
