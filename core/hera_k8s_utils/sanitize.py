"""Text for terminals: characters that act on a terminal, or cannot be seen, are shown as escapes such as `\\x1b`.

Everything that this program prints passes through here, since most of it may hold the words of others: servers, pods,
configuration files, tables of points, names of files. Letters, signs and emoji of every script stay as they are.
"""

from __future__ import annotations

import re
from typing import Final

_CONTROLS: Final = "\x00-\x08\x0b-\x1f\x7f-\x9f"
"""C0 except tab and newline, DEL, and C1, which some terminals obey as they do ESC [."""
_INVISIBLE: Final = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
"""Bidirectional controls, line and paragraph separators, halves of surrogate pairs, and what Unicode calls ignorable by
default (DerivedCoreProperties, Default_Ignorable_Code_Point), joiners and variation selectors excepted."""
_JOINERS: Final = "\u200c\u200d"
_SELECTORS: Final = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_SEEN: Final = f"[^\\x00-\xa0{_CONTROLS}{_INVISIBLE}{_JOINERS}{_SELECTORS}]"
"""A character beyond ASCII that can be seen: beside one, joiners and selectors make emoji, Persian and Indic words."""

_ACTING: Final = re.compile(
    f"[{_CONTROLS}{_INVISIBLE}]"
    f"|(?<!{_SEEN})(?<![{_SELECTORS}])[{_JOINERS}]"
    f"|[{_JOINERS}](?!{_SEEN})"
    f"|(?<!{_SEEN})(?<![0-9#*])[{_SELECTORS}]"
)
_COLOURS: Final = re.compile("(\x1b\\[[0-9;:]*m)")
"""Select Graphic Rendition (ECMA-48): colours and weights, and nothing else."""


def visible(text: str, *, colours: bool = False) -> str:
    """A text of one or more lines without anything that a terminal obeys; tabs and newlines stay.

    colours: keep the sequences that set colours and weights.
    """
    if not colours:
        return _ACTING.sub(_escape, text)
    parts = _COLOURS.split(text)
    return "".join(part if n % 2 else _ACTING.sub(_escape, part) for n, part in enumerate(parts))


def one_line(text: str, *, colours: bool = False) -> str:
    """A text as a part of one line: a newline in it is shown as `\\n`, and begins no line that looks like ours."""
    return visible(text, colours=colours).replace("\n", r"\n")


def quoted(text: str) -> str:
    """A text whose lines after the first are marked, so that none of them looks like ours."""
    return visible(text.rstrip("\n")).replace("\n", "\n  | ")


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    if character == "\r":
        return r"\r"
    return f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"
