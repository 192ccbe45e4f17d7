"""Fields of a workflow's spec and templates that both the engine and the validation read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hera_k8s_utils._types import Json

EXIT_HOOK: Final = "exit"
VOLUME_CLAIM_GC_STRATEGIES: Final = ("OnWorkflowCompletion", "OnWorkflowSuccess")


def has_hooks(holder: Json) -> bool:
    """Whether a task, a step or a spec has any."""
    return bool(holder.get("hooks") or holder.get("onExit"))


def exit_hook(holder: Json) -> Json | None:
    """The hook that runs at the end; `onExit`, the older way to write it, takes precedence as in Argo."""
    if holder.get("onExit"):
        return {"template": holder["onExit"], "arguments": holder.get("arguments") or {}}
    found: Json | None = (holder.get("hooks") or {}).get(EXIT_HOOK)
    return found


def lifecycle_hooks(holder: Json) -> Iterator[tuple[str, Json]]:
    """The hooks with an expression, by name."""
    for name, hook in (holder.get("hooks") or {}).items():
        if name != EXIT_HOOK:
            yield name, hook


def lock_references(wanted: Json) -> Iterator[tuple[str, Json]]:
    """The locks of a `synchronization`: `mutex` or `semaphore`, and the entry; also in the form of Argo 3."""
    for kind, many in (("mutex", "mutexes"), ("semaphore", "semaphores")):
        for one in (*(wanted.get(many) or ()), *((wanted[kind],) if wanted.get(kind) else ())):
            yield kind, one


def memoization_config_map(memoize: Json) -> str:
    """The config map of a template's cache."""
    return str(((memoize.get("cache") or {}).get("configMap") or {}).get("name") or "")
