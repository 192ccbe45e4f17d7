"""Assert that the configuration is complete: `python -m hera_k8s_utils.tests.parser`. No server is asked."""

from __future__ import annotations

from collections.abc import Sequence

from hera_k8s_utils.compat.parser import parser
from hera_k8s_utils.output.streams import show
from hera_k8s_utils.sanitize import one_line


def main(argv: Sequence[str] | None = None) -> None:
    """Print what the configuration comes to; raises `ScriptExit` naming what is missing."""
    ours = parser()
    args = ours.parse_args(argv)
    ours.verify_args(args)
    for option in ours.options:
        value = getattr(args, option.name)
        shown = "<redacted>" if option.secret and value else value or "(not set)"
        show(f"{option.name}: {one_line(str(shown))}")
    show("The configuration is complete.")


if __name__ == "__main__":
    main()
