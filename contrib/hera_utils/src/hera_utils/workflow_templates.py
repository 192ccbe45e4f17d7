"""WorkflowTemplates that a script is about to create again: removed first."""

from __future__ import annotations

from typing import Any

from hera_k8s_utils import ErrorKind, PlatformError, argo_server, k8s_cluster
from hera_k8s_utils.compat.servers import exiting_on_error
from hera_k8s_utils.errors import ScriptExit
from hera_k8s_utils.names import is_dns_subdomain


def clear_workflow_template(cluster: Any, name: str) -> None:
    """Delete the named WorkflowTemplate of the namespace if it is there.

    cluster: an `argo_server`, or a `k8s_cluster`; it is done through that server. Failures are `ScriptExit`.
    """
    if not is_dns_subdomain(name):
        raise ScriptExit(
            "no workflow template can have this name", found="lower-case letters, digits, - and . are wanted"
        )
    with exiting_on_error():
        try:
            _delete(cluster, name)
        except PlatformError as error:
            if error.trouble is not ErrorKind.MISSING:
                raise


def _delete(cluster: Any, name: str) -> None:
    if isinstance(cluster, k8s_cluster):
        api = cluster.servers.context.kubernetes
        api.delete("argoproj.io/v1alpha1", "workflowtemplates", name, namespace=cluster.namespace)
    elif isinstance(cluster, argo_server):
        cluster.servers.open("argo").delete_template(name, namespace=cluster.namespace)
    else:
        raise ScriptExit(f"a {type(cluster).__name__} names no server", hint="give an argo_server or a k8s_cluster")
