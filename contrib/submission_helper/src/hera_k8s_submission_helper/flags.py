"""The flags of the commands, under the names that submission-helper gave them; `-` and `_` are one in all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_k8s_utils import OptionsError

if TYPE_CHECKING:
    from argparse import ArgumentParser


def of_submit(parser: ArgumentParser) -> None:
    """Which command lines, what each may use, and how far to go."""
    parser.add_argument(
        "file", nargs="?", default="", metavar="FILE", help="file with one command a line; - reads standard input"
    )
    add = parser.add_argument
    add("--command", action="append", default=[], metavar="LINE", help="a command line; may be repeated")
    _identifier(parser, "name of the batch (default: that of the file)")
    add("--ncores", type=int, default=1, metavar="N", help="cores of each job (default: %(default)s)")
    add("--memory", type=int, default=4000, metavar="MB", help="memory of each job (default: %(default)s)")
    add("--time", type=float, default=-1, metavar="MINUTES", help="what a job may take (default: 24 hours)")
    add("--retries", type=int, default=3, metavar="N", help="further tries of a job that fails (default: %(default)s)")
    _at_once(parser, "jobs that run at a time (default: no limit)", default=-1)
    add("--ntest", type=int, default=-1, metavar="N", help="only the first command lines (default: all)")
    add("--wait", action="store_true", help="until every job has ended; collects their logs")
    _logpath(parser, "logs")
    add(
        "--output",
        default="batchOutput",
        metavar="DIR",
        help="directory on the claim for the jobs' own ones (default: %(default)s); text, json: of this command",
    )
    add("--checkmissing", action="store_true", help="submit only the command lines whose output is missing")
    add("--dry-run", action="store_true", help="show what would be submitted; ask no server")
    add("--provision", action="store_true", help="first create the claim where it is missing")


def of_status(parser: ArgumentParser) -> None:
    """Which batch."""
    _identifier(parser, "only this batch")


def of_pods(parser: ArgumentParser) -> None:
    """Which batch."""
    _identifier(parser, "only this batch")


def of_logs(parser: ArgumentParser) -> None:
    """Which jobs, and where to."""
    parser.add_argument("name", nargs="*", metavar="JOB", help="a job, or its number in the batch (default: all)")
    _identifier(parser, "only this batch")
    _logpath(parser, "")
    parser.add_argument("--follow", "-f", action="store_true", help="go on as more is printed, of one job")


def of_cancel(parser: ArgumentParser) -> None:
    """Which batch, and how thoroughly."""
    _identifier(parser, "only this batch")
    parser.add_argument("--all", action="store_true", help="delete the jobs that have ended, too")


def of_wait(parser: ArgumentParser) -> None:
    """Which batch, and how many at a time."""
    _identifier(parser, "only this batch")
    _at_once(parser, "jobs that run at a time (default: as they were submitted)", default=None)
    _logpath(parser, "logs")


def _identifier(parser: ArgumentParser, text: str) -> None:
    parser.add_argument("--identifier", default="", metavar="NAME", help=text)


def _at_once(parser: ArgumentParser, text: str, *, default: int | None) -> None:
    parser.add_argument(
        "--maxConcurrent", "--max-concurrent", dest="at_once", type=int, default=default, metavar="N", help=text
    )


def _logpath(parser: ArgumentParser, default: str) -> None:
    told = f" (default: {default})" if default else " (default: they are printed)"
    parser.add_argument("--logpath", default=default, metavar="DIR", help=f"directory for a log of each job{told}")


def limit(at_once: int | None) -> int | None:
    """How many may run at a time: 0 for no limit, None where nothing was said. Raises `OptionsError` for 0."""
    if at_once == 0:
        raise OptionsError("--maxConcurrent 0 cannot be used", found="nothing would ever run", hint="-1: no limit")
    return at_once if at_once is None else max(0, at_once)
