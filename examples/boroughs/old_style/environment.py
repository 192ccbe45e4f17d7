"""What must be changed when the cluster changes: the claim, and where tasks see it.

From the directory above, where `hera.config` is:

    python old_style/environment.py  # do both servers answer, is the claim there? Prints what was found
"""

from hera_k8s_utils import Struct, num_exp_environment


class environment(num_exp_environment):
    """Asserts that the servers can be used, and that the claim is there."""

    def __init__(self, args, verbose=False):
        super().__init__(args, verbose)
        self.cluster.assert_volume_claim(args.k8s_volume_claim_name)
        self.persisted_volume = Struct(claim_name=args.k8s_volume_claim_name, mount_path="/city")


if __name__ == "__main__":
    from parser import parser

    environment(parser().get_parser().parse_args()).print_config()
