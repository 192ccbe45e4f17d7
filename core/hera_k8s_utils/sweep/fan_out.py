"""One task definition for all points of a sweep: arguments over `{{item.*}}`, and the items."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_utils.errors import BuildError
from hera_k8s_utils.sweep.inputs import NAME, Point
from hera_k8s_utils.sweep.values import TYPES, Placeholder, short_repr, to_text

if TYPE_CHECKING:
    from hera_k8s_utils.sweep.inputs import Inputs

_ITEM: Final = re.compile(r"\{\{item\.([-a-zA-Z0-9_]+)\}\}")


def fan_out(inputs: Inputs, extra: Mapping[str, Any]) -> dict[str, Any]:
    """See `Inputs.fan_out`."""
    for name in extra:
        if name in inputs.names:
            raise BuildError(f"fan_out({name}=...): {name} is a parameter already", hint="give it another name")
        if not NAME.fullmatch(name):
            raise BuildError(f"fan_out({name}=...)", found="names are letters, digits, dashes and underscores")
    arguments: dict[str, Any] = {name: _item(name) for name in inputs.names}
    items = [_texts(point) for point in inputs]
    for name, value in extra.items():
        if not callable(value):
            arguments[name] = to_text(value) if type(value) in TYPES else value
            continue
        proven = _template(inputs, items, value)
        if proven is None:
            proven = _item(name)
            for item, text in zip(items, _results(inputs, name, value), strict=True):
                item[name] = text
        arguments[name] = proven
    if not inputs.names:
        return {"arguments": {name: _filled(value, items[0]) for name, value in arguments.items()}}
    return {"arguments": arguments, "with_items": items}


def _item(name: str) -> str:
    return f"{{{{item.{name}}}}}"


def _texts(point: Point) -> dict[str, str]:
    texts = {name: to_text(value) for name, value in zip(point.names, point.values_tuple, strict=True)}
    for name, text in texts.items():
        if "{{" in text:
            raise BuildError(
                f"{name}={short_repr(text)} cannot be an argument", found="Argo would fill in what follows {{"
            )
    return texts


def _template(inputs: Inputs, items: list[dict[str, str]], function: Callable[[Point], Any]) -> str | None:
    """The function's value as a text over `{{item.*}}`, None when there is none that holds for every point."""
    symbols = Point(inputs.names, tuple(Placeholder(_item(name)) for name in inputs.names))
    try:
        template = function(symbols)
    except Exception:  # the function needs the values themselves, such as f"{point.rate:.2f}"
        return None
    if not isinstance(template, str):
        return None
    parts = _ITEM.split(template)
    for point, item in zip(inputs, items, strict=True):
        if _joined(parts, item) != function(point):
            return None
    return template


def _joined(parts: list[str], item: Mapping[str, str]) -> str | None:
    """`parts`: literals, and between them the names of items."""
    try:
        return "".join([item[part] if position % 2 else part for position, part in enumerate(parts)])
    except KeyError:
        return None


def _filled(value: Any, item: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value
    text = _joined(_ITEM.split(value), item)
    return value if text is None else text


def _results(inputs: Inputs, name: str, function: Callable[[Point], Any]) -> Iterator[str]:
    for point in inputs:
        text = to_text(function(point))
        if "{{" in text:
            raise BuildError(
                f"{name}={short_repr(text)} cannot be an argument", found="Argo would fill in what follows {{"
            )
        yield text
