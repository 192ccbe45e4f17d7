"""The state of a run as engines report it: its nodes, updates, summaries and log lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

TASK: Final = "task"
ATTEMPT: Final = "attempt"
GROUP: Final = "group"


@dataclass(frozen=True, kw_only=True)
class NodeState:
    """The last known state of one task of a run.

    name: of the node, unique in the run; display_name: what people call it. pod: empty where it has none.
    phase: Pending, Running, Succeeded, Failed, Error, Skipped, Omitted (its turn never came), or Stopped (it was ended
        with the run, by hand). A task whose next attempt has not started yet is Pending.
    message: why it waits, or why it failed: `exit code 3`, `OOMKilled, exit code 137`.
    started_at, finished_at: as the server writes them (RFC 3339), empty while there is none.
    retries: further attempts after the first. inputs: its parameters.
    role: `task`, counted once however often it is tried; `attempt`, one try of a task that is reported too; `group`,
        which only holds others.
    exit_code: of its container; None where it is not known.
    """

    id: str
    name: str
    display_name: str = ""
    type: str = ""
    template: str = ""
    phase: str = ""
    message: str = ""
    pod: str = ""
    started_at: str = ""
    finished_at: str = ""
    retries: int = 0
    inputs: Mapping[str, str] = field(default_factory=dict)
    role: str = TASK
    exit_code: int | None = None


@dataclass(frozen=True, kw_only=True)
class RunUpdate:
    """What changed in a run since the last update.

    phase: of the whole workflow: Pending, Running, Succeeded, Failed, Error.
    nodes: the tasks that changed, by their id.
    gone: the object was deleted while it was followed.
    suspended: the whole run is suspended: no further task starts until it is resumed.
    """

    phase: str
    message: str = ""
    nodes: Sequence[NodeState] = ()
    progress: str = ""
    started_at: str = ""
    finished_at: str = ""
    gone: bool = False
    suspended: bool = False

    @property
    def finished(self) -> bool:
        """Whether the phase is a final one."""
        return self.gone or self.phase in ("Succeeded", "Failed", "Error")


@dataclass(frozen=True, kw_only=True)
class Submission:
    """An accepted workflow. `existed`: an earlier try of the same submission had already arrived."""

    name: str
    namespace: str
    uid: str = ""
    url: str = ""
    existed: bool = False


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """A run as a listing shows it. missing: how many of its objects are not there, of a run of several Jobs."""

    name: str
    phase: str
    progress: str = ""
    started_at: str = ""
    finished_at: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    missing: int = 0


@dataclass(frozen=True)
class LogLine:
    """One line of a task's output.

    text: the line, with U+FFFD for bytes that are not UTF-8. raw: all its bytes, where there are such.
    """

    pod: str
    text: str
    raw: bytes | None = None
