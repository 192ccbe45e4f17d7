"""The parser as scripts made it before 0.2: `define_parser().parse_args()`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from hera_k8s_utils import parser as full_parser

if TYPE_CHECKING:
    from argparse import ArgumentParser


def define_parser(
    existing_parser: ArgumentParser | logging.Logger | None = None, logger: logging.Logger | None = None
) -> Any:
    """The parser itself, with the options for both servers; scripts extend it with `add`.

    existing_parser: a parser to add the options to. In 0.1 the logger came first: a logger is taken as one.
    logger: receives warnings.
    """
    if isinstance(existing_parser, logging.Logger):
        existing_parser, logger = None, existing_parser
    return full_parser(existing_parser, logger).get_parser()
