"""Artifacts: which file of which task a template's input is, and what a node shows of it.

A scope holds an artifact as its JSON, so that `from: "{{tasks.a.outputs.artifacts.x}}"` is resolved as any tag is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from hera_k8s_sandbox.workflows.expressions import ExpressionError, evaluate
from hera_k8s_sandbox.workflows.language.substitution import substitute
from hera_k8s_utils._types import Json

LOCATIONS: Final = ("s3", "raw")  # an object of the repository by its key, or a text
FOREIGN: Final = ("artifactory", "azure", "gcs", "git", "hdfs", "http", "oss", "plugin")
_OF_INPUT: Final = ("name", "path", "mode", "recurseMode", "optional")
_REFERRED: Final = ("from", "fromExpression", "subPath")


class ArtifactError(ValueError):
    """An artifact is not there."""


def location_of(artifact: Json) -> Json:
    """The location of an artifact; empty for none."""
    return {key: artifact[key] for key in LOCATIONS if artifact.get(key)}


def has_place(artifact: Json) -> bool:
    """Whether an artifact has a location, even one that the sandbox does not support."""
    return any(artifact.get(kind) for kind in (*LOCATIONS, *FOREIGN))


def resolved(arguments: Json, values: Mapping[str, str]) -> Json:
    """Arguments whose artifacts say where they are, not from which task. Raises ArtifactError."""
    if not arguments.get("artifacts"):
        return arguments
    found = [_resolved(one, values) for one in arguments["artifacts"]]
    return {**arguments, "artifacts": [one for one in found if one is not None]}


def bound(template: Json, arguments: Json) -> list[Json]:
    """The input artifacts of a template by what is passed to it, each with its place: an optional one may have none.

    Raises ArtifactError.
    """
    given = {one["name"]: one for one in arguments.get("artifacts") or ()}
    found = []
    for wanted in (template.get("inputs") or {}).get("artifacts") or ():
        passed = given.get(wanted["name"], wanted)
        place = location_of(passed)
        if place or wanted.get("optional"):
            kept = {key: wanted[key] for key in (*_OF_INPUT, "archive") if key in wanted}
            archive = {"archive": passed["archive"]} if "archive" in passed and "archive" not in kept else {}
            found.append({**kept, **archive, **place})
        else:
            why = "missing location information" if wanted["name"] in given else "was not supplied"
            raise ArtifactError(f"inputs.artifacts.{wanted['name']} {why}")
    return found


def taken(declared: Json, values: Mapping[str, str]) -> Json | None:
    """An output artifact of a DAG or Steps template; None for an optional one. Raises ArtifactError."""
    found = _resolved(substitute(declared, values), values)
    if found is not None and declared.get("globalName"):
        found["globalName"] = declared["globalName"]
    return found


def values_of(prefix: str, artifacts: Any) -> dict[str, str]:
    """What `{{PREFIX.artifacts.NAME}}` stands for."""
    return {f"{prefix}.artifacts.{one['name']}": json.dumps(one, ensure_ascii=False) for one in artifacts or ()}


def _resolved(artifact: Json, values: Mapping[str, str]) -> Json | None:
    if not artifact.get("from") and not artifact.get("fromExpression"):
        return artifact
    text = str(artifact.get("from") or "")
    if artifact.get("fromExpression"):
        try:
            text = str(evaluate(str(artifact["fromExpression"]), values))
        except ExpressionError as error:
            text = str(error)
    try:
        source = json.loads(text)
    except ValueError:
        if artifact.get("optional"):
            return None
        raise ArtifactError(f"unable to resolve references: Unable to resolve: {text}") from None
    if not isinstance(source, dict):
        raise ArtifactError(f"unable to resolve references: Unable to resolve: {text}")
    place = location_of(source)
    if artifact.get("subPath") and "s3" in place:
        place["s3"] = {**place["s3"], "key": f"{place['s3']['key']}/{artifact['subPath']}"}
    kept = {key: value for key, value in artifact.items() if key not in _REFERRED}
    archive = {"archive": source["archive"]} if source.get("archive") and "archive" not in kept else {}
    return {**kept, **archive, **place}
