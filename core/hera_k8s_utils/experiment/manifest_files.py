"""Manifests as files, `wf.yaml` or `job.json`: checked, rendered and run as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from hera_k8s_utils._types import Json
from hera_k8s_utils.errors import BuildError, join_names
from hera_k8s_utils.names import nearest
from hera_k8s_utils.reading import parse_yaml, read_text

_SUFFIXES: Final = (".yaml", ".yml", ".json")  # JSON is YAML


def is_manifest_file(path: Path) -> bool:
    """Whether a file is a manifest by its suffix."""
    return path.suffix.lower() in _SUFFIXES


def read_manifest(path: Path, name: str = "") -> Json:
    """The object that a manifest holds, or the one with a name if it holds several.

    Raises `BuildError` for a file that cannot be read or holds no such object.
    """
    objects = [document for document in _documents(path) if document is not None]
    named = {_name_of(each): each for each in objects}
    for each in objects:
        if not isinstance(each, dict) or not each.get("apiVersion") or not each.get("kind"):
            raise BuildError(f"{path} is not a manifest", found="an object in it lacks apiVersion or kind")
    if not objects:
        raise BuildError(f"{path} is not a manifest", found="it holds no object")
    if name and name not in named:
        near = nearest(name, named)
        hint = f"did you mean {path}:{near}?" if near else ""
        raise BuildError(f"{path} holds no {name}", found=f"objects in it: {join_names(list(named))}", hint=hint)
    if not name and len(objects) > 1:
        hint = f"say which: {path}:NAME, or put it into a file of its own"
        raise BuildError(f"{path} holds more than one object", found=join_names(list(named)), hint=hint)
    found: Json = named[name] if name else objects[0]
    return found


def _documents(path: Path) -> list[Any]:
    import yaml

    try:
        return parse_yaml(read_text(path))
    except OSError as error:
        raise BuildError(f"{path} cannot be read", found=error.strerror or str(error)) from None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        raise BuildError(f"{path} is not YAML", found=f"{where}{getattr(error, 'problem', None) or error}") from None


def _name_of(document: Any) -> str:
    metadata = document.get("metadata") if isinstance(document, dict) else None
    found = (metadata.get("name") or metadata.get("generateName")) if isinstance(metadata, dict) else None
    return str(found or "an object without a name")
