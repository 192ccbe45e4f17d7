"""The flags of the commands, named as in submission-helper; `-` and `_` are interchangeable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_k8s_utils import OptionsError

if TYPE_CHECKING:
    from argparse import ArgumentParser


def of_submit(parser: ArgumentParser) -> None:
    """Add the arguments of `jobs submit`."""
    parser.add_argument(
        "file", nargs="?", default="", metavar="FILE", help="file with one command per line; - reads standard input"
    )
    add = parser.add_argument
    add("--command", action="append", default=[], metavar="LINE", help="a command line; may be repeated")
    _identifier(parser, "name of the batch (default: the file's name)")
    add("--ncores", type=int, default=1, metavar="N", help="cores of each job (default: %(default)s)")
    add("--memory", type=int, default=4000, metavar="MB", help="memory of each job (default: %(default)s)")
    add("--time", type=float, default=-1, metavar="MINUTES", help="time limit of a job (default: 24 hours)")
    add("--retries", type=int, default=3, metavar="N", help="retries of a failed job (default: %(default)s)")
    _max_concurrent(parser, "maximum number of concurrent jobs (default: no limit)", default=-1)
    add("--ntest", type=int, default=-1, metavar="N", help="submit only the first N command lines (default: all)")
    add("--wait", action="store_true", help="wait until all jobs have finished, and collect their logs")
    _logpath(parser, "logs")
    add(
        "--output",
        default="batchOutput",
        metavar="DIR",
        help="output directory on the claim (default: %(default)s); text and json select the format of this command",
    )
    add("--checkmissing", action="store_true", help="submit only command lines whose output is missing")
    add("--dry-run", action="store_true", help="show what would be submitted, without a server")
    add("--provision", action="store_true", help="first create the claim if it is missing")


def of_status(parser: ArgumentParser) -> None:
    """Add the argument that selects a batch."""
    _identifier(parser, "only this batch")


def of_pods(parser: ArgumentParser) -> None:
    """Add the argument that selects a batch."""
    _identifier(parser, "only this batch")


def of_logs(parser: ArgumentParser) -> None:
    """Add the arguments of `jobs logs`."""
    parser.add_argument(
        "name", nargs="*", metavar="JOB", help="name of a job, or its number in the batch (default: all)"
    )
    _identifier(parser, "only this batch")
    _logpath(parser, "")
    parser.add_argument("--follow", "-f", action="store_true", help="follow the log of one job")


def of_cancel(parser: ArgumentParser) -> None:
    """Add the arguments of `jobs cancel`."""
    _identifier(parser, "only this batch")
    parser.add_argument("--all", action="store_true", help="also delete finished jobs")


def of_wait(parser: ArgumentParser) -> None:
    """Add the arguments of `jobs wait`."""
    _identifier(parser, "only this batch")
    _max_concurrent(parser, "maximum number of concurrent jobs (default: as submitted)", default=None)
    _logpath(parser, "logs")


def _identifier(parser: ArgumentParser, text: str) -> None:
    parser.add_argument("--identifier", default="", metavar="NAME", help=text)


def _max_concurrent(parser: ArgumentParser, text: str, *, default: int | None) -> None:
    parser.add_argument(
        "--maxConcurrent", "--max-concurrent", dest="max_concurrent", type=int, default=default, metavar="N", help=text
    )


def _logpath(parser: ArgumentParser, default: str) -> None:
    suffix = f" (default: {default})" if default else " (default: print them)"
    parser.add_argument(
        "--logpath", default=default, metavar="DIR", help=f"directory for the logs, a file per job{suffix}"
    )


def limit(max_concurrent: int | None) -> int | None:
    """The limit as a number: 0: no limit; None: not given. Raises `OptionsError` for `--maxConcurrent 0`."""
    if max_concurrent == 0:
        raise OptionsError(
            "--maxConcurrent 0 cannot be used", found="nothing would ever run", hint="--maxConcurrent -1 for no limit"
        )
    return max_concurrent if max_concurrent is None else max(0, max_concurrent)
