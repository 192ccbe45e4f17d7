"""Why tasks do not start: each reason once, from the task's message, else from its pod."""

from __future__ import annotations

import logging
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hera_k8s_cli.runs.progress import TaskProgress
from hera_k8s_utils.experiment.run_state import NodeState

log = logging.getLogger(__name__)

_PATIENCE: Final = 10.0
"""Seconds that a task may be pending before its reason is looked up."""
_PAUSE: Final = 1.0
"""Seconds between two checks of what is pending."""
_MOST_REASONS: Final = 5
"""Different reasons that are reported for one template; a cluster under load has many."""
_USUAL: Final = ("", "ContainerCreating", "PodInitializing")
_TELLING: Final = ("not found", "couldn't find", "Error", "BackOff", "forbidden", "exceeded")
"""Words of messages that name a fault rather than the usual steps of a start."""

ExplainPod = Callable[[str], str]
"""The name of a pod -> why it does not start, empty when that is not known. May ask a server."""


@dataclass(frozen=True)
class Reason:
    """Why a pod of a template does not start."""

    template: str
    text: str


class PendingTracker:
    """Finds out why tasks stay pending.

    explain: called, in a thread of its own, with a pod whose task has no message; its result goes to `arrived`.
    resume: what lets a suspended run go on, as a command.
    suspend_templates: each with the time that it waits by itself, as a `RunPlan` has them.
    """

    def __init__(
        self,
        tally: TaskProgress,
        explain: ExplainPod | None,
        arrived: Callable[[Reason], object],
        *,
        resume: str = "",
        suspend_templates: Mapping[str, str] | None = None,
    ) -> None:
        self._tally = tally
        self._resume = resume
        self._suspend_templates = suspend_templates or {}
        self._was_suspended = False
        self._explain = explain
        self._arrived = arrived
        self._since: dict[str, float] = {}
        self._told: dict[str, set[str]] = {}
        self._asked: set[str] = set()
        self._looked: float | None = None

    def new_messages(self, at: float) -> list[str]:
        """Sentences about reasons that were not reported yet, at this (monotonic) time in seconds."""
        if self._looked is not None and at - self._looked < _PAUSE:
            return []
        self._looked = at
        late = self._late(at)
        self._ask_for(late)
        suspended = self._suspended()
        reasons = Counter(Reason(node.template, node.message) for node in late if node.message not in _USUAL)
        return suspended + [sentence for reason, many in reasons.items() for sentence in self._sentence(reason, many)]

    def add_reason(self, reason: Reason) -> list[str]:
        """The sentence about a reason that `explain` found, unless it was reported already."""
        return self._sentence(reason, 1)

    def _suspended(self) -> list[str]:
        """Sentences about what waits to be resumed: such a run does not end by itself."""
        how = f" ({self._resume})" if self._resume else ""
        news = []
        if self._tally.is_suspended and not self._was_suspended:
            news.append(f"the run is suspended: no further task starts until it is resumed{how}")
        self._was_suspended = self._tally.is_suspended
        for template, many in Counter(node.template for node in self._tally.suspended()).items():
            news += self._sentence(Reason(template, f"{_suspension(self._suspend_templates.get(template))}{how}"), many)
        return news

    def _late(self, at: float) -> list[NodeState]:
        pending = self._tally.pending()
        self._since = {node.id: self._since.get(node.id, at) for node in pending}
        return [node for node in pending if at - self._since[node.id] >= _PATIENCE or _is_telling(node.message)]

    def _ask_for(self, late: list[NodeState]) -> None:
        if self._explain is None:
            return
        for node in late:
            if node.message in _USUAL and node.pod and node.template not in self._asked:
                self._asked.add(node.template)
                threading.Thread(target=self._look, args=(node, self._explain), name="why", daemon=True).start()

    def _look(self, node: NodeState, explain: ExplainPod) -> None:
        try:
            text = explain(node.pod)
        except Exception:  # the reason is optional: a pod that may not be read is no error
            log.debug("pod %s cannot be read", node.pod, exc_info=True)
            return
        if text:
            self._arrived(Reason(node.template, text))

    def _sentence(self, reason: Reason, many: int) -> list[str]:
        told = self._told.setdefault(reason.template, set())
        if reason.text in told or len(told) >= _MOST_REASONS:
            return []
        told.add(reason.text)
        who = f"{reason.template} waits" if many == 1 else f"{many} tasks of {reason.template} wait"
        return [f"{who}: {reason.text}"]


def _suspension(duration: str | None) -> str:
    """What a suspended task waits for; duration: None where it is not known."""
    if duration is None:
        return "to be resumed, or for its duration to pass"
    return f"for {duration} to pass, or to be resumed" if duration else "to be resumed"


def _is_telling(message: str) -> bool:
    return any(word in message for word in _TELLING)


def related_check(report: Mapping[str, Any], text: str) -> str:
    """The result of the recorded check of the object that a reason names, unless that check passed."""
    for check in report.get("checks") or ():
        role = str(check.get("title", "")).rpartition(" ")[2]
        named = role and re.search(rf"(?<![\w.-]){re.escape(role)}(?![\w.-])", text)
        if named and check.get("verdict") != "passed":
            return f"before the run, the check of {check['title']} was {check.get('verdict')}, {check.get('detail')}"
    return ""
