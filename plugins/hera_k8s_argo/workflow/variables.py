"""Argo's variables: what the texts of a workflow stand for, through arguments, defaults and items."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

from hera_k8s_argo.workflow.depends import Dag
from hera_k8s_utils import Json
from hera_k8s_utils.experiment import UNKNOWN, Resolution
from hera_k8s_utils.reading import parse_json

TAG: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
"""A variable of Argo's, `{{inputs.parameters.x}}`; group 1 is its name, perhaps with blanks around it."""

REPEATS: Final = frozenset(("withItems", "withParam", "withSequence"))
"""What makes a task or a step run once for each item."""

_NEVER_KNOWN: Final = "{{=unknown}}"
_MOST_TEXTS: Final = 100_000
_MOST_CHARACTERS: Final = 20_000_000
"""Texts tried for one name before it counts as unknown: a template that calls itself may add to them endlessly."""


class Call(NamedTuple):
    """One use of a template. parent: the template that holds it, empty for the workflow itself.

    body: the task or step, with its items. arguments: of this use, which may be a hook's.
    """

    parent: str
    body: Mapping[str, Any]
    arguments: Mapping[str, Any]


# --- reading a workflow's spec ---------------------------------------------------------------------------------


def calls(template: Mapping[str, Any]) -> Iterator[Json]:
    """The tasks of a dag template, or the steps of a steps template."""
    dag = template.get("dag")
    if isinstance(dag, dict):
        yield from dag.get("tasks") or ()
    for group in template.get("steps") or ():
        yield from group if isinstance(group, list) else (group,)


def inline_name(parent: str, call: Mapping[str, Any]) -> str:
    """How a template that is written inside a task or step is called here."""
    return f"{parent}.{call.get('name') or ''}"


def each_template(spec: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
    """Name and body of each template, those written inside a task or a step as `parent.task`, at any depth."""
    for template in spec.get("templates") or ():
        waiting = [(str(template.get("name") or ""), template)]
        while waiting:
            name, body = waiting.pop(0)
            yield name, body
            waiting += [
                (inline_name(name, call), call["inline"])
                for call in calls(body)
                if "inline" in call and isinstance(call["inline"], dict)
            ]


def uses(parent: str, body: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """What a task, a step or the workflow calls: the holder of a template's name, and the arguments.

    Hooks and `onExit` are uses of their own.
    """
    arguments = body.get("arguments") or {}
    if "template" in body or "templateRef" in body or "inline" in body:
        yield body, arguments
    hooks = body.get("hooks")
    if isinstance(hooks, dict):
        for hook in hooks.values():
            yield hook, hook.get("arguments") or {}
    if body.get("onExit"):
        yield {"template": body["onExit"]}, arguments if not parent else {}


def called_name(parent: str, body: Mapping[str, Any], holder: Mapping[str, Any]) -> str:
    """The template of this workflow that a use names; empty for one that lies elsewhere."""
    if "templateRef" in holder:
        return ""
    return inline_name(parent, body) if "inline" in holder else str(holder.get("template") or "")


_NOT_SIMPLE: Final = frozenset(("templateRef", "inline", "hooks", "onExit"))


def _called(parent: str, body: Mapping[str, Any]) -> Iterable[str]:
    if "template" in body and _NOT_SIMPLE.isdisjoint(body):
        return (body["template"],)
    return filter(None, (called_name(parent, body, holder) for holder, _ in uses(parent, body)))


def as_text(value: Any) -> str:
    """A parameter's value as Argo passes it: strings as they are, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # the API server re-encodes 4.0 as 4
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def tags(text: str) -> list[str]:
    """The names of the variables in a text."""
    return [tag.strip() for tag in TAG.findall(text)] if "{{" in text else []


def parameter_texts(parameters: Iterable[Mapping[str, Any]] | None, key: str = "value") -> dict[str, str]:
    """Text of each parameter that has one; a value that comes from elsewhere is an unknown variable."""
    texts = {}
    for parameter in parameters or ():
        if parameter.get(key) is not None:
            texts[str(parameter.get("name"))] = as_text(parameter[key])
        elif "valueFrom" in parameter:
            texts[str(parameter.get("name"))] = _NEVER_KNOWN
    return texts


# --- resolving -------------------------------------------------------------------------------------------------


class Resolver:
    """Follows the variables of one workflow. Made once for a manifest; keeps an index of who calls whom."""

    def __init__(self, body: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
        self._body = body
        self._spec = spec
        self.templates: Mapping[str, Json] = dict(each_template(spec))
        self._known: dict[tuple[str, str], Resolution] = {}
        self._default_texts: dict[str, dict[str, str]] = {}
        self._dags: dict[str, Dag] = {}

    def resolve(self, scope: str, text: str) -> Resolution:
        """What a text in a template's scope may stand for, over all calls of the template and all items."""
        if "{{" not in text:
            return Resolution(frozenset((text,)))
        key = (scope, text)
        if key not in self._known:
            self._known[key] = self._search(scope, text)
        return self._known[key]

    def _search(self, scope: str, text: str) -> Resolution:
        """Rewrite the text into the scopes of the callers until no variable is left.

        A whole text moves at once, so that two parameters of one call are never mixed with those of another.
        """
        values: set[str] = set()
        unknown = False
        waiting = [(scope, text)]
        seen = set(waiting)
        characters = 0
        while waiting:
            here, current = waiting.pop()
            if not TAG.search(current):
                values.add(current)
                continue
            nexts = self._rewrite(here, current)
            unknown = unknown or None in nexts
            for found in nexts:
                if found is not None and found not in seen:
                    seen.add(found)
                    waiting.append(found)
                    characters += len(found[1])
            if len(seen) > _MOST_TEXTS or characters > _MOST_CHARACTERS:
                return Resolution(frozenset(values), unknown=True)
        return Resolution(frozenset(values), unknown or not values)

    def _rewrite(self, scope: str, text: str) -> list[tuple[str, str] | None]:
        """The text one step nearer to its values; None stands for a value that is not known."""
        names = tags(text)
        if any(name.startswith("workflow.") for name in names):
            return [(scope, substitute(text, self._globals, ("workflow.",)))]
        if not all(name.startswith("inputs.parameters.") for name in names):
            return [None]
        if not scope:
            return [None]
        defaults = self._defaults(scope)
        callers = self.callers.get(scope, ())
        if not callers:
            return [("", _inputs(text, defaults)), None]
        found: list[tuple[str, str] | None] = []
        for call in callers:
            arguments = parameter_texts(call.arguments.get("parameters"))
            rewritten = _inputs(text, {**defaults, **arguments})
            found.extend(self._over_items(call, rewritten))
        return found

    def argument(self, template: str, call: Call, parameter: str) -> str | None:
        """The text of a template's parameter in one call: the argument, else the default, else None."""
        given = parameter_texts(p for p in call.arguments.get("parameters") or () if p.get("name") == parameter)
        return given.get(parameter, self._defaults(template).get(parameter))

    def over_call(self, call: Call, text: str) -> Resolution:
        """What a text in the arguments of one call may stand for."""
        values: set[str] = set()
        unknown = False
        for found in self._over_items(call, text):
            resolution = UNKNOWN if found is None else self.resolve(*found)
            values |= resolution.values
            unknown = unknown or resolution.unknown
        return Resolution(frozenset(values), unknown)

    def _over_items(self, call: Call, text: str) -> Iterable[tuple[str, str] | None]:
        """The text once for each item of the call, when it speaks of items."""
        if not any(name.startswith("item") for name in tags(text)):
            return [(call.parent, text)]
        items = self.items(call.parent, call.body) if not REPEATS.isdisjoint(call.body) else None
        if items is None:
            return [None]
        return dict.fromkeys((call.parent, substitute(text, item_texts(item), ("item",))) for item in items)

    def items(self, scope: str, call: Mapping[str, Any]) -> list[Any] | None:
        """What a task or step is repeated over: one None when it is not repeated, None when only the run will show."""
        if call.get("withItems") is not None:
            return list(call["withItems"])
        if call.get("withSequence") is not None:
            return self._sequence(scope, call["withSequence"])
        if call.get("withParam") is not None:
            return self._listed(scope, as_text(call["withParam"]))
        return [None]

    def _listed(self, scope: str, text: str) -> list[Any] | None:
        found = self.resolve(scope, text)
        items: list[Any] = []
        for value in found.values:
            try:
                parsed = parse_json(value)
            except ValueError:
                return None
            if not isinstance(parsed, list):
                return None
            items.extend(parsed)
        return None if found.unknown else items

    def _sequence(self, scope: str, sequence: Mapping[str, Any]) -> list[Any] | None:
        """The numbers of `withSequence`, as text."""
        numbers = {key: self._number(scope, sequence[key]) for key in ("start", "end", "count") if key in sequence}
        if None in numbers.values():
            return None
        start = numbers.get("start") or 0
        count = numbers.get("count")
        if count is None:
            end = numbers.get("end") or 0
            step = 1 if end >= start else -1
            count = abs(end - start) + 1
        else:
            step = 1
        if count > _MOST_TEXTS:
            return None
        shape = str(sequence.get("format") or "%d")
        try:
            return [shape % number for number in range(start, start + step * count, step)]
        except (TypeError, ValueError):
            return None

    def _number(self, scope: str, value: Any) -> int | None:
        found = self.resolve(scope, as_text(value))
        if found.unknown or len(found.values) != 1:
            return None
        try:
            return int(next(iter(found.values)))
        except ValueError:
            return None

    @cached_property
    def callers(self) -> Mapping[str, Sequence[Call]]:
        """Who uses each template of this workflow."""
        index: dict[str, list[Call]] = {}
        self._index(index, "", self._root)
        for name, template in self.templates.items():
            for call in calls(template):
                self._index(index, name, call)
        return index

    @cached_property
    def reached(self) -> frozenset[str]:
        """The templates that a run can come to, from the entry point, the exit handlers and the hooks."""
        reached: set[str] = set()
        waiting = [*_called("", self._root)]
        while waiting:
            name = waiting.pop()
            if name not in reached and name in self.templates:
                reached.add(name)
                found = {called for call in calls(self.templates[name]) for called in _called(name, call)}
                waiting.extend(found)
        return frozenset(reached)

    def dag(self, template: str) -> Dag:
        """The tasks of a dag template and their order."""
        if template not in self._dags:
            self._dags[template] = Dag.of(calls(self.templates[template]))
        return self._dags[template]

    @property
    def _root(self) -> dict[str, Any]:
        """The workflow as a call: of its entry point, with its hooks."""
        held = {key: self._spec[key] for key in ("arguments", "hooks", "onExit") if key in self._spec}
        return {"template": self._spec["entrypoint"], **held} if self._spec.get("entrypoint") else held

    def _index(self, index: dict[str, list[Call]], parent: str, body: Mapping[str, Any]) -> None:
        for holder, arguments in uses(parent, body):
            called = called_name(parent, body, holder)
            if called:
                index.setdefault(called, []).append(Call(parent, body, arguments))

    @cached_property
    def _globals(self) -> Mapping[str, str]:
        """Variables that mean the same everywhere in the workflow."""
        metadata = self._body.get("metadata") or {}
        known = {
            f"workflow.parameters.{name}": text
            for name, text in parameter_texts((self._spec.get("arguments") or {}).get("parameters")).items()
        }
        for kind in ("labels", "annotations"):
            known.update({f"workflow.{kind}.{key}": str(v) for key, v in (metadata.get(kind) or {}).items()})
        if self._body.get("kind") == "Workflow" and metadata.get("name"):
            known["workflow.name"] = str(metadata["name"])
        if metadata.get("namespace"):
            known["workflow.namespace"] = str(metadata["namespace"])
        if self._spec.get("serviceAccountName"):
            known["workflow.serviceAccountName"] = str(self._spec["serviceAccountName"])
        return known

    def _defaults(self, scope: str) -> dict[str, str]:
        if scope not in self._default_texts:
            self._default_texts[scope] = self._read_defaults(scope)
        return self._default_texts[scope]

    def _read_defaults(self, scope: str) -> dict[str, str]:
        inputs = (self.templates.get(scope) or {}).get("inputs") or {}
        parameters = inputs.get("parameters")
        return {**parameter_texts(parameters, "default"), **parameter_texts(parameters, "value")}


def substitute(text: str, known: Mapping[str, str], closed: tuple[str, ...]) -> str:
    """Replace the variables that are known. closed: beginnings of names of which no other will ever be known."""

    def replaced(match: re.Match[str]) -> str:
        name = match[1].strip()
        if name in known:
            return known[name]
        return _NEVER_KNOWN if name.startswith(closed) else match[0]

    return TAG.sub(replaced, text)


def _inputs(text: str, arguments: Mapping[str, str]) -> str:
    """Replace the inputs of a template by what a call gives."""
    prefix = "inputs.parameters."
    return TAG.sub(lambda match: arguments.get(match[1].strip().removeprefix(prefix), _NEVER_KNOWN), text)


def item_texts(item: Any) -> dict[str, str]:
    """The variables that one item gives: `item`, and `item.key` for a map."""
    known = {"item": as_text(item)}
    if isinstance(item, dict):
        known.update({f"item.{key}": as_text(value) for key, value in item.items()})
    return known
