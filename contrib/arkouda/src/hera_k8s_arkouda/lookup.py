"""Reading objects that may be absent."""

from __future__ import annotations

from hera_k8s_utils import Context, ErrorKind, Json, PlatformError


def find_object(context: Context, api_version: str, resource: str, name: str) -> Json | None:
    """The object; None if it does not exist, or if the cluster does not know its kind."""
    try:
        return context.kubernetes.get(api_version, resource, name)
    except PlatformError as error:
        if error.kind is ErrorKind.MISSING:
            return None
        raise
