"""The Kubernetes cluster of 0.1 scripts: is it there, and is what the experiment needs there?"""

from __future__ import annotations

from typing import Any, Literal

from hera_k8s_utils.compat.servers import ScriptConnection, exiting_on_error
from hera_k8s_utils.output.streams import show
from hera_k8s_utils.sanitize import one_line


class k8s_cluster:
    """The Kubernetes cluster that parsed arguments name; making one asserts that it can be used.

    args: what `parser().parse_args()` gave. They are left as they are.
    namespace: as the arguments say, else the one that comes with the kubeconfig's context, else `default`.
    server: its address.
    identity: as whom we are known there, where that can be told.

    Only named objects are looked at: no right to list anything, and none of the cluster's own, is needed. What may
    not be looked at is warned of. Every failure is a `ScriptExit`.

    From here on the official client uses this cluster, so that `kubernetes.client.BatchV1Api()` needs no argument.
    """

    def __init__(self, args: Any = None) -> None:
        with exiting_on_error():
            self._use(ScriptConnection.of(args))
            self._servers.require(self._servers.access("kubernetes"))
            self.identity = str(self._servers.open("kubernetes").identity)

    @classmethod
    def over(cls, servers: ScriptConnection) -> k8s_cluster:
        """The cluster behind a connection that was looked at already."""
        cluster = cls.__new__(cls)
        cluster._use(servers)
        return cluster

    def _use(self, servers: ScriptConnection) -> None:
        client = servers.open("kubernetes")
        servers.activate("kubernetes")
        self._servers = servers
        self.namespace = str(client.namespace)
        self.server = str(client.server)
        self.identity = str(client.identity)

    @property
    def servers(self) -> ScriptConnection:
        """The connection, for others that use the same servers."""
        return self._servers

    @property
    def v1(self) -> Any:
        """The official client's `CoreV1Api`, with the credential, the proxy and the trust of this connection."""
        with exiting_on_error():
            return self._servers.open("kubernetes").core_v1()

    def assert_cluster(self) -> Literal[True]:
        """Assert that the cluster answers and knows us; True, or a `ScriptExit`."""
        with exiting_on_error():
            self._servers.require(self._servers.access("kubernetes"))
        return True

    def assert_namespace(self) -> Literal[True]:
        """Assert that the namespace is there; True, or a `ScriptExit`."""
        return self._assert("Namespace", self.namespace)

    def assert_volume_claim(self, k8s_volume_claim_name: str) -> Literal[True]:
        """Assert that a persistent volume claim is there; True, or a `ScriptExit`.

        A claim that has no volume yet is warned of: in 0.1 it was no failure.
        """
        return self._assert("PersistentVolumeClaim", k8s_volume_claim_name)

    def assert_configmap(self, k8s_configmap_name: str) -> Literal[True]:
        """Assert that a config map is there; True, or a `ScriptExit`."""
        return self._assert("ConfigMap", k8s_configmap_name)

    def print_config(self) -> None:
        """Print where the cluster is, and as whom it is used; no secret is printed."""
        show("Kubernetes cluster:")
        for key, value in self.to_json().items():
            show(f"  {key}: {one_line(value)}")

    def to_json(self) -> dict[str, str]:
        """Where the cluster is, and as whom it is used, as plain data."""
        source = self._servers.credential("kubernetes").source
        return {"server": self.server, "namespace": self.namespace, "identity": self.identity, "credential": source}

    def __repr__(self) -> str:
        return f"k8s_cluster({self.server!r}, namespace={self.namespace!r})"

    def _assert(self, kind: str, name: str) -> Literal[True]:
        with exiting_on_error():
            if not isinstance(name, str) or not name:
                raise _unnamed(kind)
            self._servers.require(self._servers.resource(kind, name))
        return True


cluster = k8s_cluster
"""The name by which the README of 0.1 calls it."""


def _unnamed(kind: str) -> Exception:
    from hera_k8s_utils.errors import ScriptExit

    flags = {"PersistentVolumeClaim": "--k8s_volume_claim_name", "ConfigMap": "--k8s_configmap_name"}
    return ScriptExit(f"no {kind} is named", hint=f"{flags[kind]} NAME" if kind in flags else "")
