"""Hera's global configuration, which `Workflow.create()` of older scripts relies on; nothing else here uses it."""

from __future__ import annotations

from hera_k8s_argo.hera_5 import accept_hera_5
from hera_k8s_argo.settings import ArgoSettings
from hera_k8s_utils import ARGO, Context, CoreSettings
from hera_k8s_utils.network import NetworkSettings


def configure_hera(context: Context) -> None:
    """Make Hera's authoring objects submit to the Argo server of a context, in its namespace and with its account.

    The token is given by a function, so that a renewed one is sent and that no `repr` of Hera's shows it. From then on
    Hera's classes take the keywords of Hera 5 as well, for which most of these scripts were written.
    """
    from hera.shared import global_config

    accept_hera_5()
    credential = context.platforms.credential(ARGO.name)
    authority = credential.certificate_authority or context.options.of(NetworkSettings).ca_file
    settings = context.options.of(ArgoSettings)
    address = credential.server or str(settings.address or context.argo.server)
    global_config.host = address.rstrip("/") + "/"  # Hera (7.1) loses a base path that ends otherwise
    global_config.token = lambda: context.platforms.credential(ARGO.name).secret or None
    global_config.namespace = context.argo.namespace
    global_config.service_account_name = context.options.of(CoreSettings).service_account or None
    # Hera hands `verify_ssl` to requests as it is, which takes the path of a PEM file too
    global_config.verify_ssl = str(authority) if authority else True  # type: ignore[assignment]
    if settings.insecure_skip_verify:
        global_config.verify_ssl = False
