"""The address of an Argo server, in every form that people write it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import urlsplit

from hera_k8s_utils import OptionsError
from hera_k8s_utils.redaction import remember_address

_NAME: Final = re.compile(r"[^\W_]([\w-]*[^\W_])?(\.[^\W_]([\w-]*[^\W_])?)*\.?")
"""A host's name or IPv4 address; underscores inside a label are met in container networks."""
_SEGMENT: Final = re.compile(r"[\w.~!$&'()*+,;=:@%-]+")
_EXAMPLE: Final = "argo.example:2746, or https://argo.example/argo"


@dataclass(frozen=True)
class Address:
    """A server's address. `host` is without brackets; `base` is "" or begins with a slash and does not end with one."""

    scheme: str
    host: str
    port: int | None = None
    base: str = ""

    @property
    def netloc(self) -> str:
        """`HOST[:PORT]`, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.base}"


def parse_address(text: str, *, secure: bool = True, base_href: str = "") -> Address:
    """Read an address: `host`, `host:port`, `[::1]:port`, with a base path, or a full URL.

    secure: whether to speak TLS where no scheme is written; `http://` and `https://` are kept as said.
    base_href: the base path where the address holds none.
    Raises `OptionsError` for anything that cannot be an address.
    """
    stated = text.strip()
    remember_address(stated)
    scheme, rest = _scheme_of(stated, "https" if secure else "http")
    if scheme not in ("http", "https"):
        raise _refused(stated, f"its scheme is {scheme}://; the server speaks http or https")
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        raise OptionsError(
            "the address of the Argo server contains a user or password",
            hint="set ARGO_TOKEN, or use hera-k8s login",
        )
    if "?" in rest or "#" in rest:
        raise _refused(
            stated.partition("?")[0].partition("#")[0],
            "it contains ? or #; was it copied from a browser?",
        )
    host, port = _host_and_port(authority, stated)
    base = _base(slash + path, stated) or _base(base_href, base_href)
    return Address(scheme, host, port, base)


def _scheme_of(text: str, default: str) -> tuple[str, str]:
    scheme, separator, rest = text.partition("://")
    return (scheme.lower(), rest) if separator else (default, text)


def _host_and_port(authority: str, stated: str) -> tuple[str, int | None]:
    if authority.count(":") > 1 and not authority.startswith("["):
        return _ipv6(authority, stated), None  # an IPv6 address without brackets leaves no room for a port
    try:
        parts = urlsplit(f"//{authority}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refused(stated, "its port is not a number from 1 to 65535, or a bracket is missing") from None
    if port == 0 or authority.endswith(":"):
        raise _refused(stated, "its port is not a number from 1 to 65535")
    if authority.startswith("["):
        return _ipv6(host, stated), port
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise _refused(stated, "it has no host name" if not host else f"{host!r} is not a host name")
    return host, port


def _ipv6(text: str, stated: str) -> str:
    try:
        return str(IPv6Address(text))
    except ValueError:
        raise _refused(stated, f"{text!r} is not an IPv6 address") from None


def _base(path: str, stated: str) -> str:
    segments = [segment for segment in path.strip().split("/") if segment]
    if any(not _SEGMENT.fullmatch(segment) or segment in (".", "..") for segment in segments):
        raise _refused(stated, "its path contains an invalid character or `.` or `..`")
    return "".join(f"/{segment}" for segment in segments)


def _refused(stated: str, why: str) -> OptionsError:
    return OptionsError(f"{stated!r} is not an address of an Argo server", found=why, hint=f"such as {_EXAMPLE}")
