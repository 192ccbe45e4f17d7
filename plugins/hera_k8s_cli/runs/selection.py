"""Which run a command means, and the options that lead back to its server."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_utils._types import Json
from hera_k8s_utils.config.options import ResolvedOption, SourcePriority
from hera_k8s_utils.config.settings import CoreSettings
from hera_k8s_utils.container.run_details import plain_value, settings_of_connection
from hera_k8s_utils.errors import CredentialError, HeraK8sError, OptionsError, PlatformError, WorkflowFailed
from hera_k8s_utils.experiment.run_ids import short_id
from hera_k8s_utils.names import is_dns_label
from hera_k8s_utils.plugins.records import ExecutionEngine
from hera_k8s_utils.runs.records import RunRecord, RunStore

if TYPE_CHECKING:
    from hera_k8s_utils.container.session import Session

_LONGEST: Final = 2000
"""Characters of a record that a message repeats."""


@dataclass(frozen=True)
class RunHandle:
    """A run that a command was given.

    name: of its workflow. record: None for one that only the server knows. settings: options, by name, for the
    container that talks to its server. own: whether this user wrote the record on this machine.
    """

    name: str
    record: RunRecord | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    own: bool = True

    @property
    def short(self) -> str:
        """What people type for it."""
        return short_id(self.record.id) if self.record else self.name

    @property
    def come_back(self) -> str:
        """What brings one back to it."""
        return f"hera-k8s follow {self.short}"

    @property
    def stop(self) -> str:
        """What ends it."""
        return f"hera-k8s stop {self.short}"

    @property
    def manifest(self) -> Json:
        """What was submitted, as far as it is recorded here."""
        return (self.record.read("manifest") if self.record else None) or {}


@contextmanager
def explain_missing_run(target: RunHandle) -> Iterator[None]:
    """Tells of a workflow that the server does not know in the words of somebody who looks for a run.

    So too where no server can be asked, and nothing is recorded of such a run: its name is the likelier mistake.
    """
    try:
        yield
    except CredentialError as error:
        if target.record is not None:
            raise
        wanted = f"no run is called {target.name} here, and {error.wanted}"
        raise type(error)(wanted, found=error.found, hint=error.hint) from error
    except PlatformError as error:
        if not error.says_absent:  # a gateway's 404 says nothing of the run
            raise
        raise _not_there(target) from error


def _not_there(target: RunHandle) -> HeraK8sError:
    if target.record is None:
        found = "it is neither recorded here nor on the server"
        return OptionsError(f"no run is called {target.name}", found=found, hint="hera-k8s runs [--server]")
    platforms = target.record.metadata.get("platforms")
    first = platforms[0] if isinstance(platforms, list) and platforms else None
    server = first.get("server") if isinstance(first, dict) else None
    return WorkflowFailed(
        f"{target.name} is not on the server, or no longer",
        found=f"it went to {server}; what was seen of it is in {target.record.path}" if server else "",
        hint="hera-k8s runs --server",
    )


def runs_of(session: Session) -> RunStore:
    """The records below `--runs-dir`."""
    core = session.options.of(CoreSettings)
    return RunStore(core.runs_dir, session.options.secrets)


def select_run(session: Session, text: str) -> RunHandle:
    """The run that a text names: recorded here, else a workflow of that very name on the server.

    Raises `OptionsError` when several records match, or none is named and there is none.
    """
    runs = runs_of(session)
    if text and not runs.matching(text):
        return RunHandle(text)
    record = runs.find(text)
    about, submission = record.read_own("run"), record.read_own("submission")
    own = bool(about) and submission is not None
    return RunHandle(record.name, record, _settings(record, session, own=own), own)


def _settings(record: RunRecord, session: Session, *, own: bool) -> dict[str, Any]:
    """What leads to the server of a record, unless this command line says where to look."""
    about, submission = record.metadata, record.submission or {}
    back = about.get("back") or {}
    connection = settings_of_connection(session.options, session.plugins)
    if any(each.origin.rank == SourcePriority.GIVEN for each in connection):
        engine = str(submission.get("engine") or _intended(about, "engine"))
        return {"engine": engine} if _is_alone(engine, session) else {}
    stated = {
        name: value for name in ("namespace", "engine") if (value := submission.get(name) or _intended(about, name))
    }
    if own:
        return {**back, **stated}
    _refuse_to_be_led(record, back if isinstance(back, dict) else {}, stated, session)
    return stated


def _refuse_to_be_led(record: RunRecord, back: Json, stated: Json, session: Session) -> None:
    """A record that this user did not write leads only to where the user's own configuration leads anyway.

    Raises `OptionsError` with the flags that would follow it. Names of a namespace and of an engine lead to no server.
    """
    known = {each.spec.key: each for each in settings_of_connection(session.options, session.plugins)}
    asked = {name: value for name, value in back.items() if name in known and plain_value(known[name]) != value}
    namespace = known["namespace"].value
    if namespace and stated.get("namespace", namespace) != namespace:
        asked["namespace"] = stated["namespace"]
    engines = [each.name for each in session.plugins.records("execution_engines", ExecutionEngine)]
    if not is_dns_label(str(stated.get("namespace", "x"))) or stated.get("engine", engines[0]) not in engines:
        raise OptionsError(f"the record {record.path} is damaged", found="its submission.json names no such place")
    if not asked:
        return
    flags = " ".join(word for name, value in asked.items() for word in _flags(known[name], value))
    raise OptionsError(
        f"the record {record.path} is not followed to its server",
        found=f"it was not written by you on this machine with this version, and asks for {_one_line(flags)}",
        hint=f"if you want that: hera-k8s {session.command.name} {short_id(record.id)} {_one_line(flags)}",
    )


def _flags(each: ResolvedOption, value: Any) -> list[str]:
    flag = each.spec.flag
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    return [f"{flag} {shlex.quote(str(text))}" for text in (value if isinstance(value, list) else [value])]


def _one_line(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:_LONGEST]


def _intended(about: Mapping[str, Any], name: str) -> str:
    """The namespace or the engine of a run that is not known to have been accepted: those it was sent to."""
    platforms = about.get("platforms") or [{}]
    return str((platforms[0] if name == "namespace" else about).get(name) or "")


def _is_alone(engine: str, session: Session) -> bool:
    """Whether no other engine runs what this one does, so that it is needed wherever its runs are looked for."""
    engines = session.plugins.records("execution_engines", ExecutionEngine)
    mine = {kind for each in engines if each.name == engine for kind in each.runs}
    others = {kind for each in engines if each.name != engine for kind in each.runs}
    return bool(mine - others) and not session.options.of(CoreSettings).engine
