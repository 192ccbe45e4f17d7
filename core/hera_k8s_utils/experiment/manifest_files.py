"""Manifests as files, `wf.yaml` or `job.json`: checked, rendered and run as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from hera_k8s_utils._types import Json
from hera_k8s_utils.errors import BuildError, join_names
from hera_k8s_utils.experiment.manifest import is_joint_list, is_list, items_of
from hera_k8s_utils.names import nearest
from hera_k8s_utils.reading import parse_yaml, read_text

_SUFFIXES: Final = (".yaml", ".yml", ".json")  # JSON is YAML


def is_manifest_file(path: Path) -> bool:
    """Whether a file is a manifest by its suffix."""
    return path.suffix.lower() in _SUFFIXES


def read_manifest(path: Path, name: str = "") -> Json:
    """The object that a manifest holds, or of several the one with a name, `NAME` or `KIND/NAME`.

    A List is its items, except that several Jobs, and what belongs to them, are one workload.

    Raises `BuildError` for a file that cannot be read or holds no such object, or several.
    """
    documents = _flat(_documents(path))
    for each in documents:
        _require_object(path, each)
    if not name and len(documents) == 1 and is_joint_list(documents[0]):
        joint: Json = documents[0]
        return joint
    objects: list[Json] = [item for each in documents for item in (_flat(items_of(each)) if is_list(each) else [each])]
    for each in objects:
        _require_object(path, each)
    if not objects:
        raise BuildError(f"{path} is not a manifest", found="it holds no object")
    chosen = [each for each in objects if name in ("", *_names_of(each))]
    if not chosen:
        raise _no_such(path, name, objects)
    if len(chosen) > 1:
        raise _several(path, name, objects, chosen)
    return chosen[0]


def _require_object(path: Path, found: Any) -> None:
    if not isinstance(found, dict) or not found.get("apiVersion") or not found.get("kind"):
        raise BuildError(f"{path} is not a manifest", found="an object in it lacks apiVersion or kind")


def _no_such(path: Path, name: str, objects: Sequence[Json]) -> BuildError:
    near = nearest(name, [each for found in objects for each in _names_of(found)])
    hint = f"did you mean {path}:{near}?" if near else ""
    return BuildError(f"{path} holds no {name}", found=f"objects in it: {join_names(_labels(objects))}", hint=hint)


def _several(path: Path, name: str, objects: Sequence[Json], chosen: Sequence[Json]) -> BuildError:
    labels = _labels(objects)
    found = join_names([label for label, each in zip(labels, objects, strict=True) if each in chosen])
    what = f"{path} holds more than one {name or 'object'}"
    telling = next((label for label in labels if labels.count(label) == 1 and label != name), "")
    if name and len({_with_kind(each) for each in chosen}) < len(chosen):
        return BuildError(what, found=found, hint="put the one that is meant into a file of its own")
    return BuildError(what, found=found, hint=f"say which: {path}:{telling or 'NAME'}, or put it into its own file")


def _labels(objects: Sequence[Json]) -> list[str]:
    """What to call each object: its name, with its kind where others have the name too."""
    names = [_name_of(each) for each in objects]
    return [_with_kind(each) if names.count(name) > 1 else name for each, name in zip(objects, names, strict=True)]


def _names_of(found: Json) -> tuple[str, str]:
    return _name_of(found), _with_kind(found)


def _with_kind(found: Json) -> str:
    """`KIND/NAME`, which tells an object from those of other kinds."""
    return f"{found['kind']}/{_name_of(found)}"


def _flat(documents: Sequence[Any]) -> list[Any]:
    """The documents of a file; a list among them is what it holds."""
    found = [part for each in documents for part in (each if isinstance(each, list) else [each])]
    return [each for each in found if each is not None]


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
