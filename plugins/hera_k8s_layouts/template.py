"""template: the user's own pattern, `template:run-{seed}/r{growth_rate}`."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from hera_k8s_layouts.index import Index
from hera_k8s_layouts.pattern import Pattern
from hera_k8s_utils import BuildError, Inputs, Point, nearest
from hera_k8s_utils.sweep import Value

_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_EXAMPLE: Final = "--layout 'template:run-{seed}/r{growth_rate}'"


class Template:
    """The naming for one sweep.

    Read back from the text where that is unambiguous, else by going through the sweep: `{a}{b}` and patterns that leave
    out a parameter are fine as long as no two points have one path, which the layout's proof finds out.
    """

    def __init__(self, inputs: Inputs, pattern: Pattern) -> None:
        self._pattern = pattern
        self._index = Index(inputs, pattern.encode)

    def encode(self, point: Point) -> str:
        """The pattern with a point's values."""
        return self._pattern.encode(point)

    def decode(self, path: str) -> dict[str, Value]:
        """The values that a path holds; raises `BuildError` for a path that is not of the pattern."""
        if self._pattern.readable:
            return self._pattern.decode(path)
        return dict(self._index.find(unicodedata.normalize("NFC", path)))


def build(settings: None, inputs: Inputs, argument: str) -> Template:
    """The naming for one sweep; raises `BuildError` for a pattern that cannot be used."""
    text = unicodedata.normalize("NFC", argument)
    if not text:
        raise BuildError("--layout template has no pattern", hint=_EXAMPLE)
    pieces, tail = _parse(text)
    _refuse_unknown(text, [name for _, name in pieces], inputs)
    _refuse_escaping(text)
    return Template(inputs, Pattern(inputs, pieces, tail))


def _parse(text: str) -> tuple[list[tuple[str, str]], str]:
    *parts, tail = _FIELD.split(text)
    pieces = list(zip(parts[::2], parts[1::2], strict=True))
    for literal in (*parts[::2], tail):
        if "{" in literal or "}" in literal:
            raise BuildError(f"--layout template:{text}", found="a brace without its partner", hint=_EXAMPLE)
        if not literal.isprintable() or "\\" in literal:
            raise BuildError(f"--layout template:{text}", found="backslashes and control characters cannot be in paths")
    return pieces, tail


def _refuse_unknown(text: str, names: list[str], inputs: Inputs) -> None:
    for name in names:
        if name not in inputs.names:
            near = nearest(name, inputs.names)
            raise BuildError(
                f"--layout template:{text}",
                found=f"no parameter is called {name!r}; there are: {', '.join(inputs.names) or 'none'}",
                hint=f"did you mean {{{near}}}?" if near else _EXAMPLE,
            )


def _refuse_escaping(text: str) -> None:
    segments = text.split("/")
    if text.startswith("/"):
        raise BuildError(f"--layout template:{text}", found="an absolute path; it must stay below the run's root")
    if any(segment in ("", ".", "..") for segment in segments):
        raise BuildError(f"--layout template:{text}", found="'..', '.' and empty names lead out of the run's root")
