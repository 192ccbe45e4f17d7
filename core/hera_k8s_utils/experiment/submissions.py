"""What a script would submit: captured while it runs, and made into an experiment that is checked and run instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hera_k8s_utils.errors import BuildError, join_names
from hera_k8s_utils.experiment.bodies import metadata_of, with_metadata
from hera_k8s_utils.experiment.manifest import Manifest
from hera_k8s_utils.experiment.workload_kinds import is_declared, workload_kind
from hera_k8s_utils.offline.phase import CREATE, HeldRequest

_MOST_SHOWN = 6


@dataclass(frozen=True)
class CapturedSubmission:
    """An object that a script would have created, of a kind that can be checked and run.

    name: what FILE:NAME calls it: the object's name where that is unique, else its number, from 1.
    manifest: the object.
    request: how the script would have sent it.
    """

    name: str
    manifest: Manifest
    request: HeldRequest

    def described(self, file: Path) -> str:
        """`coinflip (line 38: w.create())`, the line as far as it is in the user's code."""
        where = self.request.site.within(file)
        label = self.name if not self.name.isdigit() else f"{self.name}: {_label(self.request)}"
        return f"{label} ({where})" if where else label


def submissions_of(requests: Iterable[HeldRequest]) -> list[CapturedSubmission]:
    """The submissions among held requests, in their order."""
    found = [each for each in requests if each.verb == CREATE and each.body is not None and is_declared(each.kind)]
    labels = Counter(_label(each) for each in found)
    return [
        CapturedSubmission(_label(each) if labels[_label(each)] == 1 else str(number), _manifest(each), each)
        for number, each in enumerate(found, start=1)
    ]


def other_changes(requests: Iterable[HeldRequest]) -> list[HeldRequest]:
    """What else a script would have changed on a server."""
    requests = list(requests)
    captured = {id(each.request) for each in submissions_of(requests)}
    return [each for each in requests if each.changes and id(each) not in captured]


def only_submission(found: Sequence[CapturedSubmission], file: Path, shown: Path) -> CapturedSubmission:
    """The one submission. Raises `BuildError` where there are several: which of them is meant is the user's choice.

    file: absolute. shown: as the user typed it.
    """
    if len(found) == 1:
        return found[0]
    lines = "".join(f"\n{each.described(file)}" for each in found[:_MOST_SHOWN])
    more = f"\nand {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
    raise BuildError(
        f"{shown} would submit {len(found)} objects, and one is run at a time",
        found=lines + more,
        hint=f"choose one: {shown}:{found[0].name}; nothing was sent",
    )


def named_submission(found: Sequence[CapturedSubmission], name: str) -> CapturedSubmission | None:
    """The submission that NAME means: its name or its number, or that of none."""
    by_name = next((each for each in found if each.name == name), None)
    if by_name is None and name.isdigit() and 0 < int(name) <= len(found):
        return found[int(name) - 1]
    return by_name


def submission_of(found: Sequence[CapturedSubmission], value: Any) -> CapturedSubmission | None:
    """The only submission of an object of the script's, such as a Hera Workflow."""
    mine = [each for each in found if each.request.origin is value]
    return mine[0] if len(mine) == 1 else None


def describe_others(requests: Sequence[HeldRequest], file: Path) -> str:
    """What a script would do besides, `delete a WorkflowTemplate (line 3: ...)`."""
    return join_names([f"{each.deed} ({each.site.within(file)})".removesuffix(" ()") for each in requests], most=3)


def _label(request: HeldRequest) -> str:
    metadata = metadata_of(request.body or {})
    return str(metadata.get("name") or "") or str(metadata.get("generateName") or "").rstrip("-") or request.kind


def _manifest(request: HeldRequest) -> Manifest:
    """The object as it would have been sent, with the namespace that the request names."""
    body = request.body or {}
    body = body if body.get("kind") else {"kind": request.kind, **body}
    metadata = metadata_of(body)
    if request.namespace and not metadata.get("namespace"):
        body = with_metadata(body, {**metadata, "namespace": request.namespace})
    made = Manifest.of(body)
    return replace(made, sources=workload_kind(request.kind).sources(request.origin)) if request.origin else made
