"""Fields of the built-in kinds: their names, types and descriptions, from the models of the official client.

The client's package is generated from Kubernetes' OpenAPI document, so that this table is as complete as it is, and no
copy of that document is kept here. A model is imported when an object of its kind is first written or explained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Annotated, Any, Final, Union, get_args, get_origin

from hera_k8s_sandbox.foundation.resource_types import CONFIG_MAPS, PODS, Resource

TEXT, WHOLE, NUMBER, TRUTH, TIME = "string", "integer", "number", "boolean", "date-time"
QUANTITY, EITHER, OBJECT, ANY = "quantity", "int-or-string", "object", "any"

_MODELS: Final = {"Event": "CoreV1Event"}  # whose name is not that of their version and kind
_QUANTITIES: Final = frozenset(
    {
        *("limits", "requests", "capacity", "allocatable", "allocatedResources", "overhead", "sizeLimit", "divisor"),
        *("hard", "used", "defaultRequest", "maxLimitRequestRatio"),
    }
)


Model = Any  # a class of the client's: mypy does not take one for hashable


@dataclass(frozen=True)
class Field:
    """One field of a model.

    type: one of the words above.
    container: `list` or `map` when it holds several of that type, else empty.
    model: of an object whose fields are known.
    """

    name: str
    type: str
    container: str = ""
    model: Model | None = None
    description: str = ""
    required: bool = False


@cache
def model_of(resource: Resource) -> Model | None:
    """The model of a built-in kind, None for one that has none."""
    if resource.custom:
        return None
    from kubernetes import client

    name = _MODELS.get(resource.kind, f"{resource.version[0].upper()}{resource.version[1:]}{resource.kind}")
    found: Model | None = getattr(client, name, None)
    return found


def preload() -> None:
    """Import the models that most objects need."""
    for resource in (CONFIG_MAPS, PODS):
        model_of(resource)


@cache
def fields_of(model: Model) -> Mapping[str, Field]:
    """The fields of a model, by their names in JSON."""
    found: dict[str, Field] = {}
    for own, info in model.model_fields.items():
        name = info.serialization_alias or info.alias or own
        kind, container, inner = _read(info.annotation)
        if kind == TEXT and name in _QUANTITIES:
            kind = QUANTITY
        found[name] = Field(name, kind, container, inner, info.description or "", info.is_required())
    return found


def struct_name(model: Model) -> str:
    """What the API server calls the type of a model: `PodSpec`."""
    name = str(model.__name__)
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


_PREFIXES: Final = ("CoreV1", "EventsV1", "DiscoveryV1", "RbacV1", "StorageV1", "AuthenticationV1", "V1")


def _read(annotation: Any) -> tuple[str, str, Model | None]:
    """The type, the container and the model that an annotation stands for."""
    origin, arguments = get_origin(annotation), [one for one in get_args(annotation) if one is not type(None)]
    if origin is Annotated:
        return _read(arguments[0])
    if origin is Union:
        return _read_union(arguments)
    if origin in (list, dict) and arguments:
        kind, container, model = _read(arguments[-1])
        return (ANY, "", None) if container else (kind, "list" if origin is list else "map", model)
    if not isinstance(annotation, type):
        return ANY, "", None
    for known, word in _WORDS:
        if issubclass(annotation, known):
            return word, "", None
    return (OBJECT, "", annotation) if hasattr(annotation, "model_fields") else (ANY, "", None)


def _read_union(arguments: list[Any]) -> tuple[str, str, Model | None]:
    if len(arguments) == 1:
        return _read(arguments[0])
    words = {_read(one)[0] for one in arguments}
    if words == {TEXT, WHOLE}:
        return EITHER, "", None
    if words == {NUMBER, WHOLE}:
        return NUMBER, "", None
    return (TEXT if words == {TEXT} else ANY), "", None


# bytes: written in base64. bool comes before int, whose subclass it is.
_WORDS: Final = (
    (bool, TRUTH),
    (int, WHOLE),
    (float, NUMBER),
    (str, TEXT),
    (bytes, TEXT),
    (datetime, TIME),
    (date, TIME),
    (dict, ANY),
)
