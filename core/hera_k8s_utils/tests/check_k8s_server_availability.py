"""Assert that the cluster can be used: `python -m hera_k8s_utils.tests.check_k8s_server_availability`."""

from __future__ import annotations

from collections.abc import Sequence

from hera_k8s_utils.compat.kubernetes_cluster import k8s_cluster
from hera_k8s_utils.compat.parser import parser
from hera_k8s_utils.output.streams import show


def main(argv: Sequence[str] | None = None) -> None:
    """Print where the cluster is and as whom it is used; raises `ScriptExit` when it cannot be."""
    cluster = k8s_cluster(parser().parse_args(argv))
    cluster.assert_namespace()
    cluster.print_config()
    show("The cluster can be used.")


if __name__ == "__main__":
    main()
