"""Which proxy a request goes through: `HTTPS_PROXY` and its kin, and `NO_PROXY` with names, addresses and ranges."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from hera_k8s_utils.errors import OptionsError
from hera_k8s_utils.redaction import remember_address, shown_address


def proxy_for(url: str, environ: Mapping[str, str] = os.environ) -> str:
    """The proxy for a URL, "" for none. Lower-case variables beat upper-case ones, as in curl.

    This machine itself is never reached through a proxy.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if not host or is_loopback(host) or bypassed(host, parts.port, _variable(environ, "no_proxy")):
        return ""
    proxy = _variable(environ, f"{parts.scheme}_proxy") or _variable(environ, "all_proxy")
    remember_address(proxy)
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


def require_proxy(proxy: str) -> None:
    """Raise `OptionsError` for a proxy that cannot be used: of another kind, or SOCKS without the package for it."""
    scheme = proxy.partition("://")[0].lower() if "://" in proxy else "http"
    if not proxy or scheme in ("http", "https"):
        return
    wanted = f"the proxy {shown_address(proxy)} cannot be used"
    if scheme not in _SOCKS:
        hint = f"write one of http://, https://, {', '.join(f'{each}://' for each in _SOCKS)}"
        raise OptionsError(wanted, found=f"{scheme}:// is not the scheme of a proxy", hint=hint)
    if find_spec("socks") is None:
        hint = "pip install 'hera-k8s-utils[socks]'"
        raise OptionsError(wanted, found="SOCKS needs the package PySocks, which is not installed", hint=hint)


_SOCKS: Final = ("socks5", "socks5h", "socks4", "socks4a")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    address = _address(host)
    return address.is_loopback if address else host == "localhost" or host.endswith(".localhost")


def bypassed(host: str, port: int | None, no_proxy: str) -> bool:
    """Whether a `NO_PROXY` list names a host.

    Entries are separated by commas or blanks: `*`, an address, a range (`10.0.0.0/8`, `fd00::/8`), or a name, which
    stands for everything below it too, with or without a dot in front; any may end with `:PORT`.
    """
    address = _address(host)
    return any(_matches(entry.lower(), host.lower(), address, port) for entry in no_proxy.replace(",", " ").split())


def _matches(entry: str, host: str, address: IPv4Address | IPv6Address | None, port: int | None) -> bool:
    if entry == "*":
        return True
    if address is not None and (ranged := _within(entry, address)) is not None:
        return ranged
    name, wanted = _split_port(entry)
    if wanted and wanted != str(port or ""):
        return False
    if address is not None:
        return _address(name) == address
    name = name.removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _within(entry: str, address: IPv4Address | IPv6Address) -> bool | None:
    """Whether an address lies in the range that an entry is; None when it is no range or address."""
    try:
        return address in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return None


def _split_port(entry: str) -> tuple[str, str]:
    name, colon, port = entry.rpartition(":")
    return (name, port) if colon and port.isdigit() else (entry, "")


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _variable(environ: Mapping[str, str], name: str) -> str:
    if name in environ:
        return environ[name].strip()
    if name == "http_proxy" and "REQUEST_METHOD" in environ:  # a CGI script: the visitor sets it (CVE-2016-5385)
        return ""
    return environ.get(name.upper(), "").strip()
