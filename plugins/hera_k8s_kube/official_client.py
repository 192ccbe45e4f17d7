"""The official client's global configuration, which scripts of 0.1 rely on; nothing else here uses it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

from hera_k8s_utils import Context

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration

    from hera_k8s_kube.client import KubernetesClient


def configure_official_client(settings: None, context: Context) -> None:
    """Make the official client's API objects, such as `BatchV1Api()`, use the cluster of a context.

    Address, trust, proxy and credential are those of our own connections; a renewed token is sent as soon as there is
    one. As with the client's `load_kube_config`, a script may configure another cluster afterwards.
    """
    from kubernetes.client import ApiClient, Configuration

    client = cast("KubernetesClient", context.kubernetes)
    api = _connections(client)
    configuration = deepcopy(api.configuration)

    def refresh(used: Configuration) -> None:
        used.api_key = dict(_connections(client).configuration.api_key)

    configuration.refresh_api_key_hook = refresh
    Configuration.set_default(configuration)
    # a configuration cannot hold the header of a user who is impersonated: without it, a script would have other rights
    shared: Any = ApiClient
    shared.set_default(api if "Impersonate-User" in api.default_headers else None)


def _connections(client: KubernetesClient) -> ApiClient:
    api: ApiClient = client.core_v1().api_client
    return api
