"""Hera's version, and the removal of WorkflowTemplates that a script creates again."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any, Literal

from hera_k8s_utils import ErrorKind, PlatformError, ScriptExit, argo_server, is_dns_subdomain, k8s_cluster
from hera_k8s_utils.compat import exiting_on_error


def print_version() -> None:
    """Print the versions of Hera and of hera_k8s_utils."""
    print(f"hera {version('hera')}, hera_k8s_utils {version('hera-k8s-utils')}")


def check_version(version_to_check: str) -> bool:
    """Whether the installed Hera is this very version, as in 0.1 and 0.2."""
    return str(version_to_check).strip() == version("hera")


def assert_version(version_to_check: str) -> Literal[True]:
    """Assert that the installed Hera is this version or a later one; True, or a `ScriptExit`."""
    if _numbers(version("hera")) >= _numbers(str(version_to_check)):
        return True
    raise ScriptExit(
        f"this script needs Hera {version_to_check}",
        found=f"{version('hera')} is installed",
        hint=f"pip install 'hera>={version_to_check}'",
    )


def clear_workflow_template(cluster: Any, workflow_template_name: str) -> None:
    """Delete the named WorkflowTemplate of the namespace if it is there, and say so.

    cluster: the `argo_server` or `k8s_cluster` to send the request to. Anything else, such as None, stands for the
        Argo server that an `argo_server` pointed Hera at, as in 0.1 and 0.2, which did not look at it.

    Raises `ScriptExit` on any failure.
    """
    if not is_dns_subdomain(workflow_template_name):
        raise ScriptExit(
            "invalid name for a workflow template", found="allowed are lower-case letters, digits, - and ."
        )
    with exiting_on_error():
        try:
            _delete(cluster, workflow_template_name)
        except PlatformError as error:
            if error.kind is not ErrorKind.MISSING:
                raise
        else:
            print(f"Deleting {workflow_template_name} WorkflowTemplate.")


def _delete(cluster: Any, name: str) -> None:
    if isinstance(cluster, k8s_cluster):
        api = cluster.servers.open("kubernetes")
        api.delete("argoproj.io/v1alpha1", "workflowtemplates", name, namespace=cluster.namespace)
        return
    server = cluster if isinstance(cluster, argo_server) else argo_server.latest
    if server is None:
        raise ScriptExit("no Argo server to delete a workflow template from", hint="call argo_server(args) before")
    server.servers.open("argo").delete_template(name, namespace=server.namespace)


def _numbers(text: str) -> tuple[int, ...]:
    """`5.10.0rc1` as (5, 10): the part before any letter, without trailing zeros."""
    release = re.match(r"\s*v?(\d+(?:\.\d+)*)", text)
    if release is None:
        raise ScriptExit(f"{text!r} is not a version", hint="for example 5.6.0")
    numbers = [int(number) for number in release.group(1).split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
