"""The offline phase: while an experiment is loaded and built, requests to servers are held back and recorded.

What holds the requests of one library back is a `RequestGuard`, which plugins declare; it asks `offline_phase()`.
"""

from __future__ import annotations

import linecache
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Final

from hera_k8s_utils._types import Json
from hera_k8s_utils.errors import BuildError
from hera_k8s_utils.offline.guards import Replacement, RequestGuard
from hera_k8s_utils.offline.replacements import Replacements

log = logging.getLogger(__name__)

CREATE: Final = "create"
_OWN: Final = "hera_k8s_utils"
_LONGEST_CALL: Final = 100


@dataclass(frozen=True)
class CallSite:
    """A place in the user's code.

    line: 0 where it is not known.
    text: of the line.
    function: the library's, that it called, `Workflow.create`.
    """

    file: str = ""
    line: int = 0
    text: str = ""
    function: str = ""

    def within(self, file: str | Path | None) -> str:
        """`line 3: w.create()`; another file than the one given is named."""
        if not self.line:
            return ""
        other = file is None or Path(self.file).resolve() != Path(file).resolve()
        name = f"{Path(self.file).name}, " if other else ""
        called = "" if self.function.rpartition(".")[2] in self.text else f" calls {self.function}"
        return f"{name}line {self.line}: {self.text}{called}"


@dataclass(frozen=True, kw_only=True)
class HeldRequest:
    """A request that was held back, as it would have been sent.

    library: the package that would have sent it, `hera`. method, path: of HTTP; the path has no query.
    changes: whether it would have changed something on the server, rather than read.
    verb: `create`, `update`, `delete`, or the server's own word, such as `stop`.
    kind: of the object, `Workflow`.
    namespace: empty for what belongs to the whole cluster.
    body: the object as plain JSON, None where the request carries none.
    origin: the library's object that the body was made of, where that is known.
    site: where in the user's code it was asked for.
    """

    library: str
    method: str
    path: str
    changes: bool = True
    verb: str = ""
    kind: str = ""
    namespace: str = ""
    body: Json | None = field(default=None, repr=False)
    origin: Any = field(default=None, repr=False, compare=False)
    site: CallSite = CallSite()

    @property
    def deed(self) -> str:
        """What it would have done, `submit a workflow`."""
        if self.verb == CREATE and self.kind == "Workflow":
            return "submit a workflow"
        if self.verb and self.kind:
            return f"{self.verb} {'an' if self.kind[0] in 'AEIOaeio' else 'a'} {self.kind}"
        return f"send {self.method} {self.path}"


class OfflineError(BuildError):
    """A server was asked while an experiment is loaded or built. `request`: what was held back."""

    def __init__(self, request: HeldRequest) -> None:
        where = request.site.within(None)
        super().__init__(
            "no server can be asked while an experiment is loaded or built",
            found=": ".join(part for part in (where, f"{request.method} {request.path}") if part),
            hint="ask it below `if __name__ == '__main__':`, or pass the value with --set; nothing was sent",
        )
        self.request = request


class ScriptStopped(SystemExit):
    """Ends a script that asks a server after its submission was captured: nothing was submitted that could answer.

    No `Exception`: a script that repeats a question until it is answered must end too. In a thread it ends the thread.
    request: the question.
    """

    def __init__(self, request: HeldRequest) -> None:
        super().__init__(0)
        self.request = request


class OfflinePhase:
    """One offline phase, from the first line of a file or a builder to the last, and what was held back in it.

    captures: what the code would submit is wanted, so that the code may end where it asks for what became of it.
    """

    def __init__(self, guards: Sequence[RequestGuard], *, captures: bool = False) -> None:
        self.guards = (*guards, _THREADS)
        self.open = True
        self._captures = captures
        self._held: list[HeldRequest] = []
        self._required: dict[tuple[str, str], Any] = {}
        self._process = os.getpid()

    @property
    def requests(self) -> Sequence[HeldRequest]:
        """What was held back, in its order."""
        return tuple(self._held)

    @property
    def changes(self) -> Sequence[HeldRequest]:
        """What would have changed something on a server."""
        return tuple(request for request in self._held if request.changes)

    @property
    def requirements(self) -> Sequence[Any]:
        """What the code asked to be there, in its order; each once."""
        return tuple(self._required.values())

    def require(self, requirement: Any) -> None:
        """Record a requirement that code would have checked on a server; the checks of the command look at it."""
        self._required.setdefault((requirement.kind, requirement.role), requirement)

    def hold(self, request: HeldRequest, answer: Json | None = None) -> Json:
        """Record a request and return `answer`, so that the code that made it goes on.

        Raises `OfflineError` where there is none (`ScriptStopped` after a captured submission), and where nobody would
        learn of the record: in a child process, or in a thread or a task that goes on after the phase.
        """
        request = replace(request, site=_call_site(request.library))
        self._held.append(request)
        if not self.open or os.getpid() != self._process:
            log.warning("held back after the experiment was built: %s %s", request.method, request.path)
            raise OfflineError(replace(request, origin=None))  # which another process need not know
        if answer is None:
            if self._captures and any(each.verb == CREATE for each in self._held):
                raise ScriptStopped(request)
            raise OfflineError(request)
        return _named(answer, len(self._held))

    def refuse(self, code: ForeignCode, cause: BaseException | None = None) -> None:
        """Raise `BuildError` if anything would have been changed, whether or not the code took note of it."""
        refuse_changes(code, self.requests, cause)


@dataclass(frozen=True)
class ForeignCode:
    """Code that runs in an offline phase, and how messages speak of it.

    name: `experiment.py`.
    during: `when it is imported`.
    file: where it is, so that a line of it needs no file's name.
    hint: what to do instead of sending.
    """

    name: str
    during: str = ""
    file: str | Path | None = None
    hint: str = "remove the call"


def refuse_changes(code: ForeignCode, held: Sequence[HeldRequest], cause: BaseException | None = None) -> None:
    """Raise `BuildError` if any of the requests that code made would have changed something on a server."""
    changes = [request for request in held if request.changes]
    if not changes:
        return
    first = changes[0]
    more = f" (and {len(changes) - 1} more)" if len(changes) > 1 else ""
    raise BuildError(
        " ".join(part for part in (code.name, "would", first.deed, code.during) if part),
        found=(first.site.within(code.file) or f"{first.method} {first.path}") + more,
        hint=f"{code.hint}; nothing was sent",
    ) from cause


_PHASE: ContextVar[OfflinePhase | None] = ContextVar("offline_phase", default=None)
_STARTED: ContextVar[CallSite | None] = ContextVar("offline_thread_started", default=None)
_REPLACEMENTS: Final = Replacements()


def offline_phase() -> OfflinePhase | None:
    """The offline phase that the running code belongs to; None when requests may be sent.

    Threads and tasks that code of a phase starts belong to it for as long as they live.
    """
    return _PHASE.get()


@contextmanager
def offline(code: ForeignCode, guards: Sequence[RequestGuard]) -> Iterator[None]:
    """Run foreign code that must send nothing.

    guards: how the requests of each library are held back.

    Raises `BuildError` at the end if it would have changed something on a server. Code within code, such as a layout's
    in a builder, belongs to the phase of the outer one, which is then refused.
    """
    outer = offline_phase()
    if outer is not None and outer.open:
        with _REPLACEMENTS.using(guards):
            yield
        return
    phase = OfflinePhase(guards)
    try:
        with _entered(phase):
            yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        phase.refuse(code, error)
        raise
    phase.refuse(code)


@contextmanager
def capturing(guards: Sequence[RequestGuard]) -> Iterator[OfflinePhase]:
    """Run a script for what it would submit: nothing is sent, and the caller decides what becomes of `changes`.

    Within another phase, such as that of a builder that loads a script, it is the other one, which is then refused.
    """
    outer = offline_phase()
    if outer is not None and outer.open:
        with _REPLACEMENTS.using(guards):
            yield outer
        return
    phase = OfflinePhase(guards, captures=True)
    with _entered(phase):
        yield phase


@contextmanager
def _entered(phase: OfflinePhase) -> Iterator[None]:
    with _REPLACEMENTS.using(phase.guards):
        token = _PHASE.set(phase)
        try:
            yield
        finally:
            phase.open = False
            _PHASE.reset(token)


def _named(answer: Json, number: int) -> Json:
    """An object with the name that a server would make up for it from `generateName`."""
    metadata = answer.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("name") or not metadata.get("generateName"):
        return answer
    return {**answer, "metadata": {**metadata, "name": f"{metadata['generateName']}{number:05d}"}}


# --- threads ---------------------------------------------------------------------------------------------------


def _replace_start(module: ModuleType) -> Iterable[Replacement]:
    start = module.Thread.start

    def start_in_phase(thread: threading.Thread) -> None:
        phase = offline_phase()
        if phase is None:
            start(thread)
        else:
            _start_within(phase, thread, start)

    yield Replacement(module.Thread, "start", start_in_phase)


def _start_within(phase: OfflinePhase, thread: threading.Thread, start: Callable[[threading.Thread], None]) -> None:
    """Start a thread that belongs to a phase; the guards stay in place for as long as it lives."""
    context, run = copy_context(), thread.run
    context.run(_STARTED.set, _call_site(""))

    def run_within() -> None:
        try:
            with suppress(ScriptStopped):
                context.run(run)
        finally:
            _REPLACEMENTS.release(phase.guards)

    _REPLACEMENTS.acquire(phase.guards)
    thread.run = run_within  # type: ignore[method-assign]
    try:
        start(thread)
    except BaseException:
        _REPLACEMENTS.release(phase.guards)
        raise


_THREADS: Final = RequestGuard(name="threads", modules=("threading",), replace=_replace_start)


# --- where in the user's code ------------------------------------------------------------------------------------


def _call_site(library: str) -> CallSite:
    """The innermost line that is neither the library's nor ours nor Python's own; installed packages only for want of
    another. In a thread without any such line, the one that started the thread."""
    function = _function(library)
    candidates = list(_users_frames(library))
    frame = next((each for each in candidates if not _is_installed(each)), candidates[0] if candidates else None)
    if frame is None:
        return replace(_STARTED.get() or CallSite(), function=function)
    file, line = frame.f_code.co_filename, frame.f_lineno
    text = " ".join(linecache.getline(file, line).split())
    return CallSite(file, line, text if len(text) <= _LONGEST_CALL else f"{text[:_LONGEST_CALL]}...", function)


def _function(library: str) -> str:
    """The library's function that the user's code called: the outermost of the innermost ones, with its class."""
    found: FrameType | None = None
    for frame in _frames():
        package = _package(frame)
        if package == library:
            found = frame
        elif package != _OWN and not _is_plugin(package) and package not in sys.stdlib_module_names:
            break
    if found is None:
        return ""
    owner = found.f_locals.get("self")
    return f"{type(owner).__name__}.{found.f_code.co_name}" if owner is not None else found.f_code.co_name


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _package(frame: FrameType) -> str:
    """The package that a frame's code belongs to; empty for a user's file that is only called like one."""
    name = str(frame.f_globals.get("__name__", ""))
    module = sys.modules.get(name)
    if "." not in name and (module is None or vars(module) is not frame.f_globals):
        return ""
    return name.partition(".")[0]


def _users_frames(library: str) -> Iterator[FrameType]:
    """The frames between the library's, innermost, and those of the core, which called the user's code."""
    reached = False
    for frame in _frames():
        package = _package(frame)
        if reached and package == _OWN:
            return
        if package not in (library, _OWN) and package not in sys.stdlib_module_names and not _is_plugin(package):
            reached = True
            yield frame


def _is_plugin(package: str) -> bool:
    return package.startswith("hera_k8s_") and hasattr(sys.modules.get(package), "__path__")


def _is_installed(frame: FrameType) -> bool:
    return not {"site-packages", "dist-packages"}.isdisjoint(Path(frame.f_code.co_filename).parts)
