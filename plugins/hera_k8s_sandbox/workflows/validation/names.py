"""Names: those of templates, tasks and parameters, and the values that a parameter may have."""

from __future__ import annotations

import re
from typing import Final

from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid
from hera_k8s_utils._types import Json

_NAME: Final = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_PARAMETER: Final = re.compile(r"[-a-zA-Z0-9_]+")
_TAG: Final = re.compile(r"\{\{.*?\}\}")  # what it stands for is known only at run time
NAME_RULE: Final = (
    "name must consist of alpha-numeric characters or '-', and must start with an alpha-numeric character "
    "(e.g. My-name1-2, 123-NAME)"
)


def is_name(text: str) -> bool:
    """Whether a template or a task may be called this."""
    return _NAME.fullmatch(text) is not None


def check_parameter(where: str, name: str, seen: set[str]) -> None:
    """Whether a parameter may be called this; it is added to those seen."""
    if not name:
        raise WorkflowInvalid(f"{where}.name is required")
    if not _PARAMETER.fullmatch(_TAG.sub("x", name)):
        raise WorkflowInvalid(
            f"{where}.name: '{name}' is invalid: Parameter/Artifact names must consist of alpha-numeric characters, "
            "'_' or '-' e.g. my_param_1, MY-PARAM-1"
        )
    if name in seen:
        raise WorkflowInvalid(f"{where}.name '{name}' is not unique")
    seen.add(name)


def check_enum(where: str, one: Json) -> None:
    """Whether a parameter has one of the values that it lists."""
    allowed, value = one.get("enum"), one.get("value")
    if allowed and value is not None and str(value) not in [str(each) for each in allowed]:
        raise WorkflowInvalid(f"{where}.value should be present in {where}.enum list")
