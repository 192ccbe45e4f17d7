"""The parser of 0.1 scripts: five options from flags, variables and `hera.config`, for scripts to extend."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from hera_k8s_utils.compat.known_options import ARGO_OPTIONS, KUBERNETES_OPTIONS, KnownOption
from hera_k8s_utils.compat.servers import ScriptConnection, as_script_exit, exiting_on_error

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

_LOG: Final = logging.getLogger("hera_k8s_utils.parser")  # its name in version 0.1


class parser:
    """The parser that scripts extend: `parser().parser.add("--my_parameter", type=int, default=10)`.

    existing_parser: a parser that gets the options as well, and is the one that is extended from then on.
    hera_utils_parser: the same, by its name in 0.1.
    logger: told of what is odd but no reason to fail, instead of the logger of this module.

    A flag beats its variable, which beats `hera.config` at `$ARGOCONFIG`, in the working directory or in the home
    directory, in this order. Every failure is a `ScriptExit`.
    """

    options: ClassVar[Sequence[KnownOption]] = (*ARGO_OPTIONS, *KUBERNETES_OPTIONS)

    def __init__(
        self,
        existing_parser: ArgumentParser | None = None,
        logger: logging.Logger | None = _LOG,
        *,
        hera_utils_parser: ArgumentParser | None = None,
    ) -> None:
        with exiting_on_error():
            from hera_k8s_utils.compat.argument_parser import (  # ConfigArgParse patches argparse: only now
                ScriptParser,
                extended,
            )

            logger = logger or _LOG
            existing = existing_parser if hera_utils_parser is None else hera_utils_parser
            if existing is None:
                self.parser: Any = ScriptParser(self.options, logger)
            else:
                self.parser = extended(existing, self.options, logger)

    def get_parser(self) -> Any:
        """The ConfigArgParse parser itself."""
        return self.parser

    def parse_args(self, args: Sequence[str] | None = None) -> Namespace:
        """The parsed arguments: an attribute for each option, with underscores; None where nobody said anything.

        args: the words of the command line, by default the script's own.
        """
        with exiting_on_error():
            parsed: Namespace = self.parser.parse_args(args)
            return parsed

    @property
    def default_config_files(self) -> list[str]:
        """The same as `get_config_files()`."""
        return self.get_config_files()

    def get_config_files(self) -> list[str]:
        """The configuration files that are read, in the order of ConfigArgParse: a later one beats an earlier one."""
        with exiting_on_error():
            from hera_k8s_utils.compat.argument_parser import config_paths

            return config_paths()

    @staticmethod
    def verify_args(args: Any) -> None:
        """Raise `ScriptExit` naming all that is missing to reach both servers; asks neither of them."""
        with exiting_on_error():
            verified(ScriptConnection.of(args), ("argo", "kubernetes"))


def parse_arguments(args: Sequence[str] | None = None) -> Namespace:
    """The parsed arguments of a script that adds no option of its own."""
    return parser().parse_args(args)


def verified(servers: ScriptConnection, platforms: Sequence[str]) -> None:
    """Raise `ScriptExit` naming what is missing to reach these platforms; asks none of them.

    A service account's token is asked for only when it is needed: until then its name and a cluster are enough.
    """
    from hera_k8s_utils.errors import HeraK8sError, ScriptExit

    missing: list[ScriptExit] = []
    for platform in platforms:
        asks_cluster = (
            platform == "argo" and servers.option("argo_service_account") and not servers.option("argo_token")
        )
        try:
            if asks_cluster and servers.option("argo_server"):
                servers.credential("kubernetes")
            else:
                servers.credential(platform)
        except HeraK8sError as error:
            missing.append(as_script_exit(error))
    if len(missing) == 1:
        raise missing[0]
    if missing:
        lines = "".join(f"\n{error}" for error in missing)
        raise ScriptExit("the configuration is not complete", found=lines)
