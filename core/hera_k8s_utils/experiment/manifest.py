"""A workload as plain data: what is rendered, measured, checked and submitted."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from hera_k8s_utils._types import Json
from hera_k8s_utils.errors import BuildError, HeraK8sError
from hera_k8s_utils.experiment.bodies import metadata_of, with_annotations, with_labels, with_metadata, with_name
from hera_k8s_utils.experiment.plain import to_plain_json
from hera_k8s_utils.experiment.workload import (
    ContainerUse,
    ObjectReference,
    PeakDemand,
    Resolution,
    ResourceAction,
    Source,
    Unresolved,
)
from hera_k8s_utils.experiment.workload_kinds import (
    WorkloadAnalysis,
    WorkloadKind,
    is_declared,
    recognise,
    workload_kind,
)
from hera_k8s_utils.labels import DIGEST_LABEL
from hera_k8s_utils.yaml_writer import dump_yaml


@dataclass(frozen=True)
class Manifest:
    """An object that a run consists of, such as a Workflow, as plain data. Its kind says how it is read.

    body: the object; treat it as read-only.
    sources: the functions that scripts were made from, by template, where the workload was built with Hera.
    """

    body: Json
    sources: Mapping[str, Source] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, workload: Any) -> Manifest:
        """The manifest of a Hera Workflow (or WorkflowTemplate, CronWorkflow, ...) or of a dict, copied deeply.

        Also of whatever else a workload kind reads, such as the official client's `V1Job` or a list of Jobs.
        Raises `BuildError` when the object cannot be built or holds what JSON cannot say.
        """
        workload = sole_workload(workload)
        if isinstance(workload, Manifest):
            return workload
        body = to_plain_json(_as_mapping(workload))
        kind = workload_kind(str(body.get("kind") or ""))
        error = kind.validate(body) if kind.validates_models or isinstance(workload, Mapping) else ""
        if error or not body.get("kind"):
            raise BuildError(
                "the workflow cannot be read",
                found=error or "it has no kind",
                hint="return a Hera Workflow, or a dict with apiVersion, kind, metadata and spec",
            )
        return cls(kind.complete(body), kind.sources(workload))

    def __hash__(self) -> int:
        return hash(self.digest)

    # --- what it is ---

    @property
    def kind(self) -> str:
        """`Workflow`, `WorkflowTemplate`, `CronWorkflow`, `Job`, `List` (of Jobs), ..."""
        return str(self.body["kind"])

    @property
    def workload_kind(self) -> WorkloadKind:
        """The functions that read it."""
        return workload_kind(self.kind)

    @property
    def engine_kind(self) -> str:
        """The kind that an engine must run: the kind itself, and `Job` for a list of Jobs."""
        return self.workload_kind.engine_kind or self.kind

    @property
    def is_runnable(self) -> bool:
        """Whether submitting it starts something that can be followed to its end."""
        return self.workload_kind.is_runnable

    @cached_property
    def analysis(self) -> WorkloadAnalysis:
        """What it is made of and what it uses."""
        return self.workload_kind.analyse(self.body)

    @property
    def objects(self) -> list[Json]:
        """What is created on the cluster, one by one: the items of a list, else the object itself."""
        return list(self.analysis.objects)

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
        return metadata_of(self.body)

    @property
    def spec(self) -> Json:
        """The specification of what runs; for a CronWorkflow, of the workflows that it makes."""
        return self.analysis.spec

    def templates(self) -> Iterator[tuple[str, Json]]:
        """Name and body of each template, those written inside a task or a step as `parent.task`."""
        return self.analysis.templates()

    # --- what it uses ---

    def resolve(self, template: str, text: str) -> Resolution:
        """What a text in a template may stand for, over all its calls and items; an empty name is the workload."""
        return self.analysis.resolve(template, text)

    def names(self, template: str, text: str, where: str) -> Iterator[str | Unresolved]:
        """The names that a text in a template may stand for, sorted; then what is not known, with the place."""
        found = self.resolve(template, text)
        yield from sorted(found.values)
        if found.unknown:
            yield Unresolved(text, where)

    def used_templates(self) -> Iterator[tuple[str, Json]]:
        """The templates that a run can reach; all of them where others may call them too."""
        return self.analysis.used_templates()

    def containers(self) -> Iterator[ContainerUse]:
        """Each container of the templates that a run can reach, with the volumes of its pod."""
        return self.analysis.containers()

    def service_accounts(self) -> Iterator[ObjectReference]:
        """The accounts that the workload and its templates name; none when it is the namespace's default."""
        return self.analysis.service_accounts()

    def pull_secrets(self) -> Iterator[ObjectReference]:
        """The secrets that images are pulled with."""
        return self.analysis.pull_secrets()

    def template_references(self) -> Iterator[ObjectReference]:
        """Templates of the cluster that this workload uses, whole or in part."""
        return self.analysis.template_references()

    def resources(self) -> Iterator[ResourceAction]:
        """The objects that the workload acts upon, such as those of `resource` templates."""
        return self.analysis.resources()

    # --- what it asks for ---

    def demand(self) -> PeakDemand:
        """The most that a run may ask for at one time, from the requests of its containers and its parallelism.

        An upper bound: tasks without an order between them count as running together.
        """
        return self._demand

    @cached_property
    def _demand(self) -> PeakDemand:
        return self.analysis.demand()

    @property
    def max_parallel_pods(self) -> int:
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
        return replace(self, body=with_name(self.body, name))

    def for_run(self, name: str, labels: Mapping[str, str]) -> Manifest:
        """A copy as the run of this name: named after it, labelled, and so is each object that it holds."""
        return replace(self, body=self.workload_kind.for_run(self.body, name, labels))

    def in_namespace(self, namespace: str) -> Manifest:
        """A copy that names this namespace."""
        return replace(self, body=with_metadata(self.body, {**self.metadata, "namespace": namespace}))

    def labelled(self, labels: Mapping[str, str]) -> Manifest:
        """A copy with further labels, which replace those of the same key."""
        return replace(self, body=with_labels(self.body, labels))

    def annotated(self, annotations: Mapping[str, str]) -> Manifest:
        """A copy with further annotations, which replace those of the same key."""
        return replace(self, body=with_annotations(self.body, annotations))

    def with_spec(self, fields: Mapping[str, Any]) -> Manifest:
        """A copy with further fields in the workflow's spec; of Jobs, in the spec of their pods.

        Lists are appended to what is there, without repeating it; maps are merged; a scalar that is there stays.
        """
        return replace(self, body=self.workload_kind.with_spec(self.body, to_plain_json(dict(fields))))

    # --- names of version 0.2 ---

    @property
    def ends(self) -> bool:
        """The old name of `is_runnable`."""
        _warn_of_old_name("ends", "is_runnable")
        return self.is_runnable

    @property
    def runs_as(self) -> str:
        """The old name of `engine_kind`."""
        _warn_of_old_name("runs_as", "engine_kind")
        return self.engine_kind

    @property
    def fan_out(self) -> int:
        """The old name of `max_parallel_pods`."""
        _warn_of_old_name("fan_out", "max_parallel_pods")
        return self.max_parallel_pods

    @property
    def jobs(self) -> list[Json]:
        """The Jobs among `objects`."""
        _warn_of_old_name("jobs", "objects")
        return [each for each in self.objects if each.get("kind") == "Job"]

    @property
    def resolver(self) -> Any:
        """What `resolve` asks."""
        _warn_of_old_name("resolver", "analysis")
        return getattr(self.analysis, "resolver", self.analysis)

    def as_run(self, name: str, labels: Mapping[str, str]) -> Manifest:
        """The old name of `for_run`."""
        _warn_of_old_name("as_run", "for_run")
        return self.for_run(name, labels)

    def pod_parts(self) -> Iterator[ContainerUse]:
        """The old name of `containers`."""
        _warn_of_old_name("pod_parts", "containers")
        return self.containers()


def is_list(found: Any) -> bool:
    """Whether an object is a list of others, as `kubectl get -o yaml` prints several: a List, a WorkflowList, ..."""
    kind = found.get("kind") if isinstance(found, Mapping) else None
    return isinstance(kind, str) and kind.endswith("List") and isinstance(found.get("items"), list)


def items_of(found: Mapping[str, Any]) -> list[Any]:
    """What a list holds. The items of a `WorkflowList` state no kind of their own: they are Workflows."""
    kind = str(found["kind"]).removesuffix("List")
    stated = {"apiVersion": found.get("apiVersion"), "kind": kind} if kind else {}
    return [{**stated, **each} if isinstance(each, Mapping) else each for each in found["items"]]


def is_joint_list(found: Any) -> bool:
    """Whether a list is one workload, such as a List of Jobs and the config maps that they read."""
    if not is_list(found) or not workload_kind(str(found["kind"])).engine_kind:
        return False
    kinds = {str(each.get("kind")) for each in items_of(found) if isinstance(each, Mapping)}
    workloads = {kind for kind in kinds if is_declared(kind)}
    return workloads == {workload_kind(str(found["kind"])).engine_kind}


def sole_workload(found: Any) -> Any:
    """The only workload of a list of one, as functions return it and kubectl prints it; anything else as it is."""
    if isinstance(found, Iterator):
        found = list(found)
    items = items_of(found) if is_list(found) and not is_joint_list(found) else found
    return items[0] if isinstance(items, (list, tuple)) and len(items) == 1 and _is_workload(items[0]) else found


def _is_workload(item: Any) -> bool:
    """Whether an object is a workload by itself; a config map is only one beside Jobs."""
    if isinstance(item, Mapping):
        return is_declared(str(item.get("kind")))
    if isinstance(item, Manifest):
        return True
    return recognise(item) is None and (hasattr(item, "to_dict") or hasattr(item, "model_dump"))


def _warn_of_old_name(old: str, new: str) -> None:
    message = f"Manifest.{old} is now Manifest.{new}; the old name works until version 0.3"
    warnings.warn(message, DeprecationWarning, stacklevel=3)


def _canonical(data: Json) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _as_mapping(workload: Any) -> Mapping[str, Any]:
    """A workload's own dict: itself, as its kind reads it, or as Hera's classes and models give it."""
    if isinstance(workload, Mapping):
        return workload
    kind = recognise(workload)
    if kind is not None:
        return kind.read(workload, _as_mapping)
    try:
        if callable(getattr(workload, "to_dict", None)):
            built = workload.to_dict()
        elif callable(getattr(workload, "model_dump", None)):
            built = workload.model_dump(mode="json", by_alias=True, exclude_none=True)
        else:
            built = None
    except (HeraK8sError, KeyboardInterrupt):
        raise
    except BaseException as error:  # of hooks in the user's classes
        raise BuildError(
            f"the {type(workload).__name__} cannot be built", found=f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(built, Mapping):
        raise BuildError(
            "no workflow was returned",
            found=f"a {type(workload).__name__}",
            hint="the function must return a Hera Workflow, the dict of one, or Jobs",
        )
    return built
