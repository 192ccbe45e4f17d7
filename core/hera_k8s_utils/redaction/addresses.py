"""Addresses of servers and proxies as they may be shown, and the secrets that they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from hera_k8s_utils.redaction.patterns import looks_secret, redact
from hera_k8s_utils.redaction.registry import REDACTED, register_secrets

_BEFORE_SECRETS: Final = frozenset(
    ["access_token", "access-token", "api-key", "api_key", "apikey", "bearer", "key", "password", "secret", "token"]
)
"""Segments of a path that are followed by a secret, as in `/bearer/TOKEN`."""
_NAME: Final = re.compile(
    r"(?i)(?:token|secret|key|signature|credential|password|passwd)$|^(?:sig|code|auth|pwd|pass)$"
)
_SHORTEST: Final = 6
"""Characters of a part of an address that is masked elsewhere too; a shorter one may be an ordinary word."""


def shown_address(url: str) -> str:
    """`scheme://host[:port]/path`, for messages, logs and records; requests need the address itself.

    Without user, password, query and fragment; segments of the path that look like secrets are `<redacted>`. A text
    that is no address is shown as one would be, as far as it goes.
    """
    parts = _split(url.strip())
    if parts is None:
        return redact(re.split(r"[?#]", url.strip().rpartition("@")[2])[0])
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    host = parts.netloc.rpartition("@")[2]
    if looks_secret(host) and not re.search("[.:]", host):  # a token in the place of the address
        host = REDACTED
    path = "/".join(REDACTED if hidden else segment for segment, hidden in _segments(parts.path))
    return redact(f"{scheme}{host}{path}".rstrip("/"))


def without_query(url: str) -> str:
    """An address without query and fragment, to which paths are appended."""
    return re.split(r"[?#]", url, maxsplit=1)[0].rstrip("/")


def remember_address(url: str) -> None:
    """Redact the secrets that an address holds from now on, wherever they come up."""
    register_secrets(secrets_in(url))


def secrets_in(url: str) -> Iterator[str]:
    """The password of an address, and the parts of its path and its query that look like secrets."""
    parts = _split(url.strip()) or _split(re.sub(r"[][]", "", url.strip()))
    if parts is None:
        return
    user, colon, password = parts.netloc.rpartition("@")[0].partition(":")
    if password:
        yield password
        yield f"{unquote(user)}:{unquote(password)}"  # as a header holds them, in base64
    elif user and (colon or looks_secret(user)):
        yield user
    yield from (part for part, hidden in _segments(parts.path) if hidden and len(part) >= _SHORTEST)
    for name, value in parse_qsl(parts.query):
        if len(value) >= _SHORTEST and (_NAME.search(name) or looks_secret(value)):
            yield value


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url if "://" in url else f"//{url}")
    except ValueError:
        return None


def _segments(path: str) -> Iterator[tuple[str, bool]]:
    """The segments of a path, each with whether it is hidden."""
    before = ""
    for segment in path.split("/"):
        hidden = bool(segment) and (before in _BEFORE_SECRETS or looks_secret(unquote(segment)))
        yield segment, hidden
        before = segment.lower()
