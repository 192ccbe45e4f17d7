"""The options of this experiment: those that every 0.1 script has, the name of a config map, and what to install.

From the directory above, where `hera.config` is:

    python old_style/parser.py       # is the configuration complete? Asks no server
"""

import hera_k8s_utils


class parser:
    """The parser of hera_k8s_utils, extended by composition."""

    def __init__(self):
        self.parser = hera_k8s_utils.parser().get_parser()
        self.parser.add(
            "--k8s_configmap_name", help="the config map that names the proxy", type=str, env_var="KUBECONFIGMAP"
        )
        self.parser.add("--package", help="what pip installs", type=str, default="tabulate")

    def get_parser(self):
        return self.parser


if __name__ == "__main__":
    args = parser().get_parser().parse_args()
    hera_k8s_utils.parser.verify_args(args)
    print("The configuration is complete.")
