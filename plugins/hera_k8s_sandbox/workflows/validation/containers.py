"""Containers: those of a template, of a container set, and those beside them, with their volumes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hera_k8s_sandbox.workflows.model.pod_spec import MAIN
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid, unsupported
from hera_k8s_sandbox.workflows.validation.names import is_name
from hera_k8s_utils._types import Json

_RESERVED: Final = ("init", "wait")
_VOLUMES: Final = {"name", "persistentVolumeClaim", "configMap", "secret", "emptyDir", "projected", "downwardAPI"}


def check_containers(where: str, template: Json, kind: str, spec: Json) -> None:
    """Check all containers of a template's pod, and the volumes that they mount."""
    for volume in [*(spec.get("volumes") or ()), *(template.get("volumes") or ())]:
        for field in sorted(volume.keys() - _VOLUMES):
            raise unsupported(f"volumes of {field} (volume '{volume['name']}')")
    names = {one["name"] for one in [*(spec.get("volumes") or ()), *(template.get("volumes") or ())]}
    names |= {one["metadata"]["name"] for one in spec.get("volumeClaimTemplates") or ()}
    if kind == "containerSet":
        _check_set(where, template)
    elif not template[kind].get("image"):
        raise WorkflowInvalid(f"{where}.{kind}.image may not be empty")
    for at, container in _all(where, template, kind):
        for mount in container.get("volumeMounts") or ():
            name = str(mount.get("name"))
            if name not in names and "{{" not in name:
                raise WorkflowInvalid(f"{at}.volumeMounts: volume '{name}' not found in workflow spec")
    _check_beside(where, template)


def check_daemon(where: str, template: Json, spec: Json) -> None:
    """Whether a template can run beside what comes after it."""
    if not template.get("daemon"):
        return
    if not {"container", "script", "containerSet"} & template.keys():
        raise WorkflowInvalid(f"{where}.daemon: only what runs in a pod can be a daemon")
    if template.get("retryStrategy", spec.get("retryStrategy")) is not None:
        raise unsupported(f"{where}.daemon with a retryStrategy")


def _all(where: str, template: Json, kind: str) -> Iterator[tuple[str, Json]]:
    if kind == "containerSet":
        shared = {"image": "-", "volumeMounts": template["containerSet"].get("volumeMounts") or []}
        yield f"{where}.containerSet", shared
        for one in template["containerSet"]["containers"]:
            yield f"{where}.containerSet.containers.{one['name']}", one
    else:
        yield f"{where}.{kind}", template[kind]
    for field in ("initContainers", "sidecars"):
        for one in template.get(field) or ():
            yield f"{where}.{field}.{one.get('name', '')}", one


def _check_set(where: str, template: Json) -> None:
    together = template["containerSet"]
    if together.get("retryStrategy"):
        raise unsupported(f"{where}.containerSet.retryStrategy")
    containers = together.get("containers") or []
    if not containers:
        raise WorkflowInvalid(f"{where}.containerSet.containers must have at least one container")
    graph: dict[str, list[str]] = {}
    for index, one in enumerate(containers):
        name = one.get("name") or ""
        at = f"{where}.containerSet.containers[{index}]"
        if not is_name(name):
            raise WorkflowInvalid(f"{at}.name '{name}' is invalid")
        if name in graph:
            raise WorkflowInvalid(f"{at}.name '{name}' is not unique")
        graph[name] = list(one.get("dependencies") or ())
    for name, before in graph.items():
        for each in before:
            if each not in graph:
                raise WorkflowInvalid(f"{where}.containerSet.containers.{name} dependency '{each}' not defined")
    _acyclic(where, graph)
    has_files = (template.get("inputs") or {}).get("artifacts") or any((template.get("outputs") or {}).values())
    if has_files and MAIN not in graph:
        raise WorkflowInvalid(f'{where}.containerSet.containers must have a container named "main" for input or output')


def _acyclic(where: str, graph: dict[str, list[str]]) -> None:
    left = dict(graph)
    while left:
        free = [name for name, before in left.items() if not any(each in left for each in before)]
        if not free:
            raise WorkflowInvalid(f"{where}.containerSet.containers dependency cycle detected: {', '.join(left)}")
        for name in free:
            del left[name]


def _check_beside(where: str, template: Json) -> None:
    seen = {one["name"] for one in (template.get("containerSet") or {}).get("containers") or ()} or {MAIN}
    for field in ("initContainers", "sidecars"):
        for index, one in enumerate(template.get(field) or ()):
            name = one.get("name") or ""
            at = f"{where}.{field}[{index}]"
            if not is_name(name):
                raise WorkflowInvalid(f"{at}.name '{name}' is invalid")
            if name in seen or name in _RESERVED:
                raise WorkflowInvalid(f"{at}.name '{name}' is not unique")
            seen.add(name)
            if one.get("source"):
                raise unsupported(f"{at}.source")
