"""A small client of the Kubernetes API: plain JSON in and out, over the connections of the official one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from hera_k8s_kube.errors import RequestInfo, event_error, parsed, response_error
from hera_k8s_kube.session import Session, open_session
from hera_k8s_utils import Credential, ErrorKind, HeraK8sError, Json, NotApplicable, PlatformError, is_dns_label
from hera_k8s_utils.labels import MANAGER
from hera_k8s_utils.network import (
    LARGEST_ANSWER,
    LARGEST_OBJECT,
    ListLimits,
    NetworkSettings,
    RequestLimits,
    expires_within,
    sendable,
)
from hera_k8s_utils.reading import are_objects

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from kubernetes.client import CoreV1Api

    from hera_k8s_utils.network import Answer, Pace
    from hera_k8s_utils.plugins import Scope

log = logging.getLogger(__name__)

_EARLY: Final = 60.0
"""Seconds before its end at which a credential is renewed."""
_PAUSE: Final = 10.0
"""Seconds for which a credential that was just renewed, or could not be, is not renewed again."""
_BUSY: Final = frozenset({502, 503, 504})
_ONLY_ASKS: Final = frozenset(
    {
        "selfsubjectaccessreviews",
        "selfsubjectreviews",
        "selfsubjectrulesreviews",
        "serviceaccounts/token",
    }
)
"""Resources of which nothing is kept: a POST only asks. A token that got lost on its way expires by itself."""
_LOG_SILENCE: Final = 4 * 3600.0
"""Seconds without a line of a followed log: a kubelet's own limit for idle streams."""


@dataclass(frozen=True)
class _Sending:
    """How a request is sent. most: bytes of its answer."""

    request: RequestInfo
    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    content_type: str = "application/json"
    accept: str = "application/json"
    most: int = LARGEST_OBJECT


class KubernetesClient:
    """The client of `hera_k8s_utils.plugins.clients.Kubernetes`; safe to share between threads.

    namespace: of requests that name none. renew: refused credential -> a fresh one; None when there is none to get.
    width: how many requests run at once; as many connections are kept.

    Repeated are requests that never reached the server, GET, PATCH and DELETE, whatever was answered 429, and a POST
    that only asks (for a review or a token). A DELETE that is answered 404 after a try whose answer was lost has
    succeeded.
    """

    def __init__(
        self,
        credential: Credential,
        *,
        namespace: str = "default",
        network: NetworkSettings | None = None,
        width: int = 32,
        renew: Callable[[Credential], Credential] | None = None,
    ) -> None:
        self.namespace = namespace
        self._network = network or NetworkSettings()
        self._width = width
        self._renew = renew
        self._identity = ""
        self._swapping = threading.Lock()
        self._session = open_session(credential, self._network, width=width)
        self._renewal_backoff: tuple[Session, float] | None = None
        self.server = self._session.server

    def __repr__(self) -> str:
        return f"KubernetesClient({self.server!r}, namespace={self.namespace!r})"

    @property
    def credential(self) -> Credential:
        """The credential in use."""
        return self._session.credential

    @property
    def identity(self) -> str:
        """The caller's identity: as reported by the server, before that as stated by the credential."""
        return self._identity or self._session.credential.identity

    @identity.setter
    def identity(self, name: str) -> None:
        self._identity = name

    # --- objects -----------------------------------------------------------------------------------------------

    def get(
        self,
        api_version: str,
        resource: str,
        name: str,
        *,
        namespace: str | None = None,
        scope: Scope = "namespace",
    ) -> Json:
        """The one named object."""
        request = self._about("get", api_version, resource, name, namespace, scope)
        return self._object(_Sending(request, "GET", _path(request, api_version)))

    def list(
        self,
        api_version: str,
        resource: str,
        *,
        namespace: str | None = None,
        scope: Scope = "namespace",
        label_selector: str = "",
        field_selector: str = "",
        page: int = 500,
    ) -> Iterator[Json]:
        """The items one by one, fetched page by page, each with its kind, which the server leaves out."""
        request = self._about("list", api_version, resource, None, namespace, scope)
        query = {"limit": page, **_selectors(label_selector, field_selector)}
        limits = ListLimits(str(request))
        while True:
            sending = _Sending(request, "GET", _path(request, api_version), query, most=LARGEST_ANSWER)
            answer, size = self._sized(sending)
            limits.take(size)
            kind = str(answer.get("kind") or "").removesuffix("List")
            items = answer.get("items") or []
            is_list = str(answer.get("kind") or "").endswith("List") and answer.get("apiVersion") == api_version
            if not is_list or not are_objects(items):
                raise PlatformError(
                    f"list {resource}",
                    found="the answer is not a list",
                    hint="is it the address of a Kubernetes API server?",
                    kind=ErrorKind.PROTOCOL,
                )
            for item in items:
                yield {"apiVersion": answer.get("apiVersion", api_version), "kind": kind, **item}
            more = (answer.get("metadata") or {}).get("continue")
            if not more:
                return
            query["continue"] = more

    def create(
        self,
        api_version: str,
        resource: str,
        body: Json,
        *,
        name: str = "",
        subresource: str = "",
        namespace: str | None = None,
        scope: Scope = "namespace",
        dry_run: bool = False,
    ) -> Json:
        """POST; with `name` and `subresource` to a subresource. Never repeated once it may have arrived."""
        request = self._about("create", api_version, resource, name or None, namespace, scope)
        query = {"fieldManager": MANAGER, **_dry(dry_run)}
        path = _path(request, api_version, subresource)
        request = replace(request, resource=f"{resource}/{subresource}") if subresource else request
        sending = _Sending(request, "POST", path, query, body)
        return self._asked(sending) if request.resource in _ONLY_ASKS else self._object(sending)

    def apply(
        self,
        api_version: str,
        resource: str,
        name: str,
        body: Json,
        *,
        namespace: str | None = None,
        scope: Scope = "namespace",
        dry_run: bool = False,
        force: bool = False,
    ) -> Json:
        """Server-side apply. force: take over fields that another manager owns."""
        request = self._about("patch", api_version, resource, name, namespace, scope)
        query = {"fieldManager": MANAGER, "force": str(force).lower(), **_dry(dry_run)}
        whole = {"apiVersion": api_version, **body}
        path = _path(request, api_version)
        return self._object(_Sending(request, "PATCH", path, query, whole, "application/apply-patch+yaml"))

    def patch(
        self,
        api_version: str,
        resource: str,
        name: str,
        body: Json,
        *,
        namespace: str | None = None,
        scope: Scope = "namespace",
    ) -> Json:
        """JSON merge patch."""
        request = self._about("patch", api_version, resource, name, namespace, scope)
        query, path = {"fieldManager": MANAGER}, _path(request, api_version)
        return self._object(_Sending(request, "PATCH", path, query, body, "application/merge-patch+json"))

    def delete(
        self,
        api_version: str,
        resource: str,
        name: str,
        *,
        namespace: str | None = None,
        scope: Scope = "namespace",
        propagation: str = "Background",
    ) -> Json:
        """DELETE; the deleted object or a Status, as the server answers."""
        request = self._about("delete", api_version, resource, name, namespace, scope)
        return self._object(
            _Sending(request, "DELETE", _path(request, api_version), body={"propagationPolicy": propagation})
        )

    def version(self) -> Json:
        """The server's version: `gitVersion` and more."""
        return self._object(_Sending(RequestInfo("get", "version"), "GET", "/version"))

    # --- streams -----------------------------------------------------------------------------------------------

    def watch(
        self,
        api_version: str,
        resource: str,
        *,
        namespace: str | None = None,
        scope: Scope = "namespace",
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
        timeout: float = 300,
    ) -> Iterator[tuple[str, Json]]:
        """(type, object) pairs until the server ends the stream after `timeout` seconds, or it is cut.

        An ERROR event is raised as `PlatformError`: status 410 says that `resource_version` is too old.
        """
        from hera_k8s_utils.network import WHOLE

        request = self._about("watch", api_version, resource, None, namespace, scope)
        query: dict[str, Any] = {"watch": "true", "timeoutSeconds": max(1, int(timeout))}
        query.update(_selectors(label_selector, field_selector))
        if resource_version:
            query["resourceVersion"] = resource_version
        whole = timeout + self._network.http_timeout  # the server itself ends it after `timeout`
        for line in self._lines(_Sending(request, "GET", _path(request, api_version), query), whole, WHOLE):
            if not line.strip():
                continue
            event = parsed(request, 200, line)
            if event.get("type") == "ERROR":
                raise event_error(request, event.get("object") or {})
            yield str(event.get("type")), event.get("object") or {}

    def logs(
        self,
        pod: str,
        *,
        namespace: str | None = None,
        container: str = "main",
        follow: bool = False,
        errors: str = "replace",
    ) -> Iterator[str]:
        """Lines of a container's output. errors: for bytes that are not UTF-8, as `bytes.decode` takes it."""
        from hera_k8s_utils.network import FINISHED, GROWING

        request = self._about("get", "v1", "pods", pod, namespace, "namespace")
        query = {"container": container, "follow": str(follow).lower()}
        wait, pace = (_LOG_SILENCE, GROWING) if follow else (self._network.http_timeout, FINISHED)
        sending = _Sending(request, "GET", _path(request, "v1", "log"), query, accept="*/*")
        for line in self._lines(sending, wait, pace):
            yield line.decode("utf-8", errors)

    # --- how -----------------------------------------------------------------------------------------------------

    def core_v1(self) -> CoreV1Api:
        """The official client's API over the connections and the credential in use now, for scripts written for it."""
        from kubernetes.client import CoreV1Api

        return CoreV1Api(self._usable().api)

    def close(self) -> None:
        """Close the connections that are kept open."""
        api: Any = self._session.api
        api.close()

    def _about(
        self, verb: str, api_version: str, resource: str, name: str | None, namespace: str | None, scope: Scope
    ) -> RequestInfo:
        where = "" if scope == "cluster" else (namespace or self.namespace)
        group = api_version.rpartition("/")[0]
        request = RequestInfo(verb, resource, name or "", where, group)
        if name is not None and not _is_segment(name):  # an empty name would list
            raise PlatformError(
                str(request),
                found=f"{name!r} is not the name of an object",
                kind=ErrorKind.INVALID,
                hint="--bind ROLE=NAME",
            )
        if where and not is_dns_label(where):  # a kubeconfig's context may hold any text
            raise PlatformError(
                str(request),
                found=f"{where!r} is not the name of a namespace",
                kind=ErrorKind.INVALID,
                hint="-n NAME",
            )
        return request

    def _object(self, sending: _Sending) -> Json:
        return self._sized(sending)[0]

    def _asked(self, sending: _Sending) -> Json:
        """The answer to a POST that leaves nothing behind, and so may be sent again."""
        for attempt in range(self._network.http_retries):
            try:
                return self._object(sending)
            except PlatformError as error:
                lost = error.status is None and error.kind is ErrorKind.UNREACHABLE and not error.conclusive
                if not lost and error.status not in _BUSY:
                    raise
                log.debug("%s: %s; asking again", sending.request, error.found)
            time.sleep(0.3 * 2**attempt)
        return self._object(sending)

    def _sized(self, sending: _Sending) -> tuple[Json, int]:
        """The object that is answered, and its size in bytes."""
        answer = self._exchange(sending)
        with self._connection_errors(sending, answer.sent_with):
            content = answer.body()
        return parsed(sending.request, answer.status, content), len(content)

    def _lines(self, sending: _Sending, wait: float, pace: Pace) -> Iterator[bytes]:
        """The lines of an answer as they come; closing the iterator ends the request. wait: seconds at that pace."""
        from hera_k8s_utils.network import iter_lines

        answer = self._exchange(sending)
        answer.limits.restart(wait)
        try:
            with self._connection_errors(sending, answer.sent_with):
                yield from iter_lines(answer.response, answer.limits, pace)
        finally:
            answer.close()

    def _exchange(self, sending: _Sending) -> Answer[Session]:
        from hera_k8s_utils.network import send_with_renewal

        return send_with_renewal(
            sending.method,
            lambda session: self._send(sending, session),
            self._usable(),
            renew=self._renewed,
            refusal=lambda answer, content: response_error(
                sending.request, answer.status, content, headers=answer.response.headers
            ),
        )

    def _send(self, sending: _Sending, session: Session) -> Answer[Session]:
        from hera_k8s_utils.network import Answer

        wait = self._network.http_timeout
        headers = {"Accept": sending.accept}
        if sending.body is not None:
            headers["Content-Type"] = sending.content_type
        limits, began = RequestLimits(wait, most=sending.most), time.monotonic()
        with self._connection_errors(sending, session), limits.applied():
            prepared = session.api.param_serialize(
                sending.method,
                sending.path,
                query_params=[(key, str(value)) for key, value in sending.query.items()],
                header_params=headers,
                body=sending.body,
                auth_settings=["BearerToken"],
            )
            sendable(prepared[2], origin=str(sending.request))
            answer: Any = session.api.call_api(
                *prepared, _request_timeout=(min(self._network.http_connect_timeout, wait), wait)
            )
        log.debug("%s -> %d in %.3f s", sending.request, answer.status, time.monotonic() - began)
        return Answer(answer.response, session, limits)

    def _connection_errors(self, sending: _Sending, session: Session) -> AbstractContextManager[None]:
        from kubernetes.client.exceptions import ApiException

        from hera_k8s_utils.network import connection_error, connection_errors_of

        return connection_errors_of(
            lambda error: connection_error(
                str(sending.request),
                error,
                url=session.server,
                proxy=session.proxy,
                proxy_hint=session.proxy_hint,
                wait=self._network.http_timeout,
                hints={},
            ),
            ApiException,
        )

    # --- renewal -------------------------------------------------------------------------------------------------

    def _usable(self) -> Session:
        """The session, renewed when its credential is about to end."""
        session = self._session
        if expires_within(session.credential.expires_at, _EARLY):
            return self._renewed(session) or session
        return session

    def _renewed(self, refused: Session) -> Session | None:
        """A session with a fresh credential, None when there is none. No lock is held while it is obtained."""
        if self._renew is None:
            return None
        if self._session is not refused:
            return self._session
        if (
            self._renewal_backoff
            and self._renewal_backoff[0] is refused
            and time.monotonic() - self._renewal_backoff[1] < _PAUSE
        ):
            return None
        try:
            fresh = self._renew(refused.credential)
        except (HeraK8sError, NotApplicable) as reason:
            log.info("the credential for %s could not be renewed: %s", refused.server, reason)
            self._renewal_backoff = (refused, time.monotonic())
            return None
        with self._swapping:
            if self._session.credential is not fresh:
                self._session = open_session(fresh, self._network, width=self._width)
                self._renewal_backoff = (self._session, time.monotonic())
                self.server = self._session.server
            return self._session


def _is_segment(name: str) -> bool:
    """Whether a name makes one segment of a path: dots would lead to another one."""
    return name not in ("", ".", "..") and "/" not in name


def _path(request: RequestInfo, api_version: str, subresource: str = "") -> str:
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    parts = [root]
    if request.namespace:
        parts.append(f"namespaces/{quote(request.namespace, safe='')}")
    parts.append(request.resource)
    if request.name:
        parts.append(quote(request.name, safe=""))
    if subresource:
        parts.append(subresource)
    return "/".join(parts)


def _selectors(labels: str, fields: str) -> dict[str, Any]:
    return {key: value for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}
