"""What `http` needs of requests and urllib3: a session with our limits and retries, and what their errors mean.

Apart, because it imports both, and `http` is imported by every command for its settings.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from http.client import HTTPException, LineTooLong
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError
from urllib3.util.retry import Retry

from hera_k8s_utils.errors import ErrorKind
from hera_k8s_utils.network.connections import limit_connections
from hera_k8s_utils.network.limits import AnswerRejected, OutOfTime, applied_limits

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_BUSY = frozenset({429, 502, 503, 504})

_LONGEST_WAIT = 30.0
"""Seconds of waiting that a server may ask for with `Retry-After`, for all repetitions of a request together. When it
asks for more, the request fails instead of seeming to hang."""


class SafeRetry(Retry):
    """urllib3's Retry; 429 with any method, since a throttled request had no effect; nothing after a limit.

    Repetitions share the time and the bytes of the request; waits between them do not count, and have their own limit.
    """

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        if status_code == 429:
            return bool(self.total) and bool(self.status)
        return super().is_retry(method, status_code, has_retry_after)

    def sleep(self, response: Any = None) -> None:
        began = time.monotonic()
        super().sleep(response)
        if (limits := applied_limits()) is not None:
            limits.extend(time.monotonic() - began)

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> SafeRetry:
        if isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(error, NewConnectionError):
            raise error
        if error is not None and _first(list(_causes(error)), AnswerRejected, TimeoutError):
            raise error
        limits = applied_limits()
        if (limits is not None and limits.over) or self._waits_too_long(response):
            raise urllib3.exceptions.MaxRetryError(_pool, url or "", error)  # tells the error, or returns the answer
        return super().increment(method, url, response, error, _pool, _stacktrace)

    def _waits_too_long(self, response: Any) -> bool:
        asked = None if response is None else self.get_retry_after(response)
        limits = applied_limits()
        waited = 0.0 if limits is None else limits.extended
        return asked is not None and waited + asked > _LONGEST_WAIT


class _Adapter(HTTPAdapter):
    def __init__(self, context: ssl.SSLContext | None, **options: Any) -> None:
        self._context = context
        super().__init__(**options)

    def init_poolmanager(self, *positional: Any, **options: Any) -> None:
        super().init_poolmanager(*positional, ssl_context=self._context, **options)
        limit_connections(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **options)
        limit_connections(manager)
        return manager


class PlainSession(requests.Session):
    """A session that keeps no cookies, follows nothing, and takes nothing from the environment."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # it would let ~/.netrc take the place of the token; proxies are chosen by `http`
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # a jar is not safe between threads
        self.headers["Accept-Encoding"] = "gzip"

    def get_redirect_target(self, resp: Any) -> None:
        """None: for a target, requests (2.34) reads the whole body of the redirect, whatever its size."""


def safe_retry(retries: int, *, also: Iterable[str] = ()) -> SafeRetry:
    """The one policy of what is repeated, at most so many times; an answer of failure is returned, not raised.

    also: further methods that come to the same when they are carried out twice.
    """
    return SafeRetry(
        total=retries,
        connect=min(1, retries),  # a refused connection seldom opens within a second
        read=min(1, retries),
        status=retries,
        other=0,  # TLS failures among them
        redirect=False,
        allowed_methods=_SAFE.union(also),
        status_forcelist=_BUSY,
        backoff_factor=0.3,
        raise_on_status=False,
        respect_retry_after_header=True,
    )


def was_in_doubt(response: Any) -> bool:
    """Whether one of urllib3's answers came to a repeated request whose earlier try may have been carried out."""
    history = getattr(getattr(response, "retries", None), "history", ())
    return any(
        each.status in _BUSY - {429} or isinstance(each.error, urllib3.exceptions.ProtocolError) for each in history
    )


def adapter(context: ssl.SSLContext | None, *, retries: int, width: int = 32) -> HTTPAdapter:
    """An adapter that keeps up to `width` connections and repeats what is safe to repeat."""
    return _Adapter(context, max_retries=safe_retry(retries), pool_connections=4, pool_maxsize=width)


def classify_error(
    error: BaseException, *, url: str, proxy: str, wait: float, proxy_hint: str = ""
) -> tuple[ErrorKind, str, str]:
    """The kind of trouble, what was found, and what to do about an error of requests or urllib3."""
    chain = list(_causes(error))
    host = urlsplit(url).netloc
    if (rejected := _first(chain, AnswerRejected)) is not None:
        return ErrorKind.PROTOCOL, str(rejected), "is the address right, and is it a server of this kind that answers?"
    if (late := _first(chain, OutOfTime)) is not None:
        return ErrorKind.TIMEOUT, str(late), "--http-timeout SECONDS waits longer"
    if any(isinstance(cause, LineTooLong) or type(cause) is HTTPException for cause in chain):
        return ErrorKind.PROTOCOL, "the headers of its answer have no end", "is the address right?"
    if (verification := _first(chain, ssl.SSLCertVerificationError)) is not None:
        return _untrusted(verification.verify_message)
    if (tls := _first(chain, ssl.SSLError)) is not None and _first(chain, TimeoutError) is None:
        return _tls_failure(tls, url)
    is_socks = proxy.startswith("socks") and _first(chain, NewConnectionError) is not None
    if is_socks or _first(chain, requests.exceptions.ProxyError, urllib3.exceptions.ProxyError):
        hint = proxy_hint or "HTTPS_PROXY and NO_PROXY decide"
        return ErrorKind.UNREACHABLE, f"the proxy {proxy} did not connect to it", hint
    if _first(chain, urllib3.exceptions.NameResolutionError) or _first(chain, socket.gaierror):
        return ErrorKind.UNREACHABLE, f"no address is known for {urlsplit(url).hostname}", "is the server's name right?"
    if _first(chain, ConnectionRefusedError):
        return ErrorKind.UNREACHABLE, f"{host} refused the connection", "is the address right, and is the server up?"
    if _timed_out(chain):
        return ErrorKind.TIMEOUT, f"no answer within {wait:g} s", "--http-timeout SECONDS waits longer"
    if _first(chain, requests.exceptions.ConnectionError, urllib3.exceptions.HTTPError, OSError):
        return ErrorKind.UNREACHABLE, _lost(chain), "is the address right, and is the server up?"
    return ErrorKind.PROTOCOL, f"{type(error).__name__}", "is the address right?"


def never_sent(error: BaseException) -> bool:
    """Whether an error of requests or urllib3 came before a byte of the request was sent: no connection was made."""
    chain = list(_causes(error))
    tls = _first(chain, ssl.SSLError)
    if tls is not None and _first(chain, TimeoutError) is None:
        return isinstance(tls, ssl.SSLCertVerificationError) or _is_no_tls(tls)
    if _first(chain, requests.exceptions.ProxyError, urllib3.exceptions.ProxyError) is not None:
        return True  # both are raised only until the proxy has connected
    before = (NewConnectionError, urllib3.exceptions.ConnectTimeoutError, socket.gaierror, ConnectionRefusedError)
    return _first(chain, *before) is not None


def _untrusted(why: str) -> tuple[ErrorKind, str, str]:
    said = why or "it could not be verified"
    hint = "--ca-file PEM names the authority that signed it"
    if "expired" in said:
        hint = "those who run the server must renew it"
    elif "match" in said.lower():
        hint = "is the server's name right?"
    return ErrorKind.UNTRUSTED, f"its certificate is not trusted: {said}", hint


def _tls_failure(error: ssl.SSLError, url: str) -> tuple[ErrorKind, str, str]:
    reason = _reason(error)
    if _is_no_tls(error):
        plain = url.replace("https://", "http://", 1)
        return ErrorKind.PROTOCOL, "it does not speak TLS", f"if it is meant to be plain: {plain}"
    return ErrorKind.UNTRUSTED, f"TLS failed: {reason or 'the connection was closed'}", "does it ask for other TLS?"


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "").replace("_", " ").lower()


def _is_no_tls(error: ssl.SSLError) -> bool:
    """Whether the server answered the handshake with bytes that are no TLS, by OpenSSL's (1.1, 3.0, 3.2) names."""
    return _reason(error) in ("wrong version number", "record layer failure", "http request", "packet length too long")


def _timed_out(chain: list[BaseException]) -> bool:
    timeouts = (
        requests.exceptions.Timeout,
        urllib3.exceptions.ReadTimeoutError,
        urllib3.exceptions.ConnectTimeoutError,
        TimeoutError,
    )
    unreachable = _first(chain, NewConnectionError)  # "no route" is a ConnectTimeoutError too
    return _first(chain, *timeouts) is not None and unreachable is None


def _lost(chain: list[BaseException]) -> str:
    for cause in reversed(chain):
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, requests.RequestException):
            return cause.strerror.lower()
    return "the connection was lost before the whole answer came"


def _first(chain: list[BaseException], *kinds: type[Any]) -> Any:
    return next((cause for cause in chain if isinstance(cause, kinds)), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it was made from: both libraries keep causes in `args` and `reason` as well."""
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
        waiting += [each for each in inner if isinstance(each, BaseException)]
