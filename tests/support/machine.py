"""The machine that tests run on: what it may lack, and signals that it may ignore.

    @pytest.mark.needs("kubectl")            # skipped where kubectl is not installed, and the reason names it

With `--require-tools` such a test fails instead. `user namespaces` is what a mount of the kind `unshare` needs, and
`private roots` that it or `bubblewrap` works: where the paths of mounts are rewritten, some tasks are refused.
`MOUNTS` are the parameters of a fixture that starts a sandbox for each kind of mounts.
"""

from __future__ import annotations

import functools
import shutil
import signal
import subprocess
import sys
from typing import Any, Final

import pytest

USER_NAMESPACES: Final = "user namespaces"
PRIVATE_ROOTS: Final = "private roots"
MOUNTS: Final = (
    pytest.param("bubblewrap", marks=pytest.mark.needs("bwrap")),
    pytest.param("unshare", marks=pytest.mark.needs(USER_NAMESPACES)),
    "rewrite",
)
_OPTION: Final = "--require-tools"
_TRIALS: Final = {
    "bwrap": ["bwrap", "--ro-bind", "/", "/", "--unshare-pid", "--proc", "/proc", "true"],
    USER_NAMESPACES: ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "true"],
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """What makes a missing tool a failure."""
    parser.getgroup("machine").addoption(
        _OPTION, action="store_true", help="fail the tests that need a tool which is not installed; do not skip them"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Describe the marker, and let signals reach the children of tests."""
    config.addinivalue_line("markers", "needs(tool): skipped where the tool is missing; see tests/support/machine.py")
    give_children_their_signals_back()


def give_children_their_signals_back() -> None:
    """Undo what children would inherit from a script's background job, from `nohup` or from a careless CI runner.

    A signal that was ignored or blocked when pytest started would be so in every program that a test starts. Some get
    a handler that does nothing: pytest itself survives them as before, and what it starts has the default action,
    for handlers end with `exec`. SIGPIPE and SIGXFSZ are ignored by Python itself, which restores them in children.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        return
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
    again: dict[signal.Signals, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGCHLD: signal.SIG_DFL,  # ignored, it hides the exit codes of children
        signal.SIGALRM: signal.SIG_DFL,  # pytest-timeout sets its own
        **dict.fromkeys((signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2), _do_nothing),
    }
    for number, handler in again.items():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def _do_nothing(*_: object) -> None:
    """Handle a signal that pytest ignored."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Look for the tools of a test before anything is set up for it."""
    for mark in item.iter_markers("needs"):
        for tool in mark.args:
            require(tool, item.config)


def require(tool: str, config: pytest.Config) -> None:
    """Skip the test that runs unless the machine has a tool, or fail it where all must be there."""
    why = lacking(tool)
    if why and config.getoption(_OPTION):
        pytest.fail(f"{why} ({_OPTION} was given)", pytrace=False)
    if why:
        pytest.skip(why)


@functools.cache
def lacking(tool: str) -> str:
    """Why the machine has no such tool; empty when it has."""
    if tool == PRIVATE_ROOTS:
        return lacking("bwrap") and lacking(USER_NAMESPACES)
    if tool == USER_NAMESPACES and sys.platform != "linux":
        return f"{tool} are Linux's"
    program, *arguments = _TRIALS.get(tool, [tool])
    if shutil.which(program) is None:
        return f"{program} is not installed"
    if not arguments:
        return ""
    tried = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20, check=False)
    return "" if tried.returncode == 0 else f"{tool} cannot be used on this machine: {tried.stderr.strip()}"
