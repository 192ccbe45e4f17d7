"""Keywords that Hera 5 took and Hera 7 does not, for scripts of 0.1 and 0.2; nothing else here uses it."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, Final

_RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "ConfigMapEnvFrom": {"config_map_name": "name"},
    "SecretEnvFrom": {"secret_name": "name"},
}
"""Class -> keyword of Hera 4 and 5 -> keyword of Hera 7. Those that differ only in spelling need no entry."""
_DROPPED: Final = frozenset({"cluster_name", "http", "pod_priority", "priority"})
"""Keywords of Hera 5 that Hera 7 has nothing for."""
_RENAMED_CLASSES: Final = {
    "AWSElasticBlockStoreVolumeVolume": "AWSElasticBlockStoreVolume",
    "AzureDiskVolumeVolume": "AzureDiskVolume",
    "AzureFileVolumeVolume": "AzureFileVolume",
    "CephFSVolumeVolume": "CephFSVolume",
}
_MARK: Final = "_takes_keywords_of_hera_5"


def accept_hera_5() -> None:
    """Let Hera's classes take the keywords of Hera 5, with a warning that names the keyword to write instead.

    The spelling of Argo's own fields is taken too (`claimName=`, `valueFrom=`), as Hera 5 did. A keyword that neither
    version knows is a TypeError of Hera's, as before.
    """
    import hera.workflows as hera

    for each in _classes(vars(hera).values()):
        if _MARK not in vars(each):
            _accept(each)
    for old, new in _RENAMED_CLASSES.items():
        if not hasattr(hera, old):
            setattr(hera, old, getattr(hera, new))


def _classes(values: Iterable[Any]) -> list[type]:
    mine = [each for each in values if inspect.isclass(each) and each.__module__.startswith("hera.workflows.")]
    return [each for each in mine if "__init__" in vars(each)]


def _accept(cls: type) -> None:
    made: Callable[..., None] = cls.__init__  # type: ignore[misc]
    taken = frozenset(inspect.signature(made).parameters)
    spelled = {_letters(name): name for name in taken}
    renamed = _RENAMED.get(cls.__name__, {})

    @wraps(made)
    def init(self: Any, *arguments: Any, **keywords: Any) -> None:
        for old in keywords.keys() - taken:
            new = renamed.get(old) or spelled.get(_letters(old), "")
            if new and new not in keywords:
                _warn(f"{cls.__name__}({old}=...): Hera 7 calls it {new}=")
                keywords[new] = keywords.pop(old)
            elif old in _DROPPED:
                _warn(f"{cls.__name__}({old}=...) is ignored: Hera 7 has no such field")
                del keywords[old]
        if "env_from" in taken:
            _move_sources(cls.__name__, keywords)
        made(self, *arguments, **keywords)

    cls.__init__ = init  # type: ignore[misc]
    setattr(cls, _MARK, True)


def _move_sources(name: str, keywords: dict[str, Any]) -> None:
    """Whole config maps and secrets among `env=` go to `env_from=`; Hera 7 ignores them where they are."""
    from hera.workflows import ConfigMapEnvFrom, SecretEnvFrom

    env = keywords.get("env")
    if not isinstance(env, list):
        return
    sources = [each for each in env if isinstance(each, (ConfigMapEnvFrom, SecretEnvFrom))]
    if sources:
        _warn(f"{name}(env=[{type(sources[0]).__name__}(...)]): Hera 7 takes it in env_from=")
        keywords["env"] = [each for each in env if each not in sources] or None
        present = keywords.get("env_from") or []
        keywords["env_from"] = [*(present if isinstance(present, list) else [present]), *sources]


def _letters(name: str) -> str:
    return name.replace("_", "").lower()


def _warn(text: str) -> None:
    """A warning at the line of the script; unlike a DeprecationWarning it is shown for modules of scripts too."""
    frame, level = inspect.currentframe(), 1
    while frame is not None and frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, FutureWarning, stacklevel=level)


def _is_ours(module: str) -> bool:
    """Whether a module is this one or Hera's, whose decorators construct objects for a script."""
    return module == __name__ or module.partition(".")[0] == "hera"
