"""What looks like a secret: tokens, keys, headers, passwords in addresses, and values that are named as secrets."""

from __future__ import annotations

import re
from typing import Final

from hera_k8s_utils.redaction.registry import REDACTED, mask_known

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
