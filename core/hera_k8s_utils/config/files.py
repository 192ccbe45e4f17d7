"""Configuration files: where they are, their format, and who else can read a secret in them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from hera_k8s_utils.errors import OptionsError
from hera_k8s_utils.paths import expand_path
from hera_k8s_utils.reading import FileRefused, read_text
from hera_k8s_utils.trust.directories import refuse_foreign_config
from hera_k8s_utils.trust.git import tracked_by_git

FILE_NAME: Final = "hera.config"
FILE_VARIABLE: Final = "ARGOCONFIG"
_LARGEST: Final = 1 << 20
"""Bytes; a larger file is no configuration file."""
_KEY: Final = re.compile(r"-{0,2}([A-Za-z_][\w.-]{0,63})$")
_SEPARATORS: Final = re.compile(r"[:=;#\s]")
_COMMENT: Final = re.compile(r"(^|\s)[#;]")
_ORNAMENT: Final = re.compile(r"(\[[^\[\]]*\]|-{3,})\s*([#;].*)?$")
"""A section head or a line of dashes."""

Value = str | tuple[str, ...] | None


@dataclass(frozen=True)
class Entry:
    """One key of a file.

    key: as written, without leading dashes.
    value: a text or the texts of a list; None for a key without a value, which means yes.
    line: counted from 1.
    """

    key: str
    value: Value
    line: int


@dataclass(frozen=True)
class ConfigFile:
    """A configuration file, read on first use: ConfigArgParse opens files before it parses them, the strongest first.

    path: where it is.
    shown: its name in messages.
    named: by `--config` or `$ARGOCONFIG`; such a file may be a pipe.
    found: it is in the working directory, and neither named nor the user's own.
    """

    path: Path
    shown: str
    named: bool = False
    found: bool = False

    @property
    def entries(self) -> Sequence[Entry]:
        """Its keys. Raises `OptionsError` when it cannot be read."""
        return self._parsed[0]

    @property
    def ignored(self) -> Sequence[int]:
        """The numbers of the lines that are ignored although they are neither comments nor section heads."""
        return self._parsed[1]

    @cached_property
    def _parsed(self) -> tuple[Sequence[Entry], Sequence[int]]:
        return _parse(read_config(self.path, self.shown, pipe=self.named), self.shown)

    @property
    def name(self) -> str:
        """The name under which ConfigArgParse keeps what it read."""
        return str(self.path)


def find_config_files(
    config: str | Path | None, environ: Mapping[str, str], directory: Path | None = None
) -> list[ConfigFile]:
    """The files that exist, the strongest first: `config`, `$ARGOCONFIG`, `./hera.config`, `~/hera.config`.

    config: what `--config` names. The home directory is that of `environ`; without one, it is not searched.
    Raises `OptionsError` for a named file that does not exist, and for one that another user may have written: see
    `trust`.
    """
    files: dict[Path, ConfigFile] = {}
    own = _own_file(environ)
    for path, shown, named in _candidates(config, environ, directory or Path.cwd()):
        if not named and not path.exists():
            continue
        identity = path.resolve()
        if identity in files:
            continue
        found = not named and identity != own
        refuse_foreign_config(path, shown, named=not found, environ=environ)
        files[identity] = ConfigFile(path, shown, named, found)
        if not os.path.lexists(path):
            _ = files[identity].entries  # raises; ConfigArgParse ignores a missing file
    return list(files.values())


def read_config_files(
    config: str | Path | None, environ: Mapping[str, str], directory: Path | None = None
) -> list[ConfigFile]:
    """`find_config_files`, each read. Raises `OptionsError` also for a file that cannot be read."""
    files = find_config_files(config, environ, directory)
    return [file for file in files if file.entries is not None]


def _own_file(environ: Mapping[str, str]) -> Path | None:
    home = _home(environ)
    return (Path(home) / FILE_NAME).resolve() if home else None


def _home(environ: Mapping[str, str]) -> str | None:
    return environ.get("HOME") or environ.get("USERPROFILE")


def _candidates(
    config: str | Path | None, environ: Mapping[str, str], directory: Path
) -> Iterator[tuple[Path, str, bool]]:
    home = _home(environ)
    if config:
        yield _expanded(str(config), home, directory), str(config), True
    variable = environ.get(FILE_VARIABLE, "").strip()
    if variable:
        yield _expanded(variable, home, directory), f"{variable} (${FILE_VARIABLE})", True
    yield directory / FILE_NAME, f"./{FILE_NAME}", False
    if home:
        yield Path(home) / FILE_NAME, f"~/{FILE_NAME}", False


def _expanded(text: str, home: str | None, directory: Path) -> Path:
    return expand_path(text, home=home, directory=directory)


def read_config(path: Path, shown: str, *, pipe: bool) -> str:
    """The text of a configuration file. Raises `OptionsError` when it cannot be read."""
    wanted = f"the configuration file {shown} cannot be read"
    try:
        return read_text(path, most=_LARGEST, pipe=pipe)
    except FileNotFoundError:
        raise OptionsError(wanted, found="there is no such file") from None
    except IsADirectoryError:
        raise OptionsError(wanted, found="it is a directory", hint=f"name the file: {path / FILE_NAME}") from None
    except FileRefused as error:
        raise OptionsError(wanted, found=str(error.strerror)) from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise OptionsError(wanted, found=getattr(error, "strerror", None) or type(error).__name__) from None


# --- the format ------------------------------------------------------------------------------------------------


def parse_config(text: str, shown: str) -> Iterator[Entry]:
    """The keys of a file in ConfigArgParse's own format, which files written for version 0.1 have.

        key = value     key: value     key value     key      --key value
        key = "quoted"  key = [a, "b, c"]  # a list may span lines; `#` and `;` begin comments

    Lines that begin with `[` or `---` are ignored. Raises `OptionsError` with the number of the line, but never its
    content, which may be a secret.
    """
    yield from _parse(text, shown)[0]


def _parse(text: str, shown: str) -> tuple[tuple[Entry, ...], list[int]]:
    """The keys, and the numbers of ignored lines that look like neither a section head nor a line of dashes."""
    entries: list[Entry] = []
    ignored: list[int] = []
    lines = text.split("\n")  # splitlines() also splits at form feeds and U+2028
    number = 0
    while number < len(lines):
        start, line = number, lines[number].strip()
        number += 1
        if not line or line[0] in "#;":
            continue
        if line.startswith(("[", "---")):
            ignored += [] if _ORNAMENT.match(line) else [number]
            continue
        key, rest = _split(line, shown, start + 1)
        if rest is None or not rest.startswith("["):
            entries.append(Entry(key, None if rest is None else _scalar(rest), start + 1))
            continue
        rest = _without_comment(rest)
        while not rest.endswith("]") and number < len(lines):
            rest = _without_comment(f"{rest}\n{lines[number]}")
            number += 1
        if not rest.endswith("]"):
            raise OptionsError(f"{shown}, line {start + 1}", found=f"the list of {key} is not closed by a ]")
        entries.append(Entry(key, split_list(rest), start + 1))
    return tuple(entries), ignored


def _split(line: str, shown: str, number: int) -> tuple[str, str | None]:
    separator = _SEPARATORS.search(line)
    head = line if separator is None else line[: separator.start()]
    key = _KEY.match(head)
    if key is None:
        raise OptionsError(f"{shown}, line {number}", found="not of the form key = value")
    rest = line[len(head) :].lstrip()
    if rest[:1] in (":", "="):
        return key.group(1), rest[1:].strip()
    return key.group(1), None if not rest or rest[0] in "#;" else rest


def _scalar(text: str) -> str:
    if text[:1] in ("'", '"'):
        end = text.find(text[0], 1)
        while end > 0:
            after = text[end + 1 :]
            if not after.strip() or _COMMENT.match(after):
                return text[1:end]
            end = text.find(text[0], end + 1)
    comment = _COMMENT.search(text)
    return (text if comment is None else text[: comment.start()]).strip()


def _without_comment(text: str) -> str:
    """The beginning of a list without the comment at its end, if there is one outside quotes."""
    for position, character, quoted in _characters(text):
        if character in "#;" and not quoted and text[position - 1].isspace():
            return text[:position].rstrip()
    return text.rstrip()


def _characters(text: str) -> Iterator[tuple[int, str, bool]]:
    """Each character of a list, and whether it stands in quotes; quotes inside a member are part of it."""
    quote = ""
    for position, character in enumerate(text):
        begins = text[:position].rstrip()[-1:] in ("[", ",")
        if quote and character == quote:
            yield position, character, True
            quote = ""
            continue
        if not quote and character in "'\"" and begins:
            quote = character
        yield position, character, bool(quote)


def split_list(text: str) -> tuple[str, ...]:
    """The members of `[a, "b, c"]`, as texts: numbers keep the digits they were written with."""
    members = [""]
    for position, character, quoted in _characters(text):
        if position in (0, len(text) - 1):
            continue
        if character == "," and not quoted:
            members.append("")
        else:
            members[-1] += character
    return tuple(_unquoted(member.strip()) for member in members if member.strip())


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


# --- who else can read it --------------------------------------------------------------------------------------


def secret_exposure_warnings(path: Path) -> list[str]:
    """How a file that holds a secret is exposed, as predicates of sentences; empty when it is not."""
    found = []
    if _readable_by_others(path):
        found.append(f"can be read by other users (chmod 600 {path})")
    if tracked_by_git(path):
        found.append("is tracked by git: everyone with the repository can read it (git rm --cached)")
    return found


def _readable_by_others(path: Path) -> bool:
    if os.name != "posix":
        return False
    mode = path.stat().st_mode
    return stat.S_ISREG(mode) and bool(mode & (stat.S_IRGRP | stat.S_IROTH))
