"""The API's description of itself: version, groups, resources and their schemas."""

from __future__ import annotations

from hera_k8s_sandbox.foundation.kind_registry import Kinds
from hera_k8s_sandbox.schema import discovery, openapi_documents
from hera_k8s_sandbox.schema.discovery import known_group_version as knows
from hera_k8s_utils._types import Json


def document(kinds: Kinds, segments: list[str], host: str) -> Json | None:
    """The document at a path, split at its slashes; None where there is none. host: as the client calls the server."""
    match segments:
        case ["version"]:
            return discovery.version()
        case ["api"]:
            return discovery.core_versions(host)
        case ["apis"]:
            return discovery.groups(kinds)
        case ["apis", group]:
            return discovery.group(kinds, group)
        case ["api", version] if knows(kinds, "", version):
            return discovery.resources(kinds, "", version)
        case ["apis", group, version] if knows(kinds, group, version):
            return discovery.resources(kinds, group, version)
        case ["openapi", "v2"]:
            return openapi_documents.document_v2(kinds)
        case ["openapi", "v3"]:
            return openapi_documents.index(kinds)
        case ["openapi", "v3", "api", version] if knows(kinds, "", version):
            return openapi_documents.document(kinds, "", version)
        case ["openapi", "v3", "apis", group, version] if knows(kinds, group, version):
            return openapi_documents.document(kinds, group, version)
        case [""]:
            return {"paths": ["/api", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]}
    return None
