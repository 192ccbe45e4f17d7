"""Jobs for experiments: one for one task, or one indexed Job for all points of a sweep."""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from hera_k8s_kube.jobs.manifest import escape_dollars
from hera_k8s_kube.jobs.points import (
    DIRECTORY,
    PYTHON,
    SHELL,
    VARIABLE,
    Argument,
    point_maps,
    texts_of,
    values_of,
    volume_of,
)
from hera_k8s_utils import BuildError, Environment, Inputs, Json, Point, is_dns_label, join_names
from hera_k8s_utils.labels import POINT_ANNOTATION, POINTS_LABEL, TASK_LABEL
from hera_k8s_utils.sweep import dns_name

Work = Callable[..., Any] | str
"""What a task does: a Python function, whose source is sent, or a shell script."""

_AS_JSON: Final = (int, float, bool, type(None))
"""Types whose texts are JSON; texts and dates are given as texts."""


def plain_job(
    environment: Environment,
    work: Work,
    *,
    name: str = "",
    point: Point | None = None,
    arguments: Mapping[str, Argument] | None = None,
    retries: int = 0,
    deadline: float | None = None,
    **container: Any,
) -> Json:
    """A Job that does one task, such as one point of a sweep.

    environment: the experiment's environment.
    work: a function, called with the point and the arguments by name, or a script for `sh`, which gets them as
        variables. Only the function's source is sent: it must import what it needs, and cannot use outer names.
    name: name of the task; default: the function's name.
    point: the point; default: none.
    arguments: name -> value, or function of the point such as `layout.path`; default: none.
    retries: further attempts after the first; default 0.
    deadline: seconds for all attempts together; default: no limit.
    container: further fields of the container, such as `resources`; `env` is added to the arguments.
    """
    _refuse_command(container)
    task = _task(name, work)
    values = values_of(point or Point((), ()), arguments or {})
    given = texts_of(values)
    if isinstance(work, str):
        env = [{"name": n, "value": escape_dollars(t)} for n, t in given.items()]
        fields = {**container, "env": [*env, *(container.get("env") or ())]}
        spec = environment.pod(command=["sh", "-ec", escape_dollars(work)], **fields)
    else:
        sent = {n: value if type(value) in _AS_JSON else given[n] for n, value in values.items()}
        program = f"{_source(work)}\n\nimport json\n{work.__name__}(**json.loads({json.dumps(sent)!r}))\n"
        spec = environment.pod(command=["python", "-c", escape_dollars(program)], **container)
    own = task if point is None or not point.names else f"{task}-{dns_name(point)}"
    annotations = (
        {POINT_ANNOTATION: json.dumps(given), **_named(point.names)} if point is not None and point.names else {}
    )
    return _job(own, task, spec, annotations, {"backoffLimit": retries, **_deadline(deadline)})


def indexed_job(
    environment: Environment,
    inputs: Inputs,
    work: Work,
    *,
    name: str = "",
    arguments: Mapping[str, Argument] | None = None,
    parallelism: int | None = None,
    retries: int = 0,
    deadline: float | None = None,
    **container: Any,
) -> list[Json]:
    """One indexed Job for all points (at most 100,000), and the config maps with the arguments of its indexes.

        def workflow(environment, inputs, layout):
            return indexed_job(environment, inputs, simulate, arguments={"output": layout.path}, parallelism=50)

    parallelism: maximum number of concurrent pods; default: as many as the cluster admits.

    A point that fails after all its retries does not stop the others (`backoffLimitPerIndex`, Kubernetes 1.29). The
    other parameters are those of `plain_job`.
    """
    _refuse_command(container)
    task = _task(name, work)
    maps, types = point_maps(task, task, inputs, arguments or {})
    volume, mount = volume_of(maps)
    own = {"env": [{"name": VARIABLE, "value": DIRECTORY}], "volumeMounts": [mount]}
    merged = {field: [*values, *(container.get(field) or ())] for field, values in own.items()}
    spec = environment.pod(command=_indexed_command(work, types, arguments or ()), **{**container, **merged})
    spec["volumes"] = [*spec.get("volumes", ()), volume]
    fields = {
        "completionMode": "Indexed",
        "completions": len(inputs),
        "parallelism": len(inputs) if parallelism is None else min(parallelism, len(inputs)),
        "backoffLimitPerIndex": retries,
        **_deadline(deadline),
    }
    return [*maps, _job(task, task, spec, _named(inputs.names), fields)]


# --- parts ---------------------------------------------------------------------------------------------------------


def _refuse_command(container: Mapping[str, Any]) -> None:
    if "command" in container:
        raise BuildError(
            f"command={container['command']!r} cannot be given",
            found="the command is made from the work",
            hint="pass it as `work`",
        )


def _job(name: str, task: str, pod: Json, annotations: Mapping[str, str], fields: Mapping[str, Any]) -> Json:
    metadata = {"name": name, "labels": {TASK_LABEL: task}, "annotations": dict(annotations)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {**fields, "template": {"spec": pod}},
    }


def _named(names: Iterable[str]) -> dict[str, str]:
    """Which of the things that a task is given are its point."""
    return {POINTS_LABEL: ",".join(names)}


def _deadline(seconds: float | None) -> dict[str, int]:
    return {} if seconds is None else {"activeDeadlineSeconds": max(1, round(seconds))}


def _task(name: str, work: Work) -> str:
    """What the task is called; a function's name as a DNS label."""
    task = name or ("task" if isinstance(work, str) else getattr(work, "__name__", "").strip("_").replace("_", "-"))
    task = task.lower() if not name else task
    if not is_dns_label(task):
        raise BuildError(
            f"{task!r} is not a valid task name", hint="name='simulate': lower-case letters, digits, dashes"
        )
    return task


def _source(work: Callable[..., Any]) -> str:
    """The text of a function."""
    try:
        text = textwrap.dedent(inspect.getsource(work))
    except (OSError, TypeError) as error:
        raise BuildError(
            f"cannot find the source of {work!r}", found=str(error), hint="define it with def, in a file"
        ) from error
    if not text.startswith("def "):
        raise BuildError(
            f"{getattr(work, '__name__', work)} cannot be sent to a pod",
            found=f"its source begins with {text.split(chr(10))[0]!r}",
            hint="a plain function, `def NAME(...)`, without decorators",
        )
    return text


def _indexed_command(work: Work, types: Mapping[str, set[type]], arguments: Collection[str]) -> list[str]:
    """types: of what the tasks are given, by name. arguments: the names of what is not of their points."""
    if isinstance(work, str):
        reading = SHELL if types else ""
        return ["sh", "-ec", escape_dollars(f"{reading}{work}")]
    reading = f"""
def _read(name, text):
    import json
    try:
        return json.loads(text) if name in {_as_json(types, arguments)!r} else text
    except ValueError:
        return text

{work.__name__}(**{{name: _read(name, text) for name, text in _given_to_this_index().items()}})
"""
    return ["python", "-c", escape_dollars(f"{_source(work)}\n{PYTHON}{reading}")]


def _as_json(types: Mapping[str, set[type]], arguments: Collection[str]) -> list[str]:
    """The names of what a function reads as JSON.

    A text among numbers might be read as a number too: `Inputs` refuses such parameters, and this such arguments.
    """
    found = sorted(name for name, kinds in types.items() if kinds & set(_AS_JSON))
    mixed = [name for name in found if name in arguments and types[name] - set(_AS_JSON)]
    if mixed:
        kinds = join_names(sorted(kind.__name__ for kind in types[mixed[0]]))
        raise BuildError(
            f"{mixed[0]} cannot be passed to a function",
            found=f"its values have several types: {kinds}",
            hint="use one type per argument of indexed_job",
        )
    return found
