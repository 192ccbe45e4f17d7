"""Inline scripts: what would only fail in the pod is said before, from what Hera really generates."""

import math
import os.path as system_path
from pathlib import Path
from typing import Annotated, Any

import pytest
from hera.workflows import DAG, Parameter, Steps, Workflow, script

from hera_k8s_argo.workflow.lint import SCRIPTS
from hera_k8s_utils.checks.lint import lint
from hera_k8s_utils.experiment.manifest import Manifest
from hera_k8s_utils.results import Verdict

LIMIT = 3


def helper() -> None: ...


def built(function: Any, arguments: dict[str, Any] | None = None, items: Any = None, **template: Any) -> Manifest:
    run = script(image="python:3.12-slim", **template)(function)
    with Workflow(name="w", entrypoint="main") as workflow, DAG(name="main", fail_fast=False):
        more = {"with_items": items} if items else {}
        run(name="task", arguments=arguments or {}, **more)
    return Manifest.of(workflow)


def found(manifest: Manifest) -> list[tuple[Verdict, str, str]]:
    results = [finding.result for finding in lint(manifest) if finding.title == SCRIPTS]
    return [(result.verdict, result.detail, result.hint) for result in results]


def only(manifest: Manifest) -> tuple[Verdict, str, str]:
    (one,) = found(manifest)
    return one


def sound(rate: float, seed: int, word: str = "a", flag: bool = False, maybe: str | None = None) -> None:
    """Doc."""
    import random

    generator = random.Random(seed)

    class Kept:
        values: list = []  # noqa: RUF012

        def add(self, value: float) -> "Kept":
            self.values.append(value * rate)
            return self

    def spread(width: float) -> float:
        return generator.gauss(0, width)

    total = sum(spread(width) for width in (1.0, 2.0) if flag or (kept := Kept()))
    with open(os.devnull, "w") as out:  # noqa: F821 - Hera imports os
        print(f"{total!r} {word} {maybe}", json.dumps([kept.values]), file=out)  # noqa: F821


def test_a_sound_script_passes() -> None:
    manifest = built(sound, {"rate": 3.5, "seed": 1, "word": "hello", "flag": True})
    assert only(manifest) == (Verdict.PASSED, "no name from outside, no return", "")


def returns(x: int) -> int:
    if x:
        return 1
    return 2


def test_return_is_named() -> None:
    verdict, detail, hint = only(built(returns, {"x": 1}))
    assert verdict is Verdict.FAILED
    assert detail == "script returns uses `return`, but in the pod it is not inside a function"
    assert "sys.exit(0)" in hint


async def waits() -> None:
    await helper()


def test_what_needs_a_function_around_it_is_named() -> None:
    assert any("outside function" in detail for _, detail, _ in found(built(waits)))


def outside(x: int) -> None:
    helper()
    print(math.pi, system_path.sep, [LIMIT for _ in range(x)], never_defined)  # noqa: F821


def test_names_from_outside_the_function_are_named_with_the_way_in() -> None:
    said = {detail.split(" uses ")[1].split(",")[0]: hint for _, detail, hint in found(built(outside, {"x": 1}))}
    assert said == {
        "helper": "define or import helper inside outside",
        "math": "import math inside outside",
        "system_path": f"import {system_path.__name__} as system_path inside outside",
        "LIMIT": "define it inside outside, or pass it as a parameter",
        "never_defined": "define it inside outside, or pass it as a parameter",
    }


def test_names_used_only_inside_inner_functions_are_seen() -> None:
    def inner_only() -> None:
        def work() -> float:
            return math.sqrt(LIMIT)

        print(work())

    assert len(found(built(inner_only))) == 2


def renamed(a: Annotated[int, Parameter(name="foo-bar")]) -> None:
    print(a)


def test_a_parameter_that_is_no_python_name_is_named() -> None:
    verdict, detail, _ = only(built(renamed, {"foo-bar": 1}))
    assert verdict is Verdict.FAILED
    assert detail == "script renamed: parameter foo-bar cannot become a Python name"


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (str, "12", "x is 12, which arrives as an int, not as text"),
        (str, "true", "arrives as a bool, not as text"),
        (str, "null", "arrives as None, not as text"),
        (str, "[1]", "arrives as a list, not as text"),
        (str, "1e3", "arrives as a float, not as text"),
        (int, "4.0", "arrives as a float, not as an int"),
        (int, "four", "arrives as text, not as an int"),
        (bool, "True", "arrives as text, not as a bool"),
        (float, "", "arrives as text, not as a float"),
        (int | None, "1.5", "not as an int or None"),
        (Annotated[str, "note"], "7", "not as text"),
    ],
)
def test_a_value_whose_type_json_changes_is_a_warning(kind: Any, value: str, said: str) -> None:
    def typed(x: kind = None) -> None:
        print(x)

    typed.__annotations__["x"] = kind
    if kind != (int | None):
        typed.__defaults__ = None
    verdict, detail, _ = only(built(typed, {"x": value}))
    assert verdict is Verdict.WARNING
    assert said in detail


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (str, "word"),
        (str, '"12"'),
        (str, "/results/1"),
        (str, "12a"),
        (float, "1"),
        (float, "1.5"),
        (list, "[1]"),
        (Any, "1"),
    ],
)
def test_a_value_that_arrives_as_it_should_passes(kind: Any, value: str) -> None:
    def typed(x: kind) -> None:
        print(x)

    typed.__annotations__["x"] = kind
    manifest = Manifest(built(plain, {"x": value}).body, {"plain": typed})
    assert only(manifest)[0] is Verdict.PASSED


def plain(x: int) -> None:
    print(x)


def test_values_of_items_are_looked_at() -> None:
    def point(rate: float, label: str) -> None:
        print(rate, label)

    arguments = {"rate": "{{item.rate}}", "label": "{{item.label}}"}
    items = [{"rate": "1.5", "label": "a"}, {"rate": "fast", "label": "2012"}]
    assert [detail for _, detail, _ in found(built(point, arguments, items))] == [
        "script point: rate is fast, which arrives as text, not as a float",
        "script point: label is 2012, which arrives as an int, not as text",
    ]


def test_a_path_with_items_in_it_is_text() -> None:
    def point(output: str) -> None:
        print(output)

    manifest = built(point, {"output": "/results/{{item}}"}, [1, 2])
    assert only(manifest)[0] is Verdict.PASSED


def test_defaults_are_looked_at() -> None:
    def point(year: str = "2012") -> None:
        print(year)

    assert "year is 2012, which arrives as an int" in only(built(point))[1]


@pytest.mark.parametrize("value", ["it's'", "a\\", "'''"])
def test_a_value_that_ends_the_string_literal_fails(value: str) -> None:
    def point(x: str) -> None:
        print(x)

    verdict, detail, _ = only(built(point, {"x": value}))
    assert verdict is Verdict.FAILED
    assert "ends the string literal" in detail


def test_a_module_that_is_a_file_of_this_machine_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_models.py").write_text("x = 1\n")
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))

    def point() -> None:
        import json

        import my_models  # type: ignore[import-not-found]
        import no_such_module  # type: ignore[import-not-found]
        import pytest
        from my_package import part  # type: ignore[import-not-found]

        print(json, my_models, part, pytest, no_such_module)

    assert found(built(point)) == [
        (
            Verdict.WARNING,
            f"script point imports my_models, a file of this machine ({tmp_path / 'my_models.py'})",
            "put my_models into the image, or its code into the function",
        ),
        (
            Verdict.WARNING,
            f"script point imports my_package, a file of this machine ({tmp_path / 'my_package'})",
            "put my_package into the image, or its code into the function",
        ),
    ]


def test_scripts_for_heras_runner_are_left_to_the_image() -> None:
    assert only(built(returns, {"x": 1}, constructor="runner")) == (Verdict.PASSED, "none", "")


# --- scripts without Hera ---


def written(source: str, command: str = "python") -> Manifest:
    template = {"name": "main", "script": {"image": "x", "command": [command], "source": source}}
    return Manifest.of(
        {"kind": "Workflow", "metadata": {"name": "w"}, "spec": {"entrypoint": "main", "templates": [template]}}
    )


@pytest.mark.parametrize(
    "source",
    [
        "print({{inputs.parameters.x}} + {{=1 + 1}})",
        "print('{{tasks.a.outputs.result}}', f'{{x}}')",
        "from math import *\nprint(pi)",
        "try:\n    import tomllib\nexcept ImportError as error:\n    print(error)",
        "def f():\n    global made\n    made = 1\nf()\nprint(made, __name__, __file__)",
        "for i, (a, *b) in enumerate([(1, 2)]):\n    del a\nprint(i, b)",
        "match 1:\n    case int() as n:\n        print(n)",
        "",
    ],
)
def test_python_that_runs_passes(source: str) -> None:
    assert only(written(source))[0] is Verdict.PASSED


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("print(1", "script main: '(' was never closed: print(1"),
        ("x = 1\n  y = 2", "unexpected indent: y = 2"),
        ("print(x)", "script main uses x, which is not there in the pod"),
        ("from . import part", "imports relatively"),
        ("break", "outside loop"),
        ("x = '\0'", "null"),
    ],
)
def test_python_that_does_not_run_is_named(source: str, said: str) -> None:
    assert any(verdict is Verdict.FAILED and said in detail for verdict, detail, _ in found(written(source)))


@pytest.mark.parametrize("command", ["bash", "Rscript", "sh"])
def test_other_languages_are_left_alone(command: str) -> None:
    assert only(written("return 1 (", command)) == (Verdict.PASSED, "none", "")


def test_functions_are_taken_from_the_hera_object_when_the_manifest_lost_them() -> None:
    run = script(image="python:3.12-slim")(sound)
    with Workflow(name="w", entrypoint="main") as workflow, Steps(name="main"):
        run(name="task", arguments={"rate": "fast", "seed": 1})
    bare = Manifest(Manifest.of(workflow).body)
    assert [f.result.verdict for f in lint(bare) if f.title == SCRIPTS] == [Verdict.PASSED]
    assert [f.result.verdict for f in lint(bare, source=workflow) if f.title == SCRIPTS] == [Verdict.WARNING]


CALLS_ITSELF_DASK = """
from hera.workflows import DAG, Workflow, script

HELPER = 1

@script(image="daskdev/dask")
def point():
    import dask
    import dask.array as arrays
    from dask.distributed import Client

    print(dask.config, arrays, Client)

with Workflow(name="w", entrypoint="main") as w:
    with DAG(name="main"):
        point()
"""


def rendered_warnings(file: Path) -> list[str]:
    """The warnings about scripts of the only workflow of a file."""
    from hera_k8s_utils import build_container

    with build_container(file, environ={}) as container:
        findings = lint(container.manifest())
    return [each.result.detail for each in findings if each.title == SCRIPTS and each.result.verdict is Verdict.WARNING]


def test_a_script_may_be_called_like_the_module_that_it_imports(work: Path) -> None:
    (work / "dask.py").write_text(CALLS_ITSELF_DASK)
    assert rendered_warnings(work / "dask.py") == []


@pytest.mark.parametrize("use", ["import dask\n    print(dask.HELPER)", "from dask import HELPER"])
def test_a_script_that_imports_its_own_file_is_a_warning(work: Path, use: str) -> None:
    before, _, after = CALLS_ITSELF_DASK.partition("    import dask\n")
    (work / "dask.py").write_text(f"{before}    {use}\n" + after[after.index("\nwith Workflow") :])
    assert rendered_warnings(work / "dask.py") == [
        f"script point imports dask, a file of this machine ({work / 'dask.py'})"
    ]


@pytest.mark.parametrize(
    ("neighbour", "content", "warned"),
    [
        ("solverlib.py", "def solve(): ...\n", True),
        ("solverlib.py", "import math\n", False),  # not the module that has `solve`
        ("solverlib/__init__.py", "", True),
        ("solverlib/core.py", "", True),  # a namespace package
        ("solverlib/notes.txt", "", False),  # only a directory
        ("json.py", "def loads(): ...\n", False),
        ("math.py", "", False),
    ],
)
def test_neighbours_are_judged_by_what_is_taken_from_them(
    work: Path, neighbour: str, content: str, warned: bool
) -> None:
    (work / neighbour).parent.mkdir(exist_ok=True)
    (work / neighbour).write_text(content)
    source = CALLS_ITSELF_DASK.replace(
        "    import dask\n", "    import json, math, solverlib\n\n    print(json.loads, math.pi, solverlib.solve)\n"
    )
    (work / "experiment.py").write_text(source)
    told = rendered_warnings(work / "experiment.py")
    assert [each for each in told if "solverlib" in each] == (told if warned else [])
    assert bool(told) is warned
