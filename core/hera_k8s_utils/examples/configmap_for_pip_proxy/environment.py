"""What this example needs of a cluster: a config map that names the proxy."""

from __future__ import annotations

from argparse import Namespace

from hera_k8s_utils import num_exp_environment


class environment(num_exp_environment):
    """Asserts that the servers can be used and the config map is there; `cluster.configmap` is its name."""

    def __init__(self, args: Namespace, verbose: bool = False) -> None:
        super().__init__(args, verbose)
        self.k8s.assert_configmap(args.k8s_configmap_name)
        self.cluster.configmap = args.k8s_configmap_name
