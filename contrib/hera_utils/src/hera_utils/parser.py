"""The parser of scripts that only use an Argo server: four options, which scripts extend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from hera_k8s_utils import parser as full_parser
from hera_k8s_utils.compat import ARGO_OPTIONS, KnownOption, ScriptConnection, exiting_on_error, verified


class parser(full_parser):
    """The parser that scripts extend: `parser().parser.add("--my_parameter", type=int, default=10)`.

    existing_parser: a parser to add the options to; `add` then extends this one.
    logger: receives warnings.
    """

    options: ClassVar[Sequence[KnownOption]] = ARGO_OPTIONS

    @staticmethod
    def verify_args(args: Any) -> None:
        """Raise `ScriptExit` if an option for the Argo server is missing. Sends no request."""
        with exiting_on_error():
            verified(ScriptConnection.of(args), ("argo",))
