"""HTTP under one network policy: time limits, retries of what is safe, certificates, proxies, errors that help.

Nothing here shows a token: neither messages, nor reprs, nor logs.
"""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import unquote, urlsplit

from hera_k8s_utils.config.options import option
from hera_k8s_utils.errors import ErrorKind, HeraK8sError, NotApplicable, OptionsError, PlatformError
from hera_k8s_utils.network.headers import bearer_token, require_basic_auth, sendable
from hera_k8s_utils.network.limits import RequestLimits
from hera_k8s_utils.network.proxies import proxy_for, require_proxy
from hera_k8s_utils.reading import LARGEST_AUTHORITIES, FileRefused, TooComplex, parse_json, require_file
from hera_k8s_utils.redaction import redact, remember_address, shown_address

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from ssl import SSLContext

    from requests import Session

    from hera_k8s_utils.network.bodies import Pace
    from hera_k8s_utils.network.exchange import Answer

log = logging.getLogger(__name__)

STREAM_SILENCE: Final = 45.0
"""Seconds without a byte after which a stream counts as dead: three keepalives of an Argo server (15 s each)."""


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """How every server is talked to. Proxies come from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`."""

    prefix: ClassVar[str] = ""

    ca_file: Path | None = option(
        None, help="PEM file of the authorities that sign servers' certificates, instead of the system's", metavar="PEM"
    )
    http_timeout: float = option(
        30.0,
        help="seconds for a server's whole answer, or for the next part of a stream",
        metavar="SECONDS",
    )
    http_connect_timeout: float = option(5.0, help="seconds to wait for a connection", metavar="SECONDS")
    http_retries: int = option(
        3, help="how often a request that is safe to repeat is tried again, and how often any that was throttled"
    )

    def __post_init__(self) -> None:
        """Raise `OptionsError` for values that no connection could keep."""
        for flag, seconds in (("http-timeout", self.http_timeout), ("http-connect-timeout", self.http_connect_timeout)):
            if seconds <= 0:
                raise OptionsError(f"--{flag} cannot be used", found="a server needs some time", hint="in seconds")
        if self.http_retries < 0:
            raise OptionsError("--http-retries cannot be used", found="it is a number of times, 0 for none")


@dataclass(frozen=True)
class HttpResponse:
    """A server's answer with a status of success. `url`: as it may be shown, without query and secrets."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    url: str = ""
    method: str = "GET"

    @property
    def text(self) -> str:
        """The body as text; what is not UTF-8 is replaced."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body, parsed; raises `PlatformError` (protocol) for anything else, such as the page of a login proxy."""
        try:
            return parse_json(self.content)
        except ValueError as error:
            raise PlatformError(
                f"{self.method} {self.url}",
                found=f"answered {self.status}{_not_json(error, self.content)}",
                hint="is the address (and its base path) right, and is there a login proxy in front of the server?",
                kind=ErrorKind.PROTOCOL,
                status=self.status,
            ) from None


@dataclass(frozen=True)
class _RequestSpec:
    """How a request is sent. `wait`: seconds for the whole answer, or for each part of a stream."""

    method: str
    path: str
    wait: float
    repeat: bool


class HttpClient:
    """A client of one server; safe to share between threads; makes no request until it is asked for one.

    url: the server's address; a base path is kept.
    shown_url: the same without secrets, for messages.
    settings: time limits, retries, CA file.
    token: gives the bearer token for each request; none is sent when it gives "".
    renew: called once when a server answers 401; the request is then repeated with what `token` gives. It raises
        `NotApplicable` or another `HeraK8sError` when there is no other token.
    verify: False leaves certificates unverified.
    ca_file: beats the settings' one.
    proxy: beats the environment's; "" means none.
    hints: what to type for a kind of failure, instead of the general.
    is_own: whether the JSON body of an error is the server's own, and not a gateway's; without it none is known to be,
        and no refusal is taken for `conclusive`.

    Repeated are: requests that never reached the server, reads and PUT and DELETE (with the same result when done
    twice), and any request that was answered 429. A POST whose answer was lost is never repeated here. A DELETE that
    is answered 404 after a try whose answer was lost has succeeded.
    """

    def __init__(
        self,
        url: str,
        settings: NetworkSettings | None = None,
        *,
        token: Callable[[], str] | None = None,
        renew: Callable[[], object] | None = None,
        verify: bool = True,
        ca_file: str = "",
        proxy: str | None = None,
        hints: Mapping[ErrorKind, str] | None = None,
        is_own: Callable[[Mapping[str, Any]], bool] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.url = url.rstrip("/")
        self.shown_url = shown_address(self.url)
        remember_address(self.url)
        self._settings = settings or NetworkSettings()
        self._token = token
        self._renew = renew
        self._renewing = threading.Lock()
        self._verify = verify
        self._ca_file = ca_file or str(self._settings.ca_file or "")
        self._proxy = proxy_for(self.url, environ) if proxy is None else proxy
        _require_sendable_proxy(self._proxy)
        self._hints = dict(hints or {})
        self._is_own = is_own
        self._sessions: dict[bool, Session] = {}
        self._opening = threading.Lock()

    def __repr__(self) -> str:
        return f"HttpClient({self.shown_url!r})"

    # --- requests ----------------------------------------------------------------------------------------------

    def get(self, path: str, **options: Any) -> HttpResponse:
        """GET; `options` are those of `request`."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> HttpResponse:
        """POST; `options` are those of `request`."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> HttpResponse:
        """PUT; `options` are those of `request`."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> HttpResponse:
        """PATCH; `options` are those of `request`."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> HttpResponse:
        """DELETE; `options` are those of `request`."""
        return self.request("DELETE", path, **options)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        repeat: bool = True,
    ) -> HttpResponse:
        """One request below the server's address; raises `PlatformError` on anything but success.

        path: quoted where need be.
        json: a body to send as JSON.
        timeout: seconds for the whole answer, repetitions included and waits between them not, instead of the
            settings'.
        repeat: False for a PUT or DELETE that would do something else when done twice.

        An answer is at most `LARGEST_ANSWER` bytes, also when it is decompressed.
        """
        wait = self._settings.http_timeout if timeout is None else timeout
        sending = _RequestSpec(method, path, wait, repeat=repeat)
        answer = self._exchange(sending, params=params, json=json, data=data, headers=headers)
        with self._connection_errors(sending):
            content = answer.body()
        return HttpResponse(answer.status, answer.response.headers, content, self._shown(path), method)

    def stream(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        silence: float = STREAM_SILENCE,
        pace: Pace | None = None,
    ) -> Iterator[str]:
        """The lines of an answer as they come, until the server ends it; closing the iterator ends the request.

        silence: seconds without news (before the first too) after which a `PlatformError` (timeout) is raised.
        pace: what counts as news, one of those in `bodies`; by default any byte. A stream that is cut raises
        `PlatformError` (unreachable), a line without an end too (protocol). Nothing is repeated here.
        """
        asked = {"Accept-Encoding": "identity", **(headers or {})}
        sending = _RequestSpec("GET", path, silence, repeat=False)
        answer = self._exchange(sending, params=params, headers=asked)
        try:
            with self._connection_errors(sending):
                yield from _texts(answer, pace)
        finally:
            answer.close()

    def close(self) -> None:
        """Close the connections that are kept open."""
        with self._opening:
            sessions = list(self._sessions.values())
            self._sessions.clear()
        for session in sessions:
            session.close()

    # --- how -----------------------------------------------------------------------------------------------------

    def _exchange(self, sending: _RequestSpec, **parts: Any) -> Answer[str]:
        from hera_k8s_utils.network.exchange import send_with_renewal

        return send_with_renewal(
            sending.method,
            lambda token: self._send(sending, token, **parts),
            self._token() if self._token else "",
            renew=self._another_token,
            refusal=lambda answer, content: self._refusal(sending, answer.response, content),
        )

    def _another_token(self, used: str) -> str | None:
        return self._token() if self._renewed(used) and self._token else None

    def _renewed(self, used: str) -> bool:
        """Whether there is now another token than the one that was refused; threads renew it once between them."""
        if self._renew is None or self._token is None:
            return False
        with self._renewing:
            if self._token() != used:
                return True
            try:
                self._renew()
            except (HeraK8sError, NotApplicable) as reason:
                log.info("the token for %s was refused, and there is no other: %s", self.shown_url, reason)
                return False
            return self._token() != used

    def _send(self, sending: _RequestSpec, token: str, **parts: Any) -> Answer[str]:
        from hera_k8s_utils.network.exchange import Answer

        _hold_back(sending.method, self._at(sending.path), parts.get("json"))
        headers = {"Accept": "application/json", **(parts.pop("headers", None) or {})}
        if token:
            headers["Authorization"] = f"Bearer {self._sendable(sending, token)}"
        sendable(headers, origin=f"{sending.method} {self._shown(sending.path)}")
        session = self._session(sending.repeat)  # what it takes to open is not the server's time
        limits = RequestLimits(sending.wait)
        with self._connection_errors(sending), limits.applied():
            response = session.request(
                sending.method,
                self._at(sending.path),
                headers=headers,
                timeout=(min(self._settings.http_connect_timeout, sending.wait), sending.wait),
                stream=True,  # requests would read the body without a limit
                allow_redirects=False,
                **parts,
            )
        return Answer(response.raw, token, limits)

    def _sendable(self, sending: _RequestSpec, token: str) -> str:
        hint = self._hints.get(ErrorKind.UNAUTHORIZED, "was it copied whole, and nothing besides?")
        return bearer_token(token, origin=f"the token for {sending.method} {self._shown(sending.path)}", hint=hint)

    def _session(self, repeat: bool) -> Session:
        with self._opening:
            if repeat not in self._sessions:
                self._sessions[repeat] = self._make_session(self._settings.http_retries if repeat else 0)
            return self._sessions[repeat]

    def _make_session(self, retries: int) -> Session:
        from hera_k8s_utils.network.adapter import PlainSession, adapter

        plain = self.url.startswith("http://") and not self._proxy.startswith("https://")
        context = None if plain else tls_context(self._ca_file, verify=self._verify)  # reading authorities takes 50 ms
        session = PlainSession()
        session.verify = (self._ca_file or True) if self._verify else False
        session.proxies = {"http": self._proxy, "https": self._proxy} if self._proxy else {}
        for scheme in ("https://", "http://"):
            session.mount(scheme, adapter(context, retries=retries))
        return session

    def _at(self, path: str) -> str:
        return f"{self.url}/{path.lstrip('/')}" if path else self.url

    def _shown(self, path: str) -> str:
        return f"{self.shown_url}/{path.lstrip('/')}" if path else self.shown_url

    # --- what went wrong -------------------------------------------------------------------------------------------

    def _connection_errors(self, sending: _RequestSpec) -> AbstractContextManager[None]:
        from hera_k8s_utils.network.exchange import connection_error, connection_errors_of

        return connection_errors_of(
            lambda error: connection_error(
                f"{sending.method} {self._shown(sending.path)}",
                error,
                url=self.shown_url,
                proxy=shown_address(self._proxy),
                wait=sending.wait,
                hints=self._hints,
            )
        )

    def _refusal(self, sending: _RequestSpec, response: Any, content: bytes) -> PlatformError:
        """The error of an answer whose status is not one of success. content: the beginning of its body."""
        from hera_k8s_utils.network.exchange import redirect_found

        body = _error_body(content)
        said, reason = _said(body, content)
        status = int(response.status)
        kind = PlatformError.kind_of_status(status)
        hint = self._hints.get(kind, _HINTS.get(kind, ""))
        if 300 <= status < 400:
            said = redirect_found(response.headers)
            hint = "is the address right (https for http?), and is there a login proxy in front of the server?"
        elif "HTTP request to an HTTPS server" in said:
            kind, hint = ErrorKind.PROTOCOL, f"it speaks TLS: https://{urlsplit(self.url).netloc}"
        return PlatformError(
            f"{sending.method} {self._shown(sending.path)}",
            found=f"{said} ({status})" if said else f"answered {status}",
            hint=hint,
            kind=kind,
            status=status,
            reason=reason,
            conclusive=PlatformError.refuses(status) and self._is_own is not None and self._is_own(body),
        )


def _hold_back(method: str, url: str, body: Any) -> None:
    """Raises `OfflineError` where the running code is loading or building an experiment."""
    from hera_k8s_utils.offline.phase import HeldRequest, offline_phase

    phase = offline_phase()
    if phase is not None:
        reads = method in ("GET", "HEAD", "OPTIONS")
        path = urlsplit(url).path
        phase.hold(HeldRequest(library="hera_k8s_utils", method=method, path=path, changes=not reads, body=body))


_HINTS: Final = {
    ErrorKind.UNAUTHORIZED: "the token was refused: it has expired, or is another server's",
    ErrorKind.THROTTLED: "the server has too much to do: try again later",
    ErrorKind.SERVER: "the server itself failed: try again, and if it stays ask those who run it",
}


def tls_context(ca_file: str = "", *, verify: bool = True) -> SSLContext:
    """What a server's certificate is verified with: the file's authorities, or else the system's and certifi's.

    Raises `OptionsError` for a file that is missing or holds no certificate.
    """
    import ssl

    try:
        if ca_file:
            require_file(ca_file, most=LARGEST_AUTHORITIES)  # a device would be read without an end
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        found = "no such file" if isinstance(error, FileNotFoundError) else "it holds no certificate that can be read"
        found = str(error.strerror) if isinstance(error, FileRefused) else found
        raise OptionsError(f"the CA file {ca_file}", found=found, hint="--ca-file takes a PEM file") from None
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        silence_unverified()
    elif not ca_file:
        import certifi

        context.load_verify_locations(certifi.where())  # on macOS and Windows OpenSSL may have no store of its own
    return context


def silence_unverified() -> None:
    """Whoever asked for no verification need not be told at every connection; a check says it once."""
    from urllib3.exceptions import InsecureRequestWarning

    warnings.simplefilter("ignore", InsecureRequestWarning)


def _require_sendable_proxy(proxy: str) -> None:
    remember_address(proxy)
    require_proxy(proxy)
    user, _, password = urlsplit(proxy).netloc.rpartition("@")[0].partition(":")
    require_basic_auth("", unquote(user + password), origin=f"the proxy {shown_address(proxy)}")


def describe_body(content: bytes) -> str:
    """What a body is, in a few words, for a message: a page by its title, a text by its beginning."""
    text = redact(content[:4096].decode("utf-8", "replace").strip())  # before it is cut: half a secret is not known
    if not text:
        return "nothing"
    head = text[:200].lower()
    if head.startswith(("<!doctype html", "<html")) or "<head" in head:
        title = text[text.lower().find("<title>") + 7 : text.lower().find("</title>")].strip()
        return f"a web page titled {title[:60]!r}" if "<title>" in text.lower() and title else "a web page"
    printable = "".join(c if c.isprintable() else " " for c in text[:80])
    return f"{printable!r}"


def describe_refusal(content: bytes) -> str:
    """What an answer without success says where it is no JSON: its own text, or what it is; empty for an empty one."""
    if not content.strip():
        return ""
    text = " ".join(redact(content[:4096].decode("utf-8", "replace"))[:300].split())  # half a secret is not known
    return text if "<" not in text[:20] and text.isprintable() else f"answered with {describe_body(content)}"


def _not_json(error: ValueError, content: bytes) -> str:
    """Why a body is not the JSON that was wanted, in the words that follow `answered 200`."""
    return f", and {error}" if isinstance(error, TooComplex) else f" with {describe_body(content)}, not JSON"


def _error_body(content: bytes) -> Mapping[str, Any]:
    """The JSON object of an answer; an empty one when it holds none."""
    try:
        body = parse_json(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _said(body: Mapping[str, Any], content: bytes) -> tuple[str, str]:
    """A server's own words and its reason: both APIs answer errors with a JSON object that holds `message`."""
    if body:
        said, reason = body.get("message") or body.get("error") or "", body.get("reason") or ""
        return (said if isinstance(said, str) else ""), (reason if isinstance(reason, str) else "")
    return describe_refusal(content), ""


def _texts(answer: Answer[str], pace: Pace | None) -> Iterator[str]:
    """The lines of an answer as text."""
    from hera_k8s_utils.network.bodies import GROWING, iter_lines

    for line in iter_lines(answer.response, answer.limits, pace or GROWING):
        yield line.decode("utf-8", "replace").rstrip("\r")
