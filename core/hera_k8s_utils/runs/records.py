"""The record of each run: what was submitted, from which sources, what was checked, what happened, how it ended.

runs/20261120-1042-k3f9/
    run.json         names, server, digest, requirements with their declared data, versions, git commit
    manifest.json    what was submitted
    submission.json  what the server answered; submission_failed.json in its place when that is not, or not yet, known
    inputs.json      parameters, constants or points
    report.json      the checks before it
    events.jsonl     changes of the run's tasks, appended as they pass
    outcome.json     how it ended
"""

from __future__ import annotations

import errno
import json
import logging
import os
import secrets as random
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from hera_k8s_utils._moved import renamed
from hera_k8s_utils._types import Json
from hera_k8s_utils.errors import (
    HeraK8sError,
    OptionsError,
    PlatformError,
    RecordError,
    SubmissionOutcomeUnknown,
    SubmittedInPart,
    join_names,
)
from hera_k8s_utils.experiment.run_ids import is_safe_id, short_id
from hera_k8s_utils.experiment.run_state import NodeState, RunUpdate, Submission
from hera_k8s_utils.formatting import format_bytes, format_timestamp, now, parse_timestamp
from hera_k8s_utils.reading import LARGEST_DOCUMENT, LARGEST_HISTORY, FileRefused, parse_json
from hera_k8s_utils.redaction import json_without_known, redact, register_secrets
from hera_k8s_utils.runs.provenance import git_state, versions
from hera_k8s_utils.trust.seals import is_sealed, sealed

if TYPE_CHECKING:
    from hera_k8s_utils.checks.runner import Report
    from hera_k8s_utils.experiment.model import BuiltExperiment

log = logging.getLogger(__name__)

_SEALED: Final = frozenset({"run", "submission"})
"""Documents that lead back to a server; they count only with the seal of the user who reads them."""
_NODE_FIELDS: Final = tuple(f.name for f in fields(NodeState))
_NODE_DEFAULTS: Final[Mapping[str, tuple[Any, ...]]] = {
    f.name: ({}, "") if f.name == "inputs" else (f.default, "") for f in fields(NodeState)
}
"""Values that need not be written."""


# --- names -----------------------------------------------------------------------------------------------------


def _require_safe(text: str) -> str:
    if is_safe_id(text):
        return text
    raise OptionsError(
        f"{text!r} is not the name of a run",
        found="letters, digits, dashes, dots and underscores are wanted",
        hint="hera-k8s runs",
    )


# --- what is known of a submission -----------------------------------------------------------------------------


class Submitted(str, Enum):
    """What is known of a run's submission."""

    ACCEPTED = "accepted"
    IN_PART = "in part"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Attempt:
    """The latest attempt to submit a run, as far as it is recorded.

    state: what is known of it.
    found: why it is not, or not surely, accepted.
    at: when it ended; None if unrecorded.
    """

    state: Submitted
    found: str = ""
    at: datetime | None = None


# --- one record ------------------------------------------------------------------------------------------------


@renamed(about="metadata")
class RunRecord:
    """The directory of one run. Files are written whole or not at all; events are appended.

    No secret that was remembered, an option's or a credential's, is written. Links are never followed: a record that
    someone else made writes to no file outside it.

    id: the run's, by default the name of the directory.
    """

    def __init__(self, path: Path, id: str = "") -> None:
        self.path = path
        self.id = id or path.name
        self._complete = True
        self._known: dict[str, NodeState] | None = None
        self._phase = ""

    def __repr__(self) -> str:
        return f"RunRecord({str(self.path)!r})"

    @property
    def metadata(self) -> Json:
        """Names, server, digest, versions; empty when the record is damaged."""
        return self.read("run") or {}

    @property
    def name(self) -> str:
        """The name of the run's workflow."""
        stated = str(self.metadata.get("workflow") or "")
        return stated if is_safe_id(stated) else self.id

    @property
    def outcome(self) -> Json | None:
        """How it ended, None while that is not known here."""
        return self.read("outcome")

    @property
    def submission(self) -> Json | None:
        """What the server answered to the submission, None when nothing was submitted, or that is not known."""
        return self.read("submission")

    def read(self, what: str) -> Json | None:
        """One of the record's documents, None when it is not there or damaged."""
        try:
            with _opened(self.path / f"{what}.json", most=LARGEST_DOCUMENT) as file:
                found = parse_json(file.read(LARGEST_DOCUMENT))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            log.warning("%s cannot be read: %s", self.path / f"{what}.json", error)
            return None
        return found if isinstance(found, dict) else None

    def read_own(self, what: str) -> Json | None:
        """One of the record's sealed documents, empty when there is none; None unless this user wrote it here."""
        if not os.path.lexists(self.path / f"{what}.json"):
            return {}
        found = self.read(what)
        return found if found is not None and is_sealed(found, of=f"{what} of {self.id}") else None

    def write(self, what: str, data: Mapping[str, Any]) -> None:
        """Write one of the record's documents, whole or not at all; those that lead back to a server get the seal."""
        text = json_without_known(data, indent=2)
        if what in _SEALED:
            text = json.dumps(sealed(json.loads(text), of=f"{what} of {self.id}"), indent=2)
        write_text(self.path / f"{what}.json", f"{text}\n")

    @contextmanager
    def _as_far_as_possible(self) -> Iterator[None]:
        """What was submitted goes on, whether its record can be kept or not; that it cannot is said once."""
        try:
            yield
        except OSError as error:
            if self._complete:
                log.warning("%s cannot be kept: %s; the run itself goes on", self.path, error.strerror or error)
            self._complete = False

    @property
    def was_tried(self) -> bool:
        """Whether it was about to be submitted at least once: what is sent is announced here before."""
        return self.submission is not None or (self.path / "submission_failed.json").exists()

    @property
    def attempt(self) -> Attempt:
        """What is known of its submission; unknown also when the program ended before it recorded an answer."""
        failed = self.read("submission_failed")
        if self.submission is not None:
            return Attempt(Submitted.ACCEPTED)
        if failed is None:
            return Attempt(Submitted.UNKNOWN, _ENDED_EARLY, parse_timestamp(str(self.metadata.get("created_at") or "")))
        state = Submitted.REFUSED if failed.get("known", True) else Submitted.UNKNOWN
        if failed.get("in_part"):
            state = Submitted.IN_PART
        return Attempt(state, str(failed.get("found") or ""), parse_timestamp(str(failed.get("at") or "")))

    def submitting(self) -> None:
        """Keep that it is about to be submitted: a program that is killed now leaves an unknown outcome behind."""
        with self._as_far_as_possible():
            said = {"wanted": f"it is not known whether {self.name} was accepted", "found": _ENDED_EARLY}
            self.write("submission_failed", {**said, "at": format_timestamp(now()), "known": False})

    def submitted(self, submission: Submission, *, engine: str) -> None:
        """Keep what the server answered."""
        said = {
            "name": submission.name,
            "namespace": submission.namespace,
            "uid": submission.uid,
            "url": submission.url,
            "existed": submission.existed,
            "engine": engine,
            "at": format_timestamp(now()),
        }
        with self._as_far_as_possible():
            self.write("submission", said)
            (self.path / "submission_failed.json").unlink(missing_ok=True)  # of an earlier try

    def refused(self, error: HeraK8sError) -> None:
        """Keep why the submission failed."""
        with self._as_far_as_possible():
            lost = isinstance(error, PlatformError) and not error.conclusive
            known = not lost and not isinstance(error, SubmissionOutcomeUnknown)
            said = {"wanted": error.wanted, "found": error.found, "at": format_timestamp(now()), "known": known}
            self.write("submission_failed", {**said, **({"in_part": True} if _is_in_part(error) else {})})

    def ended(self, outcome: Json) -> None:
        """Keep how it ended."""
        with self._as_far_as_possible():
            self.write("outcome", {**outcome, "recorded_at": format_timestamp(now())})

    def append(self, update: RunUpdate) -> None:
        """Keep what is new in an update; what is already recorded, by an earlier follower too, is left out."""
        known = self.nodes
        changed = [node for node in update.nodes if known.get(node.id) != node]
        if not changed and update.phase == self._phase and not update.gone:
            return
        for node in changed:
            known[node.id] = node
        self._phase = update.phase
        line = {
            "at": format_timestamp(now()),
            "phase": update.phase,
            "message": redact(update.message),
            "progress": update.progress,
            "gone": update.gone,
            "nodes": [_node_to_json(node) for node in changed],
        }
        text = json_without_known({k: v for k, v in line.items() if v}, separators=(",", ":"))
        with self._as_far_as_possible():
            _append_line(self.path / "events.jsonl", text)

    def events(self) -> Iterator[Json]:
        """The recorded changes, oldest first; a line that was cut short by a crash is left out."""
        try:
            file = _opened(self.path / "events.jsonl", most=LARGEST_HISTORY)
        except FileNotFoundError:
            return
        except OSError as error:
            log.warning("%s cannot be read: %s", self.path / "events.jsonl", error.strerror or error)
            return
        with file:
            while line := file.readline(LARGEST_DOCUMENT):
                try:
                    event = parse_json(line)
                except ValueError:
                    continue
                if isinstance(event, dict):
                    yield event

    @property
    def nodes(self) -> dict[str, NodeState]:
        """The last that was recorded of each task, by its id."""
        if self._known is None:
            self._known = {}
            for event in self.events():
                self._phase = str(event.get("phase", ""))
                for node in _mappings(event.get("nodes")):
                    state = _node_from_json(node)
                    self._known[state.id] = state
        return self._known


_ENDED_EARLY: Final = "hera-k8s ended before the server's answer was recorded"


def _is_in_part(error: HeraK8sError) -> bool:
    return isinstance(error, SubmittedInPart)


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _node_to_json(node: NodeState) -> Json:
    pairs = ((name, getattr(node, name)) for name in _NODE_FIELDS)
    told = ((name, value) for name, value in pairs if value not in _NODE_DEFAULTS[name])
    said = {name: dict(value) if isinstance(value, Mapping) else value for name, value in told}
    return {**said, "message": redact(node.message)} if node.message else said


def _node_from_json(data: Mapping[str, Any]) -> NodeState:
    told = {name: value for name, value in data.items() if name in _NODE_FIELDS and _has_type(name, value)}
    return NodeState(**{"id": "", "name": "", **told})


def _has_type(name: str, value: Any) -> bool:
    """Whether a damaged record gives a field of a node a value of its type."""
    if name == "inputs":
        return isinstance(value, Mapping) and all(isinstance(text, str) for text in value.values())
    return isinstance(value, int if name in ("retries", "exit_code") else str)


# --- all records -----------------------------------------------------------------------------------------------


@dataclass
class RunStore:
    """The records below one directory.

    secrets: texts that no record may hold, besides those remembered already; they are written as `<redacted>`.
    """

    directory: Path
    secrets: Iterable[str] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        self.directory = Path(self.directory)
        register_secrets(self.secrets)

    def start(
        self, built: BuiltExperiment, report: Report | None = None, *, details: Mapping[str, Any] | None = None
    ) -> RunRecord:
        """Record what is about to be submitted. The directory appears whole, or not at all.

        details: more for `run.json`: engine, namespace, plugins, options that lead back to the server.
        A run that is already recorded is taken up again when its manifest is the same; raises `OptionsError` when it
        is another one: a record is never overwritten. Raises `RecordError` when it cannot be written.
        """
        record = RunRecord(self.directory / _require_safe(built.run_id))
        try:
            if not os.path.lexists(record.path):
                with suppress(FileExistsError):  # another process was first
                    return self._fresh(record, built, report, details or {})
            return _taken_up(record, built, report, details or {})
        except OSError as error:
            raise RecordError(
                f"the run cannot be recorded in {record.path}",
                found=error.strerror or str(error),
                hint="--runs-dir DIR names another directory; nothing was submitted",
            ) from error

    def _fresh(
        self, record: RunRecord, built: BuiltExperiment, report: Report | None, details: Mapping[str, Any]
    ) -> RunRecord:
        fresh = RunRecord(self.directory / f".{built.run_id}.{random.token_hex(4)}.new", id=built.run_id)
        try:
            fresh.path.mkdir(parents=True)
            _fill(fresh, built, report, details)
            _rename_new(fresh.path, record.path)
        finally:
            shutil.rmtree(fresh.path, ignore_errors=True)  # whatever kept it from its name, Ctrl-C too
        return record

    def all(self) -> list[RunRecord]:
        """Every record, the newest first."""
        try:
            paths = [p for p in self.directory.iterdir() if is_safe_id(p.name) and _is_record(p)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            found = error.strerror or str(error)
            raise OptionsError(
                f"the records in {self.directory} cannot be read", found=found, hint="--runs-dir DIR"
            ) from None
        records = [RunRecord(path) for path in paths]
        return sorted(records, key=lambda record: (str(record.metadata.get("created_at", "")), record.id), reverse=True)

    def find(self, text: str = "") -> RunRecord:
        """The record that a text names: an id or a workflow's name, or the beginning or end of one; else the latest.

        Raises `OptionsError` when there is none, or more than one.
        """
        found = self.matching(text)
        if len(found) == 1:
            return found[0]
        if not found:
            raise self._nothing(text)
        names = join_names([record.id for record in found], most=5)
        raise OptionsError(f"{text} may be one of {len(found)} runs", found=names, hint="type more of it")

    def matching(self, text: str = "") -> list[RunRecord]:
        """The records that a text may name; the latest alone for an empty one."""
        if not text:
            return self.all()[:1]
        records, wanted = self.all(), _require_safe(text)
        exact = [record for record in records if wanted in (record.id, record.name)]
        if exact:
            return exact
        return [r for r in records if any(n.startswith(wanted) or n.endswith(wanted) for n in (r.id, r.name))]

    def of_workflow(self, name: str) -> RunRecord | None:
        """The newest record of the run whose workflow has exactly this name; None without one."""
        return next((record for record in self.all() if record.name == name), None)

    def _nothing(self, text: str) -> OptionsError:
        latest = [short_id(record.id) for record in self.all()[:5]]
        found = f"the latest in {self.directory}: {', '.join(latest)}" if latest else f"{self.directory} holds no run"
        if not text:
            return OptionsError("there is no run yet", found=found, hint="hera-k8s run, or --runs-dir DIR")
        return OptionsError(f"no run is called {text}", found=found, hint="hera-k8s runs, or hera-k8s runs --server")


def _is_record(path: Path) -> bool:
    """Whether a path is a record's directory; a link may lead to any file, and is none."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode) and stat.S_ISREG((path / "run.json").lstat().st_mode)
    except OSError:
        return False


def _taken_up(
    record: RunRecord, built: BuiltExperiment, report: Report | None, details: Mapping[str, Any]
) -> RunRecord:
    """The record of a run that is submitted once more; one of someone else's becomes this user's."""
    if not _is_record(record.path):
        found = "it is a link, or holds no run.json"
        raise OptionsError(f"{record.path} is not the record of a run", found=found, hint="another --run-id")
    _require_same(record, built)
    if record.read_own("run") is None:
        _fill(record, built, report, details)
    elif report is not None:
        record.write("report", report.to_json())
    return record


def _require_same(record: RunRecord, built: BuiltExperiment) -> None:
    recorded = record.metadata.get("digest")
    if recorded == built.manifest.digest:
        return
    raise OptionsError(
        f"run {built.run_id} is already recorded, with another workflow",
        found=f"{record.path} holds digest {str(recorded)[:12]}, this one has {built.manifest.digest[:12]}",
        hint="another --run-id; nothing was submitted and the record is as it was",
    )


def _rename_new(path: Path, new: Path) -> None:
    """Give a directory a name that none has yet; raises `FileExistsError`."""
    try:
        path.rename(new)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):  # POSIX allows both
            raise FileExistsError(error.errno, error.strerror, str(new)) from error
        raise


def _fill(record: RunRecord, built: BuiltExperiment, report: Report | None, details: Mapping[str, Any]) -> None:
    record.write("manifest", built.manifest.body)
    record.write("inputs", built.inputs.to_json())
    if report is not None:
        record.write("report", report.to_json())
    record.write(
        "run",
        {
            "run": built.run_id,
            "workflow": built.name,
            "experiment": built.experiment.name,
            "source": built.source,
            "created_at": format_timestamp(now()),
            "digest": built.manifest.digest,
            "inputs": built.inputs.describe(),
            "points": len(built.inputs),
            "layout": built.layout.strategy,
            "requirements": [dict(each.record()) for each in built.environment.requirements],
            "versions": versions(),
            "git": git_state(Path(built.source).parent if built.source else Path()),
            **details,
        },
    )


# --- files -----------------------------------------------------------------------------------------------------


def write_text(path: Path, text: str) -> None:
    """Write a file through a temporary one beside it, so that it is never seen half written; a link is replaced."""
    unfinished = path.with_name(f".{path.name}.{random.token_hex(8)}.part")
    try:
        with open(unfinished, "x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _opened(path: Path, *, most: int) -> TextIO:
    """A regular file of at most `most` bytes, open for reading; lines end at `\\n` alone.

    Raises `OSError` for a link, a larger file, and for a pipe or a device, which may never end.
    """
    file = open(path, encoding="utf-8", errors="replace", newline="\n", opener=_no_link)  # noqa: SIM115 (returned open)
    if os.fstat(file.fileno()).st_size <= most:
        return file
    file.close()
    raise FileRefused(errno.EFBIG, f"it is larger than {format_bytes(most)}", os.fspath(path))


def _no_link(path: str, flags: int) -> int:
    """An opener for `open`; the file is new or a regular one."""
    descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is not a regular file", path)


def _append_line(path: Path, text: str) -> None:
    """Append a line in one write; a line that a crash cut short before it gets its end, so that it spoils no other."""
    with open(path, "ab+", opener=_no_link) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        torn = size > 0 and file.read(1) != b"\n"
        file.write(f"{chr(10) if torn else ''}{text}\n".encode())
