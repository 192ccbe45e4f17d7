"""Built-in ways of naming directories after points."""

from __future__ import annotations

from collections.abc import Iterable

from hera_k8s_layouts import flat, hashed, hive, template
from hera_k8s_utils import LayoutStrategy, hookimpl


@hookimpl
def layout_strategies() -> Iterable[LayoutStrategy]:
    """hive, flat, hashed, template."""
    yield LayoutStrategy(name="hive", build=hive.build)
    yield LayoutStrategy(name="flat", build=flat.build)
    yield LayoutStrategy(name="hashed", build=hashed.build, sidecar=True)
    yield LayoutStrategy(name="template", build=template.build)
