"""The options of this experiment: those that every 0.1 script has, and the name of a claim.

From the directory above, where `hera.config` is:

    python old_style/parser.py       # is the configuration complete? Asks no server
"""

import hera_k8s_utils


class parser:
    """The parser of hera_k8s_utils, extended by composition."""

    def __init__(self):
        self.parser = hera_k8s_utils.parser().get_parser()
        self.parser.add(
            "--k8s_volume_claim_name", help="the claim that tasks share", type=str, env_var="KUBEVOLUMECLAIMNAME"
        )

    def get_parser(self):
        return self.parser


if __name__ == "__main__":
    args = parser().get_parser().parse_args()
    hera_k8s_utils.parser.verify_args(args)
    print("The configuration is complete.")
