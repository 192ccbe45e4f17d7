"""hive: a directory for each parameter, `vintage=2012/borough=3`, as Hive, Spark and pyarrow partition data."""

from __future__ import annotations

from hera_k8s_layouts.pattern import Pattern, refuse_argument
from hera_k8s_utils import Inputs


def build(settings: None, inputs: Inputs, argument: str) -> Pattern:
    """The naming for one sweep; parameters in the order of their declaration."""
    refuse_argument("hive", argument)
    return Pattern(inputs, [(f"{'/' if at else ''}{name}=", name) for at, name in enumerate(inputs.names)])
