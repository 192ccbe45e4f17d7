"""Command lines from a file, standard input or `--command`, and the names of their jobs."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from hera_k8s_utils import LARGEST_DOCUMENT, OptionsError, expand_path, read_text

_MAX_LENGTH: Final = 63
_PREFIX: Final = "shj-"
_DIGITS: Final = 5
_HASH_LENGTH: Final = 8
_MAX_STEM: Final = _MAX_LENGTH - len(_PREFIX) - 1 - 7
"""Characters of an identifier in a name; the number that follows may have seven digits."""
MAX_LINES: Final = 10**7 - 1


@dataclass(frozen=True)
class Batch:
    """Command lines under one identifier.

    identifier: name of the batch as the user wrote it.
    lines: the command lines.
    """

    identifier: str
    lines: Sequence[str]

    @property
    def label(self) -> str:
        """The value of the label `identifier`."""
        return label_of(self.identifier)

    def name(self, number: int) -> str:
        """The name of a line's job: `shj-<identifier>-00012`. The first line has the number 0."""
        return f"{stem_of(self.identifier)}-{number:0{_DIGITS}d}"


def stem_of(identifier: str) -> str:
    """The prefix of the names of an identifier's jobs, valid in a DNS label."""
    slug = re.sub(r"[^a-z0-9]+", "-", identifier.lower()).strip("-")
    return _PREFIX + _shorten(slug, identifier, _MAX_STEM, same=slug == identifier)


def label_of(identifier: str) -> str:
    """The identifier as a label value."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", identifier).strip("-._")
    return _shorten(slug, identifier, _MAX_LENGTH, same=slug == identifier)


def _shorten(slug: str, identifier: str, max_length: int, *, same: bool) -> str:
    """The slug; with a part of the identifier's hash if it differs from it, so that no two identifiers collide."""
    if same and 0 < len(slug) <= max_length:
        return slug
    digest = hashlib.sha256(identifier.encode("utf-8", "surrogateescape")).hexdigest()[:_HASH_LENGTH]
    head = slug[: max_length - _HASH_LENGTH - 1].rstrip("-._")
    return f"{head}-{digest}" if head else digest


def read_batch(file: str, commands: Sequence[str], identifier: str, ntest: int, stdin: TextIO | None = None) -> Batch:
    """Read the command lines. Raises `OptionsError` if there are none or too many.

    file: name of a file, `-` for standard input, empty for none.
    commands: further command lines.
    identifier: name of the batch; empty: the file's name.
    ntest: use only the first lines; negative: all.
    stdin: standard input.
    """
    lines = list(commands)
    if file:
        lines += _lines(_text(file, stdin or sys.stdin))
    if ntest >= 0:
        lines = lines[:ntest]
    if not lines:
        raise OptionsError(
            "no command lines are given",
            found="--ntest 0" if ntest == 0 else f"{file} contains none" if file else "neither a file nor --command",
            hint="hera-k8s jobs submit FILE, with one command per line; - reads standard input",
        )
    if len(lines) > MAX_LINES:
        raise OptionsError(f"too many command lines: {len(lines)}", found=f"the maximum is {MAX_LINES}")
    stem = Path(file).stem if file not in ("", "-") else "jobs"
    return Batch(identifier or stem, lines)


def _text(file: str, stdin: TextIO) -> str:
    if file == "-":
        text = stdin.read(LARGEST_DOCUMENT + 1)
        if len(text) > LARGEST_DOCUMENT:
            raise OptionsError("standard input cannot be read", found="it is larger than 64 MiB")
        return text
    try:
        return read_text(expand_path(file), most=LARGEST_DOCUMENT, pipe=True, keep_line_ends=True)
    except OSError as error:
        raise OptionsError(f"{file} cannot be read", found=getattr(error, "strerror", "") or str(error)) from None


def _lines(text: str) -> list[str]:
    """One command per line; `#` starts a comment line, and a backslash at the end continues a line."""
    found: list[str] = []
    continued = ""
    for raw in text.split("\n"):  # splitlines() also splits at form feeds and U+2028, which bash does not
        line = raw.removesuffix("\r")
        if not continued and (not line.strip() or line.lstrip().startswith("#")):
            continue
        if line.endswith("\\") and not line.endswith("\\\\"):
            continued += line[:-1]
            continue
        found.append((continued + line).strip())
        continued = ""
    if continued.strip():
        found.append(continued.strip())
    return found
