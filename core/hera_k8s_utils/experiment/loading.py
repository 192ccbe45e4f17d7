"""Experiment files: FILE[:NAME] is read and imported, and run where only that builds its workflow.

What it would send to a server is held back. A script that submits a workflow is captured: the workflow is what the
commands work on.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hera_k8s_utils.errors import BuildError, join_names
from hera_k8s_utils.experiment.manifest import Manifest, is_list, sole_workload
from hera_k8s_utils.experiment.manifest_files import is_manifest_file, read_manifest
from hera_k8s_utils.experiment.model import Environment, Experiment, slugify
from hera_k8s_utils.experiment.scripts import Script
from hera_k8s_utils.experiment.user_files import UserFile
from hera_k8s_utils.experiment.workload_kinds import recognise
from hera_k8s_utils.names import nearest
from hera_k8s_utils.offline.guards import RequestGuard
from hera_k8s_utils.paths import expand_path
from hera_k8s_utils.reading import read_python
from hera_k8s_utils.sweep.inputs import Inputs
from hera_k8s_utils.sweep.layout import Layout
from hera_k8s_utils.sweep.values import short_repr

_MISSING = object()


@dataclass(frozen=True)
class LoadedExperiment:
    """An experiment, and the file that it came from.

    experiment: the experiment itself, or one made of a workflow.
    source: FILE[:NAME]; empty for an object that a program passed.
    future_annotations: the file has `from __future__ import annotations`, which breaks Hera's typed `@script` (7.1).
    file: the file itself; None for an object that a program passed.
    """

    experiment: Experiment
    source: str
    future_annotations: bool = False
    file: UserFile | None = None


def load_experiment(
    target: str | Path, guards: Sequence[RequestGuard], arguments: Sequence[str] = ()
) -> LoadedExperiment:
    """The experiment that FILE[:NAME] names, or the only one of FILE.

    That is an `Experiment`, a Hera Workflow or the dict of one, or of a Job; a function without parameters that returns
    or submits one; or what the file submits when it is imported, or run as a program.

    A manifest (`.yaml`, `.yml`, `.json`) is an experiment without inputs.

    guards: how the requests of each library are held back meanwhile.
    arguments: words of the script's command line, after its name.

    Raises `BuildError` when there is no such file, it does not parse, fails, or holds no experiment or several.
    """
    path, name = _split(str(target))
    if is_manifest_file(path):
        source = f"{path}:{name}" if name else str(path)
        return LoadedExperiment(as_experiment(read_manifest(path, name), fallback=path.stem), source)
    text = _read(path)
    tree = _parse(text, path)
    file = UserFile.of(path, tree)
    script = Script(file, path, guards, arguments)
    with file.importing():
        found = _named(script, name) if name else _only(script)
    source = f"{path}:{name}" if name else str(path)
    experiment = script.experiment(as_experiment(found, fallback=path.stem))
    return LoadedExperiment(experiment, source, _future(tree), file)


def as_experiment(found: Any, *, fallback: str = "workflow") -> Experiment:
    """An Experiment as it is; a Hera Workflow or a dict as an experiment without inputs that builds just that."""
    if isinstance(found, Experiment):
        return found
    found = sole_workload(found)
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
    found = found.body if isinstance(found, Manifest) else found
    if isinstance(found, Mapping):
        metadata = found.get("metadata") or {}
        if not isinstance(metadata, Mapping):
            raise BuildError(
                f"metadata of the {found.get('kind') or 'workflow'} cannot be {short_repr(metadata)}",
                found="it is an object with name or generateName",
                hint="metadata: {name: my-workflow}",
            )
        name = metadata.get("name") or metadata.get("generateName")
    else:
        name = getattr(found, "name", None) or getattr(found, "generate_name", None)
    return name.rstrip("-") if isinstance(name, str) else ""


def _split(target: str) -> tuple[Path, str]:
    """FILE[:NAME]; the colon of a Windows drive is not one of ours. Names of submissions may have dashes and dots."""
    head, colon, name = target.rpartition(":")
    of_python = head.endswith(".py") and re.fullmatch(r"[\w.-]+", name)
    is_name = name.isidentifier() or of_python or is_manifest_file(Path(head))
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


# --- what the file holds ---------------------------------------------------------------------------------------


def _named(script: Script, name: str) -> Any:
    """What FILE:NAME means: a name of the file, a function to call, or a submission."""
    found = script.imported().get(name, _MISSING)
    if found is _MISSING and script.submission(name) is None and script.file.runs_main:
        found = script.run().get(name, _MISSING)
    if found is _MISSING:
        submitted = script.submission(name)
        if submitted is None:
            raise _unknown(script, name)
        return submitted
    built = is_builder(found)
    if built:
        found = script.called(name, found)
    elif (submitted := script.submission_of(found)) is not None:
        return submitted
    if built:
        found = sole_workload(found)
    if not _is_candidate(found) and not _is_workload(found, several=built):
        raise BuildError(
            f"{script.path}:{name} is not an experiment",
            found=f"it is a {type(found).__name__}; "
            f"experiments and workflows in the file: {join_names(_candidates(script)) or 'none'}",
        )
    return found


def _unknown(script: Script, name: str) -> BuildError:
    names = [*_candidates(script), *(each.name for each in script.submissions)]
    near = nearest(name, names) or (names[0] if len(names) == 1 else "")
    return BuildError(
        f"{script.path} holds no {name}",
        found=f"experiments and workflows in it: {join_names(names) or 'none'}",
        hint=f"did you mean {script.path}:{near}?" if near else "",
    )


def _only(script: Script) -> Any:
    """What FILE means: its only experiment, else what it submits, else its only workflow."""
    for step in (script.imported, script.run):
        if step == script.run and not script.file.runs_main:
            break
        names = step()
        experiment = _single(script, names, Experiment)
        if experiment is not None:
            return experiment
        if script.submissions:
            return script.only_submission()
        script.refuse_changes()
        workflow = _single(script, names, None)
        if workflow is not None:
            return workflow
    ran = ", and nothing is submitted when it is run" if script.file.runs_main else ""
    raise BuildError(
        f"{script.path} holds no experiment",
        found=f"no Experiment and no Hera workflow among the names of the file{ran}",
        hint="experiment = Experiment(name=..., workflow=...), or name one: FILE:NAME",
    )


def _single(script: Script, names: Mapping[str, Any], kind: type | None) -> Any:
    """The only experiment (or workflow) among names; None where there is none. Raises `BuildError` for several."""
    chosen = {
        id(value): (name, value)
        for name, value in names.items()
        if (isinstance(value, kind) if kind else is_workflow(value))
    }
    if len(chosen) > 1:
        several = [name for name, _ in chosen.values()]
        raise BuildError(
            f"{script.path} holds more than one experiment",
            found=join_names(several),
            hint=f"say which: {script.path}:{several[0]}",
        )
    return next(iter(chosen.values()))[1] if chosen else None


def _candidates(script: Script) -> list[str]:
    return [name for name, value in script.names.items() if _is_candidate(value)]


def is_builder(value: Any) -> bool:
    """Whether a value is a function of the user's that can be called for a workflow; one of Hera's templates is not."""
    if isinstance(value, type) or not callable(value) or _is_candidate(value):
        return False
    home = getattr(value, "__globals__", {}).get("__name__", "") or type(value).__module__
    return str(home).partition(".")[0] != "hera"


def _is_candidate(value: Any) -> bool:
    return isinstance(value, Experiment) or is_workflow(value)


def _is_workload(value: Any, *, several: bool) -> bool:
    """Whether a value is a workload without being Hera's: the dict of one, or what a workload kind reads.

    several: it may be an iterable of objects, as functions return it; a list of the file's is something else.
    """
    if isinstance(value, Mapping):
        return "spec" in value or is_list(value)
    kind = recognise(value)
    return isinstance(value, Manifest) or (kind is not None and (several or not kind.engine_kind))
