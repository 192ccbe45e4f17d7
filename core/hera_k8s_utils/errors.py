"""The errors a user can meet, each with what was wanted, what was found, what to do next, and an exit code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any, ClassVar

from hera_k8s_utils._moved import forward, renamed
from hera_k8s_utils.redaction import redact
from hera_k8s_utils.sanitize import one_line, quoted, visible


class HeraK8sError(Exception):
    """An expected failure: never a bug, always something that the reader can act on.

    wanted: what could not be done, as a sentence without a full stop.
    found: what stood in the way.
    hint: what to type or to change next, a line for each way.

    Secrets are redacted here, so that none is in a message, whoever shows it. As text it is for people: without what
    would act on their terminal, and with the further lines of `found` marked, unless it begins with a newline, which
    says that its lines are our own.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, wanted: str, *, found: str = "", hint: str = "") -> None:
        self.wanted, self.found, self.hint = redact(wanted), redact(found), redact(hint)
        super().__init__(self.wanted, self.found, self.hint)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled with its attributes: an error of a process pool must reach the process that waits for it."""
        return _error_again, (type(self), self.args), self.__dict__

    def __str__(self) -> str:
        said = one_line(self.wanted)
        if self.found.startswith("\n"):  # lines of our own, below
            said += visible(self.found)
        elif self.found:
            said += f": {quoted(self.found)}"
        hints = self.hint.split("\n") if self.hint else []
        return "".join([said, *(f"\n  -> {visible(hint)}" for hint in hints)])


def _error_again(kind: type[HeraK8sError], args: tuple[Any, ...]) -> HeraK8sError:
    return kind.__new__(kind, *args)


class OptionsError(HeraK8sError):
    """A flag, a variable or a key of a configuration file cannot be used."""

    exit_code = 2


class PluginError(HeraK8sError):
    """A plugin that was asked for is missing, broken or in conflict with another."""

    exit_code = 3


class CredentialError(HeraK8sError):
    """No provider could give a credential, or the one that was asked for failed."""

    exit_code = 4


class NoCredential(CredentialError):
    """Every provider passed: this platform is not configured here, which is not the same as configured and broken."""


class ChecksFailed(HeraK8sError):
    """The preflight found at least one thing that would make the run fail."""

    exit_code = 5


class BuildError(HeraK8sError):
    """The experiment cannot be read, or its workflow cannot be built."""

    exit_code = 6


class SubmitError(HeraK8sError):
    """The workflow was not accepted."""

    exit_code = 7


class SubmittedInPart(SubmitError):
    """Of a run of several objects some were accepted, and some surely were not."""


class SubmissionOutcomeUnknown(SubmitError):
    """Whether the workflow was accepted could not be found out: the answer was lost, and it cannot be read back."""

    exit_code = 10


class WorkflowFailed(HeraK8sError):
    """The workflow was submitted and ended otherwise than in success."""

    exit_code = 8


class ErrorKind(str, Enum):
    """Why a server's answer is not the one that was wanted; each calls for another remedy."""

    UNREACHABLE = "unreachable"
    UNTRUSTED = "untrusted"
    TIMEOUT = "timeout"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    MISSING = "missing"
    CONFLICT = "conflict"
    INVALID = "invalid"
    THROTTLED = "throttled"
    SERVER = "server"
    PROTOCOL = "protocol"


_TROUBLE_OF_STATUS = {
    400: ErrorKind.INVALID,
    401: ErrorKind.UNAUTHORIZED,
    403: ErrorKind.FORBIDDEN,
    404: ErrorKind.MISSING,
    409: ErrorKind.CONFLICT,
    410: ErrorKind.MISSING,
    422: ErrorKind.INVALID,
    429: ErrorKind.THROTTLED,
    504: ErrorKind.TIMEOUT,
}
_UNDECIDED = frozenset({408, 425, 499})
"""Statuses of 4xx that say nothing of what became of the request: it took too long, came early, was given up."""


_INCONCLUSIVE = frozenset({ErrorKind.UNREACHABLE, ErrorKind.TIMEOUT, ErrorKind.SERVER, ErrorKind.PROTOCOL})


@renamed(trouble="kind", trouble_of="kind_of_status")
class PlatformError(HeraK8sError):
    """A server could not be reached, or answered with an error.

    kind: what kind of failure it is.
    status: the HTTP status, where one came.
    reason: the server's own word for it (`AlreadyExists`, `NamespaceTerminating`), where it gave one.
    conclusive: whether the request surely had no effect, because it was never sent or because the server itself
        refused it. After any other failure (a lost answer, a 5xx, an answer of a gateway's) it may have been carried
        out, or may be yet. By default the kind of failure decides.
    """

    exit_code = 9

    def __init__(
        self,
        wanted: str,
        *,
        kind: ErrorKind,
        found: str = "",
        hint: str = "",
        status: int | None = None,
        reason: str = "",
        conclusive: bool | None = None,
    ) -> None:
        super().__init__(wanted, found=found.strip(), hint=hint)
        self.kind = kind
        self.status = status
        self.reason = reason
        self.conclusive = kind not in _INCONCLUSIVE if conclusive is None else conclusive

    @property
    def says_absent(self) -> bool:
        """Whether the server itself says that the object is not there; a gateway's 404 does not."""
        return self.kind is ErrorKind.MISSING and self.conclusive

    @staticmethod
    def refuses(status: int) -> bool:
        """Whether an HTTP status, with words of the server's own, says that a request had no effect."""
        return 400 <= status < 500 and status not in _UNDECIDED

    @staticmethod
    def kind_of_status(status: int) -> ErrorKind:
        """The kind of failure that an HTTP status stands for."""
        return _TROUBLE_OF_STATUS.get(status, ErrorKind.SERVER if status >= 500 else ErrorKind.PROTOCOL)


class RunAlreadyFinished(PlatformError):
    """A run that was to be stopped had ended already. phase: the one in which it did."""

    def __init__(self, name: str, phase: str) -> None:
        super().__init__(f"{name} cannot be stopped", found=f"it is over: {phase}", kind=ErrorKind.CONFLICT)
        self.phase = phase


class OutputError(HeraK8sError):
    """The results could not be written to standard output: it is closed, or its disk is full."""

    exit_code = 11


class FollowTimeout(HeraK8sError):
    """The time to follow a run was up; the run goes on."""

    exit_code = 12


class RecordError(HeraK8sError):
    """A run cannot be recorded: the directory of records cannot be written to, or its disk is full."""

    exit_code = 13


class NotApplicable(Exception):
    """Raised by a credential provider that has nothing to offer here; the reason is shown in the trace."""


class Interrupted(HeraK8sError):
    """The user pressed Ctrl-C; the message says what goes on and what does not."""

    exit_code = 130


class ScriptExit(HeraK8sError, SystemExit):
    """A failure in the 0.1 API: scripts written for it expect the interpreter to end, with a message and a status.

    code: None lets the interpreter write the message to stderr and end with status 1 when nobody catches it.
    """

    exit_code = 1

    def __init__(self, wanted: str, *, found: str = "", hint: str = "", code: int | None = None) -> None:
        HeraK8sError.__init__(self, wanted, found=found, hint=hint)
        self.code = str(self) if code is None else code


def join_names(names: Sequence[str], *, most: int = 8) -> str:
    """Names as a sentence holds them, cut after `most`."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


@contextmanager
def attribute_errors_to(whose: str) -> Iterator[None]:
    """Turn unexpected exceptions of a plugin's function into a `PluginError` that names the plugin.

    whose: `platform acme-argo`.

    That includes `SystemExit` and the like: declared functions return, they do not end the program.
    """
    try:
        yield
    except (HeraK8sError, NotApplicable, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise PluginError(
            f"{whose} failed", found=f"{type(error).__name__}: {error}", hint="--debug shows where; hera-k8s plugins"
        ) from error


globals()["__getattr__"] = forward(__name__)  # old names; not as a `def`, or type checkers would accept any name
