"""What this experiment needs of where it runs: a config map that names the proxy.

From the directory above, where `hera.config` is:

    python old_style/environment.py  # do both servers answer, is the config map there? Prints what was found
"""

from hera_k8s_utils import num_exp_environment


class environment(num_exp_environment):
    """Asserts that the servers can be used, and that the config map is there."""

    def __init__(self, args, verbose=False):
        super().__init__(args, verbose)
        self.k8s.assert_configmap(args.k8s_configmap_name)
        self.cluster.configmap = args.k8s_configmap_name


if __name__ == "__main__":
    from parser import parser

    environment(parser().get_parser().parse_args()).print_config()
