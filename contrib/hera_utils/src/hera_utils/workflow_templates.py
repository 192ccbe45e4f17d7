"""Removal of WorkflowTemplates that a script creates again."""

from __future__ import annotations

from typing import Any

from hera_k8s_utils import ErrorKind, PlatformError, ScriptExit, argo_server, is_dns_subdomain, k8s_cluster
from hera_k8s_utils.compat import exiting_on_error


def clear_workflow_template(cluster: Any, name: str) -> None:
    """Delete the named WorkflowTemplate of the namespace if it is there.

    cluster: the `argo_server` or `k8s_cluster` to send the request to.

    Raises `ScriptExit` on any failure.
    """
    if not is_dns_subdomain(name):
        raise ScriptExit(
            "invalid name for a workflow template", found="allowed are lower-case letters, digits, - and ."
        )
    with exiting_on_error():
        try:
            _delete(cluster, name)
        except PlatformError as error:
            if error.kind is not ErrorKind.MISSING:
                raise


def _delete(cluster: Any, name: str) -> None:
    if isinstance(cluster, k8s_cluster):
        api = cluster.servers.open("kubernetes")
        api.delete("argoproj.io/v1alpha1", "workflowtemplates", name, namespace=cluster.namespace)
    elif isinstance(cluster, argo_server):
        cluster.servers.open("argo").delete_template(name, namespace=cluster.namespace)
    else:
        raise ScriptExit(f"a {type(cluster).__name__} is not a server", hint="pass an argo_server or a k8s_cluster")
