"""Nodes: the tree in `status.nodes`, its phases, connections and progress."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final

from hera_k8s_sandbox.store.store import now_text
from hera_k8s_sandbox.workflows.limits import Size
from hera_k8s_sandbox.workflows.model.naming import node_id
from hera_k8s_utils._types import Json

COMPLETED: Final = frozenset({"Succeeded", "Failed", "Error"})
FULFILLED: Final = COMPLETED | {"Skipped", "Omitted"}
FAILED: Final = frozenset({"Failed", "Error"})
_LEAVES: Final = frozenset({"Pod", "Skipped", "Suspend"})
_COUNTED: Final = frozenset({"Pod", "Steps", "DAG"})  # what template-level parallelism counts


def fulfilled(node: Json | None) -> bool:
    """Whether nothing more happens to a node."""
    return node is not None and (node["phase"] in FULFILLED or is_daemoned(node))


def is_daemoned(node: Json) -> bool:
    """Whether a node runs beside what comes after it: nothing waits for its end."""
    return bool(node.get("daemoned"))


def failed(node: Json) -> bool:
    """Whether a node ended without success."""
    return node["phase"] in FAILED


def is_to_come(node: Json) -> bool:
    """Whether a node's pod is not made yet: it was taken over from an earlier workflow, or waits for a lock."""
    return node["phase"] == "Pending" and (not node.get("startedAt") or waits_for_lock(node))


def waits_for_lock(node: Json) -> bool:
    """Whether a node waits for a mutex or a semaphore; it has no pod yet."""
    return bool((node.get("synchronizationStatus") or {}).get("waiting"))


class ParallelismReached(Exception):
    """No more may run now; what waits is tried again when something has ended."""


class NodeError(Exception):
    """A node cannot be executed."""


class Nodes:
    """The nodes of one workflow; those given are taken over, not copied.

    base: bytes of the workflow without them.
    """

    def __init__(self, workflow: str, nodes: dict[str, Json] | None = None, *, base: int = 0) -> None:
        self.workflow = workflow
        self.by_id: dict[str, Json] = nodes if nodes is not None else {}
        self.changes = 0
        self._by_name = {node["name"]: node for node in self.by_id.values()}
        self._linked = {key: set(node.get("children") or ()) for key, node in self.by_id.items()}
        self._owner: dict[str, str] = {}
        self._active: defaultdict[str, int] = defaultdict(int)
        self._progress: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._total = [0, 0]
        self._touched: set[str] = set()
        self._size = Size(base, self.by_id.values())
        self.active_pods = 0
        self._recover()

    def __iter__(self) -> Iterator[Json]:
        return iter(list(self.by_id.values()))

    def get(self, name: str) -> Json | None:
        """The node of this name, or None."""
        return self._by_name.get(name)

    def add(
        self,
        name: str,
        kind: str,
        *,
        template: str = "",
        scope: str = "",
        boundary: str = "",
        owner: str = "",
        phase: str,
        message: str = "",
        **more: Any,
    ) -> Json:
        """Add a node; boundary: the id of the DAG or Steps node around it; owner: the id of its group or Retry node.

        scope: where `template` is looked up; empty: among the workflow's own. Raises LimitError.
        """
        key = node_id(self.workflow, name)
        now = now_text()
        node: Json = {"id": key, "name": name, "displayName": self._display_name(name, boundary), "type": kind}
        if template:
            node["templateName"] = template
        node |= {"templateScope": scope or f"local/{self.workflow}", "phase": phase}
        if boundary:
            node["boundaryID"] = boundary
        if message:
            node["message"] = message
        node |= {"startedAt": now, "finishedAt": now if phase in FULFILLED else None}
        node |= {key: value for key, value in more.items() if value is not None}
        self._size.add(node)
        self.by_id[key] = self._by_name[name] = node
        self._linked[key] = set()
        self._owner[key] = owner or boundary
        self.changes += 1
        self._count(node, 1)
        if kind == "Pod":
            done = int(phase == "Succeeded")  # its outputs were known
            node["progress"] = f"{done}/1"
            self._add_progress(node, done, 1)
        return node

    def require_room(self, what: str, boundary: Json, names: list[str], count: int) -> None:
        """Check that so many nodes may be added inside a node; names: those of some of them. Raises LimitError."""
        now = now_text()
        sketch = {
            "type": "Pod",
            "templateScope": f"local/{self.workflow}",
            "phase": "Pending",
            "boundaryID": boundary["id"],
            "startedAt": now,
            "finishedAt": None,
        }
        sample = [{"id": node_id(self.workflow, name), "name": name, **sketch} for name in names]
        self._size.require_room(what, count, sample)

    def mark(self, node: Json, phase: str, message: str | None = None) -> Json:
        """Change a node's phase and, unless None, its message."""
        if node["phase"] != phase:
            was_active = node["phase"] not in FULFILLED
            node["phase"] = phase
            self.changes += 1
            if was_active and phase in FULFILLED:
                self._finish(node)
        if message is not None and node.get("message", "") != message:
            if message:
                node["message"] = message
            else:
                node.pop("message", None)
            self.changes += 1
        return node

    def set(self, node: Json, **fields: Any) -> None:
        """Change fields of a node other than phase and message; None removes one."""
        for key, value in fields.items():
            if node.get(key) == value:
                continue
            if value is None:
                del node[key]
            else:
                node[key] = value
            self.changes += 1

    def connect(self, parent: Json, child: Json) -> None:
        """Make one node a child of another, once."""
        linked = self._linked[parent["id"]]
        if child["id"] not in linked:
            linked.add(child["id"])
            parent.setdefault("children", []).append(child["id"])
            self.changes += 1

    def children(self, node: Json) -> list[Json]:
        """The nodes that follow a node."""
        return [self.by_id[key] for key in node.get("children") or ()]

    def attempts(self, node: Json) -> list[Json]:
        """The attempts of a Retry node: its children but for hooks."""
        return [child for child in self.children(node) if not (child.get("nodeFlag") or {}).get("hooked")]

    def outbound(self, node: Json) -> list[str]:
        """The ids of the nodes by which a node is left: what comes after is connected to these."""
        kind, children = node["type"], node.get("children") or []
        if kind in _LEAVES:
            return [node["id"]]
        if kind == "TaskGroup":
            if not children:
                return [node["id"]]
            members = [self.by_id[key] for key in children]
            return list(_each_once(key for member in members for key in self.outbound(member)))
        if kind == "Retry":
            attempts = self.attempts(node)
            return [attempts[-1]["id"]] if attempts else [node["id"]]
        leaving = [self.by_id[key] for key in node.get("outboundNodes") or ()]
        return list(_each_once(key for one in leaving for key in self.outbound(one)))

    def active_children(self, boundary: str) -> int:
        """How many pods, Steps and DAGs directly in a boundary have not ended."""
        return self._active[boundary]

    def update_progress(self) -> str:
        """Write the progress of what has changed into the nodes; that of the whole workflow."""
        for key in self._touched:
            done, total = self._progress[key]
            self.by_id[key]["progress"] = f"{done}/{total}"
        self._touched.clear()
        done, total = self._total
        return f"{done}/{total}"

    def _finish(self, node: Json) -> None:
        self._count(node, -1)
        if not node.get("finishedAt"):
            node["finishedAt"] = now_text()
        if node["type"] == "Pod" and node["phase"] == "Succeeded":
            node["progress"] = "1/1"
            self._add_progress(node, 1, 0)

    def _count(self, node: Json, change: int) -> None:
        if node["phase"] in FULFILLED and change > 0:
            return
        if node["type"] in _COUNTED:
            self._active[node.get("boundaryID", "")] += change
        if node["type"] == "Pod":
            self.active_pods += change

    def _add_progress(self, node: Json, done: int, total: int) -> None:
        self._total[0] += done
        self._total[1] += total
        key = self._owner.get(node["id"], "")
        while key:
            self._progress[key][0] += done
            self._progress[key][1] += total
            self._touched.add(key)
            key = self._owner.get(key, "")

    def _display_name(self, name: str, boundary: str) -> str:
        around = self.by_id.get(boundary)
        if around is None or not name.startswith(around["name"]):
            return name
        rest = name[len(around["name"]) :]
        if rest.startswith("[") and "]." in rest:
            return rest[rest.index("].") + 2 :]
        return rest.removeprefix(".")

    def _recover(self) -> None:
        """Find again, from nodes that were read back, what is only kept in memory."""
        for node in self.by_id.values():
            for key in node.get("children") or ():
                child = self.by_id.get(key)
                within = f"{node['name']}("
                if child is not None and node["type"] in ("TaskGroup", "Retry") and child["name"].startswith(within):
                    self._owner[key] = node["id"]
        for node in self.by_id.values():
            self._owner.setdefault(node["id"], node.get("boundaryID", ""))
        for node in self.by_id.values():
            self._count(node, 1)
            if node["type"] == "Pod":
                self._add_progress(node, int(node["phase"] == "Succeeded"), 1)


def _each_once(keys: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys(keys)
