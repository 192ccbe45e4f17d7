"""The program `hera-k8s`: finds the command, runs it, and turns errors into messages and exit codes."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_cli.help import PROGRAM, group_overview, overview
from hera_k8s_utils._version import __version__
from hera_k8s_utils.config.global_flags import HELP, PYTHON_FILE, GlobalFlags, extract_global_flags, is_flag
from hera_k8s_utils.errors import HeraK8sError, OptionsError, OutputError, ScriptExit
from hera_k8s_utils.names import nearest
from hera_k8s_utils.output.stderr_logging import logging_to_stderr
from hera_k8s_utils.output.streams import fitted, show, write, writing
from hera_k8s_utils.plugins.manager import PluginManager, ThirdPartyPluginError
from hera_k8s_utils.redaction import redact
from hera_k8s_utils.sanitize import quoted, visible

if TYPE_CHECKING:
    from hera_k8s_utils.plugins.manager import Registration
    from hera_k8s_utils.plugins.records import Command

log = logging.getLogger(__name__)

INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
"""What a shell reports of a program that wrote into a closed pipe (128 + SIGPIPE)."""
_LONGEST_MESSAGE: Final = 400


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    argv: the words after the program's name, by default the process's own. With words of their own callers get
    Ctrl-C back as they had it, however the command ended; the program itself ends soon after.
    """
    with nullcontext() if argv is None else _keeping_interrupts():
        return _main(argv)


@contextmanager
def _keeping_interrupts() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is not handler and handler is not None:
            signal.signal(signal.SIGINT, handler)


def _main(argv: Sequence[str] | None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    common = GlobalFlags(output="json" if "--output=json" in words else "text")
    try:
        _prepare_streams()
        common, rest = extract_global_flags(words)
        _require_working_directory()
        with logging_to_stderr(common.verbosity, tracebacks=common.debug):
            return _guarded(common, rest)
    except HeraK8sError as error:
        return _report_error(error, common)


def _require_working_directory() -> None:
    try:
        os.getcwd()
    except OSError as error:
        found = "it was deleted" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
        raise OptionsError("there is no working directory", found=found, hint="cd to another directory") from None


def _guarded(common: GlobalFlags, words: Sequence[str]) -> int:
    try:
        code = _run(common, words)
        with writing():
            sys.stdout.flush()
        return code
    except HeraK8sError as error:
        return _report_error(error, common)
    except SystemExit as leaving:
        return _exit_code(leaving)
    except KeyboardInterrupt:
        _print_error("interrupted", common)
        return INTERRUPTED
    except BrokenPipeError:
        return BROKEN_PIPE
    except BaseException as error:
        return _unexpected(error, common)
    finally:
        _forget_what_cannot_be_written()


def _run(common: GlobalFlags, words: Sequence[str]) -> int:
    if words and words[0] == "--version":
        show(f"hera-k8s-utils {__version__}, Python {'.'.join(map(str, sys.version_info[:3]))}")
        return 0
    plugins = PluginManager.load(disabled=common.no_plugin, strict=common.strict_plugins)
    commands: list[Registration[Command]] = plugins.all("commands")
    if words and words[0] == "help":
        words = [*words[1:], "--help"]
    if not words or words[0] in HELP:
        _warn_of_problems(plugins)
        show(overview(commands))
        return 0
    declared, rest = find_command(commands, words)
    if declared is None:
        return _group(commands, words)
    if declared.record.name != "plugins":
        _warn_of_problems(plugins)
    from hera_k8s_cli.dispatch import (
        run_command,  # not for the list of commands: it takes as long to import as the rest of this
    )

    return run_command(declared, rest, plugins, common)


def _warn_of_problems(plugins: PluginManager) -> None:
    for problem in plugins.problems:
        log.warning("%s", problem)


# --- which command ---------------------------------------------------------------------------------------------


def find_command(
    commands: Sequence[Registration[Command]], words: Sequence[str]
) -> tuple[Registration[Command] | None, Sequence[str]]:
    """The command with the longest name that the line begins with, and the words after it."""
    by_words = {tuple(each.record.name.split()): each for each in commands}
    for length in range(max(map(len, by_words), default=0), 0, -1):
        found = by_words.get(tuple(words[:length]))
        if found is not None:
            return found, words[length:]
    return None, words


def _group(commands: Sequence[Registration[Command]], words: Sequence[str]) -> int:
    """`hera-k8s arkouda` alone shows the commands that begin so; anything else is an unknown command."""
    asked = [word for word in words if word not in HELP]
    mine = [each for each in commands if each.record.name.split()[: len(asked)] == asked]
    if not mine:
        raise _unknown_command(commands, words)
    show(group_overview(asked, mine))
    return 0 if len(asked) < len(words) else OptionsError.exit_code


def _unknown_command(commands: Sequence[Registration[Command]], words: Sequence[str]) -> OptionsError:
    from hera_k8s_utils.config.arguments import unknown_words

    first = words[0]
    names = [each.record.name for each in commands]
    if is_flag(first):
        found = unknown_words([first], ["--help", "--version", "--config", "--no-plugin", "--strict-plugins"], [])
        return OptionsError(found.wanted, found="before the command", hint=found.hint or f"{PROGRAM} COMMAND [flags]")
    if PYTHON_FILE.search(first):
        return OptionsError("missing command", hint=f"{PROGRAM} check FILE, or {PROGRAM} run FILE")
    if not re.fullmatch(r"[A-Za-z][\w-]{0,40}", first):
        return OptionsError("unknown command", hint=f"{PROGRAM} --help")
    wanted = " ".join(word for word in words[:3] if re.fullmatch(r"[a-z][\w-]{0,40}", word))
    near = nearest(wanted, names) or nearest(first, names)
    return OptionsError(f"unknown command {first}", hint=f"did you mean {near}?" if near else f"{PROGRAM} --help")


# --- how it ends -----------------------------------------------------------------------------------------------


def _report_error(error: HeraK8sError, common: GlobalFlags) -> int:
    code = error.code if isinstance(error, ScriptExit) and isinstance(error.code, int) else error.exit_code
    if common.debug:
        _write_traceback(error)
    if common.output == "json":
        _write_error(type(error).__name__, error.wanted, error.found.strip(), error.hint, code)
    else:
        _write(redact(f"{error}\n"))
    return code or HeraK8sError.exit_code  # an error is never "done", whatever its author thought


def _unexpected(error: BaseException, common: GlobalFlags) -> int:
    where = ""
    if isinstance(error, ThirdPartyPluginError) and error.__cause__ is not None:
        where, error = f" in {error}", error.__cause__
    if common.debug:
        _write_traceback(error)
    message = " ".join(redact(str(error)).split())[:_LONGEST_MESSAGE]  # half a secret is not known
    kind = type(error).__name__
    said = f"unexpected{where}: {kind}: {message}" if message else f"unexpected{where}: {kind}"
    to_whom = "please report to its authors" if where else "please report"
    hint = to_whom if common.debug else f"--debug shows where; {to_whom}"
    if common.output == "json":
        _write_error(kind, f"unexpected{where}", message, hint, 1)
    else:
        _write(redact(f"{said} ({hint})\n"))
    return 1


def _print_error(text: str, common: GlobalFlags) -> None:
    if common.output == "json":
        _write_error("Interrupted", text, "", "", INTERRUPTED)
    else:
        _write(f"{text}\n")


def _write_error(kind: str, wanted: str, found: str, hint: str, code: int) -> None:
    fields: dict[str, Any] = {"type": kind, "wanted": wanted, "found": found, "hint": hint}
    shown = {name: redact(text) for name, text in fields.items()}
    _write(json.dumps({"error": {**shown, "exit_code": code}}).replace("\x7f", r"\u007f") + "\n", wrap=False)


def _write_traceback(error: BaseException) -> None:
    lines = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    _write(quoted(redact(lines)) + "\n")


def _write(text: str, *, wrap: bool = True) -> None:
    with suppress(OutputError, BrokenPipeError):  # nobody listens any more
        write(sys.stderr, fitted(visible(text), sys.stderr) if wrap else visible(text))


def _exit_code(leaving: SystemExit) -> int:
    """What an action of a parser came to, such as one that prints a version; commands return their exit codes."""
    if leaving.code is None or isinstance(leaving.code, int):
        code = leaving.code or 0
        return code if 0 <= code <= 255 else 1
    _write(quoted(redact(f"{leaving.code}")) + "\n")
    return 1


def _forget_what_cannot_be_written() -> None:
    """Point a stream that takes no more elsewhere: Python's own flush at exit would fail again, and change the code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):  # not a real file, as in a test
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _prepare_streams() -> None:
    """Standard streams that can be used; raises `OutputError` where results have nowhere to go.

    A closed one is opened on the null device: its number would go to the next file that is opened, and what others
    print into it. Characters that an encoding lacks become escapes, rather than an error in the middle of a report.
    """
    closed = [name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None]
    for name in closed:
        mode = "r" if name == "stdin" else "w"
        setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (as long as the program runs)
    if "stdout" in closed:
        raise OutputError(
            "nothing was done", found="standard output is closed", hint="send it to /dev/null to do without"
        )
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and getattr(stream, "errors", "") == "strict":
            reconfigure(errors="backslashreplace")
