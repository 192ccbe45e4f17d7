"""The forms in which a secret can stand in a text, as one regular expression that finds them all.

As it is, quoted for URLs, JSON, Python, YAML, HTML or a shell, in base64 (also as a part of something longer), and byte
by byte in hexadecimal or decimal numbers. The forms are merged into a trie, so that a text is read once however many
secrets are known.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

Form = tuple[str, ...]
"""Regular expressions, one for each character of a form; equal ones at its beginning are shared with other forms."""

_PIECE: Final = 16
"""Characters of a long secret that are recognised where the rest was cut off."""
_LONG: Final = 20
_START: Final = 24
"""Characters by which a long encoded secret is recognised; what follows belongs to it as far as the alphabet goes."""
_SURE: Final = 8
"""Characters of base64 that are no coincidence."""
_VARIED: Final = 6
"""Different characters of a piece that is no coincidence: sixteen zeros are."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~-]")
"""Characters that every quoting leaves as they are."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.~+/=-]+")
_NAMES: Final = {'"': "quot", "&": "amp", "'": "apos", "<": "lt", ">": "gt"}
_ESCAPES: Final = {"\n": "n", "\r": "r", "\t": "t"}
_BACKSLASHES: Final = r"\\{1,8}"
_ITSELF: Final = {
    "\\": r"\\{1,16}",
    "'": r"""'"'"'|'\\{1,8}''|''|\\{0,8}'""",  # as shlex, a shell by hand and YAML quote it
    '"': r'""|\\{0,8}"',
    " ": r"[ \t]{1,4}|\+",
    "\n": r"\s{1,8}",
}
_BASE64: Final = {"+": r"(?:[+-]|%2[Bb])", "/": r"(?:[/_]|\\/|%2[Ff])", "=": r"(?:=|%3[Dd])"}
_BETWEEN: Final = r"(?:\\{1,8}(?:x|u00)|[ ,]{0,2}0x|&#x|;&#x|%|[ :-])?"
"""What may stand between the bytes of a hexadecimal form."""
_BETWEEN_NUMBERS: Final = r"(?:[ ,]{1,2}|;&#)"
_BASE64_CHARACTER: Final = r"(?:[A-Za-z0-9+/_=-]|%2[BbFf]|%3[Dd])"

_Trie = dict[str, "_Trie"]
_END: Final = ""


def expression(secrets: Iterable[str]) -> re.Pattern[str] | None:
    """The expression that finds every form of the secrets; None where there are none."""
    root: _Trie = {}
    for secret in secrets:
        for form in forms(secret):
            node = root
            for each in form:
                node = node.setdefault(each, {})
            node.setdefault(_END, {})
    return re.compile(_written(root)) if root else None


def forms(secret: str) -> Iterator[Form]:
    """All forms of one secret."""
    if len(secret) >= _LONG and _TOKEN.fullmatch(secret):
        yield from _pieces(secret)
    else:
        yield tuple(map(_character, secret))
    data = secret.encode("utf-8", "surrogatepass")
    yield from _base64_forms(data)
    yield from _byte_forms(data)


def _pieces(token: str) -> Iterator[Form]:
    """A long token, also where its beginning was cut off; what goes on in its alphabet belongs to it."""
    marks = re.escape("".join(sorted(set(re.sub(r"[A-Za-z0-9.]", "", token)))))
    further = rf"(?:\.?[A-Za-z0-9{marks}])" if "." in token else f"[A-Za-z0-9{marks}]"
    for start in sorted({*range(0, len(token) - _PIECE + 1, _PIECE), len(token) - _PIECE}):
        piece = token[start : start + _PIECE]
        if start == 0 or len(set(piece)) >= _VARIED:
            yield (*map(_character, piece), f"{further}{{0,{len(token) - start - _PIECE}}}")


def _base64_forms(data: bytes) -> Iterator[Form]:
    """In base64 by itself, with the line feed of `echo`, and wherever in a longer text it begins."""
    for whole in (data, data + b"\n"):
        yield _in_base64(base64.b64encode(whole).decode())
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data).decode().rstrip("=")
        sure = len(encoded) - (1 if (before + len(data)) % 3 else 0)  # the last one holds bits of what follows
        inner = encoded[(0, 2, 3)[before] : sure].lstrip("+/")
        if len(inner) >= _SURE:
            yield _in_base64(inner)


def _in_base64(text: str) -> Form:
    return _begun(tuple(_BASE64.get(char, char) for char in text), _BASE64_CHARACTER)


def _byte_forms(data: bytes) -> Iterator[Form]:
    """Byte by byte: `6579`, `65:79`, `\\x65\\x79`, `%65%79`, `0x65, 0x79`, and `[101 121]` as Go prints bytes."""
    first, *others = data
    pairs = (_digits(first, 2), *(f"{_BETWEEN}{_digits(byte, 2)}" for byte in others))
    yield _begun(pairs, f"(?:{_BETWEEN}[0-9A-Fa-f]{{2}})")
    if len(data) >= _SURE:
        numbers = (rf"(?<!\d){first}", *(rf"{_BETWEEN_NUMBERS}{byte}(?!\d)" for byte in others))
        yield _begun(numbers, rf"(?:{_BETWEEN_NUMBERS}\d{{1,3}})")


def _begun(form: Form, further: str) -> Form:
    """A long form by its beginning, and as many characters of its alphabet as go on."""
    return form if len(form) <= _START else (*form[:_START], f"{further}{{0,{len(form) - _START}}}")


@lru_cache(maxsize=512)
def _character(char: str) -> str:
    """One character in every quoting."""
    if _PLAIN.fullmatch(char):
        return re.escape(char)
    utf8 = [_digits(byte, 2) for byte in char.encode("utf-8", "surrogatepass")]
    units = char.encode("utf-16-be", "surrogatepass").hex()
    quoted = [
        _ITSELF.get(char, rf"\\{{0,8}}{re.escape(char)}"),
        "".join(f"%(?:25)?{each}" for each in utf8),
        "".join(f"{_BACKSLASHES}x{each}" for each in utf8),
        "".join(f"={each}" for each in utf8),
        "".join(f"{_BACKSLASHES}u{_digits(int(units[at : at + 4], 16), 4)}" for at in range(0, len(units), 4)),
        f"&#0{{0,4}}{ord(char)};",
        f"&#[Xx]0{{0,4}}{_digits(ord(char), 2)};",
    ]
    if 0x80 <= ord(char) < 0x100:
        quoted.append(f"{_BACKSLASHES}x{_digits(ord(char), 2)}")
    if char in _NAMES:
        quoted.append(f"&(?:amp;){{0,3}}{_NAMES[char]};")
    if char in _ESCAPES:
        quoted.append(f"{_BACKSLASHES}{_ESCAPES[char]}")
    return f"(?:{'|'.join(quoted)})"


def _digits(number: int, width: int) -> str:
    """A number in hexadecimal, in either case."""
    return "".join(f"[{c.upper()}{c}]" if c.isalpha() else c for c in f"{number:0{width}x}")


def _written(node: _Trie) -> str:
    """The expression of a trie. Chains are written in a loop: a secret may be longer than Python's stack is deep."""
    chain: list[str] = []
    while len(node) == 1 and _END not in node:
        ((each, node),) = node.items()
        chain.append(each)
    branches = [each + _written(below) for each, below in node.items() if each != _END]
    if branches:
        chain.append(f"(?:{'|'.join(branches)}){'?' if _END in node else ''}")
    return "".join(chain)
