"""Tasks packed as bytes for the pod, and results for Covalent, without unpickling either."""

from __future__ import annotations

import base64
import functools
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cloudpickle
from covalent import TransportableObject
from covalent.executor.utils.wrappers import wrapper_fn

from covalent_kubernetes_plugin.errors import TaskFailed
from covalent_kubernetes_plugin.results import Outcome


@dataclass(frozen=True)
class Task:
    """A packed task.

    payload: JSON with pickles in base64.
    python: Python version that pickled the function; the pod needs the same minor version.
    wrapped: the result is returned as Covalent's TransportableObject, without unpickling it here.
    """

    payload: bytes = field(repr=False)
    python: str
    wrapped: bool


def pack(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Task:
    """Pack the arguments of `run`.

    The dispatcher passes a wrapper around objects that were pickled where the lattice was written. They are not
    unpickled, so that neither their modules nor Covalent are needed, here or in the pod.
    """
    if not _is_wrapper(function):
        packed = _packed(_pickled(function), map(_pickled, args), {name: _pickled(kwargs[name]) for name in kwargs})
        return Task(_encoded(packed), platform.python_version(), wrapped=False)
    inner, before, after = function.args  # type: ignore[attr-defined]
    packed = _packed(
        inner.get_serialized(),
        (each.get_serialized() for each in args),
        {name: each.get_serialized() for name, each in kwargs.items()},
    )
    packed["before"], packed["after"] = _calls(before), _calls(after)
    return Task(_encoded(packed), inner.python_version, wrapped=True)


def _is_wrapper(function: Callable[..., Any]) -> bool:
    return isinstance(function, functools.partial) and function.func is wrapper_fn and len(function.args) == 3


def _packed(function: str, args: Any, kwargs: Mapping[str, str]) -> dict[str, Any]:
    return {"function": function, "args": list(args), "kwargs": dict(kwargs), "before": [], "after": []}


def _calls(calls: Sequence[Sequence[Any]]) -> list[list[str]]:
    """Three pickles each, and the name of the argument for the returned value."""
    return [[*(each.get_serialized() for each in call[:3]), str(call[3] or "")] for call in calls]


def _pickled(value: Any) -> str:
    return base64.b64encode(cloudpickle.dumps(value)).decode("ascii")


def _encoded(packed: Mapping[str, Any]) -> bytes:
    return json.dumps(packed).encode("ascii")


def result_of(task: Task, outcome: Outcome) -> Any:
    """The return value of `run`. Raises `TaskFailed` if the result cannot be unpickled here."""
    if task.wrapped:
        return _transportable(outcome)
    try:
        return cloudpickle.loads(outcome.result)
    except Exception as error:
        raise TaskFailed(
            "the task's result cannot be unpickled",
            found=f"{type(error).__name__}: {error}",
            hint="the modules of the result must also be installed here",
        ) from error


def _transportable(outcome: Outcome) -> TransportableObject:
    """Covalent's object around the pickle, without unpickling it."""
    header = outcome.header
    return TransportableObject.from_dict(
        {
            "attributes": {
                "_object": base64.b64encode(outcome.result).decode("ascii"),
                "_object_string": header["text"],
                "_header": {
                    "py_version": header["python"],
                    "cloudpickle_version": header["cloudpickle"],
                    "attrs": header["about"],
                },
            }
        }
    )
