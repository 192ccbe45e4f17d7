"""JSON paths: those of `kubectl get -o jsonpath`, of Argo's `jsonpath()`, of conditions, and the plain ones of jq."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, Final

from hera_k8s_sandbox.foundation.jsonpath_filters import Filter, FilterError

Step = tuple[str, Any]

_STEPS: Final = re.compile(
    r"""\.\.(?P<deep>[\w-]+|\*) | \.(?P<name>(?:\\.|[^.\[\]\s|])+) |
    \[(?P<bracket>(?:'[^']*'|"[^"]*"|\[(?:'[^']*'|"[^"]*"|[^\]'"])*\]|[^\[\]'"])*)\]""",
    re.VERBOSE,
)
_FILTER: Final = re.compile(r"\?\(\s*(?P<text>.+?)\s*\)", re.DOTALL)
_UNION: Final = re.compile(r"""(?:-?\d+|'[^',]*'|"[^",]*")(?:\s*,\s*(?:-?\d+|'[^',]*'|"[^",]*"))+""")
_SLICE: Final = re.compile(r"(-?\d*):(-?\d*)(?::(-?\d+))?")


_MOST_FOUND: Final = 100_000  # values at any part of a path


class JsonPathError(ValueError):
    """A path cannot be read, or leads nowhere."""


def kubectl_output(template: str, value: Any) -> str:
    """What `kubectl get -o jsonpath=TEMPLATE` prints. Raises JsonPathError."""
    if "{" not in template:
        template = f"{{{template}}}"
    parts = re.split(r"\{((?:'[^']*'|\"[^\"]*\"|[^{}])*)\}", template)
    for index in range(1, len(parts), 2):
        parts[index] = _written(parts[index].strip(), value)
    return "".join(parts)


def _written(expression: str, value: Any) -> str:
    if expression[:1] in "\"'" and expression[-1:] == expression[:1]:
        return expression[1:-1].replace("\\n", "\n").replace("\\t", "\t")
    if re.match(r"(range|end)\b", expression):
        raise JsonPathError(f"the sandbox does not support {{{expression}}} in a JSON path")
    return " ".join(_text(each) for each in found_at(value, expression))


def found_at(value: Any, path: str, *, kubectl: bool = True) -> list[Any]:
    """All values at a path such as `.status.conditions[?(@.type=="Ready")].status`. Raises JsonPathError.

    kubectl: whether its filters are kubectl's, not those of Argo's `jsonpath()`.
    """
    path = path.strip()
    path = path[1:] if path[:1] in ("$", "@") else path
    if path and path[0] not in ".[":
        path = f".{path}"
    found = [value]
    for kind, wanted in _steps(path):
        if kind == "filter":
            wanted = _predicate(wanted, value, kubectl=kubectl)
        children = (child for each in found for child in _children(each, kind, wanted))
        following = list(islice(children, _MOST_FOUND + 1))
        if len(following) > _MOST_FOUND:
            raise JsonPathError(f"{path[:100]} leads to more than {_MOST_FOUND} values")
        if not following and kind == "name" and (found or kubectl):
            raise JsonPathError(f"{wanted} is not found")
        found = following
    return found


def value_at(value: Any, path: str) -> Any:
    """Argo's `jsonpath()`: one value for a path that leads to one, else a list. Raises JsonPathError."""
    found = found_at(value, path, kubectl=False)
    if len(found) == 1 and not re.search(r"\[\s*(\*|\?|-?\d*[:,])|\.\*|\.\.", path):
        return found[0]
    return found


def dotted(value: Any, path: str) -> Any:
    """What gjson finds at `status.conditions.0.type` or `items.#`; None for nothing: how conditions look."""
    for part in re.split(r"(?<!\\)\.", path):
        part = part.replace("\\.", ".")
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part == "#":
            value = len(value)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def jq_output(filter_text: str, value: Any) -> str:
    """What `jq -rc FILTER` prints, for paths, `length`, `keys`, `tostring`, `select(.a == x)` and pipes of these.

    Raises JsonPathError for a filter that is more than that.
    """
    found = [value]
    for part in _pipe(filter_text):
        found = [result for each in found for result in _jq(part, each)]
    return "".join(f"{_text(each) if isinstance(each, str) else _compact(each)}\n" for each in found)


def check_jq(filter_text: str) -> None:
    """Whether a filter is one that `jq_output` can do. Raises JsonPathError."""
    for part in _pipe(filter_text):
        if part not in _JQ_FUNCTIONS and _JQ_SELECT.fullmatch(part) is None:
            list(_jq_steps(part))


_JQ_STEP: Final = re.compile(
    r"""\.?\[(?P<bracket>"[^"]*"|-?\d*:?-?\d*)\]|\.(?P<name>[A-Za-z_]\w*)|\."(?P<quoted>[^"]*)\""""
)
_JQ_FUNCTIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "length": lambda value: 0 if value is None else len(value) if not isinstance(value, (int, float)) else abs(value),
    "keys": lambda value: sorted(value) if isinstance(value, dict) else list(range(len(value))),
    "tostring": lambda value: value if isinstance(value, str) else _compact(value),
    "tonumber": lambda value: json.loads(value) if isinstance(value, str) else value,
    "first": lambda value: value[0] if value else None,
    "last": lambda value: value[-1] if value else None,
}
_JQ_SELECT: Final = re.compile(r"select\(\s*(?P<path>\.[^=!<>\s]*)\s*(?P<operator>==|!=)\s*(?P<value>.+?)\s*\)")


def _pipe(text: str) -> list[str]:
    parts = re.split(r"\|(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", text)
    return [part.strip() for part in parts]


def _jq(part: str, value: Any) -> Iterator[Any]:
    try:
        if part in _JQ_FUNCTIONS:
            yield _JQ_FUNCTIONS[part](value)
            return
        select = _JQ_SELECT.fullmatch(part)
        if select is not None:
            found = list(_jq(select["path"], value))
            if (found == [json.loads(select["value"])]) == (select["operator"] == "=="):
                yield value
            return
        yield from _jq_walk(list(_jq_steps(part)), value)
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        if isinstance(error, JsonPathError):
            raise
        raise JsonPathError(f"jq: {error}") from None


def _jq_steps(part: str) -> Iterator[Step]:
    rest = part.replace(" ", "").replace("?", "") if '"' not in part else part.strip()
    if not rest.startswith("."):
        raise JsonPathError(f"the sandbox does not support the jq filter '{part}'")
    rest = rest if rest != "." else ""
    while rest:
        found = _JQ_STEP.match(rest)
        if found is None:
            raise JsonPathError(f"the sandbox does not support the jq filter '{part}'")
        rest = rest[found.end() :]
        if found["bracket"] is None:
            yield "name", found["name"] or found["quoted"]
        elif found["bracket"] == "":
            yield "all", None
        elif found["bracket"].startswith('"'):
            yield "name", found["bracket"][1:-1]
        else:
            yield _bracket(found["bracket"])


def _jq_walk(steps: list[Step], value: Any) -> Iterator[Any]:
    if not steps:
        yield value
        return
    (kind, wanted), rest = steps[0], steps[1:]
    if kind == "name":
        if value is not None and not isinstance(value, dict):
            raise JsonPathError(f'jq: error: Cannot index {type(value).__name__} with "{wanted}"')
        following = [None if value is None else value.get(wanted)]
    else:
        following = list(_children(value, kind, wanted)) or ([None] if kind == "index" else [])
    for each in following:
        yield from _jq_walk(rest, each)


def _steps(path: str) -> Iterator[Step]:
    position = 0
    while position < len(path):
        found = _STEPS.match(path, position)
        if found is None:
            if path[position:].strip(". ") == "":
                return
            raise JsonPathError(f"unrecognized JSON path: {path}")
        position = found.end()
        if found["deep"]:
            yield "deep", found["deep"]
        elif found["name"]:
            yield ("all", None) if found["name"] == "*" else ("name", re.sub(r"\\(.)", r"\1", found["name"]))
        else:
            yield _bracket(found["bracket"].strip())


def _bracket(text: str) -> Step:
    if text == "*":
        return "all", None
    if re.fullmatch(r"-?\d+", text):
        return "index", int(text)
    if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]:
        return "name", text[1:-1]
    if _UNION.fullmatch(text):
        return "union", [_bracket(each.strip()) for each in text.split(",")]
    sliced = _SLICE.fullmatch(text)
    if sliced is not None:
        return "slice", slice(*(int(each) if each else None for each in sliced.groups()))
    filtered = _FILTER.fullmatch(text)
    if filtered is not None:
        return "filter", filtered["text"]
    raise JsonPathError(f"invalid array index or filter: [{text}]")


def _children(value: Any, kind: str, wanted: Any) -> Iterator[Any]:
    if kind == "name":
        if isinstance(value, dict) and wanted in value:
            yield value[wanted]
    elif kind == "all":
        yield from value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    elif kind == "index":
        if isinstance(value, list) and -len(value) <= wanted < len(value):
            yield value[wanted]
        elif isinstance(value, list):
            return
    elif kind == "union":
        for each in wanted:
            yield from _children(value, *each)
    elif kind == "slice":
        yield from value[wanted] if isinstance(value, list) else ()
    elif kind == "filter":
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        yield from (each for each in items if wanted(each))
    else:
        yield from _deep(value, wanted)


def _deep(value: Any, name: str) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, each in value.items():
            if name in (key, "*"):
                yield each
            yield from _deep(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from _deep(each, name)


def _predicate(text: str, root: Any, *, kubectl: bool) -> Callable[[Any], bool]:
    """Whether an item passes a filter; root: the whole document."""
    try:
        wanted = Filter(text, kubectl=kubectl)
    except FilterError as error:
        raise JsonPathError(str(error)) from None

    def find(item: Any, path: str) -> Any:
        try:
            found = found_at(item if path.startswith("@") else root, path, kubectl=kubectl)
        except JsonPathError as error:
            raise FilterError(str(error)) from None
        if not found:
            raise FilterError(f"{path} is not found")
        return found[0]

    return lambda item: wanted.passes(partial(find, item))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return _compact(value)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
