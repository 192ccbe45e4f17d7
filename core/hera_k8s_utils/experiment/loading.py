"""Experiment files: FILE[:NAME] is read and imported; what importing it would send to a server is held back."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from hera_k8s_utils.errors import BuildError, join_names
from hera_k8s_utils.experiment.annotations import resolve_annotations
from hera_k8s_utils.experiment.manifest_files import is_manifest_file, read_manifest
from hera_k8s_utils.experiment.model import Environment, Experiment, slugify
from hera_k8s_utils.experiment.workload_kinds import recognise
from hera_k8s_utils.names import nearest
from hera_k8s_utils.offline.guards import RequestGuard
from hera_k8s_utils.offline.phase import ForeignCode, offline
from hera_k8s_utils.paths import expand_path
from hera_k8s_utils.reading import read_python
from hera_k8s_utils.sweep.inputs import Inputs
from hera_k8s_utils.sweep.layout import Layout
from hera_k8s_utils.sweep.values import short_repr

_APPENDED: Final[set[str]] = set()
"""Directories of experiments that are at the end of `sys.path` because an experiment was loaded."""


@dataclass(frozen=True)
class LoadedExperiment:
    """An experiment, and the file that it came from.

    experiment: the experiment itself, or one made of a workflow.
    source: FILE[:NAME]; empty for an object that a program passed.
    future_annotations: the file has `from __future__ import annotations`, which breaks Hera's typed `@script` (7.1).
    directory: where the file's neighbours are; None without a file.
    """

    experiment: Experiment
    source: str
    future_annotations: bool = False
    directory: Path | None = None


def load_experiment(target: str | Path, guards: Sequence[RequestGuard]) -> LoadedExperiment:
    """The experiment that FILE[:NAME] names: an `Experiment`, or any Hera Workflow or the dict of one, or of a Job.

    A manifest (`.yaml`, `.yml`, `.json`) is an experiment without inputs.

    guards: how the requests of each library are held back meanwhile.

    Raises `BuildError` when there is no such file, it does not parse, would submit something when it is imported, fails
    while it is imported, or holds no experiment or more than one without a NAME.
    """
    path, name = _split(str(target))
    if is_manifest_file(path):
        source = f"{path}:{name}" if name else str(path)
        return LoadedExperiment(as_experiment(read_manifest(path, name), fallback=path.stem), source)
    text = _read(path)
    tree = _parse(text, path)
    with offline(_code_of(path), guards):
        module = _import(path)
        if _future(tree):
            resolve_annotations(module)
        found = _named(module, name, path) if name else _only(module, path)
    source = f"{path}:{name}" if name else str(path)
    return LoadedExperiment(as_experiment(found, fallback=path.stem), source, _future(tree), path.resolve().parent)


def _code_of(path: Path) -> ForeignCode:
    hint = "move it below `if __name__ == '__main__':`"
    return ForeignCode(str(path), "when it is imported", file=path.resolve(), hint=hint)


def as_experiment(found: Any, *, fallback: str = "workflow") -> Experiment:
    """An Experiment as it is; a Hera Workflow or a dict as an experiment without inputs that builds just that."""
    if isinstance(found, Experiment):
        return found
    name = slugify(_workflow_name(found) or fallback)

    def _constant_workflow(environment: Environment, inputs: Inputs, layout: Layout) -> Any:
        return found

    return Experiment(name=name, workflow=_constant_workflow)


def is_workflow(value: Any) -> bool:
    """Whether a value is one of Hera's workflow objects. Told by its type's home, so that Hera need not be imported."""
    kind = type(value)
    homes = (base.__module__.partition(".")[0] for base in kind.__mro__)
    return "hera" in homes and hasattr(value, "to_dict") and hasattr(value, "templates")


def _workflow_name(found: Any) -> str:
    if isinstance(found, Mapping):
        metadata = found.get("metadata") or {}
        name = metadata.get("name") or metadata.get("generateName")
    else:
        name = getattr(found, "name", None) or getattr(found, "generate_name", None)
    return name.rstrip("-") if isinstance(name, str) else ""


def _split(target: str) -> tuple[Path, str]:
    """FILE[:NAME]; the colon of a Windows drive is not one of ours."""
    head, colon, name = target.rpartition(":")
    is_name = name.isidentifier() or is_manifest_file(Path(head))
    if colon and is_name and len(head) > 1:
        return expand_path(head), name
    return expand_path(target), ""


def _read(path: Path) -> str:
    try:
        return read_python(path)
    except FileNotFoundError:
        here = sorted(str(p) for p in Path().glob("*.py")) if path.parent == Path() else []
        near = nearest(path.stem, [name.removesuffix(".py") for name in here])
        raise BuildError(
            f"no experiment file {path}",
            found=f"in this directory: {join_names(here)}" if here else f"the working directory is {Path.cwd()}",
            hint=f"did you mean {near}.py?" if near else "name it: hera-k8s COMMAND path/to/experiment.py",
        ) from None
    except IsADirectoryError:
        raise BuildError(f"{path} is a directory", hint=f"name the file: {path / 'experiment.py'}") from None
    except OSError as error:
        raise BuildError(f"{short_repr(str(path))} cannot be read", found=error.strerror or str(error)) from None


def _parse(text: str, path: Path) -> ast.Module:
    try:
        return ast.parse(text, filename=str(path))
    except SyntaxError as error:
        if error.lineno is None:  # null bytes, since Python 3.11.4
            raise BuildError(f"{path} is not a Python file", found=error.msg) from error
        line = (error.text or "").strip()
        raise BuildError(
            f"{path} is not valid Python",
            found=f"line {error.lineno}: {error.msg}" + (f": {line}" if line else ""),
            hint="mend the line; nothing was run",
        ) from error
    except ValueError as error:  # null bytes, before Python 3.11.4
        raise BuildError(f"{path} is not a Python file", found=str(error)) from error


def _future(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(alias.name == "annotations" for alias in node.names)
        for node in tree.body
    )


# --- import ----------------------------------------------------------------------------------------------------


def _import(path: Path) -> ModuleType:
    full = path.resolve()
    name = f"hera_k8s_experiment_{full.stem}"
    spec = importlib.util.spec_from_file_location(name, full)
    if spec is None or spec.loader is None:
        raise BuildError(f"{path} cannot be imported", found="its name does not end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and inspect look their module up there
    try:
        with neighbours_first(full.parent):
            spec.loader.exec_module(module)
    except BuildError:
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: a script that ends itself when imported
        raise BuildError(
            f"{path} failed while it was imported", found=failure(error, full), hint="--debug shows the traceback"
        ) from error
    return module


@contextmanager
def neighbours_first(directory: Path) -> Iterator[None]:
    """Let the user's file find its neighbours first, as `python FILE` does, while it is imported or builds.

    Afterwards they are found last: a neighbour called requests.py is not what our own later imports mean.
    """
    place = str(directory)
    if place in sys.path and place not in _APPENDED:  # whoever put it there decided where
        yield
        return
    _APPENDED.add(place)
    _move(place, to_front=True)
    try:
        yield
    finally:
        _move(place, to_front=False)


def _move(place: str, *, to_front: bool) -> None:
    others = [each for each in sys.path if each != place]
    sys.path[:] = [place, *others] if to_front else [*others, place]


def failure(error: BaseException, path: Path | None = None) -> str:
    """An exception in one line, with the last line of the user's file that it passed through."""
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    line = 0
    trace = error.__traceback__
    while trace is not None:
        if path is not None and trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"line {line}: {what}" if line else what


# --- what the file holds ---------------------------------------------------------------------------------------


def _named(module: ModuleType, name: str, path: Path) -> Any:
    names = [n for n, value in vars(module).items() if _is_candidate(value)]
    try:
        found = getattr(module, name)
    except AttributeError:
        near = nearest(name, names)
        raise BuildError(
            f"{path} holds no {name}",
            found=f"experiments and workflows in it: {join_names(names) or 'none'}",
            hint=f"did you mean {path}:{near}?" if near else "",
        ) from None
    if not _is_candidate(found) and not _is_one_object(found):
        raise BuildError(
            f"{path}:{name} is not an experiment",
            found=f"it is a {type(found).__name__}; "
            f"experiments and workflows in the file: {join_names(names) or 'none'}",
        )
    return found


def _only(module: ModuleType, path: Path) -> Any:
    for chosen in (_is_experiment, is_workflow):
        found = {id(value): (name, value) for name, value in vars(module).items() if chosen(value)}
        if len(found) == 1:
            return next(iter(found.values()))[1]
        if found:
            names = [name for name, _ in found.values()]
            raise BuildError(
                f"{path} holds more than one experiment",
                found=join_names(names),
                hint=f"say which: {path}:{names[0]}",
            )
    raise BuildError(
        f"{path} holds no experiment",
        found="no Experiment and no Hera workflow among the names of the file",
        hint="experiment = Experiment(name=..., workflow=...), or name one: FILE:NAME",
    )


def _is_experiment(value: Any) -> bool:
    return isinstance(value, Experiment)


def _is_candidate(value: Any) -> bool:
    return isinstance(value, Experiment) or is_workflow(value)


def _is_one_object(value: Any) -> bool:
    """Whether a value is a workload without being Hera's: the dict of one, or a model that a workload kind reads.

    Several objects are what a builder returns; a file names them through an `Experiment`.
    """
    if isinstance(value, Mapping):
        return "spec" in value
    kind = recognise(value)
    return kind is not None and not kind.engine_kind
