"""The nodes of a workflow's status: the tasks, their attempts, and what only holds them together."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hera_k8s_utils import Json, NodeState
from hera_k8s_utils.reading import LARGEST_DOCUMENT, gunzip, parse_json

log = logging.getLogger(__name__)

_WORK: Final = frozenset({"", "Pod", "Retry", "Suspend", "HTTP", "Plugin", "Skipped"})
"""Types of nodes that stand for work; the others only hold them together."""
_FAILED: Final = ("Failed", "Error")
_STOPPED: Final = ("Stopped with strategy", "workflow shutdown with strategy")
"""How the messages of nodes begin that the controller (4.1) ended because the workflow was stopped or terminated."""
_TERMINATED: Final = 143
"""The exit code of a process that SIGTERM ended (128 + 15)."""
_EXHAUSTED: Final = ("", "No more retries left")
"""Messages of a Retry node that say no more than that its last attempt failed."""
_EXIT_CODE: Final = re.compile(r"(?:main: )?((?:[\w-]+: )?)(\w*) ?\(exit code (\d+)\)(.*)", re.DOTALL)
"""What the controller (4.1) writes of a container that failed: `main: OOMKilled (exit code 137): its message`."""


class NodeTree:
    """The nodes of one state of a workflow. A node that is retried is one task; its attempts are reported as such."""

    def __init__(self, workflow: Json) -> None:
        self._workflow = workflow
        self._stopped = bool((workflow.get("spec") or {}).get("shutdown"))
        self.nodes = nodes_of(workflow.get("status") or {})
        self._attempts = {key: self._tries(node) for key, node in self.nodes.items() if node.get("type") == "Retry"}
        self._is_attempt = {each for tries in self._attempts.values() for each in tries}
        self._repeated = tuple(self._within_repeated())

    def _tries(self, node: Json) -> list[str]:
        """The ids of a Retry node's attempts: its children but for hooks."""
        children = node.get("children") or ()
        return [key for key in children if not ((self.nodes.get(key) or {}).get("nodeFlag") or {}).get("hooked")]

    def _within_repeated(self) -> Iterator[str]:
        """How the names begin of nodes inside an attempt (a DAG or steps) that was made again as a whole."""
        for tries in self._attempts.values():
            for key in tries[:-1]:
                attempt = self.nodes.get(key) or {}
                if attempt.get("type", "") not in _WORK:
                    yield f"{attempt.get('name')}."  # a task of a DAG
                    yield f"{attempt.get('name')}["  # a group of steps, and each step in it

    def _last(self, key: str) -> Json:
        tries = self._attempts.get(key)
        return (self.nodes.get(tries[-1]) if tries else None) or {}

    def mark(self, key: str) -> tuple[Any, ...]:
        """What tells two states of a node apart."""
        node, last = self.nodes[key], self._last(key)
        return (*map(node.get, _MARKED), self._role(key, node), self._retries(key), *map(last.get, _MARKED))

    def state(self, key: str) -> NodeState:
        """A node as the core knows it."""
        node, last = self.nodes[key], self._last(key)
        pod = next(((k, n) for k, n in self._with_pods(key, node) if n.get("type") == "Pod"), None)
        code = str(((last or node).get("outputs") or {}).get("exitCode") or "")
        parameters = (node.get("inputs") or {}).get("parameters") or ()
        message = _message(node, last)
        exit_code = _EXIT_CODE.fullmatch(message)
        return NodeState(
            id=key,
            name=str(node.get("name") or ""),
            display_name=str(node.get("displayName") or ""),
            type=str(node.get("type") or ""),
            template=_template(node),
            phase=self._phase(node, last, message),
            message=_worded(exit_code) if exit_code else message,
            pod=pod_name(*pod, self._workflow) if pod else "",
            started_at=str(node.get("startedAt") or ""),
            finished_at=str(node.get("finishedAt") or ""),
            retries=self._retries(key),
            inputs={
                str(p["name"]): str(p.get("value", "")) for p in parameters if isinstance(p, dict) and p.get("name")
            },
            role=self._role(key, node),
            exit_code=int(exit_code[3]) if exit_code else int(code) if code.isdecimal() else None,
        )

    def _with_pods(self, key: str, node: Json) -> Iterator[tuple[str, Json]]:
        """The nodes whose pod is a node's own: of a task that is retried, the latest attempt's."""
        yield key, node
        if self._attempts.get(key):
            yield self._attempts[key][-1], self._last(key)

    def _role(self, key: str, node: Json) -> str:
        if node.get("type", "") not in _WORK:
            return "group"
        if node.get("type") == "Retry" and self._last(key).get("type", "") not in _WORK:
            return "group"  # of an attempt that is a DAG or steps, whose tasks are counted themselves
        if key in self._is_attempt or (self._repeated and str(node.get("name") or "").startswith(self._repeated)):
            return "attempt"
        return "task"

    def _retries(self, key: str) -> int:
        return max(0, len(self._attempts.get(key) or ()) - 1)

    def _phase(self, node: Json, last: Json, message: str) -> str:
        """The phase; that of a Retry node is Running from its beginning, whatever its attempts do (4.1)."""
        phase = str(node.get("phase") or "")
        if node.get("type") == "Retry" and phase == "Running":
            return "Running" if last.get("phase") == "Running" else "Pending"
        if phase not in _FAILED:
            return phase
        own = str(node.get("message") or "")
        by_signal = self._stopped and f"(exit code {_TERMINATED})" in message
        return "Stopped" if by_signal or own.startswith(_STOPPED) or message.startswith(_STOPPED) else phase


_MARKED: Final = ("phase", "message", "startedAt", "finishedAt")


def _message(node: Json, last: Json) -> str:
    """What a node says of itself; of a task that is retried, also what its latest attempt says."""
    own, of_last = (str(each.get("message") or "") for each in (node, last))
    if node.get("phase") not in _FAILED:
        return own or (of_last if last.get("phase") == "Pending" else "")
    if not of_last or of_last == own:
        return own
    return of_last if own in _EXHAUSTED or own.startswith(_STOPPED) else f"{of_last}; {own}"


def _worded(found: re.Match[str]) -> str:
    """`OOMKilled, exit code 137`, as the engine `jobs` says it too."""
    container, reason, code, more = found.groups()
    words = [reason if reason != "Error" else "", f"exit code {code}"]
    return f"{container}{', '.join(filter(None, words))}{more}"


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


def _template(node: Json) -> str:
    """The template of a node; where it is written inside the task or step, the name of that."""
    named = _named_template(node)
    if not named and node.get("type") != "StepGroup":
        return str(node.get("displayName") or "").partition("(")[0]
    return named


def _named_template(node: Json) -> str:
    """The template that a node names; empty where it is written inside the task or step."""
    return str((node.get("templateRef") or {}).get("template") or node.get("templateName") or "")


def pod_name(key: str, node: Json, workflow: Json) -> str:
    """The name that the controller (4.0.5) gives to a node's pod: the workflow, the template, a hash of the node.

    A template that is written inside a task or step has no name, and adds none.
    """
    metadata = workflow.get("metadata") or {}
    if (metadata.get("annotations") or {}).get("workflows.argoproj.io/pod-name-format") == "v1":
        return key
    owner, name = str(metadata.get("name") or ""), str(node.get("name") or "")
    if name == owner:
        return owner
    template = _named_template(node)
    prefix = f"{owner}-{template}" if template else owner
    return f"{prefix[:_LONGEST_PREFIX]}-{_fnv32a(name.encode())}"


_LONGEST_PREFIX: Final = 253 - 10 - 1
"""A pod's name has at most 253 characters, of which a hash takes 10 and the dash one."""


def _fnv32a(data: bytes) -> int:
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value
