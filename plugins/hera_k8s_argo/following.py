"""Following one workflow to its end over streams that may be interrupted; each change is reported once."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hera_k8s_utils import ErrorKind, Json, NodeState, PlatformError, RunAlreadyFinished, RunUpdate
from hera_k8s_utils.engines import StreamAttempt, is_permanent
from hera_k8s_utils.network import FailureBudget, RetryPolicy
from hera_k8s_utils.reading import LARGEST_DOCUMENT, gunzip, parse_json

log = logging.getLogger(__name__)

FIELDS: Final = (
    "metadata.name",
    "metadata.uid",
    "metadata.annotations.workflows.argoproj.io/pod-name-format",
    "spec.suspend",
    "status.phase",
    "status.message",
    "status.progress",
    "status.startedAt",
    "status.finishedAt",
    "status.nodes",
)
"""What following needs of a workflow. Argo's filter cannot look into `nodes`, whose keys are the nodes' ids (4.1)."""
FINAL: Final = frozenset({"Succeeded", "Failed", "Error"})


@dataclass(frozen=True)
class Source:
    """Where the state of a workflow comes from.

    read: name -> the workflow in its present state.
    watch: name, resourceVersion -> (type, workflow) pairs after that version, so that no change is missed; with an
        empty version they start with the present state.
    """

    read: Callable[[str], Json]
    watch: Callable[[str, str], Iterator[tuple[str, Json]]]


def follow(source: Source, name: str, patience: RetryPolicy | None = None) -> Iterator[RunUpdate]:
    """Updates until the workflow's phase is final or it is gone; each holds only what changed.

    Raises `PlatformError` when the workflow does not exist at the start, when the server does not permit following it,
    and after too many failures in a row.
    """
    state = _State(name)
    budget = FailureBudget(name, patience or RetryPolicy(), _goes_on(name))
    while not state.ended:
        try:
            workflow = source.read(name)
        except PlatformError as error:
            if error.says_absent and state.known:
                yield state.gone()
                return
            if is_permanent(error, first=not state.known):
                raise
            budget.record_failure(error)
            continue
        yield from state.take(workflow)
        if not state.ended:
            since = "" if budget.failing else str((workflow.get("metadata") or {}).get("resourceVersion") or "")
            yield from _watched(source, name, since, state, budget)


def _goes_on(name: str) -> str:
    return f"the workflow is still running. Reattach: hera-k8s follow {name}"


def _watched(source: Source, name: str, since: str, state: _State, budget: FailureBudget) -> Iterator[RunUpdate]:
    """One stream, until it ends. One that ends at once counts as a failure: it would be reopened forever.

    So does an expired resourceVersion (410), as an object that was not changed for minutes has; the next stream starts
    without one. A refused token is renewed by the next read.
    """
    with StreamAttempt(budget.policy) as attempt:
        for kind, workflow in source.watch(name, since):
            attempt.heard = True
            yield from state.take(workflow, deleted=kind == "DELETED")
            if state.ended:
                return
    ended_at_once = PlatformError(f"following {name}", found="the stream ended at once", kind=ErrorKind.SERVER)
    error = attempt.error or ended_at_once
    if attempt.succeeded:
        log.debug("the stream of %s ended (%s): taking it up again", name, error.found)
        budget.reset()
    else:
        budget.record_failure(error)


@dataclass
class _State:
    """The state of the workflow so far; of each node only a few short strings are kept."""

    name: str
    uid: str = ""
    known: bool = False
    ended: bool = False
    suspended: bool = False
    _summary: tuple[str, ...] = ("", "", "", "", "")
    _nodes: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def take(self, workflow: Json, *, deleted: bool = False) -> Iterator[RunUpdate]:
        """The changes in a newer state of the workflow, if any."""
        uid = (workflow.get("metadata") or {}).get("uid") or ""
        if self.known and uid and self.uid and uid != self.uid:  # deleted, and another one made under its name
            yield self.gone()
            return
        first, self.known, self.uid = not self.known, True, uid or self.uid
        status = workflow.get("status") or {}
        summary = self._summarised(status)
        nodes = self._changed(workflow, status)
        lost = deleted and summary[0] not in FINAL
        self.ended = lost or summary[0] in FINAL
        suspended = bool((workflow.get("spec") or {}).get("suspend"))
        news = first or lost or bool(nodes) or summary != self._summary or suspended != self.suspended
        self._summary, self.suspended = summary, suspended
        if news:
            yield _update(summary, nodes, gone=lost, suspended=suspended)

    def gone(self) -> RunUpdate:
        """The last update of a workflow that was deleted."""
        self.ended = True
        return _update(self._summary, [], gone=True)

    def _summarised(self, status: Json) -> tuple[str, ...]:
        phase, *rest = (str(status.get(key) or "") for key in _SUMMARY)
        return (phase or self._summary[0] or "Pending", *rest)

    def _changed(self, workflow: Json, status: Json) -> list[NodeState]:
        changed = []
        for key, node in nodes_of(status).items():
            mark = _mark(node)
            if self._nodes.get(key) != mark:
                self._nodes[key] = mark
                changed.append(node_state(key, node, workflow))
        return changed


_SUMMARY: Final = ("phase", "message", "progress", "startedAt", "finishedAt")


def _update(summary: tuple[str, ...], nodes: list[NodeState], *, gone: bool, suspended: bool = False) -> RunUpdate:
    phase, message, progress, started, finished = summary
    return RunUpdate(
        phase=phase,
        message=message,
        nodes=nodes,
        progress=progress,
        started_at=started,
        finished_at=finished,
        gone=gone,
        suspended=suspended,
    )


def _mark(node: Json) -> tuple[Any, ...]:
    return (node.get("phase"), node.get("message"), node.get("startedAt"), node.get("finishedAt"), _retries(node))


def require_going_on(name: str, workflow: Json) -> None:
    """Raise `RunAlreadyFinished` for a workflow whose phase is final."""
    phase = str((workflow.get("status") or {}).get("phase") or "")
    if phase in FINAL:
        raise RunAlreadyFinished(name, phase)


def require_stopping(name: str, read: Callable[[str], Json], error: PlatformError, *, terminate: bool) -> None:
    """Raise unless a workflow is being stopped although the request failed or its answer was lost.

    `RunAlreadyFinished` for one whose phase is final, else the error, marked as an unknown outcome where it is one.
    """
    try:
        workflow = read(name)
    except PlatformError as reading:
        log.debug("reading %s back failed: %s", name, reading.found)
        raise _perhaps_stopped(name, error) from error
    require_going_on(name, workflow)
    shutdown = (workflow.get("spec") or {}).get("shutdown")
    if shutdown not in (("Terminate",) if terminate else ("Stop", "Terminate")):
        raise _perhaps_stopped(name, error) from error


def _perhaps_stopped(name: str, error: PlatformError) -> PlatformError:
    if error.conclusive:
        return error
    return PlatformError(
        f"unknown whether {name} is being stopped",
        found=error.found or error.wanted,
        hint=f"{f'{error.hint}; ' if error.hint else ''}repeat hera-k8s stop {name}: it is safe",
        kind=error.kind,
        status=error.status,
        conclusive=False,
    )


def nodes_of(status: Json) -> Mapping[str, Json]:
    """The nodes of a workflow's status; the controller compresses them when the object grows large.

    The Argo server unpacks them itself; those that the controller offloads to a database are only to be had there.
    """
    packed = status.get("compressedNodes")
    if not packed:
        return status.get("nodes") or {}
    try:
        nodes = parse_json(gunzip(base64.b64decode(packed), most=LARGEST_DOCUMENT))
    except (ValueError, OSError, EOFError):
        log.warning("the compressed nodes of the workflow cannot be read")
        return {}
    return nodes if isinstance(nodes, dict) else {}


def node_state(key: str, node: Json, workflow: Json) -> NodeState:
    """A node of `status.nodes` as the core knows it."""
    parameters = (node.get("inputs") or {}).get("parameters") or ()
    return NodeState(
        id=key,
        name=str(node.get("name") or ""),
        display_name=str(node.get("displayName") or ""),
        type=str(node.get("type") or ""),
        template=_template(node),
        phase=str(node.get("phase") or ""),
        message=str(node.get("message") or ""),
        pod=pod_name(key, node, workflow) if node.get("type") == "Pod" else "",
        started_at=str(node.get("startedAt") or ""),
        finished_at=str(node.get("finishedAt") or ""),
        retries=_retries(node),
        inputs={str(p["name"]): str(p.get("value", "")) for p in parameters if isinstance(p, dict) and p.get("name")},
    )


def _template(node: Json) -> str:
    """The template of a node; where it is written inside the task or step, the name of that."""
    named = node.get("templateName") or (node.get("templateRef") or {}).get("template")
    if not named and node.get("type") != "StepGroup":
        named = str(node.get("displayName") or "").partition("(")[0]
    return str(named or "")


def _retries(node: Json) -> int:
    """A Retry node's children are its tries."""
    return max(0, len(node.get("children") or ()) - 1) if node.get("type") == "Retry" else 0


def pod_name(key: str, node: Json, workflow: Json) -> str:
    """The name that the controller (4.1) gives to a node's pod: the workflow, the template, and a hash of the node."""
    metadata = workflow.get("metadata") or {}
    if (metadata.get("annotations") or {}).get("workflows.argoproj.io/pod-name-format") == "v1":
        return key
    owner, name = str(metadata.get("name") or ""), str(node.get("name") or "")
    if name == owner:
        return owner
    prefix = owner if ".inline" in name else f"{owner}-{_template(node)}"
    return f"{prefix[:_LONGEST_PREFIX]}-{_fnv32a(name.encode())}"


_LONGEST_PREFIX: Final = 253 - 10 - 1
"""A pod's name has at most 253 characters, of which a hash takes 10 and the dash one."""


def _fnv32a(data: bytes) -> int:
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value
