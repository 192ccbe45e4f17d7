"""Kubernetes Jobs as plain data: one, or several as a List, with the config maps that they read.

What a builder may return instead of a workflow. One Job is submitted as it is; several are a `v1` List, whose items
are what is submitted. Each carries the labels of its run, and so do its pods.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from hera_k8s_utils import BuildError, Json, join_names, parse_quantity
from hera_k8s_utils.experiment import Amount, PeakDemand, pod_request, stated_request
from hera_k8s_utils.labels import JOB_COUNT_ANNOTATION, JOBS_LABEL, TASK_LABEL

JOB: Final = "Job"
LIST: Final = "List"
_LONGEST: Final = 63
_HASH: Final = 8
_API: Final[Mapping[str, str]] = {JOB: "batch/v1", "ConfigMap": "v1"}
"""What a List of Jobs may hold, and the API version that is meant where none is written."""
_COUNTED: Final = re.compile(r"[-.]?\d+$")
_OFFICIAL: Final = re.compile(r"V1(Job|ConfigMap)")


# --- what a builder returned -----------------------------------------------------------------------------------


def combine(objects: Iterable[Any], read: Callable[[Any], Mapping[str, Any]]) -> Json:
    """The Jobs that a builder returned, and the config maps beside them, as one object: the Job, or a List.

    read: an object -> its mapping.
    Raises `BuildError` for other kinds, for no Job at all, for a name that occurs twice.
    """
    items = _checked([with_api_version(read(each)) for each in objects])
    return items[0] if len(items) == 1 else {"apiVersion": "v1", "kind": LIST, "metadata": {}, "items": items}


def complete_list(body: Mapping[str, Any]) -> Json:
    """A List that was given as a mapping, its items with their API versions; refuses what `combine` refuses."""
    return {"apiVersion": "v1", **body, "items": _checked([with_api_version(item) for item in members(body)])}


def _checked(items: list[Json]) -> list[Json]:
    strange = sorted({str(item.get("kind") or "something without a kind") for item in items} - _API.keys())
    if strange or not any(item["kind"] == JOB for item in items):
        raise BuildError(
            "these objects cannot be submitted together",
            found=f"not supported: {join_names(strange)}; there are {join_names([_outline(each) for each in items])}"
            if strange
            else f"{len(items)} objects, and no Job among them",
            hint="choose one of them; only Jobs, with the config maps that they read, may be several",
        )
    twice = _twice(f"{item['kind']} {name_of(item)}" for item in items if name_of(item))
    if twice:
        raise BuildError("two objects of one kind have the same name", found=join_names(twice))
    return items


def _outline(item: Mapping[str, Any]) -> str:
    return f"{item.get('kind') or 'something without a kind'}/{name_of(item) or 'unnamed'}"


def _twice(names: Iterable[str]) -> list[str]:
    return sorted(name for name, number in Counter(names).items() if number > 1)


def with_api_version(item: Mapping[str, Any]) -> Json:
    """A mapping with the API version of its kind, where it has none."""
    version = item.get("apiVersion") or _API.get(str(item.get("kind")))
    return {**({"apiVersion": version} if version else {}), **{k: v for k, v in item.items() if v is not None}}


def is_client_model(value: Any) -> bool:
    """Whether a value is a model of the official client that has a place here, such as a `V1Job`."""
    return _OFFICIAL.fullmatch(type(value).__name__) is not None and isinstance(
        getattr(value, "attribute_map", None), dict
    )


def from_client_model(model: Any) -> Json:
    """A model of the official client as the API has it; its kind is that of its class."""
    named = _OFFICIAL.fullmatch(type(model).__name__)
    kind = {"kind": named[1]} if named else {}
    return with_api_version({**kind, **_plain_model(model)})


def _plain_model(value: Any) -> Any:
    fields = getattr(value, "attribute_map", None)
    if isinstance(fields, dict):
        pairs = ((key, getattr(value, attribute)) for attribute, key in fields.items())
        return {key: _plain_model(child) for key, child in pairs if child is not None}
    if isinstance(value, (list, tuple)):
        return [_plain_model(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _plain_model(child) for key, child in value.items()}
    return value


# --- reading ---------------------------------------------------------------------------------------------------


def members(body: Mapping[str, Any]) -> list[Json]:
    """The objects of a manifest: the items of a List, else the one that it is."""
    return list(body.get("items") or ()) if body.get("kind") == LIST else [dict(body)]


def jobs_of(body: Mapping[str, Any]) -> list[Json]:
    """The Jobs of a manifest."""
    return [each for each in members(body) if each.get("kind") == JOB]


def name_of(item: Mapping[str, Any]) -> str:
    """The name of an object, or empty."""
    return str((item.get("metadata") or {}).get("name") or "")


def pod_spec(job: Mapping[str, Any]) -> Json:
    """The spec of a Job's pods."""
    return ((job.get("spec") or {}).get("template") or {}).get("spec") or {}


def containers(job: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
    """The containers of a Job's pods, each with its kind: `init` or `container`."""
    spec = pod_spec(job)
    for kind, key in (("init", "initContainers"), ("container", "containers")):
        for container in spec.get(key) or ():
            yield kind, container


def is_indexed(job: Mapping[str, Any]) -> bool:
    """Whether each of its pods has a number of its own."""
    return (job.get("spec") or {}).get("completionMode") == "Indexed"


def tasks_in(job: Mapping[str, Any]) -> int:
    """How many tasks a Job stands for: its indexes, else one."""
    return int((job.get("spec") or {}).get("completions") or 1) if is_indexed(job) else 1


def task_name(job: Mapping[str, Any]) -> str:
    """What the work of a Job is called: its label, else its container's name, else its own name without a number."""
    metadata = job.get("metadata") or {}
    labelled = (metadata.get("labels") or {}).get(TASK_LABEL)
    if labelled:
        return str(labelled)
    run, name = str((metadata.get("labels") or {}).get(JOBS_LABEL) or ""), name_of(job)
    own = name.removeprefix(f"{run}-") if run else name
    return _COUNTED.sub("", own) or own


def task_counts(body: Mapping[str, Any]) -> dict[str, int]:
    """The number of tasks by the name of their work, in the order of the manifest."""
    totals: dict[str, int] = {}
    for job in jobs_of(body):
        totals[task_name(job)] = totals.get(task_name(job), 0) + tasks_in(job)
    return totals


def demand_of(jobs: Sequence[Mapping[str, Any]]) -> PeakDemand:
    """The most that Jobs may ask for at one time: they run together, each as many pods as its parallelism says."""
    at_once = [_parallel(job) for job in jobs]
    cpu, memory = (_total(jobs, at_once, resource) for resource in ("cpu", "memory"))
    work: dict[str, int] = {}
    for job, pods in zip(jobs, at_once, strict=True):
        work[task_name(job)] = work.get(task_name(job), 0) + pods
    return PeakDemand(
        cpu=None if cpu is None else float(cpu),
        memory=None if memory is None else int(memory),
        pods=sum(at_once),
        fan_out=max(work.values(), default=1) or 1,
    )


def _parallel(job: Mapping[str, Any]) -> int:
    spec = job.get("spec") or {}
    wanted = 1 if spec.get("parallelism") is None else int(spec["parallelism"])
    return min(wanted, int(spec["completions"])) if spec.get("completions") is not None else wanted


def _total(jobs: Sequence[Mapping[str, Any]], at_once: Sequence[int], resource: str) -> Amount | None:
    try:
        return sum((_requested(job, resource) * pods for job, pods in zip(jobs, at_once, strict=True)), Fraction(0))
    except (ValueError, TypeError):
        return None


def _requested(job: Mapping[str, Any], resource: str) -> Amount:
    def amount(container: Json) -> Amount:
        stated = stated_request(container, resource)
        return parse_quantity(0 if stated is None else stated)

    spec = pod_spec(job)
    return pod_request(spec.get("initContainers") or (), spec.get("containers") or (), amount)


def escape_dollars(text: str) -> str:
    """A text as a container's command, arguments and variables must have it to become this text.

    Kubernetes takes `$(NAME)` in them for a variable of the container's, and `$$` for one dollar sign.
    """
    return text.replace("$", "$$")


# --- as one run ------------------------------------------------------------------------------------------------


def for_run(body: Mapping[str, Any], run: str, labels: Mapping[str, str]) -> Json:
    """The Jobs of one run under its name: each object is called after it, and carries its labels.

    A single Job has the run's own name. Names of config maps are changed wherever the Jobs mention them.
    Raises `BuildError` where two names differ no longer.
    """
    objects = members(body)
    several = len(jobs_of(body)) > 1
    names = {id(item): _name_in(run, item, several=several, number=n) for n, item in enumerate(objects)}
    twice = _twice(f"{item.get('kind')} {names[id(item)]}" for item in objects)
    if twice:
        raise BuildError(
            "two objects of one kind would have the same name",
            found=join_names(twice),
            hint="names that differ in more than dashes at their ends",
        )
    renamed = {name_of(item): names[id(item)] for item in objects if item.get("kind") == "ConfigMap" and name_of(item)}
    labels = {**labels, JOBS_LABEL: run}
    items = [_in_run(item, names[id(item)], labels, renamed, len(jobs_of(body))) for item in objects]
    metadata = {**{k: v for k, v in (body.get("metadata") or {}).items() if k != "generateName"}, "name": run}
    if body.get("kind") != LIST:
        return items[0]
    return {**body, "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), **labels}}, "items": items}


def _name_in(run: str, item: Mapping[str, Any], *, several: bool, number: int) -> str:
    if item.get("kind") == JOB and not several:
        return run
    return shorten_name(f"{run}-{name_of(item).strip('-') or number}")


def shorten_name(name: str, *, longest: int = _LONGEST) -> str:
    """A name that is short enough; one that was cut ends in a part of its hash, so that no two become the same."""
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH]
    return f"{name[: longest - _HASH - 1].rstrip('-.')}-{digest}"


def _in_run(item: Json, name: str, labels: Mapping[str, str], renamed: Mapping[str, str], number: int) -> Json:
    metadata = {k: v for k, v in (item.get("metadata") or {}).items() if k != "generateName"}
    metadata = {**metadata, "name": name, "labels": {**(metadata.get("labels") or {}), **labels}}
    if item.get("kind") != JOB:
        return {**item, "metadata": metadata}
    metadata["labels"].setdefault(TASK_LABEL, shorten_name(task_name(item)) or "job")
    metadata["annotations"] = {**(metadata.get("annotations") or {}), JOB_COUNT_ANNOTATION: str(number)}
    spec = item.get("spec") or {}
    template = spec.get("template") or {}
    inner = template.get("metadata") or {}
    mine = {**labels, TASK_LABEL: metadata["labels"][TASK_LABEL]}
    template = {**template, "metadata": {**inner, "labels": {**(inner.get("labels") or {}), **mine}}}
    if template.get("spec"):
        template["spec"] = _with_names(template["spec"], renamed)
    return {**item, "metadata": metadata, "spec": {**spec, "template": template}}


_NAMING: Final = ("configMap", "configMapRef", "configMapKeyRef")
"""Fields whose `name` is that of a config map."""


def _with_names(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_with_names(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: _with_names(child, names) for key, child in value.items()}
    for key in _NAMING:
        reference = found.get(key)
        if isinstance(reference, dict) and reference.get("name") in names:
            found[key] = {**reference, "name": names[reference["name"]]}
    return found


def each_pod(body: Mapping[str, Any], change: Callable[[Json], Json]) -> Json:
    """The same Jobs, the spec of their pods changed."""

    def changed(item: Json) -> Json:
        if item.get("kind") != JOB:
            return item
        spec = item.get("spec") or {}
        template = spec.get("template") or {}
        return {**item, "spec": {**spec, "template": {**template, "spec": change(template.get("spec") or {})}}}

    if body.get("kind") == LIST:
        return {**body, "items": [changed(item) for item in body.get("items") or ()]}
    return changed(dict(body))
