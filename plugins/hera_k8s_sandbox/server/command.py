"""`hera-k8s sandbox`: keep a sandbox running, and say how to reach it."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from hera_k8s_sandbox.settings import SandboxSettings
from hera_k8s_utils import Command, HeraK8sError, OptionsError

if TYPE_CHECKING:
    from hera_k8s_sandbox.server.launch import Address
    from hera_k8s_utils import Session

WHAT_IT_IS_NOT: Final = (
    "Not a cluster: tasks are processes of this machine, with your rights; they are not isolated from it.",
    "Nothing is scheduled, and requests and limits of resources are not enforced.",
    "Images are not pulled: they stand for commands that are installed here.",
)

_UNITS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "": 1.0}

MOUNTS: Final = {
    "bubblewrap": "Tasks see their mounts at the true paths (bubblewrap).",
    "unshare": "Tasks see their mounts at the true paths (user namespaces).",
    "rewrite": "Mount paths are rewritten in commands, scripts and variables; tasks that need more are refused.",
}


def add_arguments(parser: ArgumentParser) -> None:
    """The command's own flags."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--status", action="store_true", help="say whether one runs, and how to reach it")
    what.add_argument("--stop", action="store_true", help="end the one that runs; its state stays")
    what.add_argument(
        "--advance", type=_seconds, metavar="TIME", help="let time pass at once in the one that runs: 90s, 15m, 24h, 7d"
    )
    parser.add_argument("--port", type=int, default=0, help="loopback port (default: any free one)")


def run(session: Session) -> int:
    """Serve in the foreground, or show or stop the server of the directory."""
    settings = session.options.of(SandboxSettings)
    directory = settings.sandbox_dir
    address = _find(directory)
    if session.arguments.stop:
        return _stop(session, directory)
    if session.arguments.advance is not None:
        return _advance(session, address, session.arguments.advance)
    if address is not None:
        _print_address(session, address, directory)
        return 0
    if session.arguments.status:
        return _tell_nothing(session, directory)
    return _serve(session, settings, directory)


def _find(directory: Path) -> Address | None:
    from hera_k8s_sandbox.foundation import files
    from hera_k8s_sandbox.server import launch

    try:
        return launch.find(directory)
    except files.ForeignStateError as error:
        raise OptionsError("the sandbox of this directory is not used", found=str(error)) from None


def _seconds(text: str) -> float:
    parts = re.findall(r"(\d+(?:\.\d+)?)([dhms]?)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ArgumentTypeError(f"{text!r} is no length of time, such as 90s, 15m, 24h or 7d")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _advance(session: Session, address: Address | None, seconds: float) -> int:
    from hera_k8s_sandbox.server.launch import LaunchError

    if address is None:
        wanted, found = "the sandbox's clock cannot be advanced", "no sandbox runs here"
        raise HeraK8sError(wanted, found=found, hint="hera-k8s sandbox")
    try:
        now = address.advance(seconds)
        ahead = address.ahead()
    except LaunchError as error:
        raise HeraK8sError("the sandbox's clock cannot be advanced", found=str(error)) from error
    if session.json:
        session.console().document({"now": now.isoformat(), "ahead": ahead})
    else:
        session.console().success(f"it is {now:%Y-%m-%d %H:%M:%S} UTC in the sandbox now, {_length(ahead)} ahead")
    return 0


def _length(seconds: float) -> str:
    """`1 d 4 h`: the two largest units."""
    parts: list[str] = []
    left = round(seconds)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def _serve(session: Session, settings: SandboxSettings, directory: Path) -> int:
    import asyncio

    from hera_k8s_sandbox.foundation import files
    from hera_k8s_sandbox.server import launch
    from hera_k8s_sandbox.server.app import Options, SandboxBusyError, serve, two_for_each_processor

    def ready(url: str) -> None:
        address = launch.Address(url, launch.read_token(directory), directory.resolve())
        _print_address(session, address, directory)
        if not session.json:
            session.console().info()
            session.console().info("  Ctrl-C ends it; what it holds is there again at the next start.")

    options = Options(
        directory=directory.resolve(),
        port=session.arguments.port,
        runner_kind=settings.sandbox_mounts,
        concurrency=settings.sandbox_tasks or two_for_each_processor(),
        images=settings.sandbox_images.resolve() if settings.sandbox_images else None,
    )
    try:
        asyncio.run(serve(options, ready))
    except SandboxBusyError as error:
        raise HeraK8sError("the sandbox cannot be started", found=str(error)) from error
    except files.ForeignStateError as error:
        raise OptionsError("the sandbox cannot be started", found=str(error)) from error
    except ValueError as error:  # an option that does not work on this machine
        raise OptionsError("the sandbox cannot be started", found=str(error)) from error
    except OSError as error:
        raise OptionsError("the sandbox cannot be started", found=str(error), hint="--port 0") from error
    return 0


def _print_address(session: Session, address: Address, directory: Path) -> None:
    import shlex

    from hera_k8s_sandbox.foundation import files
    from hera_k8s_sandbox.foundation.clock import kept
    from hera_k8s_sandbox.server import launch

    kubeconfig = launch.write_kubeconfig(directory, address)
    host = urlsplit(address.url).netloc
    token_file = directory.resolve() / files.ADMIN_TOKEN
    server = files.read_server(directory)
    mounts = server.mounts if server is not None else ""
    ahead = kept(directory / files.CLOCK)
    console = session.console()
    if session.json:
        console.document(
            {
                "running": True,
                "url": address.url,
                "directory": str(directory.resolve()),
                "kubeconfig": str(kubeconfig),
                "token_file": str(token_file),
                "mounts": mounts,
                "ahead": ahead,
            }
        )
        return
    console.success(f"sandbox at {address.url}, state in {directory}")
    console.result("  hera-k8s run --sandbox")
    token = f'"Bearer $(cat {shlex.quote(str(token_file))})"'
    console.write(f"  export KUBECONFIG={shlex.quote(str(kubeconfig))}\n")  # to be copied: never wrapped
    console.write(f"  export ARGO_SERVER={host} ARGO_SECURE=false ARGO_TOKEN={token}\n")
    console.info(f"  {MOUNTS.get(mounts, '')}")
    if ahead:
        console.info(f"  Its clock is {_length(ahead)} ahead.")
    for sentence in WHAT_IT_IS_NOT:
        console.info(f"  {sentence}")


def _tell_nothing(session: Session, directory: Path) -> int:
    console = session.console()
    if session.json:
        console.document({"running": False, "directory": str(directory.resolve())})
    else:
        console.result(f"no sandbox runs in {directory}")
    return 0


def _stop(session: Session, directory: Path) -> int:
    from hera_k8s_sandbox.server import launch

    try:
        was_running = launch.stop(directory)
    except launch.LaunchError as error:
        raise HeraK8sError("the sandbox cannot be stopped", found=str(error)) from error
    console = session.console()
    if session.json:
        console.document({"running": False, "stopped": was_running, "directory": str(directory.resolve())})
    elif was_running:
        console.success(f"ended the sandbox in {directory}; its state stays there")
    else:
        console.info(f"no sandbox runs in {directory}")
    return 0


COMMAND: Final = Command(
    name="sandbox",
    run=run,
    summary="keep the embedded sandbox running, and say how kubectl and argo reach it",
    example="hera-k8s sandbox\nhera-k8s sandbox --advance 24h\nhera-k8s sandbox --stop",
    arguments=add_arguments,
    configures=False,
    settings=SandboxSettings,
)
