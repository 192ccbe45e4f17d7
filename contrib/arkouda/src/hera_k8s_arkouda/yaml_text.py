"""YAML of manifests that hold Argo's variables: texts in quotes, numbers and whole labels bare."""

from __future__ import annotations

import re
from typing import Any, Final

Json = dict[str, Any]

_BARE: Final = re.compile(r"""(['"])@bare@(.*?)@\1""")


def parameter(name: str) -> str:
    """The variable of a parameter of the workflow, to stand within a text."""
    return f"{{{{workflow.parameters.{name}}}}}"


def bare(text: str) -> str:
    """A variable that stands by itself, without quotes: what is put in its place is a number, or quoted already."""
    return f"@bare@{text}@"


def number(name: str) -> str:
    """The variable of a parameter that is a whole number."""
    return bare(parameter(name))


def dump(body: Json) -> str:
    """The manifest as YAML."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Long texts as blocks, texts with variables in quotes; no anchors."""

        def ignore_aliases(self, _data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
        style = "|" if "\n" in value else '"' if "{{" in value or "@bare@" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    dumped: str = yaml.dump(body, Dumper=Dumper, sort_keys=False, width=100_000, allow_unicode=True)
    return _BARE.sub(lambda match: match[2].replace('\\"', '"'), dumped)
