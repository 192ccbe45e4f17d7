"""A workflow as plain data: what is rendered, measured, checked and submitted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from hera_k8s_argo.workflow import references
from hera_k8s_argo.workflow.demand import peak_of
from hera_k8s_argo.workflow.schema import first_schema_error
from hera_k8s_argo.workflow.variables import Resolver, each_template
from hera_k8s_kube.jobs import manifest
from hera_k8s_utils._types import Json
from hera_k8s_utils.errors import BuildError, HeraK8sError
from hera_k8s_utils.experiment.plain import to_plain_json
from hera_k8s_utils.experiment.workload import (
    ContainerUse,
    ObjectReference,
    PeakDemand,
    Resolution,
    ResourceAction,
    Unresolved,
)
from hera_k8s_utils.labels import DIGEST_LABEL
from hera_k8s_utils.yaml_writer import dump_yaml

Source = Callable[..., Any]
"""A Python function whose body became the source of a script template."""


@dataclass(frozen=True)
class Manifest:
    """An object of the cluster's, usually a Workflow, as plain data. Treat the body as read-only.

    sources: functions that script templates were made from, by template, where the workflow was built with Hera.
    """

    body: Json
    sources: Mapping[str, Source] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, workflow: Any) -> Manifest:
        """The manifest of a Hera Workflow (or WorkflowTemplate, CronWorkflow, ...) or of a dict, copied deeply.

        Also of a Kubernetes Job (a dict, or the official client's V1Job), and of several in a list.
        Raises `BuildError` when the object cannot be built or holds what JSON cannot say.
        """
        if isinstance(workflow, Manifest):
            return workflow
        body = to_plain_json(_as_mapping(workflow))
        by_hand = isinstance(workflow, Mapping) or body.get("kind") in (manifest.JOB, manifest.LIST)
        trouble = first_schema_error(body) if by_hand else ""
        if trouble or not body.get("kind"):
            raise BuildError(
                "the workflow cannot be read",
                found=trouble or "it has no kind",
                hint="return a Hera Workflow, or a dict with apiVersion, kind, metadata and spec",
            )
        return cls(manifest.validate_list(body) if body["kind"] == manifest.LIST else body, sources_of(workflow))

    def __hash__(self) -> int:
        return hash(self.digest)

    # --- what it is ---

    @property
    def kind(self) -> str:
        """`Workflow`, `WorkflowTemplate`, `CronWorkflow`, `Job`, `List` (of Jobs), ..."""
        return str(self.body["kind"])

    @property
    def runs_as(self) -> str:
        """The kind that an engine must run: the kind itself, and `Job` for a list of Jobs."""
        return manifest.JOB if self.kind == manifest.LIST else self.kind

    @property
    def ends(self) -> bool:
        """Whether submitting it starts something that can be followed to its end."""
        return self.runs_as in ("Workflow", manifest.JOB)

    @property
    def jobs(self) -> list[Json]:
        """The Jobs that it holds; none for a workflow."""
        return manifest.jobs_of(self.body)

    @property
    def objects(self) -> list[Json]:
        """What is created on the cluster, one by one: the items of a list, else the object itself."""
        return manifest.members(self.body)

    @property
    def name(self) -> str:
        """The object's name, empty when the server is to make one from `generateName`."""
        return str(self.metadata.get("name") or "")

    @property
    def namespace(self) -> str:
        """The namespace that the object itself names, or empty."""
        return str(self.metadata.get("namespace") or "")

    @property
    def metadata(self) -> Json:
        """Names, labels and annotations."""
        return self.body.get("metadata") or {}

    @property
    def spec(self) -> Json:
        """The specification of the workflow; for a CronWorkflow, of the workflows that it makes."""
        spec = self.body.get("spec") or {}
        return (spec.get("workflowSpec") or {}) if self.kind == "CronWorkflow" else spec

    def templates(self) -> Iterator[tuple[str, Json]]:
        """Name and body of each template, those written inside a task or a step as `parent.task`."""
        return iter(self._templates)

    @cached_property
    def _templates(self) -> tuple[tuple[str, Json], ...]:
        return tuple(each_template(self.spec))

    # --- what it uses ---

    @cached_property
    def resolver(self) -> Resolver:
        """Follows variables through arguments, defaults and items."""
        return Resolver(self.body, self.spec)

    def resolve(self, template: str, text: str) -> Resolution:
        """What a text in a template may stand for, over all its calls and items; an empty name is the workflow."""
        return self.resolver.resolve(template, text)

    def names(self, template: str, text: str, where: str) -> Iterator[str | Unresolved]:
        """The names that a text in a template may stand for, sorted; then what cannot be told, with the place."""
        found = self.resolve(template, text)
        yield from sorted(found.values)
        if found.unknown:
            yield Unresolved(text, where)

    def used_templates(self) -> Iterator[tuple[str, Json]]:
        """The templates that a run can reach; all of them where others may call them too."""
        if self.kind in ("Workflow", "CronWorkflow") and self.spec.get("entrypoint"):
            reached = self.resolver.reached
            return ((name, template) for name, template in self.templates() if name in reached)
        return self.templates()

    def pod_parts(self) -> Iterator[ContainerUse]:
        """Each container of the templates that a run can reach, with the volumes of its pod."""
        return references.pod_parts(self.spec, self.used_templates())

    def service_accounts(self) -> Iterator[ObjectReference]:
        """The accounts that the workflow and its templates name; none when it is the namespace's default."""
        return references.service_accounts(self.spec, self.used_templates())

    def pull_secrets(self) -> Iterator[ObjectReference]:
        """The secrets that images are pulled with."""
        return references.pull_secrets(self.spec)

    def template_references(self) -> Iterator[ObjectReference]:
        """Workflow templates of the cluster that this workflow uses, whole or in part."""
        return references.template_references(self.spec, self.used_templates())

    def resources(self) -> Iterator[ResourceAction]:
        """The objects that `resource` templates act upon."""
        return references.resource_parts(self.used_templates())

    # --- what it asks for ---

    def demand(self) -> PeakDemand:
        """The most that a run may ask for at one time, from the requests of its containers and its parallelism.

        An upper bound: tasks without an order between them count as running together.
        """
        return self._demand

    @cached_property
    def _demand(self) -> PeakDemand:
        if self.runs_as == manifest.JOB:
            return manifest.demand_of(self.jobs)
        return peak_of(self.spec, self.resolver)

    @property
    def fan_out(self) -> int:
        """How many pods of one template may run at once; at least 2 where only the run will show the number."""
        return self._demand.fan_out

    # --- what is written ---

    def to_json(self, *, indent: int | None = None) -> str:
        """JSON text, compact unless an indent is given."""
        separators = (",", ":") if indent is None else (",", ": ")
        return json.dumps(self.body, ensure_ascii=False, separators=separators, indent=indent)

    def to_yaml(self) -> str:
        """YAML text for people; sources of scripts stand as they were written."""
        return dump_yaml(self.body)

    @property
    def digest(self) -> str:
        """SHA-256, in hex, over the JSON with sorted keys; our own digest label is left out."""
        return self._measured[0]

    @property
    def size(self) -> int:
        """Bytes of compact JSON as a Go server writes it: `<`, `>` and `&` take six bytes each."""
        return self._measured[1]

    @cached_property
    def _measured(self) -> tuple[str, int]:
        """Digest and size, from one text: it takes a while to write for ten thousand tasks."""
        metadata = self._undigested_metadata()
        body = {**self.body, "metadata": metadata} if metadata is not self.metadata else self.body
        text = _canonical(body)
        label = len(_canonical(self.metadata)) - len(_canonical(metadata))
        return hashlib.sha256(text).hexdigest(), len(text) + label + 5 * sum(map(text.count, (b"<", b">", b"&")))

    def _undigested_metadata(self) -> Json:
        labels = self.metadata.get("labels") or {}
        if DIGEST_LABEL not in labels:
            return self.metadata
        rest = {key: value for key, value in labels.items() if key != DIGEST_LABEL}
        metadata = {key: value for key, value in self.metadata.items() if key != "labels"}
        return {**metadata, "labels": rest} if rest else metadata

    # --- what may be changed ---

    def replace(self, body: Mapping[str, Any]) -> Manifest:
        """Another body under the same sources, copied deeply; raises `BuildError` as `of` does."""
        return replace(Manifest.of(body), sources=self.sources)

    def named(self, name: str) -> Manifest:
        """A copy under this name, which takes the place of `generateName` too."""
        metadata = {key: value for key, value in self.metadata.items() if key != "generateName"}
        return self._with_metadata({**metadata, "name": name})

    def as_run(self, name: str, labels: Mapping[str, str]) -> Manifest:
        """A copy as the run of this name: named after it, labelled, and so is each object that it holds."""
        if self.runs_as == manifest.JOB:
            return replace(self, body=manifest.as_run(self.body, name, labels))
        return (self.named(name) if self.kind == "Workflow" else self).labelled(labels)

    def in_namespace(self, namespace: str) -> Manifest:
        """A copy that names this namespace."""
        return self._with_metadata({**self.metadata, "namespace": namespace})

    def labelled(self, labels: Mapping[str, str]) -> Manifest:
        """A copy with further labels, which beat those of the same name."""
        return self._with_metadata({**self.metadata, "labels": {**(self.metadata.get("labels") or {}), **labels}})

    def annotated(self, annotations: Mapping[str, str]) -> Manifest:
        """A copy with further annotations, which beat those of the same name."""
        before = self.metadata.get("annotations") or {}
        return self._with_metadata({**self.metadata, "annotations": {**before, **annotations}})

    def with_spec(self, fields: Mapping[str, Any]) -> Manifest:
        """A copy with further fields in the workflow's spec; of Jobs, in the spec of their pods.

        Lists are appended to what is there, without repeating it; maps are merged; a scalar that is there stays.
        """
        added = to_plain_json(dict(fields))
        if self.runs_as == manifest.JOB:
            return replace(self, body=manifest.each_pod(self.body, lambda pod: _merged(pod, added)))
        spec = self.body.get("spec") or {}
        if self.kind == "CronWorkflow":
            spec = {**spec, "workflowSpec": _merged(spec.get("workflowSpec") or {}, added)}
        else:
            spec = _merged(spec, added)
        return replace(self, body={**self.body, "spec": spec})

    def _with_metadata(self, metadata: Json) -> Manifest:
        return replace(self, body={**self.body, "metadata": metadata})


def _canonical(data: Json) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _as_mapping(workflow: Any) -> Mapping[str, Any]:
    """A workflow's own dict: itself, or as Hera's classes and models give it."""
    if isinstance(workflow, Mapping):
        return workflow
    if manifest.is_client_model(workflow):
        return manifest.from_client_model(workflow)
    if _is_several(workflow):
        return manifest.combine(workflow, _as_mapping)
    try:
        if callable(getattr(workflow, "to_dict", None)):
            built = workflow.to_dict()
        elif callable(getattr(workflow, "model_dump", None)):
            built = workflow.model_dump(mode="json", by_alias=True, exclude_none=True)
        else:
            built = None
    except (HeraK8sError, KeyboardInterrupt):
        raise
    except BaseException as error:  # of hooks in the user's classes
        raise BuildError(
            f"the {type(workflow).__name__} cannot be built", found=f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(built, Mapping):
        raise BuildError(
            "no workflow was returned",
            found=f"a {type(workflow).__name__}",
            hint="the function must return a Hera Workflow, the dict of one, or Jobs",
        )
    return built


def _is_several(workflow: Any) -> bool:
    """Whether a builder returned several objects; Hera's models can be iterated over too, field by field."""
    one = isinstance(workflow, (str, bytes)) or hasattr(workflow, "to_dict") or hasattr(workflow, "model_dump")
    return isinstance(workflow, Iterable) and not one


def sources_of(workflow: Any) -> dict[str, Source]:
    """The functions behind script templates, as Hera's objects hold them (`.templates[].name`, `.source`)."""
    found: dict[str, Source] = {}
    templates = () if isinstance(workflow, Mapping) else getattr(workflow, "templates", ())
    for template in templates if isinstance(templates, Sequence) else ():
        name, source = getattr(template, "name", None), getattr(template, "source", None)
        if isinstance(name, str) and callable(source):
            found[name] = source
    return found


def _merged(stated: Json, added: Json) -> Json:
    """`stated` completed with `added`: lists are joined, maps merged, scalars kept as stated."""
    merged = dict(stated)
    for key, value in added.items():
        present = merged.get(key)
        if present is None:
            merged[key] = value
        elif isinstance(present, list) and isinstance(value, list):
            merged[key] = [*present, *(item for item in value if item not in present)]
        elif isinstance(present, dict) and isinstance(value, dict):
            merged[key] = _merged(present, value)
    return merged
