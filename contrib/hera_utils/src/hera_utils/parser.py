"""The parser of scripts that talk to an Argo server alone: four options, for scripts to extend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from hera_k8s_utils import parser as whole_parser
from hera_k8s_utils.compat.servers import ScriptConnection, exiting_on_error
from hera_k8s_utils.parser import ARGO_OPTIONS, KnownOption, verified
from hera_k8s_utils.parser import parse_arguments as parse_all_arguments

if TYPE_CHECKING:
    from argparse import Namespace


class parser(whole_parser):
    """The parser that scripts extend: `parser().parser.add("--my_parameter", type=int, default=10)`.

    existing_parser: a parser that gets the options as well, and is the one that is extended from then on.
    logger: told of what is odd but no reason to fail.
    """

    options: ClassVar[Sequence[KnownOption]] = ARGO_OPTIONS

    @staticmethod
    def verify_args(args: Any) -> None:
        """Raise `ScriptExit` naming what is missing to reach the Argo server; does not ask it."""
        with exiting_on_error():
            verified(ScriptConnection.of(args), ("argo",))


def parse_arguments(args: Sequence[str] | None = None) -> Namespace:
    """The parsed arguments of a script that adds no option of its own; with `--k8s_config_file`, for `k8s_cluster`."""
    return parse_all_arguments(args)
