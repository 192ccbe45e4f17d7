"""The most that a run may ask for at one time: pods, cores, memory, from requests, items and parallelism."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from hera_k8s_argo.workflow.variables import REPEATS, Resolver, as_text, called_name, calls, uses
from hera_k8s_utils import Json, parse_quantity
from hera_k8s_utils.experiment import Amount, PeakDemand, pod_request, stated_request

_PODS: Final = ("container", "script", "containerSet", "resource", "data")
"""Templates that run as a pod; `http` and `plugin` share one agent, `suspend` needs none."""

_SPECIAL: Final = REPEATS | {"templateRef", "inline", "hooks", "onExit"}
"""What makes a call more than one run of one template."""

Number = Amount
"""Exact, or infinite where only the run will show it."""


@dataclass(frozen=True)
class Peak:
    """What may run at one time.

    pods: of all templates.
    cpu: cores.
    memory: bytes.
    pod_cpu: cores of the largest single pod.
    pod_memory: bytes of the largest single pod.
    each: pods by template.
    """

    pods: Number = 0
    cpu: Number = 0
    memory: Number = 0
    pod_cpu: Number = 0
    pod_memory: Number = 0
    each: Mapping[str, Number] = field(default_factory=dict)


def peak_of(spec: Mapping[str, Any], resolver: Resolver) -> PeakDemand:
    """The demand of a whole workflow: of its tasks, or of its exit handler where that asks for more."""
    reader = _PeakCalculator(resolver)
    peaks = [reader.use("", spec, holder) for holder, _ in uses("", {"template": spec.get("entrypoint"), **spec})]
    if "workflowTemplateRef" in spec:
        peaks.append(_UNKNOWN)
    whole = _limited(_join(max, peaks), _parallelism(spec))
    return PeakDemand(
        cpu=float(whole.cpu) if math.isfinite(whole.cpu) else None,
        memory=math.ceil(whole.memory) if math.isfinite(whole.memory) else None,
        pods=int(whole.pods) if math.isfinite(whole.pods) else None,
        fan_out=max((_whole(count) for count in whole.each.values()), default=1) or 1,
    )


class _PeakCalculator:
    """Peaks of templates, each worked out once."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._known: dict[str, Peak] = {}

    def template(self, name: str) -> Peak:
        """The peak of one run of a template; without bound for one that calls itself or lies elsewhere."""
        body = self._resolver.templates.get(name)
        if body is None:
            return _UNKNOWN
        if name not in self._known:
            self._known[name] = _UNKNOWN  # what a template that calls itself finds
            self._known[name] = self._read(name, body)
        return self._known[name]

    def _read(self, name: str, body: Json) -> Peak:
        if any(kind in body for kind in _PODS):
            return self._pod(name, body)
        if "steps" in body:
            groups = (group if isinstance(group, list) else [group] for group in body["steps"] or ())
            peak = _join(max, [_join(_add, [self._call(name, step) for step in group]) for group in groups])
        elif "dag" in body:
            peak = self._dag(name)
        else:
            return Peak()
        return self._children_limited(name, body, peak)

    def _dag(self, name: str) -> Peak:
        """An upper bound: tasks are laid into chains, of which one task each runs at a time."""
        dag = self._resolver.dag(name)
        open_chains: dict[str, list[Peak]] = {}
        chains: list[list[Peak]] = []
        for task in dag.order:
            before = next((wanted for wanted in dag.graph[task] if wanted in open_chains), None)
            if before is None:
                chain: list[Peak] = []
                chains.append(chain)
            else:
                chain = open_chains.pop(before)
            open_chains[task] = chain
            chain.append(self._call(name, dag.tasks[task]))
        return _join(_add, [_join(max, chain) for chain in chains])

    def _call(self, parent: str, call: Mapping[str, Any]) -> Peak:
        """A task or step with all its items, or its hooks where they ask for more."""
        if "template" in call and _SPECIAL.isdisjoint(call):
            return self.template(call["template"])
        peaks = [self.use(parent, call, holder) for holder, _ in uses(parent, call)]
        items = self._resolver.items(parent, call)
        return _times(_join(max, peaks), math.inf if items is None else len(items))

    def use(self, parent: str, body: Mapping[str, Any], holder: Mapping[str, Any]) -> Peak:
        """What one use of a template asks for."""
        if "templateRef" in holder:
            return _UNKNOWN
        called = called_name(parent, body, holder)
        return self.template(called) if called else Peak()

    def _children_limited(self, name: str, body: Json, peak: Peak) -> Peak:
        """A template's own parallelism counts the children that it runs at once, whatever they hold."""
        most = _parallelism(body)
        if math.isinf(most):
            return peak
        largest = _join(max, [self.use(name, call, holder) for call in calls(body) for holder, _ in uses(name, call)])
        return _join(min, [peak, _times(largest, most)])

    def _pod(self, name: str, body: Json) -> Peak:
        first = [_of(body, kind) for kind in ("container", "script")]
        together = (body.get("containerSet") or {}).get("containers") or ()
        running = [*filter(None, first), *together, *(body.get("sidecars") or ())]
        starting = body.get("initContainers") or ()
        patched = "resources" in str(body.get("podSpecPatch") or "")
        cpu, memory = (
            math.inf if patched else self._requested(name, resource, running, starting)
            for resource in ("cpu", "memory")
        )
        return Peak(1, cpu, memory, cpu, memory, {name: 1})

    def _requested(self, name: str, resource: str, running: Iterable[Json], starting: Iterable[Json]) -> Number:
        return pod_request(starting, running, lambda container: self._request(name, container, resource))

    def _request(self, name: str, container: Json, resource: str) -> Number:
        stated = stated_request(container, resource)
        return Fraction(0) if stated is None else self._largest(name, as_text(stated))

    def _largest(self, name: str, text: str) -> Number:
        found = self._resolver.resolve(name, text)
        try:
            return math.inf if found.unknown else max(parse_quantity(value) for value in found.values)
        except ValueError:
            return math.inf


_UNKNOWN: Final = Peak(math.inf, math.inf, math.inf, math.inf, math.inf, {"": math.inf})


def _of(body: Json, key: str) -> Json | None:
    value = body.get(key)
    return value if isinstance(value, dict) else None


def _parallelism(body: Mapping[str, Any]) -> Number:
    """How many at once; a text is a variable, whose bound is not known."""
    value = body.get("parallelism")
    return value if isinstance(value, int) and value > 0 else math.inf


def _add(values: Iterable[Number]) -> Number:
    return sum(values, Fraction(0))


def _join(combine: Callable[[Iterable[Number]], Number], peaks: list[Peak]) -> Peak:
    """Peaks combined number by number; the largest pod of several is always the largest."""
    if len(peaks) > 1:
        peaks = _distinct(combine, peaks)
    if len(peaks) < 2:
        return peaks[0] if peaks else Peak()
    by_template: dict[str, list[Number]] = {}
    for peak in peaks:
        for name, count in peak.each.items():
            by_template.setdefault(name, []).append(count)
    return Peak(
        pods=combine(peak.pods for peak in peaks),
        cpu=combine(peak.cpu for peak in peaks),
        memory=combine(peak.memory for peak in peaks),
        pod_cpu=max(peak.pod_cpu for peak in peaks),
        pod_memory=max(peak.pod_memory for peak in peaks),
        each={name: combine(counts) for name, counts in by_template.items()},
    )


def _distinct(combine: Callable[[Iterable[Number]], Number], peaks: list[Peak]) -> list[Peak]:
    """Each peak once, multiplied where they are added: thousands of tasks often share one template."""
    number = Counter(map(id, peaks))
    once = {id(peak): peak for peak in peaks}
    return [_times(peak, number[key]) if combine is _add else peak for key, peak in once.items()]


def _times(peak: Peak, number: Number) -> Peak:
    """The same, so many times at once."""
    if number == 1:
        return peak
    return Peak(
        pods=_product(peak.pods, number),
        cpu=_product(peak.cpu, number),
        memory=_product(peak.memory, number),
        pod_cpu=peak.pod_cpu if number else 0,
        pod_memory=peak.pod_memory if number else 0,
        each={name: _product(count, number) for name, count in peak.each.items()},
    )


def _limited(peak: Peak, most: Number) -> Peak:
    """The same when at most so many pods run."""
    return Peak(
        pods=min(peak.pods, most),
        cpu=min(peak.cpu, _product(peak.pod_cpu, most)),
        memory=min(peak.memory, _product(peak.pod_memory, most)),
        pod_cpu=peak.pod_cpu,
        pod_memory=peak.pod_memory,
        each={name: min(count, most) for name, count in peak.each.items()},
    )


def _product(one: Number, other: Number) -> Number:
    """A product in which nothing, however often, is nothing."""
    return one * other if one and other else 0


def _whole(count: Number) -> int:
    """A number of pods; where it is not known, more than one."""
    return int(count) if math.isfinite(count) else 2
