"""What two servers made of one workflow: final phase, and of each node what a user reads."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

Json = dict[str, Any]

EQUAL, REJECTED, LIMIT, OPEN, DIFFERENT = "equal", "rejected", "limit", "open", "DIFFERENT"
OUTCOMES: Final[dict[str, tuple[str, list[str]]]] = {}
"""Of each example that was compared: the verdict, and what differs."""
FINAL: Final = ("Succeeded", "Failed", "Error")

_CHANGING: Final = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"\b\d{8,10}\b"), "HASH"),
    (re.compile(r"\b\d+\.\d+\.\d+\.\d+(:\d+)?\b"), "ADDRESS"),
    (re.compile(r"\b\d+(\.\d+)?(ms|s|m)\b"), "DURATION"),
)


def differences(real: Json, sandbox: Json) -> list[str]:
    """What differs, one line each; the real server's first."""
    found = []
    for field in ("phase", "message"):
        pair = [_settled((status.get("status") or {}).get(field) or "") for status in (real, sandbox)]
        if pair[0] != pair[1]:
            found.append(f"workflow {field}: {pair[0]!r} / {pair[1]!r}")
    ours, theirs = _nodes(sandbox), _nodes(real)
    for key in sorted(ours.keys() | theirs.keys()):
        found += _of_node(key, theirs.get(key, Counter()), ours.get(key, Counter()))
    return found


def is_rejected(workflow: Json) -> bool:
    """Whether a workflow was refused before one of its tasks started."""
    status = workflow.get("status") or {}
    return status.get("phase") == "Error" and not any(
        node.get("type") == "Pod" for node in (status.get("nodes") or {}).values()
    )


def waits_for_someone(workflow: Json) -> bool:
    """Whether all that goes on is a node that has to be resumed."""
    nodes = ((workflow.get("status") or {}).get("nodes") or {}).values()
    running = [node for node in nodes if node.get("phase") in ("Running", "Pending")]
    leaves = [node for node in running if node["type"] in ("Pod", "Suspend")]
    return bool(leaves) and all(node["type"] == "Suspend" for node in leaves)


def _nodes(workflow: Json) -> dict[str, Counter[str]]:
    """Of each display name and type: what the nodes have, as texts that can be compared."""
    made: dict[str, Counter[str]] = {}
    for node in ((workflow.get("status") or {}).get("nodes") or {}).values():
        key = f"{node.get('displayName')} ({node.get('type')})"
        made.setdefault(key, Counter())[json.dumps(_view(node), sort_keys=True)] += 1
    return made


def _view(node: Json) -> Json:
    outputs = node.get("outputs") or {}
    view = {
        "phase": node.get("phase"),
        "message": _settled(node.get("message") or ""),
        "exitCode": outputs.get("exitCode"),
        "result": _settled(str(outputs.get("result") or "")),
        "inputs": _parameters(node.get("inputs") or {}),
        "outputs": _parameters(outputs),
        "artifacts": sorted(artifact["name"] for artifact in outputs.get("artifacts") or ()),
    }
    return {key: value for key, value in view.items() if value}


def _parameters(values: Json) -> Json:
    parameters = values.get("parameters") or ()
    return {parameter["name"]: _settled(str(parameter.get("value", ""))) for parameter in parameters}


def _of_node(key: str, real: Counter[str], sandbox: Counter[str]) -> Iterator[str]:
    left, right = list((real - sandbox).elements()), list((sandbox - real).elements())
    for number in range(max(len(left), len(right))):
        one = json.loads(left[number]) if number < len(left) else None
        other = json.loads(right[number]) if number < len(right) else None
        if one is None or other is None:
            yield f"{key}: {'is' if one else 'no'} node / {'is' if other else 'no'} node: {one or other}"
            continue
        for field in sorted(one.keys() | other.keys()):
            if one.get(field) != other.get(field):
                yield f"{key}: {field}: {one.get(field)!r} / {other.get(field)!r}"


def _settled(text: str) -> str:
    """A text without what changes from run to run."""
    for pattern, name in _CHANGING:
        text = pattern.sub(name, text)
    return text
