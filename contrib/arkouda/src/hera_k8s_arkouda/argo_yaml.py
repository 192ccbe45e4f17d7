"""Manifests with Argo variables as YAML: text in quotes, variables that stand for numbers or whole labels without."""

from __future__ import annotations

import re
from typing import Final

from hera_k8s_utils import Json, Manifest

_UNQUOTED: Final = re.compile(r'"@unquoted@(.*?)@"')


def parameter(name: str) -> str:
    """The Argo variable of a workflow parameter, for use within text."""
    return f"{{{{workflow.parameters.{name}}}}}"


def unquoted(text: str) -> str:
    """A variable without quotes around it: its value is a number, or already quoted."""
    return f"@unquoted@{text}@"


def number(name: str) -> str:
    """The Argo variable of a workflow parameter whose value is a whole number."""
    return unquoted(parameter(name))


def dump(body: Json) -> str:
    """The manifest as YAML."""
    return _UNQUOTED.sub(lambda match: match[1].replace('\\"', '"'), Manifest.of(body).to_yaml())
