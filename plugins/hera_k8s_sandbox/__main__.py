"""`python -m hera_k8s_sandbox`: serve one sandbox until it is stopped."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from hera_k8s_sandbox.kubelet.mount_views import AUTO, KINDS
from hera_k8s_sandbox.server.launch import BUSY
from hera_k8s_sandbox.state import two_for_each_processor
from hera_k8s_utils.output.streams import show, tell


def main(arguments: list[str] | None = None) -> int:
    """Serve; 0 at a clean end, BUSY when the directory is served already."""
    given = _parser().parse_args(arguments)
    from hera_k8s_sandbox.server.app import Options, SandboxBusyError, serve

    options = Options(
        directory=given.state.resolve(),
        port=given.port,
        until_idle=given.until_idle,
        lifetime=given.lifetime,
        users=given.users,
        longest_token=given.longest_token,
        runner_kind=given.runner,
        concurrency=given.concurrency,
        images=given.images,
    )
    try:
        asyncio.run(serve(options, show))
    except SandboxBusyError as error:
        tell(str(error))
        return BUSY
    except ValueError as error:  # an option that does not work on this machine
        tell(f"the sandbox cannot be started: {error}")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hera_k8s_sandbox", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="where everything is kept")
    parser.add_argument("--port", type=int, default=0, help="loopback port; default: any free one")
    parser.add_argument("--until-idle", type=float, metavar="SECONDS", help="end after so long without work")
    parser.add_argument("--lifetime", type=float, metavar="SECONDS", help="end after so long in any case")
    parser.add_argument("--runner", choices=KINDS, default=AUTO)
    parser.add_argument("--concurrency", type=int, default=two_for_each_processor(), help="tasks at a time")
    parser.add_argument("--images", type=Path, metavar="FILE", help="maps more images to local commands")
    parser.add_argument("--users", type=Path, metavar="FILE", help='lines of token,user,uid,"group1,group2"')
    parser.add_argument("--longest-token", type=float, metavar="SECONDS", help="limit of issued tokens' life")
    return parser


if __name__ == "__main__":
    sys.exit(main())
