"""The code blocks of the pages in this repository: where each is, in which language, and why one is not run.

A block that cannot run says why in a comment before it, which readers of the source see:

    <!-- not run: needs a cluster -->
    ```bash
    hera-k8s login
    ```
"""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PAGES: Final = ("README.md", "docs/*.md", "contrib/*/README.md", "examples/README.md", "examples/*/README.md")
_FENCE: Final = re.compile(r"(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<language>[^`\n]*)$")
_REASON: Final = re.compile(r"<!-- not run: (\S.*?) -->$")
_VOLATILE: Final = (
    (re.compile(r"(127\.0\.0\.1|localhost):\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\b\d+(\.\d+)? (s|min|ms)\b"), "TIME"),
    (re.compile(r"\b\d{8}-\d{4}-[a-z0-9]{4}\b"), "RUN"),
    (re.compile(r"(?<=-)[a-z0-9]{4,5}\b(?=   http)"), "ID"),
)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    page: path in the repository. line: of its fence, from 1. language: of its info string.
    not_run: why it cannot run; empty for one that can.
    """

    page: str
    line: int
    language: str
    text: str
    not_run: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """What is typed in a console block."""
        return [line[2:] for line in self.text.splitlines() if line.startswith("$ ")]

    @property
    def typed(self) -> list[str]:
        """The lines that a reader types; a line that a backslash ends goes on in the next."""
        lines = re.sub(r"\\\n *", " ", self.text).splitlines()
        if self.language == "console":
            return [line[2:] for line in lines if line.startswith("$ ")]
        return lines if self.language == "bash" else []

    @property
    def hera_k8s(self) -> list[list[str]]:
        """The words after `hera-k8s`, of each command line that is typed."""
        found = []
        for line in self.typed:
            lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
            lexer.whitespace_split = True
            words = list(lexer)
            while any(map(_is_program, words)):
                words = words[next(at for at, word in enumerate(words) if _is_program(word)) + 1 :]
                end = next((at for at, word in enumerate(words) if set(word) <= set("|&;<>")), len(words))
                found.append(words[:end])
        return found

    @property
    def mentioned(self) -> list[list[str]]:
        """The words after each `hera-k8s`, typed or printed or in a synopsis, up to what ends a command."""
        texts = re.findall(r"(?<![\w-])hera-k8s +([a-z](?:(?!hera-k8s |[#|;&<>`]).)*)", self.text)
        return [[word.strip("[],.:'\"") for word in text.split()] for text in texts]

    @property
    def shown(self) -> str:
        """What a console block shows of the output."""
        return "".join(f"{line}\n" for line in self.text.splitlines() if not line.startswith("$ "))


def pages() -> list[str]:
    """All pages of the repository."""
    return sorted(str(path.relative_to(REPOSITORY)) for pattern in PAGES for path in REPOSITORY.glob(pattern))


def all_blocks(names: Iterable[str] = ()) -> list[Block]:
    """The blocks of some pages, by default of all."""
    return [block for name in (names or pages()) for block in blocks_of(name, (REPOSITORY / name).read_text("utf-8"))]


def blocks_of(page: str, text: str) -> Iterator[Block]:
    """The blocks of one page. A fence that is not closed is an error."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        opened = _FENCE.match(lines[at])
        at += 1
        if opened is None:
            continue
        start, end = at, at
        while not re.fullmatch(rf" *{opened['fence']}{opened['fence'][0]}* *", lines[end]):
            end += 1
            if end == len(lines):
                raise ValueError(f"{page}:{start}: the block is not closed")
        at = end + 1
        before = _REASON.match(lines[start - 2].strip()) if start > 1 else None
        code = textwrap.dedent("".join(f"{line}\n" for line in lines[start:end]))
        yield Block(page, start, opened["language"].strip(), code, before[1] if before else "")


def the_block(page: str, text: str) -> Block:
    """The only block of a page that holds a text."""
    (block,) = [each for each in all_blocks([page]) if text in each.text]
    return block


def _is_program(word: str) -> bool:
    return word == "hera-k8s" or word.endswith("/hera-k8s")


def differs(shown: str, printed: str) -> str:
    """What a page shows that was not printed; a line `...` stands for any lines. Empty when all was printed."""
    left = [_steady(line) for line in printed.splitlines()]
    anywhere = False
    for line in map(_steady, shown.splitlines()):
        if line == "...":
            anywhere = True
            continue
        found = left.index(line) if line in left else None
        if found is None or (found > 0 and not anywhere):
            return f"shown: {line}\nprinted:\n" + "\n".join(left)
        left, anywhere = left[found + 1 :], False
    return "" if anywhere or not left else "not shown:\n" + "\n".join(left)


def _steady(line: str) -> str:
    """A line with what differs from one run to the next replaced."""
    for pattern, replacement in _VOLATILE:
        line = pattern.sub(replacement, line)
    return line.rstrip()
