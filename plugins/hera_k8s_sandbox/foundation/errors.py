"""API errors: the Kubernetes Status objects that a request is refused with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hera_k8s_utils._types import Json

if TYPE_CHECKING:
    from hera_k8s_sandbox.foundation.resource_types import Resource


@dataclass(frozen=True)
class Cause:
    """One reason for a 422: which field, what is wrong with it."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    def as_json(self) -> Json:
        """The form it takes in a Status' `details.causes`."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


class ApiError(Exception):
    """A request is refused.

    code: the HTTP status.
    reason: the machine-readable reason, such as `NotFound`, or empty.
    message: the readable message.
    details: the Status' details.
    headers: to be sent with the answer.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = dict(headers or {})

    def status(self) -> Json:
        """The Status object, as the API server writes it."""
        status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status


def not_found(resource: Resource, name: str) -> ApiError:
    """404: no such object."""
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', details=_details(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    """409: the name is taken."""
    message = f'{resource.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_details(resource, name))


def conflict(
    resource: Resource,
    name: str,
    why: str = ("the object has been modified; please apply your changes to the latest version and try again"),
) -> ApiError:
    """409: the object was changed in between, or a precondition does not hold."""
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_details(resource, name))


def gone_and_back(resource: Resource, name: str, field: str, wanted: str, found: str) -> ApiError:
    """409: a precondition of a deletion does not hold; this one names the kind."""
    message = (
        f'Operation cannot be fulfilled on {resource.kind} "{name}": the {field} in the precondition ({wanted}) does '
        f"not match the {field} in record ({found}). The object might have been deleted and then recreated"
    )
    if field != "UID":
        message = message.replace("deleted and then recreated", "modified")
    return ApiError(409, "Conflict", message, details=_details(resource, name) | {"kind": resource.kind})


def invalid(resource: Resource, name: str, causes: Iterable[Cause]) -> ApiError:
    """422: the object breaks its kind's rules; names the Kind, not the plural."""
    causes = list(causes)
    sentences = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    message = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details = _details(resource, name)
    if resource.kind:
        details["kind"] = resource.kind
    details["causes"] = [cause.as_json() for cause in causes]
    return ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {message}', details=details)


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    """403 about one resource; `why` is the rest of the sentence."""
    subject = f'{resource.qualified} "{name}"' if name else resource.qualified
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", details=_details(resource, name))


def bad_request(message: str) -> ApiError:
    """400: the request cannot be understood."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: the token is not one of this sandbox, or has expired."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def no_such_resource() -> ApiError:
    """404 for a resource that a known group does not have."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def method_not_allowed() -> ApiError:
    """405: the resource is there, the verb is not."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details={})


def expired(wanted: int, oldest: int) -> ApiError:
    """410: the changes since that version are no longer kept."""
    return ApiError(410, "Expired", f"too old resource version: {wanted} ({oldest})")


def too_large(why: str) -> ApiError:
    """413: the request is larger than the API server takes."""
    return ApiError(413, "RequestEntityTooLarge", f"Request entity too large: {why}")


def too_new(wanted: int, current: int) -> ApiError:
    """504: a version that does not exist yet."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return ApiError(
        504,
        "Timeout",
        f"Timeout: Too large resource version: {wanted}, current: {current}",
        details={"causes": [cause], "retryAfterSeconds": 1},
        headers={"Retry-After": "1"},
    )


def unsupported(what: str) -> ApiError:
    """501: a thing that Kubernetes does and the sandbox does not, refused by its name."""
    return ApiError(501, "NotImplemented", f"the sandbox does not support {what}")


def _details(resource: Resource, name: str) -> Json:
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    return {key: value for key, value in details.items() if value}
