"""Assert that the configuration is complete: `python -m hera_k8s_utils.tests.parser`. No server is asked."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from hera_k8s_utils.compat.parser import parser
from hera_k8s_utils.output.streams import show
from hera_k8s_utils.sanitize import one_line


def main(argv: Sequence[str] | None = None) -> None:
    """Print what the configuration comes to; raises `ScriptExit` naming what is missing."""
    ours = parser()
    args = ours.parse_args(argv)
    ours.verify_args(args)
    print_arguments(args)
    show("The configuration is complete.")


def print_arguments(args: Namespace) -> None:
    """Print each of the arguments that a parser of ours gave, without secrets."""
    secrets = {option.name for option in parser.options if option.secret}
    known = [option.name for option in parser.options]
    for name in [*known, *(name for name in vars(args) if name not in known)]:
        value = getattr(args, name)
        shown = "<redacted>" if name in secrets and value else value or "(not set)"
        show(f"{name}: {one_line(str(shown))}")


if __name__ == "__main__":
    main()
