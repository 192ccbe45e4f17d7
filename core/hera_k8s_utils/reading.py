"""What others wrote, read within limits: files, JSON, YAML, and what commands print."""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import subprocess

MIB: Final = 1024 * 1024
LARGEST_HISTORY: Final = 1024 * MIB
"""Bytes of the events of a run, which are read line by line."""
LARGEST_DOCUMENT: Final = 64 * MIB
"""Bytes of a document of ours: a manifest, a record, a file of points."""
LARGEST_TOKEN: Final = MIB
"""Bytes of a file that holds a token, a key or a certificate."""
LARGEST_AUTHORITIES: Final = 16 * MIB
"""Bytes of a file of certificate authorities; those of a whole system have less than one."""
DEEPEST: Final = 128
"""Levels of JSON or YAML: objects of Kubernetes have fewer than 50, and Python gives up at about 1,000."""
_MOST_CONTAINERS: Final = 4_000_000
"""Objects and lists in one JSON text: each takes up to 50 times the space that it has there."""
_MOST_NODES: Final = 1_000_000
"""Values of a YAML text when each alias is replaced by what it stands for."""


# --- files -----------------------------------------------------------------------------------------------------


class FileRefused(OSError):
    """What a path leads to is too large, or no file at all; `strerror` says which."""


def read_file(path: str | os.PathLike[str], *, most: int, pipe: bool = False) -> bytes:
    """The content of a regular file of at most `most` bytes.

    pipe: a pipe that the user named, such as bash's `<(command)`, may stand in its place. Raises `OSError`:
    `FileRefused` for a larger file and for a device.
    """
    require_file(path, pipe=pipe)
    with open(path, "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise FileRefused(errno.EFBIG, f"it is larger than {_size(most)}", os.fspath(path))
    return content


def read_text(
    path: str | os.PathLike[str], *, most: int = LARGEST_DOCUMENT, pipe: bool = False, keep_line_ends: bool = False
) -> str:
    """The content of a text file, by `read_file` and `decode_text`. Raises `OSError`, whose `strerror` explains.

    keep_line_ends: leave `\\r\\n` and `\\r` as they are, as the `csv` module needs it, instead of writing `\\n`.
    """
    text = decode_text(read_file(path, most=most, pipe=pipe), path)
    return text if keep_line_ends else text.replace("\r\n", "\n").replace("\r", "\n")


def decode_text(content: bytes, path: str | os.PathLike[str] = "") -> str:
    """The text of a file in UTF-8, with or without a byte order mark, or in UTF-16 or UTF-32 with one.

    Only these lead to one text for certain; Windows programs write all of them. Raises `FileRefused` for anything else
    and for text with NUL characters: its `strerror` names the line and says what to do.
    """
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise _not_in(encoding, error, _line_of(content[: error.start].decode(encoding, "ignore")), path) from None
    if "\0" in text:
        line = _line_of(text[: text.index("\0")])
        raise FileRefused(errno.EILSEQ, f"it is not a text file: line {line} has a null byte", os.fspath(path))
    return text


_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _not_in(
    encoding: str,
    error: UnicodeDecodeError,
    line: int,
    path: str | os.PathLike[str],
    way: str = "save it as UTF-8",
) -> FileRefused:
    name = encoding.removesuffix("-sig").upper()
    found = f"it is not text in {name}: byte 0x{error.object[error.start]:02x} in line {line}"
    return FileRefused(errno.EILSEQ, f"{found}; {way}", os.fspath(path))


def _line_of(before: str) -> int:
    return len(re.findall(r"\r\n|\r|\n", before)) + 1


def read_python(path: str | os.PathLike[str]) -> str:
    """The text of a Python file, in the encoding that the interpreter would use (PEP 263), lines ended by `\\n`.

    Raises `OSError`, whose `strerror` explains.
    """
    import importlib.util

    content = read_file(path, most=LARGEST_DOCUMENT)
    try:
        return importlib.util.decode_source(content)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("latin-1")
        way = "save it as UTF-8, or begin it with # coding: ENCODING"
        raise _not_in(error.encoding, error, _line_of(before), path, way) from None
    except SyntaxError as error:
        found = f"it is not text in UTF-8: {error.msg} in its first two lines"
        raise FileRefused(errno.EILSEQ, found, os.fspath(path)) from None


def require_file(path: str | os.PathLike[str], *, most: int | None = None, pipe: bool = False) -> None:
    """Raise `OSError` when a path leads to no regular file, or to one of more than `most` bytes: for what others read.

    Opening a pipe waits for its writer, and a device may have no end.
    """
    found = os.stat(path)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    allowed = stat.S_ISREG(found.st_mode) or (pipe and stat.S_ISFIFO(found.st_mode)) or _is_empty_device(path)
    if not allowed:
        raise FileRefused(errno.EINVAL, "it is not a regular file", os.fspath(path))
    if most is not None and found.st_size > most:
        raise FileRefused(errno.EFBIG, f"it is larger than {_size(most)}", os.fspath(path))


def _is_empty_device(path: str | os.PathLike[str]) -> bool:
    return os.path.realpath(path) == os.devnull


def _size(number: int) -> str:
    return f"{number / MIB:g} MiB" if number >= MIB else f"{number / 1024:g} KiB"


def gunzip(packed: bytes, *, most: int) -> bytes:
    """The content of a gzip file of at most `most` bytes. Raises `OSError` for a larger one, and what `gzip` raises."""
    import gzip

    with gzip.open(io.BytesIO(packed)) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise FileRefused(errno.EFBIG, f"it is larger than {_size(most)}")
    return content


# --- JSON and YAML ---------------------------------------------------------------------------------------------


class TooComplex(ValueError):
    """A text is JSON or YAML, and nested too deeply or too large once it is read. The text says which."""


def parse_json(content: bytes | str, *, deepest: int = DEEPEST, **options: Any) -> Any:
    """The value of a JSON text. Raises `ValueError`: `TooComplex` for one that is nested more deeply than `deepest`.

    options: of `json.loads`, such as `parse_int`.
    """
    containers = content.count(b"{") + content.count(b"[") if isinstance(content, bytes) else _containers(content)
    if containers > _MOST_CONTAINERS:
        raise TooComplex(f"its JSON has more than {_MOST_CONTAINERS:,} objects and lists")
    try:
        found = json.loads(content, **options)
    except RecursionError:
        raise _too_deep("JSON", deepest) from None
    if containers > deepest and _is_deeper(found, deepest):
        raise _too_deep("JSON", deepest)
    return found


def are_objects(items: Any) -> bool:
    """Whether the items of a server's list are objects as Kubernetes knows them, and not `null` or numbers."""
    return isinstance(items, list) and all(map(_is_object, items))


def _is_object(item: Any) -> bool:
    return isinstance(item, dict) and all(
        isinstance(item.get(part) or {}, dict) for part in ("metadata", "spec", "status")
    )


def _containers(text: str) -> int:
    return text.count("{") + text.count("[")


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects are nested in more levels than that, found level by level without recursion."""
    level = [value] if type(value) in (dict, list) else []
    for _ in range(levels):
        if not level:
            return False
        inside = [each.values() if type(each) is dict else each for each in level]
        level = [child for children in inside for child in children if type(child) is dict or type(child) is list]
    return bool(level)


def _too_deep(language: str, deepest: int) -> TooComplex:
    return TooComplex(f"its {language} is nested in more than {deepest} levels")


def parse_yaml(text: bytes | str, *, check: Callable[[Iterable[Any]], None] | None = None) -> list[Any]:
    """The documents of a YAML text; with aliases, as the same object. Raises `yaml.YAMLError` and `ValueError`.

    check: reads the text's events before its values are made, and raises for a text that is too complex. Without it,
    `TooComplex` is raised for what is nested more deeply than `DEEPEST`, and for aliases that stand for ever more.
    """
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    (check or _require_simple)(yaml.parse(text, Loader=loader))
    return list(yaml.load_all(text, Loader=loader))


def _require_simple(events: Iterable[Any]) -> None:
    """Look at a text's events, which are made without recursion, before its values are."""
    import yaml

    size, sizes = 0, dict[str | None, int]()
    around: list[tuple[str | None, int]] = []
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in around):
                raise TooComplex("its YAML has an alias for what holds the alias")
            size += sizes.get(event.anchor, 0)
        elif isinstance(event, yaml.ScalarEvent):
            size += 1
            sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            around.append((event.anchor, size))
            size += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = around.pop()
            sizes[anchor] = size - before
        if len(around) > DEEPEST:
            raise _too_deep("YAML", DEEPEST)
        if size > _MOST_NODES:
            raise TooComplex(f"its YAML has more than {_MOST_NODES:,} values, aliases replaced")


# --- commands --------------------------------------------------------------------------------------------------


def run_command(
    command: Sequence[str], *, timeout: float, most: int = MIB, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run a command as `subprocess.run` does; pipes among its `stdout` and `stderr` give at most `most` bytes each.

    Raises `subprocess.TimeoutExpired`, and `OSError` (EFBIG) when it prints more; the command is killed in both cases.
    """
    import subprocess

    end = time.monotonic() + timeout
    child = subprocess.Popen(command, bufsize=0, **options)
    outputs = [_Output(child, pipe, most) for pipe in (child.stdout, child.stderr)]
    try:
        for output in outputs:
            output.join(end - time.monotonic())
        child.wait(max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise subprocess.TimeoutExpired(command, timeout) from None
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    if any(output.too_large for output in outputs):
        raise OSError(errno.EFBIG, f"it printed more than {_size(most)}", command[0])
    return subprocess.CompletedProcess(command, child.returncode, outputs[0].content, outputs[1].content)


class _Output:
    """What a child prints, read in a thread. The thread outlives a child whose own children keep the pipe."""

    def __init__(self, child: subprocess.Popen[bytes], pipe: Any, most: int) -> None:
        self.too_large = False
        self._child, self._pipe, self._most = child, pipe, most
        self._content = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        if pipe is not None:
            self._thread.start()

    @property
    def content(self) -> bytes | None:
        """What was printed, None without a pipe."""
        return None if self._pipe is None else bytes(self._content)

    def join(self, seconds: float) -> None:
        """Wait for the end of the output; raises `TimeoutExpired` when it does not come."""
        import subprocess

        if self._pipe is None:
            return
        self._thread.join(max(0.0, seconds))
        if self._thread.is_alive():
            raise subprocess.TimeoutExpired(self._child.args, seconds)

    def _read(self) -> None:
        with self._pipe:
            while chunk := self._pipe.read(65536):
                self._content += chunk
                if len(self._content) > self._most:
                    self.too_large = True
                    self._child.kill()
                    return
