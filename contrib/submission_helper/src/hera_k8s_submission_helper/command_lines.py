"""Command lines: from a file, from standard input, or from the command line itself; and what their jobs are called."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from hera_k8s_utils import LARGEST_DOCUMENT, OptionsError, read_file

_LONGEST: Final = 63
_PREFIX: Final = "shj-"
_DIGITS: Final = 5
_HASH: Final = 8
_ROOM: Final = _LONGEST - len(_PREFIX) - 1 - 7
"""Characters that an identifier may have in a name: the number behind it may grow to seven digits."""
MOST: Final = 10**7 - 1


@dataclass(frozen=True)
class Batch:
    """Command lines under one identifier.

    identifier: as the user wrote it. label: the same as a label's value. stem: as names begin, without the number.
    """

    identifier: str
    lines: Sequence[str]

    @property
    def label(self) -> str:
        """The value of the label `identifier`."""
        return label_of(self.identifier)

    def name(self, number: int) -> str:
        """What the job of a line is called: `shj-<identifier>-00012`; the first line's number is 0."""
        return f"{stem_of(self.identifier)}-{number:0{_DIGITS}d}"


def stem_of(identifier: str) -> str:
    """What the names of an identifier's jobs begin with: a part of a DNS label, whatever the identifier is."""
    slug = re.sub(r"[^a-z0-9]+", "-", identifier.lower()).strip("-")
    return _PREFIX + _fitted(slug, identifier, _ROOM, same=slug == identifier)


def label_of(identifier: str) -> str:
    """An identifier as the value of a label."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", identifier).strip("-._")
    return _fitted(slug, identifier, _LONGEST, same=slug == identifier)


def _fitted(slug: str, identifier: str, longest: int, *, same: bool) -> str:
    """The slug; where it is not the identifier itself, with a part of its hash, so that no two become one."""
    if same and 0 < len(slug) <= longest:
        return slug
    digest = hashlib.sha256(identifier.encode("utf-8", "surrogateescape")).hexdigest()[:_HASH]
    head = slug[: longest - _HASH - 1].rstrip("-._")
    return f"{head}-{digest}" if head else digest


def read_batch(file: str, commands: Sequence[str], identifier: str, ntest: int, stdin: TextIO | None = None) -> Batch:
    """The command lines that were given. Raises `OptionsError` when there are none, or too many.

    file: its name, `-` for standard input, empty for none. ntest: only so many of the first, all when negative.
    """
    lines = list(commands)
    if file:
        lines += _lines(_text(file, stdin or sys.stdin))
    if ntest >= 0:
        lines = lines[:ntest]
    if not lines:
        raise OptionsError(
            "there is no command line",
            found="--ntest 0" if ntest == 0 else f"{file} holds none" if file else "neither a file nor --command",
            hint="hera-k8s jobs submit FILE, with one command a line; - reads standard input",
        )
    if len(lines) > MOST:
        raise OptionsError(f"{len(lines)} command lines are too many", found=f"{MOST} are the most")
    stem = Path(file).stem if file not in ("", "-") else "jobs"
    return Batch(identifier or stem, lines)


def _text(file: str, stdin: TextIO) -> str:
    if file == "-":
        text = stdin.read(LARGEST_DOCUMENT + 1)
        if len(text) > LARGEST_DOCUMENT:
            raise OptionsError("standard input cannot be read", found="it has no end: more than 64 MiB came")
        return text
    try:
        return read_file(Path(file).expanduser(), most=LARGEST_DOCUMENT, pipe=True).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionsError(f"{file} cannot be read", found=getattr(error, "strerror", "") or str(error)) from None


def _lines(text: str) -> list[str]:
    """A command a line; `#` begins a comment line, and a backslash at its end continues a line with the next."""
    found: list[str] = []
    held = ""
    for ended in text.split("\n"):  # splitlines() also splits at form feeds and U+2028, which bash does not
        line = ended.removesuffix("\r")
        if not held and (not line.strip() or line.lstrip().startswith("#")):
            continue
        if line.endswith("\\") and not line.endswith("\\\\"):
            held += line[:-1]
            continue
        found.append((held + line).strip())
        held = ""
    if held.strip():
        found.append(held.strip())
    return found
