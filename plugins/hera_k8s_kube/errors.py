"""What the API server's refusals and silences mean, as errors that say what was wanted and what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hera_k8s_utils import ErrorKind, Json, PlatformError, join_names
from hera_k8s_utils.network import describe_body, describe_refusal
from hera_k8s_utils.reading import TooComplex, parse_json

_HINTS: Final = {
    ErrorKind.UNAUTHORIZED: "log in to your cluster again, or use another identity: --k8s-context NAME",
    ErrorKind.THROTTLED: "the server is overloaded: try again later, or reduce --concurrency",
    ErrorKind.SERVER: "server error: try again; if it persists, ask the cluster's administrators",
}
_PROXY_HINT: Final = "is the server's address right, and is there a login proxy in front of it?"


@dataclass(frozen=True)
class RequestInfo:
    """What is asked, in the words of a message.

    verb: of RBAC, `get`. resource: `configmaps`. name: empty for all. namespace: empty for objects of the cluster.
    """

    verb: str
    resource: str
    name: str = ""
    namespace: str = ""
    group: str = ""

    def __str__(self) -> str:
        what = f"{self.resource} {self.name}".strip()
        return f"{self.verb} {what}" + (f" in {self.namespace}" if self.namespace else "")

    @property
    def can_i(self) -> str:
        """The command that asks whether it is allowed."""
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        where = f" -n {self.namespace}" if self.namespace else ""
        return f"kubectl auth can-i {self.verb} {resource}{where}"


def response_error(
    request: RequestInfo, status: int, content: bytes, *, headers: Mapping[str, str] | None = None
) -> PlatformError:
    """The error of an answer whose status is not one of success."""
    from hera_k8s_utils.network import redirect_found

    body = _status_of(content)
    said = str(body.get("message") or "") or describe_refusal(content)
    kind, hint = PlatformError.kind_of_status(status), ""
    if 300 <= status < 400:
        kind, said, hint = ErrorKind.PROTOCOL, redirect_found(headers or {}), _PROXY_HINT
    elif kind is ErrorKind.FORBIDDEN and 'User "system:anonymous"' in said:
        kind, said = ErrorKind.UNAUTHORIZED, "no credential was received: the server sees system:anonymous"
    elif kind is ErrorKind.FORBIDDEN:
        hint = request.can_i
    elif not body and _is_page(content) and kind in (ErrorKind.MISSING, ErrorKind.INVALID):
        kind, hint = ErrorKind.PROTOCOL, _PROXY_HINT
    elif kind is ErrorKind.MISSING and said.startswith("404 page not found"):
        said = f"the server has no API group {request.group}" if request.group else "the server has no such API"
    return PlatformError(
        str(request),
        found=f"{said} ({status})" if said else f"answered {status}",
        hint=hint or _HINTS.get(kind, ""),
        kind=kind,
        status=status,
        reason=str(body.get("reason") or ""),
        conclusive=PlatformError.refuses(status) and body.get("kind") == "Status",
    )


def event_error(request: RequestInfo, body: Json) -> PlatformError:
    """The error of an ERROR event in a watch: it holds a Status, although the answer's own status was 200."""
    status = int(body.get("code") or 500)
    return response_error(request, status, json.dumps(body).encode())


def parsed(request: RequestInfo, status: int, content: bytes) -> Json:
    """The object in a successful answer; raises `PlatformError` for anything else, such as a login page."""
    found = f"answered {status} with {describe_body(content)}, not with an object"
    try:
        body = parse_json(content)
    except TooComplex as error:
        body, found = None, f"answered {status}, and {error}"
    except ValueError:
        body = None
    if isinstance(body, dict):
        return body
    raise PlatformError(
        str(request),
        found=found,
        hint=_PROXY_HINT,
        kind=ErrorKind.PROTOCOL,
        status=status,
    )


def _status_of(content: bytes) -> Json:
    try:
        body = parse_json(content)
    except ValueError:
        return {}
    if not isinstance(body, dict):
        return {}
    causes = (body.get("details") or {}).get("causes") or ()
    if body.get("reason") == "Invalid" and causes and not body.get("message"):
        body["message"] = join_names([str(cause.get("message")) for cause in causes])
    return body


def _is_page(content: bytes) -> bool:
    return content[:200].lstrip()[:1] == b"<"
