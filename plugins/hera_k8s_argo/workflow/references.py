"""What a workflow uses of its cluster: containers and volumes, accounts, secrets, templates, objects it acts upon."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hera_k8s_argo.workflow.variables import TAG, calls, uses
from hera_k8s_utils import Json
from hera_k8s_utils.experiment import ContainerUse, ObjectReference, ResourceAction
from hera_k8s_utils.reading import parse_yaml


def containers(spec: Mapping[str, Any], templates: Iterable[tuple[str, Json]]) -> Iterator[ContainerUse]:
    """The containers that the templates run."""
    shared = spec.get("volumes") or ()
    for name, template in templates:
        parts = list(_containers(template))
        mounted = {mount.get("name") for _, part in parts for mount in part.get("volumeMounts") or ()}
        volumes = [*(template.get("volumes") or ()), *(volume for volume in shared if volume.get("name") in mounted)]
        for kind, container in parts:
            yield ContainerUse(name, kind, container, volumes)


def _containers(template: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
    for kind in ("container", "script"):
        if isinstance(template.get(kind), dict):
            yield kind, template[kind]
    together = template.get("containerSet")
    if isinstance(together, dict):
        for container in together.get("containers") or ():
            shared = [*(together.get("volumeMounts") or ()), *(container.get("volumeMounts") or ())]
            yield "container", {**container, "volumeMounts": shared} if shared else container
    for kind, key in (("init", "initContainers"), ("sidecar", "sidecars")):
        for container in template.get(key) or ():
            yield kind, container


def service_accounts(spec: Mapping[str, Any], templates: Iterable[tuple[str, Json]]) -> Iterator[ObjectReference]:
    """The accounts that pods run as, and those that report results where they differ."""
    for scope, where, holder in (("", "the workflow", spec), *((name, f"template {name}", t) for name, t in templates)):
        if holder.get("serviceAccountName"):
            yield ObjectReference(str(holder["serviceAccountName"]), scope, where)
        executor = holder.get("executor")
        if isinstance(executor, dict) and executor.get("serviceAccountName"):
            yield ObjectReference(str(executor["serviceAccountName"]), scope, f"{where}, executor")


def pull_secrets(spec: Mapping[str, Any]) -> Iterator[ObjectReference]:
    """The secrets that images are pulled with."""
    for secret in spec.get("imagePullSecrets") or ():
        if secret.get("name"):
            yield ObjectReference(str(secret["name"]), "", "imagePullSecrets")


def template_references(spec: Mapping[str, Any], templates: Iterable[tuple[str, Json]]) -> Iterator[ObjectReference]:
    """The workflow templates of the cluster that the workflow, its tasks and its hooks use."""
    whole = spec.get("workflowTemplateRef")
    if isinstance(whole, dict):
        yield _template_reference(whole, "", "the workflow")
    for holder, _ in uses("", {"hooks": spec.get("hooks")}):
        if isinstance(holder.get("templateRef"), dict):
            yield _template_reference(holder["templateRef"], "", "a hook of the workflow")
    for name, template in templates:
        for call in calls(template):
            for holder, _ in uses(name, call):
                if isinstance(holder.get("templateRef"), dict):
                    yield _template_reference(holder["templateRef"], name, f"{name}.{call.get('name')}")


def _template_reference(ref: Mapping[str, Any], scope: str, where: str) -> ObjectReference:
    name, template = str(ref.get("name") or ""), str(ref.get("template") or "")
    return ObjectReference(name, scope, where, template, bool(ref.get("clusterScope")))


def resource_actions(templates: Iterable[tuple[str, Json]]) -> Iterator[ResourceAction]:
    """The objects that `resource` templates act upon, one each."""
    for name, template in templates:
        resource = template.get("resource")
        if isinstance(resource, dict):
            action = str(resource.get("action") or "")
            bodies = _documents(resource.get("manifest"))
            for body in bodies or (None,):
                yield ResourceAction(name, action, body)


def _documents(text: Any) -> list[Json]:
    """The objects in inline YAML. A bare `{{variable}}` is not valid YAML, so a word stands for each in parsing."""
    if not isinstance(text, str):
        return []
    import yaml

    found: list[str] = []

    def hide(match: re.Match[str]) -> str:
        found.append(match[0])
        return f"argo-variable-{len(found) - 1}-"

    hidden = TAG.sub(hide, text)
    try:
        documents = parse_yaml(hidden)
    except (yaml.YAMLError, ValueError):
        return []
    return [_shown(document, found) for document in documents if isinstance(document, dict)]


def _shown(value: Any, hidden: Sequence[str]) -> Any:
    if isinstance(value, str):
        return re.sub(r"argo-variable-([0-9]+)-", lambda match: hidden[int(match[1])], value)
    if isinstance(value, dict):
        return {_shown(key, hidden): _shown(child, hidden) for key, child in value.items()}
    if isinstance(value, list):
        return [_shown(child, hidden) for child in value]
    return value
