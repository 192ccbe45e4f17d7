"""Rewritable: whether path rewriting can serve a workflow's templates, asked before the first task starts.

What only the run decides, such as arguments and the contents of ConfigMaps, is asked when each container starts.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hera_k8s_sandbox.kubelet.mounts import Mount, Task, holder
from hera_k8s_sandbox.kubelet.path_rewriting import Unrewritable, check
from hera_k8s_utils._types import Json

_NOWHERE: Final = Path("/nonexistent")
_TAG: Final = "{{"


def check_rewritable(templates: list[Json]) -> None:
    """Raises Unrewritable for a template that path rewriting cannot serve."""
    for template in templates:
        outputs = tuple(posixpath.normpath(path) for path in _outputs(template) if _TAG not in path)
        for container in _containers(template):
            task = _task(container, template, outputs if container is _main(template) else ())
            try:
                check(task)
            except Unrewritable as refusal:
                raise Unrewritable(f"templates.{template.get('name')}: {refusal.why}") from None


def _main(template: Json) -> Json | None:
    found: Json | None = template.get("container") or template.get("script")
    return found


def _containers(template: Json) -> Iterator[Json]:
    if main := _main(template):
        yield main
    yield from (template.get("containerSet") or {}).get("containers") or ()
    for field in ("initContainers", "sidecars"):
        yield from template.get(field) or ()


def _outputs(template: Json) -> Iterator[str]:
    outputs = template.get("outputs") or {}
    for one in outputs.get("parameters") or ():
        yield str((one.get("valueFrom") or {}).get("path") or "/tmp")  # noqa: S108  one that has no path
    for one in outputs.get("artifacts") or ():
        yield str(one.get("path") or "/tmp")  # noqa: S108


def _task(container: Json, template: Json, outputs: tuple[str, ...]) -> Task:
    together = (template.get("containerSet") or {}).get("volumeMounts") or ()
    places = [one.get("mountPath") for one in (*(container.get("volumeMounts") or ()), *together)]
    mounts = [Mount(_NOWHERE, "/" + str(path).strip("/")) for path in places if path and _TAG not in str(path)]
    inputs = [str(one.get("path") or "") for one in (template.get("inputs") or {}).get("artifacts") or ()]
    mounts += [Mount(_NOWHERE, path) for path in inputs if path and _TAG not in path and holder(mounts, path) is None]
    words = [*(container.get("command") or ()), *(container.get("args") or ())]
    return Task(
        name="",
        directory=_NOWHERE,
        programs=_NOWHERE,
        command=tuple(map(str, words)),
        env={one["name"]: str(one.get("value") or "") for one in container.get("env") or ()},
        mounts=tuple(mounts),
        script=str(container.get("source") or "") or None,
        working_directory=str(container.get("workingDir") or ""),
        outputs=outputs,
    )
