"""What a run of a workflow will do, as far as its manifest shows: the tasks of each template, and what suspends it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from hera_k8s_argo.workflow.variables import calls
from hera_k8s_utils import Json
from hera_k8s_utils.experiment import PlannedTasks

_INNER: Final = ("dag", "steps")
_TASK_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")


def planned_tasks(body: Mapping[str, Any]) -> list[PlannedTasks]:
    """The templates that a workflow runs, in the order of its text, with the number of tasks of each.

    A template that is written inside a task or step has the task's name. The body may come from a record, and need not
    be valid.
    """
    spec = _spec_of(body)
    templates = {t.get("name"): t for t in spec.get("templates") or () if isinstance(t, dict)}
    planner = _Planner(templates)
    planner.walk(str(spec.get("entrypoint") or ""), 1, ())
    return [PlannedTasks(name, planner.totals[name], tuple(planner.after[name])) for name in planner.totals]


def suspend_templates(body: Mapping[str, Any]) -> dict[str, str]:
    """The suspend templates of a workflow, with the time that each waits by itself; empty: until it is resumed."""
    return {
        name: str((each["suspend"] or {}).get("duration") or "")
        for name, each in _named(_spec_of(body).get("templates") or ())
        if "suspend" in each
    }


def _named(templates: Iterable[Any]) -> Iterator[tuple[str, Json]]:
    """The templates of a workflow and those written inside its tasks and steps, at any depth, with their names."""
    waiting = [(str(each.get("name")), each) for each in templates if isinstance(each, dict)]
    while waiting:
        name, template = waiting.pop(0)
        yield name, template
        waiting += [
            (str(call.get("name")), call["inline"])
            for call in calls(template)
            if isinstance(call, dict) and isinstance(call.get("inline"), dict)
        ]


def _spec_of(body: Mapping[str, Any]) -> Json:
    spec = body.get("spec") or {}
    return spec.get("workflowSpec") or spec


class _Planner:
    def __init__(self, templates: Mapping[Any, Json]) -> None:
        self._templates = templates
        self.totals: dict[str, int | None] = {}
        self.after: dict[str, dict[str, None]] = {}

    def walk(self, name: str, times: int | None, within: tuple[str, ...]) -> set[str]:
        """Count the work below a template of the workflow that runs so many times, inside the templates named.

        Returns the templates of that work.
        """
        if name in within:  # it calls itself: only the run knows how often
            self.totals.update(dict.fromkeys(self.totals, None))
            return set()
        template = self._templates.get(name)
        return set() if template is None else self._walk(name, template, times, (*within, name))

    def _walk(self, name: str, template: Json, times: int | None, within: tuple[str, ...]) -> set[str]:
        if not any(template.get(inner) for inner in _INNER):
            before = self.totals.get(name, 0)
            self.totals[name] = None if times is None or before is None else before + times
            self.after.setdefault(name, {})
            return {name}
        if template.get("dag"):
            return self._dag(template["dag"].get("tasks") or (), times, within)
        return self._steps(template.get("steps") or (), times, within)

    def _dag(self, tasks: Sequence[Json], times: int | None, within: tuple[str, ...]) -> set[str]:
        below: dict[str, set[str]] = {}
        for task in tasks:
            below[str(task.get("name"))] = self._call(task, times, within)
        for task in tasks:
            names = task.get("dependencies") or _TASK_NAME.findall(re.sub(r"\.\w+", "", task.get("depends") or ""))
            for dependency in names:
                self._order(below[str(task.get("name"))], below.get(dependency, set()))
        return set().union(*below.values()) if below else set()

    def _steps(self, groups: Sequence[Any], times: int | None, within: tuple[str, ...]) -> set[str]:
        everything: set[str] = set()
        before: set[str] = set()
        for group in groups:
            steps = group if isinstance(group, list) else [group]
            here = set().union(*(self._call(step, times, within) for step in steps))
            self._order(here, before)
            everything |= here
            before = here
        return everything

    def _call(self, call: Json, times: int | None, within: tuple[str, ...]) -> set[str]:
        many = _times(call)
        inside = None if times is None or many is None else times * many
        inline = call.get("inline")
        if isinstance(inline, dict):
            return self._walk(str(call.get("name") or ""), inline, inside, within)
        return self.walk(str(call.get("template") or ""), inside, within)

    def _order(self, later: Iterable[str], earlier: Iterable[str]) -> None:
        for name in later:
            self.after[name].update(dict.fromkeys(sorted(set(earlier) - {name})))


def _times(call: Json) -> int | None:
    """How often a task runs; None when that is computed by the run."""
    if isinstance(call.get("withItems"), list):
        return len(call["withItems"])
    if call.get("withParam"):
        return None
    sequence = call.get("withSequence")
    if not sequence:
        return 1
    try:
        if sequence.get("count") is not None:
            return int(sequence["count"])
        return abs(int(sequence["end"]) - int(sequence.get("start") or 0)) + 1
    except (KeyError, TypeError, ValueError):
        return None
