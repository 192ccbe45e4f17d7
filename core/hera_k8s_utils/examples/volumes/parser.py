"""The options of this example; is the configuration complete?

python -m hera_k8s_utils.examples.volumes.parser
"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from hera_k8s_utils import ScriptExit
from hera_k8s_utils import parser as hera_k8s_utils_parser
from hera_k8s_utils.tests.parser import print_arguments


class parser:
    """The parser of hera_k8s_utils, and one option more."""

    def __init__(self) -> None:
        self.parser: Any = hera_k8s_utils_parser().get_parser()
        self.parser.add(
            "--k8s_volume_claim_name",
            env_var="KUBEVOLUMECLAIMNAME",
            help="name of the claim",
            metavar="NAME",
        )

    @staticmethod
    def verify_args(args: Namespace) -> None:
        """Raise `ScriptExit` if the name is missing."""
        if not getattr(args, "k8s_volume_claim_name", None):
            raise ScriptExit("no claim is named", hint="--k8s_volume_claim_name NAME, or KUBEVOLUMECLAIMNAME")

    def parse_args(self) -> Namespace:
        """The parsed arguments. Raises `ScriptExit` if the name is missing."""
        args: Namespace = self.parser.parse_args()
        self.verify_args(args)
        return args

    def get_parser(self) -> Any:
        """The ConfigArgParse parser itself."""
        return self.parser


def main() -> None:
    """Print what the configuration comes to; raises `ScriptExit` naming what is missing."""
    args = parser().parse_args()
    hera_k8s_utils_parser.verify_args(args)
    print_arguments(args)
    print("The configuration is complete.")


if __name__ == "__main__":
    main()
