"""Templates: which one a task calls, in the workflow or in another object, and what the workflow keeps of those.

As in Argo, a template of a WorkflowTemplate is kept in `status.storedTemplates` under its place,
`namespaced/NAME/TEMPLATE` or `cluster/NAME/TEMPLATE`, and a workflow made from one keeps the whole spec. All that can
be reached is kept at the start, Argo does so at the first call: what is changed later changes no running workflow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from hera_k8s_utils._types import Json

Source = Callable[[str, bool], "Json | None"]
"""Finds a WorkflowTemplate by its name, or a ClusterWorkflowTemplate where the second argument is true."""

_MERGED_BY: Final = {
    "parameters": "name",
    "artifacts": "name",
    "templates": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "tolerations": "key",
}
_OF_WORKFLOW: Final = ("suspend", "shutdown")  # taken from the workflow itself, never from its template


class TemplateError(ValueError):
    """A template that is called is not there."""


def no_source(name: str, cluster: bool) -> None:
    """The source of those who have none: nothing is found."""


class Templates:
    """The templates that one workflow calls.

    spec: as it is executed.
    name: the workflow's, empty when its spec is another object's.
    stored: `status.storedTemplates`, which is added to.
    """

    def __init__(self, spec: Json, name: str, stored: dict[str, Json], source: Source = no_source) -> None:
        self.local: dict[str, Json] = {one["name"]: one for one in spec.get("templates") or ()}
        self.root = f"local/{name}"
        self._stored = stored
        self._source = source

    def called(self, holder: Json, scope: str) -> Json:
        """The template that a task or step calls within a scope. Raises TemplateError."""
        key = _key(holder, scope)
        if key is None:
            return self._local(str(holder.get("template", "")))
        if key not in self._stored:
            place, name, template = key.split("/", 2)
            self._stored[key] = referred(self._source, name, template, cluster=place == "cluster")
        return self._stored[key]

    def of(self, node: Json) -> Json:
        """The template of a node. Raises TemplateError."""
        return self.called(caller_of(node), node.get("templateScope", self.root))

    def inside(self, node: Json) -> str:
        """The scope in which a node's template calls others."""
        return scope_inside(caller_of(node), node.get("templateScope", self.root))

    def keep(self, holder: Json, scope: str) -> None:
        """Keep all templates of other objects that can be reached from here, as far as their names are known yet."""
        seen: set[tuple[str, str]] = set()
        waiting = [(holder, scope)]
        while waiting:
            caller, place = waiting.pop()
            inner = scope_inside(caller, place)
            name = template_name(caller)
            if "{{" in name or "{{" in inner or (name, inner) in seen:
                continue
            seen.add((name, inner))
            for step in calls(self.called(caller, place)):
                waiting += [(each, inner) for each in (step, *hook_calls(step))]

    def _local(self, name: str) -> Json:
        if name not in self.local:
            raise TemplateError(f"template {name} not found")
        return self.local[name]


def referred(source: Source, name: str, template: str, *, cluster: bool) -> Json:
    """A template of another object, with that object's metadata for pods. Raises TemplateError."""
    found = source(name, cluster)
    if found is None:
        raise TemplateError(f"workflow template {name} not found")
    spec = found.get("spec") or {}
    for one in spec.get("templates") or ():
        if one.get("name") == template:
            return _with_pod_metadata(one, spec.get("podMetadata") or {})
    raise TemplateError(f"template {template} not found in workflow template {name}")


def merged_spec(spec: Json, template_spec: Json) -> Json:
    """The spec of a workflow that refers to a template: its own fields over those of the template."""
    merged = _merged(template_spec, spec)
    for field in _OF_WORKFLOW:
        merged.pop(field, None)
        if field in spec:
            merged[field] = spec[field]
    return merged


def calls(template: Json) -> Iterator[Json]:
    """The tasks or steps of a template."""
    yield from (template.get("dag") or {}).get("tasks") or ()
    for group in template.get("steps") or ():
        yield from group


def hook_calls(holder: Json) -> Iterator[Json]:
    """The hooks of a task, a step or a spec, as callers of templates."""
    if holder.get("onExit"):
        yield {"template": holder["onExit"]}
    yield from (holder.get("hooks") or {}).values()


def caller_of(node: Json) -> Json:
    """The fields of a node that name the template that it called."""
    if node.get("templateRef"):
        return {"templateRef": node["templateRef"]}
    return {"template": node.get("templateName", "")}


def caller_fields(holder: Json, scope: str) -> Json:
    """The fields of a node that name its template; keywords of `Nodes.add`."""
    return {"template": holder.get("template") or "", "scope": scope, "templateRef": holder.get("templateRef") or None}


def template_name(holder: Json) -> str:
    """The name of the template that is called, in whichever object."""
    return str((holder.get("templateRef") or {}).get("template") or holder.get("template") or "")


def scope_inside(holder: Json, scope: str) -> str:
    """The scope in which the template that is called calls others: `namespaced/NAME` in another object."""
    reference = holder.get("templateRef")
    if not reference:
        return scope
    return f"{'cluster' if reference.get('clusterScope') else 'namespaced'}/{reference.get('name', '')}"


def _key(holder: Json, scope: str) -> str | None:
    """Where a called template is kept; None for one of the workflow's own."""
    inside = scope_inside(holder, scope)
    return None if inside.startswith("local/") else f"{inside}/{template_name(holder)}"


def _with_pod_metadata(template: Json, metadata: Json) -> Json:
    own = dict(template.get("metadata") or {})
    for field in ("labels", "annotations"):
        if metadata.get(field):
            own[field] = {**(own.get(field) or {}), **metadata[field]}
    return template | {"metadata": own} if own else dict(template)


def _merged(below: Json, above: Mapping[str, Any]) -> Json:
    """As Argo's strategic merge: objects merge, lists of named things by their names, all else is replaced."""
    result = dict(below)
    for key, value in above.items():
        found = result.get(key)
        if isinstance(value, dict) and isinstance(found, dict):
            result[key] = _merged(found, value)
        elif isinstance(value, list) and isinstance(found, list) and key in _MERGED_BY:
            result[key] = _merged_list(found, value, _MERGED_BY[key])
        elif value is not None:
            result[key] = value
    return result


def _merged_list(below: list[Json], above: list[Json], key: str) -> list[Json]:
    kept = {one.get(key): one for one in below}
    for one in above:
        name = one.get(key)
        kept[name] = _merged(kept[name], one) if name in kept else one
    return list(kept.values())
