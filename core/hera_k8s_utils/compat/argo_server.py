"""The Argo server of older scripts: is it there, and will `Workflow.create()` of Hera's reach it?"""

from __future__ import annotations

from typing import Any, ClassVar

from hera_k8s_utils.compat.kubernetes_cluster import k8s_cluster as KubernetesCluster
from hera_k8s_utils.compat.parser import parser
from hera_k8s_utils.compat.servers import ScriptConnection, exiting_on_error
from hera_k8s_utils.output.streams import show
from hera_k8s_utils.redaction import REDACTED, shown_address
from hera_k8s_utils.sanitize import one_line


class argo_server:
    """The Argo server that parsed arguments name; making one asserts that it can be used and points Hera at it.

        argo_server()            argo_server(args)            argo_server(cluster, args)

    Without arguments the command line of the script is parsed. They are left as they are.
    server: its address, as a URL. namespace: where workflows go. service_account: as what their pods run, or None.
    argo_server_configured_value: the address as it was configured. k8s_cluster: the cluster that was given, or None.
    service_namespace: None, as in 0.2. latest: the one that Hera's objects submit to, None without one.

    Every failure is a `ScriptExit`. From here on, and only here, Hera's global configuration is set.
    """

    arguments: ClassVar[type[parser]] = parser

    service_namespace: ClassVar[None] = None
    latest: ClassVar[argo_server | None] = None

    def __init__(self, k8s_cluster: Any = None, args: Any = None) -> None:
        self.k8s_cluster = k8s_cluster if isinstance(k8s_cluster, KubernetesCluster) else None
        with exiting_on_error():
            self._use(self._reached(k8s_cluster, args))
        self.check_server_availability()
        self.configure_hera()

    @classmethod
    def over(cls, servers: ScriptConnection) -> argo_server:
        """The server behind a connection that was looked at already."""
        server = cls.__new__(cls)
        server.k8s_cluster = None
        server._use(servers)
        server.configure_hera()
        return server

    def _reached(self, cluster: Any, args: Any) -> ScriptConnection:
        if isinstance(cluster, KubernetesCluster):
            return cluster.servers
        stated = args if args is not None else cluster
        return ScriptConnection.of(self.arguments().parse_args() if stated is None else stated)

    def _use(self, servers: ScriptConnection) -> None:
        client = servers.open("argo")
        self._servers = servers
        self.server = servers.credential("argo").server or str(client.server)
        self.argo_server_configured_value: str = servers.option("argo_server") or self.server
        self.namespace = str(client.namespace)
        self.service_account: str | None = servers.option("argo_service_account") or None

    @property
    def servers(self) -> ScriptConnection:
        """The connection, for others that use the same servers."""
        return self._servers

    @property
    def token(self) -> str | None:
        """The bearer token in use; None where the server asks for none."""
        with exiting_on_error():
            return self._servers.credential("argo").secret or None

    def configure_hera(self) -> None:
        """Make Hera's objects submit to this server, again if something else was set meanwhile."""
        with exiting_on_error():
            self._servers.activate("argo")
        argo_server.latest = self

    def define_argo_server_part_of_environment(self) -> None:
        """The same as `configure_hera()`, by its older name."""
        self.configure_hera()

    def check_server_availability(self) -> None:
        """Assert that the server answers and lets us in. Raises `ScriptExit` otherwise."""
        with exiting_on_error():
            self._servers.require(self._servers.access("argo"))

    def print_config(self) -> None:
        """Print where the server is, and as whom it is used; no secret is printed."""
        show("Argo server:")
        for key, value in self.to_json().items():
            show(f"  {key}: {one_line(value)}")

    def to_json(self) -> dict[str, str]:
        """Where the server is, and as whom it is used, as plain data."""
        return {
            "server": shown_address(self.server),
            "namespace": self.namespace,
            "service_account": self.service_account or "",
            "identity": str(self._servers.open("argo").identity),
            "token": REDACTED if self._servers.credential("argo").secret else "none",
        }

    def __repr__(self) -> str:
        return f"argo_server({shown_address(self.server)!r}, namespace={self.namespace!r})"
