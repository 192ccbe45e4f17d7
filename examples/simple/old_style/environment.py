"""What this experiment needs of where it runs: servers that answer, and the name of an image.

From the directory above, where `hera.config` is:

    python old_style/environment.py  # do both servers answer? Prints what was found
"""

from hera_k8s_utils import Struct, num_exp_environment


class environment(num_exp_environment):
    """Asserts that the Argo server and the cluster can be used."""

    def __init__(self, args, verbose=False):
        super().__init__(args, verbose)
        self.task = Struct(image=args.image)


if __name__ == "__main__":
    from parser import parser

    environment(parser().get_parser().parse_args()).print_config()
