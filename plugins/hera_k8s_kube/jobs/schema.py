"""The shape of Jobs as dicts. Only the fields that this package reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hera_k8s_utils.experiment import CONTAINER, METADATA, NAMED, object_error, shape_error

_POD: Final = {
    "restartPolicy": str,
    "serviceAccountName": str,
    "containers": [CONTAINER],
    "initContainers": [CONTAINER],
    "volumes": NAMED,
    "imagePullSecrets": NAMED,
}
_JOB: Final = {
    **dict.fromkeys(("completions", "parallelism", "backoffLimit", "backoffLimitPerIndex", "maxFailedIndexes"), int),
    **dict.fromkeys(("activeDeadlineSeconds", "ttlSecondsAfterFinished"), int),
    "completionMode": str,
    "template": {"metadata": METADATA, "spec": _POD},
}


def job_error(body: Mapping[str, Any], place: str = "") -> str:
    """The first field of a Job that does not have its shape, with its place; empty when all of them fit."""
    return object_error(body, _JOB if body.get("kind") == "Job" else {}, place)


def list_error(body: Mapping[str, Any]) -> str:
    """The same of a List and its items."""
    error = shape_error(body, {"metadata": METADATA, "items": [dict]})
    items = enumerate(body.get("items") or ()) if not error else ()
    return error or next(filter(None, (job_error(item, f"items[{number}]") for number, item in items)), "")
