"""The secrets that are known, in every form in which they can stand in a text, and texts without them."""

from __future__ import annotations

import json
import re
import threading
import urllib.parse
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from hera_k8s_utils.redaction.secret_forms import expression

REDACTED: Final = "<redacted>"
SHORTEST: Final = 4
"""Characters; hiding every occurrence of a shorter text would tell more than it hides."""
_LONG_LINE: Final = 12
"""Characters of a line of a longer secret, such as a private key, that is a secret by itself."""
_JWT_PART: Final = 16
_UNMISTAKABLE: Final = 16
"""Characters of a secret that stands in another text by no chance."""
_BROKEN: Final = 8
"""Characters of a secret that is recognised across a line break too."""

_BREAK: Final = re.compile(r"[ \t]*\\?\r?\n[ \t]*\\?")
_TWICE: Final = re.compile(rf"(?:{re.escape(REDACTED)}){{2,}}")


class _Registry:
    """The known secrets, and the expression that finds them: made when it is first needed after a change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: frozenset[str] = frozenset()
        self._expression: re.Pattern[str] | None = None
        self._stale = False

    @property
    def secrets(self) -> frozenset[str]:
        return self._secrets

    @secrets.setter
    def secrets(self, secrets: frozenset[str]) -> None:
        with self._lock:
            if secrets != self._secrets:
                self._secrets, self._stale = secrets, True

    def add(self, secrets: frozenset[str]) -> None:
        if secrets <= self._secrets:  # the token of each request, again and again
            return
        with self._lock:
            self._secrets, self._stale = self._secrets | secrets, True

    @property
    def expression(self) -> re.Pattern[str] | None:
        if self._stale:
            with self._lock:
                if self._stale:
                    self._expression, self._stale = expression(self._secrets), False
        return self._expression


_registry = _Registry()


def register_secrets(secrets: Iterable[str]) -> None:
    """Redact these values from now on, wherever `redact` is used. Credential providers' tokens belong here too.

    Each is known without the white space and quotes around it and without the word `Bearer`, by its lines, and as
    it is written in an address. Texts of fewer than four characters are left out.
    """
    known = {form for secret in secrets for form in _to_remember(secret)}
    _registry.add(frozenset(form for form in known if len(form) >= SHORTEST))


def _to_remember(secret: str) -> Iterator[str]:
    bare = re.sub(r"(?i)^bearer\s+", "", secret.strip().strip("'\"").strip())
    lines = [line.strip() for line in bare.splitlines()]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _LONG_LINE and not line.startswith("-----"))
    if len(lines) <= 4:
        yield bare
    if "%" in bare:
        yield urllib.parse.unquote(bare)
    if bare.startswith("eyJ"):  # a JSON Web Token: its header says nothing, and is many others' too
        yield from (part for part in bare.split(".")[1:] if len(part) >= _JWT_PART)


@contextmanager
def isolated_secrets() -> Iterator[None]:
    """Forget at the end of the `with` block what was remembered inside: a test's secret is no other test's."""
    before = _registry.secrets
    try:
        yield
    finally:
        _registry.secrets = before


def mask_known(text: str) -> str:
    """A text without the secrets that were remembered; what only looks like one stays, as in a record of data."""
    found = _registry.expression
    if found is None or not ("\n" in text or found.search(text)):
        return text
    if "\n" in text:  # first, for half a secret may be found in one line, and the other half not
        text = _across_lines(text, found)
    return _TWICE.sub(REDACTED, found.sub(REDACTED, text))


def _across_lines(text: str, secrets: re.Pattern[str]) -> str:
    """A text without the secrets that a line break goes through, as where a terminal or base64 wraps lines."""
    pieces: list[str] = []
    starts, origins, length, at = [], [], 0, 0
    for start, end in [*((found.start(), found.end()) for found in _BREAK.finditer(text)), (len(text), len(text))]:
        pieces.append(text[at:start])
        starts.append(length)
        origins.append(at)
        length, at = length + start - at, end
    matches = secrets.finditer("".join(pieces))
    broken = [found.span() for found in matches if len(found[0]) >= _BROKEN and _is_broken(starts, *found.span())]

    def origin(position: int) -> int:
        piece = bisect_right(starts, position) - 1
        return origins[piece] + position - starts[piece]

    for start, end in reversed(broken):
        text = text[: origin(start)] + REDACTED + text[origin(end - 1) + 1 :]
    return text


def _is_broken(starts: list[int], start: int, end: int) -> bool:
    return bisect_right(starts, start) < bisect_left(starts, end)


def json_without_known(data: Any, **options: Any) -> str:
    """A JSON document without known secrets; texts are masked one by one, so that it stays a JSON document.

    options: those of `json.dumps`. What JSON has no form for becomes text.
    """
    text = json.dumps(data, default=str, **options)
    found = _registry.expression
    if found is None or not ("\\n" in text or found.search(text)):
        return text
    return json.dumps(_without_known(data), default=str, **options)


def _without_known(data: Any) -> Any:
    if data is None or isinstance(data, (bool, int, float)):
        return data
    if isinstance(data, Mapping):
        return {mask_known(key) if isinstance(key, str) else key: _without_known(data[key]) for key in data}
    if isinstance(data, (list, tuple)):
        return [_without_known(each) for each in data]
    return mask_known(str.__str__(data) if isinstance(data, str) else str(data))  # a text may be an Enum's member


def environment_for_children(environ: Mapping[str, str], *, proxies: bool = False) -> dict[str, str]:
    """An environment without the variables that hold a known secret, for programs that need none of them.

    proxies: keep `HTTPS_PROXY` and its kin, which may hold a password, for programs that make requests. A short secret
    is looked for as a whole value only: `PATH` may hold it by chance.
    """
    known = _registry.secrets
    long = [secret for secret in known if len(secret) >= _UNMISTAKABLE]

    def holds_one(value: str) -> bool:
        return not known.isdisjoint(_to_remember(value)) or any(secret in value for secret in long)

    kept = ("_proxy",) if proxies else ()
    return {name: value for name, value in environ.items() if name.lower().endswith(kept) or not holds_one(value)}
