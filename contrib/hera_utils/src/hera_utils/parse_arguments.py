"""Arguments as scripts of 0.1 parse them: `parse_arguments()`, or `define_parser()` and `verify_args(args)`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_utils import ScriptExit
from hera_k8s_utils import parser as full_parser
from hera_k8s_utils.compat import KnownOption
from hera_utils.define_parser import define_parser

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["define_parser", "parse_arguments", "verify_args"]

_LOG: Final = logging.getLogger(__name__)
_RESOURCES: Final = (
    KnownOption("k8s_configmap_name", "KUBECONFIGMAP", "config map with settings of the cluster", "NAME"),
    KnownOption("k8s_volume_claim_name", "KUBEVOLUMECLAIMNAME", "persistent volume claim to use", "NAME"),
)


def verify_args(args: Any, logger: logging.Logger | None = None) -> bool:
    """Whether the arguments say how to reach both servers; if not, what is missing is logged."""
    try:
        full_parser.verify_args(args)
    except ScriptExit as missing:
        (logger or _LOG).error("%s", missing)
        return False
    return True


def parse_arguments(
    args: Sequence[str] | logging.Logger | None = None, logger: logging.Logger | None = None
) -> Namespace:
    """Parse the arguments of a script without options of its own.

    args: the words of the command line, by default the script's own. In 0.1 the logger came first: a logger is taken
        as one.
    logger: receives warnings.
    """
    if isinstance(args, logging.Logger):
        args, logger = None, args
    return _parser(logger=logger).parse_args(args)


class _parser(full_parser):
    """The options for both servers, and the two names of resources that every script of 0.1 had."""

    options = (*full_parser.options, *_RESOURCES)
