"""Artifacts: inputs, outputs and arguments, and which of their places the sandbox has."""

from __future__ import annotations

import posixpath
import re
from typing import Final

from hera_k8s_sandbox.workflows.expressions import ExpressionError
from hera_k8s_sandbox.workflows.model.artifacts import FOREIGN, location_of
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid, unsupported
from hera_k8s_sandbox.workflows.validation.names import check_parameter
from hera_k8s_sandbox.workflows.validation.references import check_expression
from hera_k8s_utils._types import Json

_S3: Final = ("key", "keyFormat")  # a place of its own has more: a bucket, an endpoint, keys to it
_GARBAGE: Final = ("OnWorkflowCompletion", "OnWorkflowDeletion", "Never")
_MODE: Final = range(0, 0o1000)


def check_input_artifacts(where: str, template: Json, *, leaf: bool) -> None:
    """Whether a template's input artifacts can be had and put somewhere."""
    seen: set[str] = set()
    for index, one in enumerate((template.get("inputs") or {}).get("artifacts") or ()):
        at = _named(f"{where}.inputs", index, one, seen)
        _place(at, one)
        if one.get("from") or one.get("fromExpression"):
            raise WorkflowInvalid(f"{at}.from not valid in inputs")
        if leaf and not one.get("path"):
            raise WorkflowInvalid(f"error in {at}: path not specified")
        if not leaf and one.get("path"):
            raise WorkflowInvalid(f"{at}.path only valid in container/script templates")
        _path(at, one)


def check_output_artifacts(where: str, template: Json, *, leaf: bool) -> None:
    """Whether a template's output artifacts can be found and kept."""
    seen: set[str] = set()
    for index, one in enumerate((template.get("outputs") or {}).get("artifacts") or ()):
        at = _named(f"{where}.outputs", index, one, seen)
        _place(at, one)
        if leaf and not one.get("path"):
            raise WorkflowInvalid(f"{at}.path must be specified in Container templates")
        if not leaf and not one.get("from") and not one.get("fromExpression"):
            raise WorkflowInvalid(f"{at}.from or expression must be specified")
        _expression(at, one)
        _path(at, one)


def check_passed_artifacts(where: str, arguments: Json) -> None:
    """Whether the artifacts that a task or step passes say what they are."""
    seen: set[str] = set()
    for index, one in enumerate(arguments.get("artifacts") or ()):
        at = _named(f"{where}.arguments", index, one, seen)
        _place(at, one)
        _expression(at, one)
        if not one.get("from") and not one.get("fromExpression") and not location_of(one) and not one.get("optional"):
            raise WorkflowInvalid(f"{at}: from, artifact location, or key is required")


def check_artifact_gc(at: str, garbage: Json) -> None:
    """Check the strategy of artifactGC; the account and labels of Argo's pods for it are ignored."""
    strategy = garbage.get("strategy") or "Never"
    if strategy not in _GARBAGE:
        raise WorkflowInvalid(f"{at}.artifactGC.strategy unknown strategy '{strategy}'".removeprefix("."))


def _named(where: str, index: int, artifact: Json, seen: set[str]) -> str:
    check_parameter(f"{where}.artifacts[{index}]", artifact.get("name", ""), seen)
    return f"{where}.artifacts.{artifact['name']}"


def _place(at: str, artifact: Json) -> None:
    for kind in FOREIGN:
        if artifact.get(kind):
            raise unsupported(f"{at}.{kind}: artifacts are kept in the sandbox's own repository")
    for field in sorted((artifact.get("s3") or {}).keys() - set(_S3)):
        raise unsupported(f"{at}.s3.{field}: artifacts are kept in the sandbox's own repository, by `key` alone")
    key = str((artifact.get("s3") or {}).get("key") or "")
    if key.startswith("/") or ".." in key.split("/"):
        raise WorkflowInvalid(f"{at}.s3.key: '{key}' is invalid")
    check_artifact_gc(at, artifact.get("artifactGC") or {})


def _path(at: str, artifact: Json) -> None:
    path = str(artifact.get("path") or "")
    if path and not path.startswith("/") and "{{" not in path:
        raise WorkflowInvalid(f"{at}.path: '{path}' must be an absolute path")
    if path and posixpath.normpath(path) == "/":
        raise WorkflowInvalid(f"{at}.path: '{path}' is the whole file system")
    mode = artifact.get("mode")
    if mode is not None and int(mode) not in _MODE:
        raise WorkflowInvalid(f"{at}.mode: '{mode}' must be between 0 and 511 inclusive")
    archive = artifact.get("archive") or {}
    kinds = [kind for kind in ("none", "tar", "zip") if archive.get(kind) is not None]
    if len(kinds) > 1:
        raise WorkflowInvalid(f"{at}.archive: {' and '.join(kinds)} are mutually exclusive")


def _expression(at: str, artifact: Json) -> None:
    if artifact.get("from") and artifact.get("fromExpression"):
        raise WorkflowInvalid(f"{at}: from and fromExpression are mutually exclusive")
    text = artifact.get("fromExpression")
    if text:
        try:
            check_expression(f"{at}.fromExpression", str(text))
        except ExpressionError as error:
            raise WorkflowInvalid(f"{at}.fromExpression: {error}") from None
    source = str(artifact.get("from") or "")
    if source and not re.fullmatch(r"\{\{.*\}\}", source.strip(), re.DOTALL):
        raise WorkflowInvalid(f"{at}.from: '{source}' is not a reference to an artifact")
