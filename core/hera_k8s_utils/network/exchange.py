"""One request and its answer, the same for each library that sends it.

A refused credential is renewed once, a redirect is an error, and no error holds the library's own, which may hold the
request with its token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

import urllib3

from hera_k8s_utils.errors import ErrorKind, PlatformError
from hera_k8s_utils.network.adapter import classify_error, never_sent, was_in_doubt
from hera_k8s_utils.network.bodies import read_beginning, read_whole
from hera_k8s_utils.network.limits import RequestLimits

S = TypeVar("S")

_CONNECTION_ERRORS: Final = (urllib3.exceptions.HTTPError, OSError, UnicodeError)
"""What urllib3 raises, and requests, whose errors are OSErrors; UnicodeError for the bytes of a Location."""


@dataclass(frozen=True)
class Answer(Generic[S]):
    """An answer as urllib3 received it.

    response: urllib3's; its body is not read yet.
    sent_with: the credential, or the session that holds it.
    limits: the time and the bytes that are left for it.
    content: its body or the beginning of it, once that is read; else None.
    """

    response: Any
    sent_with: S
    limits: RequestLimits
    content: bytes | None = None

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.response.status)

    @property
    def succeeded(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300

    def body(self) -> bytes:
        """The whole body."""
        return read_whole(self.response, self.limits) if self.content is None else self.content

    def close(self) -> None:
        """Close the connection, unless the body was read to its end."""
        self.response.close()
        self.response.release_conn()


def send_with_renewal(
    method: str,
    send: Callable[[S], Answer[S]],
    used: S,
    *,
    renew: Callable[[S], S | None],
    refusal: Callable[[Answer[S], bytes], PlatformError],
) -> Answer[S]:
    """Send a request, after a 401 once more with a renewed credential; raises `PlatformError` unless it succeeds.

    A refused request had no effect. A DELETE that is answered 404 after a try whose answer was lost has succeeded.

    method: the HTTP method.
    send: sends the request once with a credential.
    used: the credential to send first.
    renew: gives another credential in place of a refused one; None when there is none.
    refusal: the error for an answer without success and the beginning of its body.
    """
    answer = send(used)
    if answer.status == 401 and (renewed := renew(used)) is not None:
        answer.close()
        answer = send(renewed)
    if answer.succeeded:
        return answer
    content = read_beginning(answer.response, answer.limits)
    error = refusal(answer, content)
    answer.close()
    if method == "DELETE" and error.says_absent and was_in_doubt(answer.response):
        return replace(answer, content=content)
    raise error


def redirect_found(headers: Mapping[str, str]) -> str:
    """What a redirect is, for a message: its target without a path, which may hold a token, and without a user."""
    target = urlsplit(headers.get("Location", ""))
    return f"redirects to {target.scheme}://{target.netloc.rpartition('@')[2]}" if target.netloc else "redirects"


@contextmanager
def connection_errors_of(describe: Callable[[BaseException], PlatformError], *also: type[Exception]) -> Iterator[None]:
    """Raise what `describe` makes of an error of the connection, and nothing of the error itself.

    also: further types of errors that the sending library has.
    """
    errors: tuple[type[Exception], ...] = (*_CONNECTION_ERRORS, *also)
    try:
        yield
    except errors as error:
        raise describe(error) from None


def connection_error(
    wanted: str,
    error: BaseException,
    *,
    url: str,
    proxy: str,
    wait: float,
    hints: Mapping[ErrorKind, str],
    proxy_hint: str = "",
) -> PlatformError:
    """The error of a request that got no whole answer.

    wanted: the request, in the words of a message.
    error: the library's.
    url: the server's address, without secrets.
    proxy: the proxy's address, without secrets; empty for none.
    wait: seconds that the answer was given.
    hints: what to type for a kind of error, instead of the general hint.
    proxy_hint: what to do about a proxy that does not connect; by default, the variables that name it.
    """
    kind, found, hint = classify_error(error, url=url, proxy=proxy, wait=wait, proxy_hint=proxy_hint)
    server = urlsplit(url)
    is_named = not server.hostname or server.hostname in found or server.hostname in wanted
    return PlatformError(
        wanted,
        found=found if is_named else f"{server.netloc}: {found}",
        hint=hints.get(kind, hint),
        kind=kind,
        conclusive=never_sent(error),
    )
