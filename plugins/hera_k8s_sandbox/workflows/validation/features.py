"""Features: locks, caches, claims, time limits and values from config maps."""

from __future__ import annotations

from typing import Any

from hera_k8s_sandbox.foundation.durations import duration_of
from hera_k8s_sandbox.workflows.model.spec_fields import (
    VOLUME_CLAIM_GC_STRATEGIES,
    lock_references,
    memoization_config_map,
)
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid, unsupported
from hera_k8s_utils._types import Json


def check_synchronization(where: str, wanted: Json) -> None:
    """Whether locks have names."""
    for kind, one in lock_references(wanted):
        if one.get("database"):
            raise unsupported(f"{where}.synchronization.{kind} in a database")
        if kind == "mutex" and not one.get("name"):
            raise WorkflowInvalid(f"{where}.synchronization.mutex.name is required")
        reference = one.get("configMapKeyRef") or {}
        if kind == "semaphore" and not (reference.get("name") and reference.get("key")):
            raise WorkflowInvalid(f"{where}.synchronization.semaphore.configMapKeyRef needs a name and a key")


def check_memoize(where: str, memoize: Json) -> None:
    """Whether a cache has a key and a config map."""
    if not memoize.get("key"):
        raise WorkflowInvalid(f"{where}.memoize.key is required")
    if not memoization_config_map(memoize):
        raise WorkflowInvalid(f"{where}.memoize.cache.configMap.name is required")
    if memoize.get("maxAge"):
        _duration(f"{where}.memoize.maxAge", memoize["maxAge"])


def check_timeout(where: str, template: Json) -> None:
    """Whether a time limit can be read; only what runs in a pod has one."""
    text = str(template.get("timeout") or "")
    if not text:
        return
    if {"dag", "steps"} & template.keys():
        raise WorkflowInvalid(f"{where} template doesn't support timeout field.")
    if "{{" not in text:
        _duration(f"{where}.timeout", text)


def check_claims(spec: Json) -> None:
    """Whether the claims that a workflow makes have names."""
    seen: set[str] = set()
    for index, one in enumerate(spec.get("volumeClaimTemplates") or ()):
        name = (one.get("metadata") or {}).get("name")
        if not name:
            raise WorkflowInvalid(f"spec.volumeClaimTemplates[{index}].metadata.name is required")
        if name in seen:
            raise WorkflowInvalid(f"spec.volumeClaimTemplates[{index}].metadata.name '{name}' is not unique")
        seen.add(name)
    strategy = (spec.get("volumeClaimGC") or {}).get("strategy")
    if strategy and strategy not in VOLUME_CLAIM_GC_STRATEGIES:
        raise WorkflowInvalid(f"volumeClaimGC.strategy unknown strategy '{strategy}'")


def check_config_map_source(at: str, parameter: Json) -> None:
    """Whether a parameter is taken from where it can be: the key of a config map."""
    source = parameter.get("valueFrom") or {}
    for field in sorted(source.keys() - {"configMapKeyRef", "default"}):
        raise unsupported(f"{at}.valueFrom.{field}")
    reference = source.get("configMapKeyRef")
    if source and not (reference and reference.get("name") and reference.get("key")):
        raise WorkflowInvalid(f"{at}.valueFrom.configMapKeyRef needs a name and a key")


def _duration(at: str, text: Any) -> None:
    try:
        duration_of(text)
    except ValueError as error:
        raise WorkflowInvalid(f"{at}: {error}") from None
