"""Secrets never leave: those that are known in every form they can take, others by their looks.

`remember` is told of each secret where it enters; `without_known` masks those alone, for data that must stay as they
are; `redact` masks what looks like a secret too, for messages.
"""

from __future__ import annotations

import json
import re
import threading
import urllib.parse
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from hera_k8s_utils.secret_forms import expression

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


# --- known secrets ---------------------------------------------------------------------------------------------


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


# --- what looks like a secret ----------------------------------------------------------------------------------

_WORD: Final = r"(?:token|pass(?:word|wd|phrase)|secret|secret[_-]?(?:access[_-]?)?key|(?:access|api|private)[_-]?key)"
_OPEN: Final = r"(?![<$%{*])"  # redacted already, or a place for a value
_PLAIN_VALUE: Final = (
    r"(?![-+]?[\d.,]{1,40}(?:e[-+]?\d{1,4})?(?![\w.~+=-]))"
    r"(?!(?:none|null|nil|true|false|yes|no|bearer|basic|(?-i:[A-Z]{1,40}))(?![\w.~+/=-]))"
)
"""Not a number, a truth value, a placeholder such as TOKEN or the word before a token: `max_token=4096` is a result."""
_MIXED: Final = r"(?=[^\s'\",;&]{0,200}\d)(?=[^\s'\",;&]{0,200}[A-Za-z])"
"""A word of digits and letters: what a person writes after a colon is seldom one."""

_LOOKS: Final = tuple(
    (re.compile(pattern, re.DOTALL), replacement)
    for pattern, replacement in (
        # a private key in PEM form, with line breaks as they are or escaped
        (r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)", REDACTED),
        # JSON Web Tokens, whole, and each of the first two parts
        (r"eyJ(?:[\w-]{17,}={0,2}(?:\.[\w-]*){0,2}|[\w-]{5,16}\.[\w-]{5,}(?:\.[\w-]*)?)", REDACTED),
        # tokens that say whose they are: GitHub, GitLab, AWS (keys, EKS), Slack, Google, OpenShift, Vault
        (
            r"(?<![A-Za-z0-9])(?:gh[oprsu]_\w{16,}|github_pat_\w{20,}|gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas|imt)-[\w-]{16,})",
            REDACTED,
        ),
        (r"(?<![A-Za-z0-9])(?:A(?:KI|SI|RO|ID)A[A-Z0-9]{16}(?![A-Za-z0-9])|k8s-aws-v1\.[\w-]{8,}=*)", REDACTED),
        (r"(?<![A-Za-z0-9])(?:xox[a-z]-[\w-]{10,}|AIza[\w-]{30,}|ya29\.[\w.-]{10,})", REDACTED),
        (r"(?<![A-Za-z0-9])(?:sha256~[\w-]{20,}|hv[sbr]\.[\w-]{20,})", REDACTED),
        # headers
        (
            r"(?i)((?<![\w-])(?:proxy-)?authorization['\"]?\s*[:=]\s*['\"]?)"
            rf"(?:(?:bearer|basic|token|digest|negotiate)\s+)?{_OPEN}[^\s'\",}}]+",
            rf"\1{REDACTED}",
        ),
        (rf"(?i)((?<![\w-])(?:set-)?cookie['\"]?\s*[:=]\s*['\"]?){_OPEN}[^\s'\"}}][^\n'\"}}]*", rf"\1{REDACTED}"),
        (rf"(?i)\b(x-[a-z-]{{0,30}}(?:key|token|secret)['\"]?\s*[:=]\s*['\"]?){_OPEN}[^\s'\",}}&]+", rf"\1{REDACTED}"),
        (r"(?i)\b((?:bearer|basic)(?:\s+|%20|\+))(?=\S*[\d=])[\w.~+/:=-]{6,}", rf"\1{REDACTED}"),
        # addresses: user and password, path, query
        (r"(://[^/\s:@'\"]*:)[^/\s'\"]+(?=@)", rf"\1{REDACTED}"),
        (r"(://)[^/\s:@'\"]{16,}(?=@)", rf"\1{REDACTED}"),
        (rf"(?i)(/bearer(?:/|%2f)){_OPEN}[^/\s?#'\"]+", rf"\1{REDACTED}"),
        (
            r"(?i)([?&](?:[a-z_.-]{0,30}(?:token|secret|key|signature|credential)|pass(?:word|wd)?|pwd|sig|code|auth)=)"
            rf"{_OPEN}[^&\s'\"]+",
            rf"\1{REDACTED}",
        ),
        # names of secrets and their values, as in a variable, in JSON or YAML, on a command line
        (
            rf"(?i)({_WORD}=['\"]?(?:(?:bearer|basic)\s+)?){_OPEN}{_PLAIN_VALUE}[^\s&'\"<>,;)]{{4,}}",
            rf"\1{REDACTED}",
        ),
        (rf"(?i)({_WORD}\\{{0,3}}['\"]\s*[:=]\s*\\{{0,3}}['\"]){_OPEN}[^\s'\"\\]{{4,}}", rf"\1{REDACTED}"),
        (
            rf"(?i)({_WORD}(?:\s*[:=]\s*|\s+is\s+)['\"]?){_OPEN}{_PLAIN_VALUE}{_MIXED}[^\s'\",;&]{{8,}}",
            rf"\1{REDACTED}",
        ),
        (rf"(?i)(?<!\w)(--?[a-z-]{{0,30}}{_WORD}[ ]['\"]?){_OPEN}{_MIXED}[^\s'\",;&]{{6,}}", rf"\1{REDACTED}"),
    )
)


_SIGNS: Final = (
    *(
        "eyj",
        "token",
        "secret",
        "pass",
        "pwd",
        "key",
        "sig",
        "code",
        "auth",
        "credential",
        "bearer",
        "basic",
        "cookie",
        "@",
    ),
    *("gho_", "ghp_", "ghr_", "ghs_", "ghu_", "github_pat_", "akia", "asia", "aroa", "aida", "k8s-aws", "xox", "aiza"),
    *(
        "glpat",
        "gldt",
        "glrt",
        "glcbt",
        "glptt",
        "glft",
        "glsoat",
        "glagent",
        "gloas",
        "glimt",
        "ya29",
        "sha256~",
        "hv",
    ),
)
"""In lower case; a text without any of them matches none of the expressions above, and most texts have none."""


def redact(text: str) -> str:
    """A text without known secrets, bearer tokens, JSON web tokens, and whatever else is named or written as one."""
    text = mask_known(text)
    lowered = text.lower()
    if not any(sign in lowered for sign in _SIGNS):
        return text
    for pattern, replacement in _LOOKS:
        text = pattern.sub(replacement, text)
    return text


def looks_secret(word: str) -> bool:
    """Whether a word, such as a segment of a path, is random rather than a name."""
    if re.fullmatch(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", word):
        return True
    if len(word) >= 32 and all(re.search(kind, word) for kind in ("[a-z]", "[A-Z]", "[0-9]")):
        return True
    return any(_is_random(part) for part in re.split(r"[-_.~]", word))


def _is_random(part: str) -> bool:
    """Digits among letters, again and again: `mastodon2024` goes from one to the other once."""
    changes = len(re.findall(r"[A-Za-z](?=[0-9])|[0-9](?=[A-Za-z])", part))
    return len(part) >= 16 and bool(re.fullmatch(r"[A-Za-z0-9+=%]+", part)) and (changes >= 2 or len(part) >= 24)


def redact_words(text: str) -> str:
    """As `redact`, for what another program says: random words go too, whatever they are."""
    return re.sub(r"[A-Za-z0-9_.~+%=-]{16,}", lambda word: REDACTED if looks_secret(word[0]) else word[0], redact(text))
