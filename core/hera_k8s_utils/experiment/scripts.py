"""A script, run for what it would submit: imported, run as a program, or one of its functions called."""

from __future__ import annotations

import ast
import asyncio
import inspect
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hera_k8s_utils.errors import BuildError, HeraK8sError
from hera_k8s_utils.experiment.annotations import resolve_annotations
from hera_k8s_utils.experiment.manifest import Manifest
from hera_k8s_utils.experiment.model import Experiment, Requirement
from hera_k8s_utils.experiment.submissions import (
    CapturedSubmission,
    describe_others,
    named_submission,
    only_submission,
    other_changes,
    submission_of,
    submissions_of,
)
from hera_k8s_utils.experiment.user_files import UserFile
from hera_k8s_utils.offline.guards import RequestGuard
from hera_k8s_utils.offline.phase import ForeignCode, HeldRequest, ScriptStopped, capturing, refuse_changes

log = logging.getLogger(__name__)


class Script:
    """A user's file while it is loaded, and what it would have sent so far.

    file: within its `importing`.
    path: as the user typed it.
    guards: how the requests of each library are held back.
    arguments: words of its command line, after its name.
    """

    def __init__(self, file: UserFile, path: Path, guards: Sequence[RequestGuard], arguments: Sequence[str]) -> None:
        self.file = file
        self.path = path
        self.names: Mapping[str, Any] = {}
        self._guards = guards
        self._line = [str(path), *arguments]
        self._requests: list[HeldRequest] = []
        self._requirements: list[Any] = []
        self._during = "when it is imported"
        self._stopped_in_loop = ""

    # --- what runs it ---

    def imported(self) -> Mapping[str, Any]:
        """Import the file, and return its names."""
        names = self._attempt("failed while it was imported", lambda: vars(self.file.load()))
        self.names = names if names is not None else vars(self.file.loaded)
        resolve_annotations(self.file.loaded)
        return self.names

    def run(self) -> Mapping[str, Any]:
        """Run the file as a program, as `python FILE` does, and return its names."""
        self._during = "when it is run"
        main = self.file.main_module()
        self._attempt("failed when it was run", self.file.run)
        resolve_annotations(main)
        self.names = vars(main)
        return self.names

    def called(self, name: str, function: Callable[..., Any]) -> Any:
        """What a function without parameters returns, or the only object that it submits."""
        self._refuse_parameters(name, function)
        before = len(self._requests)
        self._during = f"in {name}()"
        returned = self._attempt(f"failed in {name}()", lambda: _result(function()))
        submitted = submissions_of(self._requests[before:])
        if submitted:
            return self._only_of(submitted)
        self.refuse_changes()
        if returned is None:
            raise BuildError(
                f"{self.path}:{name} builds no workflow",
                found=f"{name}() returned nothing and submitted nothing",
                hint="return the workflow",
            )
        return returned

    # --- what it would have sent ---

    @property
    def submissions(self) -> Sequence[CapturedSubmission]:
        """The objects that it would have submitted so far."""
        return submissions_of(self._requests)

    def submission(self, name: str) -> Manifest | None:
        """The object that NAME means, None for none."""
        found = named_submission(self.submissions, name)
        return found.manifest if found else None

    def submission_of(self, value: Any) -> Manifest | None:
        """The object as which a workflow of the file was submitted; None unless it was, once."""
        found = submission_of(self.submissions, value)
        return found.manifest if found else None

    def only_submission(self) -> Manifest:
        """The only object. Raises `BuildError` where there are several, or would be."""
        return self._only_of(self.submissions)

    def _only_of(self, submitted: Sequence[CapturedSubmission]) -> Manifest:
        if self._stopped_in_loop:
            raise BuildError(
                f"{self.path} would submit more objects, one after the other",
                found=self._stopped_in_loop,
                hint=f"the first one alone: {self.path}:{submitted[0].name}; or submit all before waiting",
            )
        return only_submission(submitted, self.file.path, self.path).manifest

    def refuse_changes(self) -> None:
        """Raise `BuildError` if it would have changed something on a server."""
        hint = "move it below `if __name__ == '__main__':`" if "import" in self._during else "remove the call"
        code = ForeignCode(str(self.path), self._during, file=self.file.path, hint=hint)
        refuse_changes(code, self._requests)

    def experiment(self, loaded: Experiment) -> Experiment:
        """The experiment that was made of what was found, with what the script asked the cluster for.

        Raises `BuildError` for an `Experiment` whose file changes something besides: it may mean to submit it.
        """
        if any(loaded is each for each in self.names.values()):
            self.refuse_changes()
            return loaded
        others = other_changes(self._requests)
        if others:
            log.warning("%s would also %s; this is left out", self.path, describe_others(others, self.file.path))
        if not self._requirements:
            return loaded
        return replace(loaded, requires=_with_roles(self._requirements))

    # --- how it ends ---

    def _attempt(self, failed: str, act: Callable[[], Any]) -> Any:
        """What an act returns; None if the script ended after it had submitted something."""
        with capturing(self._guards) as phase, _command_line(self._line):
            before = len(phase.requests)
            try:
                return act()
            except ScriptStopped as stopped:
                self._note_stop(stopped, submissions_of(phase.requests[before:]))
                return None
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # SystemExit too: a script that ends itself
                ended = isinstance(error, SystemExit) and error.code in (0, None)
                is_program = act == self.file.run
                if not (ended and is_program) and not submissions_of(phase.requests[before:]):
                    raise self._failure(failed, error) from error
                if not ended:
                    log.warning("%s %s, after its submission: %s", self.path, failed, self.file_failure(error))
                return None
            finally:
                self._requests += phase.requests[before:]
                self._requirements += phase.requirements

    def _note_stop(self, stopped: ScriptStopped, submitted: Sequence[CapturedSubmission]) -> None:
        """Say where the script was stopped: what it would do after that is not known. In a loop, it submits more."""
        request = stopped.request
        where = request.site.within(self.file.path) or f"{request.method} {request.path}"
        lines = _lines_of(stopped, self.file.path)
        loop = _loop_around(self.file.path, lines, [each.request.site.line for each in submitted])
        if loop:
            self._stopped_in_loop = f"its loop in line {loop} goes on after the wait in {where}"
        else:
            said = "%s was stopped where it asks for what it submitted (%s); what it does after that is left out"
            log.warning(said, self.path, where)

    def file_failure(self, error: BaseException) -> str:
        """An exception in one line, with the line of the file."""
        return failure(error, self.file.path)

    def _failure(self, failed: str, error: BaseException) -> BaseException:
        changes = [each for each in self._requests if each.changes]
        if isinstance(error, BuildError) and not changes:
            return error
        if isinstance(error, HeraK8sError):
            found = ": ".join(part for part in (error.wanted, error.found) if part)
            own = f"{self.path} -- " if error.hint.startswith("--") else ""
            return BuildError(f"{self.path} {failed}", found=found, hint=own + error.hint)
        return BuildError(f"{self.path} {failed}", found=self.file_failure(error), hint=self._hint(error))

    def _hint(self, error: BaseException) -> str:
        if isinstance(error, SystemExit) and error.code == 2:  # argparse's
            return f"a script's own arguments follow two dashes: {self.path} -- --name value"
        if isinstance(error, ImportError) and "relative import" in str(error):
            return "run the command in a directory above, as `python -m package.module` needs it"
        return "--debug shows the traceback"

    def _refuse_parameters(self, name: str, function: Callable[..., Any]) -> None:
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):  # of a built-in function
            return
        optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        required = [each.name for each in parameters if each.default is each.empty and each.kind not in optional]
        if required:
            raise BuildError(
                f"{self.path}:{name} cannot be called without arguments",
                found=f"{name}({', '.join(required)})",
                hint=f"give the parameters defaults, or write Experiment(name=..., workflow={name}) for a builder",
            )


_LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _loop_around(path: Path, stopped: Sequence[int], submitted: Sequence[int]) -> int:
    """The line of the loop of a file that submits, waits and goes on; 0 for none.

    stopped: the lines of the file through which the call that waits was reached, the outermost first.
    submitted: the lines that submit. Both may be in a function that the loop calls.
    """
    nodes = list(ast.walk(ast.parse(path.read_bytes())))
    loops = [each for each in nodes if isinstance(each, _LOOPS)]
    functions = [each for each in nodes if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for line, called in zip(stopped, [*stopped[1:], 0], strict=True):
        held = [each for each in functions if _holds(each, called)]
        for loop in loops:
            if _holds(loop, line) and any(_holds(each, at) for each in (loop, *held[-1:]) for at in submitted):
                return loop.lineno
    return 0


def _holds(node: ast.expr | ast.stmt, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or 0)


def failure(error: BaseException, path: Path | None = None) -> str:
    """An exception in one line, with the last line of the user's file that it passed through."""
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    lines = _lines_of(error, path) if path else []
    return f"line {lines[-1]}: {what}" if lines else what


def _lines_of(error: BaseException, path: Path) -> list[int]:
    """The lines of a file that an exception passed through, the outermost first."""
    found, trace = [], error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            found.append(trace.tb_lineno)
        trace = trace.tb_next
    return found


def _result(returned: Any) -> Any:
    """What a function returned: of a coroutine its result, of a generator all that it yields."""
    if inspect.iscoroutine(returned):
        return asyncio.run(returned)
    return list(returned) if isinstance(returned, Iterator) else returned


def _with_roles(requirements: Sequence[Requirement]) -> list[Requirement]:
    """Requirements of scripts, which are named and play no roles; two kinds may share a name."""
    found: dict[tuple[str, str], Requirement] = {}
    for each in requirements:
        taken = any(role == each.role and kind != each.kind for kind, role in found)
        role = f"{each.role}-{each.kind.lower()}" if taken else each.role
        found.setdefault((each.kind, each.role), replace(each, role=role, bound=each.name))
    return list(found.values())


@contextmanager
def _command_line(words: Sequence[str]) -> Iterator[None]:
    """The command line that a script sees; the directory that it changes to is left again."""
    before, directory = sys.argv, os.getcwd()
    sys.argv = list(words)
    try:
        yield
    finally:
        sys.argv = before
        os.chdir(directory)
