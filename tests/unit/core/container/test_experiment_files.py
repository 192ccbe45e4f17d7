"""What FILE may be: a Python file in any encoding, with postponed annotations, or a manifest; and what it may not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import SMALL, CommandLine

TYPED = """
from hera.workflows import DAG, Workflow, script

@script(image="python:3.12-slim")
def f(a: int, b: str = "x") -> None:
    print(a, b)

with Workflow(name="typed", entrypoint="d") as w:
    with DAG(name="d"):
        f(arguments={"a": 1})
"""


@pytest.fixture
def hera(work: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(capsys)


def template(text: str, name: str = "f") -> object:
    return next(each for each in yaml.safe_load(text)["spec"]["templates"] if each["name"] == name)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1", "cp1252"])
def test_a_file_in_another_encoding_is_an_experiment(hera: CommandLine, encoding: str) -> None:
    coding = "" if encoding == "utf-8-sig" else f"# -*- coding: {encoding} -*-"
    text = f"{coding}{SMALL}".replace("true", "Saint-Étienne")
    Path("experiment.py").write_bytes(text.encode(encoding))
    told = hera("render")
    assert told.code == 0
    assert "Saint-Étienne" in str(template(told.out, "main"))


def test_annotations_may_be_postponed(hera: CommandLine) -> None:
    Path("plain.py").write_text(TYPED)
    Path("postponed.py").write_text(f"from __future__ import annotations\n{TYPED}")
    plain, postponed = hera("render", "plain.py"), hera("render", "postponed.py")
    assert (plain.code, postponed.code) == (0, 0)
    assert template(postponed.out) == template(plain.out)


# --- manifests -------------------------------------------------------------------------------------------------

WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: hello-}
spec:
  entrypoint: main
  templates:
    - name: main
      container: {image: busybox, command: ["true"]}
"""
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: hello}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: busybox, command: ["true"]}]
"""


@pytest.mark.parametrize(("text", "kind"), [(WORKFLOW, "Workflow"), (JOB, "Job")])
@pytest.mark.parametrize("name", ["wf.yaml", "wf.yml", "WF.YAML"])
def test_a_manifest_is_rendered_as_it_is(hera: CommandLine, name: str, text: str, kind: str) -> None:
    Path(name).write_text(text)
    told = hera("render", name)
    assert told.code == 0
    rendered = yaml.safe_load(told.out)
    assert rendered["kind"] == kind
    assert rendered["metadata"]["name"].startswith("hello")
    spec = rendered["spec"]
    container = spec["templates"][0]["container"] if kind == "Workflow" else spec["template"]["spec"]["containers"][0]
    assert (container["image"], container["command"]) == ("busybox", ["true"])


@pytest.mark.parametrize("kind", ["CronWorkflow", "WorkflowTemplate"])
def test_manifests_of_argo_s_other_kinds_are_rendered(hera: CommandLine, kind: str) -> None:
    body = {**yaml.safe_load(WORKFLOW), "kind": kind, "metadata": {"name": "hello"}}
    if kind == "CronWorkflow":
        body["spec"] = {"schedules": ["0 0 * * *"], "workflowSpec": body["spec"]}
    Path("wf.yaml").write_text(yaml.safe_dump(body))
    told = hera("render", "wf.yaml")
    assert (told.code, yaml.safe_load(told.out)["kind"]) == (0, kind)


def test_of_several_objects_one_is_named(hera: CommandLine) -> None:
    Path("all.yaml").write_text(f"{WORKFLOW.replace('generateName: hello-', 'name: my-wf')}---\n{JOB}---\n")
    assert yaml.safe_load(hera("render", "all.yaml:my-wf").out)["kind"] == "Workflow"
    told = hera("render", "all.yaml")
    assert told.code == 6
    assert "more than one object: my-wf, hello" in told.err
    assert "did you mean all.yaml:my-wf?" in hera("render", "all.yaml:my-w").err


def body(name: str = "a", kind: str = "Workflow") -> dict[str, Any]:
    return {**yaml.safe_load(WORKFLOW), "kind": kind, "metadata": {"name": name}}


def a_list(*items: object, kind: str = "List") -> dict[str, Any]:
    version = "v1" if kind == "List" else "argoproj.io/v1alpha1"
    return {"apiVersion": version, "kind": kind, "metadata": {"resourceVersion": ""}, "items": [*items]}


def test_a_file_in_a_directory_called_tilde_is_not_one_in_the_home_directory(hera: CommandLine) -> None:
    Path("~").mkdir()
    Path("~/wf.yaml").write_text(WORKFLOW)
    assert hera("render", "./~/wf.yaml").code == 0
    assert hera("render", "~/wf.yaml").code == 6


def test_of_two_objects_of_one_name_the_kind_tells_which(hera: CommandLine) -> None:
    Path("all.yaml").write_text(yaml.safe_dump_all([body(), body(kind="WorkflowTemplate"), body("b")]))
    told = hera("render", "all.yaml:a")
    assert told.code == 6
    assert "more than one a: Workflow/a, WorkflowTemplate/a" in " ".join(told.err.split())
    assert "say which: all.yaml:Workflow/a" in " ".join(told.err.split())
    for kind in ("Workflow", "WorkflowTemplate"):
        assert yaml.safe_load(hera("render", f"all.yaml:{kind}/a").out)["kind"] == kind
    Path("twice.yaml").write_text(yaml.safe_dump_all([body(), body()]))
    for name in ("a", "Workflow/a"):
        told = hera("render", f"twice.yaml:{name}")
        assert (told.code, "into a file of its own" in " ".join(told.err.split())) == (6, True)


@pytest.mark.parametrize(
    "printed",
    [
        a_list(body()),
        [body()],
        a_list({"metadata": {"name": "a"}, "spec": body()["spec"]}, kind="WorkflowList"),
    ],
)
def test_a_list_of_one_workflow_is_that_workflow(hera: CommandLine, printed: object) -> None:
    Path("wf.yaml").write_text(yaml.safe_dump(printed))
    Path("wf.py").write_text(f"def build():\n    return {printed!r}\n")
    for file in ("wf.yaml", "wf.py:build"):
        told = hera("render", file)
        assert told.code == 0, told.err
        rendered = yaml.safe_load(told.out)
        assert (rendered["apiVersion"], rendered["kind"]) == ("argoproj.io/v1alpha1", "Workflow")
        assert rendered["metadata"]["name"].startswith("a")


@pytest.mark.parametrize("end", ["return [w]", "yield w", "return (w,)"])
def test_a_function_may_return_a_list_of_one_workflow(hera: CommandLine, end: str) -> None:
    function = "def build(*_):\n    with Workflow(name='a', entrypoint='m') as w:\n"
    function += f"        Container(name='m', image='busybox')\n    {end}\n"
    imports = "from hera.workflows import Container, Workflow\nfrom hera_k8s_utils import Experiment\n"
    Path("wf.py").write_text(f"{imports}{function}")
    Path("experiment.py").write_text(f"{imports}{function}experiment = Experiment(name='a', workflow=build)\n")
    for file in ("wf.py:build", "experiment.py"):
        told = hera("render", file)
        assert told.code == 0, told.err
        assert yaml.safe_load(told.out)["kind"] == "Workflow"


def test_of_a_list_of_several_workflows_one_is_chosen(hera: CommandLine) -> None:
    Path("wf.yaml").write_text(yaml.safe_dump(a_list(body("a"), body("b"))))
    told = hera("render", "wf.yaml")
    assert told.code == 6
    assert "more than one object: a, b" in told.err
    assert "say which: wf.yaml:a" in told.err
    assert yaml.safe_load(hera("render", "wf.yaml:b").out)["metadata"]["name"].startswith("b")
    Path("wf.py").write_text(f"def build():\n    return {[body('a'), body('b')]!r}\n")
    told = hera("render", "wf.py:build")
    assert told.code == 6
    assert "there are Workflow/a, Workflow/b" in " ".join(told.err.split())
    assert "choose one of them" in told.err


def test_a_list_of_jobs_stays_one_workload(hera: CommandLine) -> None:
    jobs = [{**yaml.safe_load(JOB), "metadata": {"name": name}} for name in ("a", "b")]
    Path("jobs.yaml").write_text(yaml.safe_dump(a_list(*jobs)))
    rendered = yaml.safe_load(hera("render", "jobs.yaml").out)
    assert (rendered["kind"], len(rendered["items"])) == ("List", 2)
    assert yaml.safe_load(hera("render", "jobs.yaml:b").out)["kind"] == "Job"


@pytest.mark.parametrize("metadata", ["[1]", "text", "3"])
def test_metadata_that_are_no_object_are_named(hera: CommandLine, metadata: str) -> None:
    Path("wf.yaml").write_text(WORKFLOW.replace("{generateName: hello-}", metadata))
    told = hera("check", "wf.yaml")
    assert told.code == 6
    assert "metadata of the Workflow cannot be" in told.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "wf.yaml is not YAML: line 2"),
        ("- 1\n", "lacks apiVersion or kind"),
        ("", "it holds no object"),
        ("kind: Workflow\n", "lacks apiVersion or kind"),
        ("a: \x07\n", "is not YAML"),
    ],
)
def test_what_is_no_manifest_is_told(hera: CommandLine, text: str, says: str) -> None:
    Path("wf.yaml").write_text(text)
    told = hera("check", "wf.yaml")
    assert told.code == 6
    assert says in told.err


# --- what is refused -------------------------------------------------------------------------------------------

SWEEP = """
from hera_k8s_utils import Experiment, Inputs
experiment = Experiment(name="tiny", inputs=Inputs(parameters={"a": VALUES}), workflow=lambda *_: None, image=IMAGE)
"""


@pytest.mark.parametrize(("image", "kind"), [("None", "NoneType"), ("5", "int"), ("['x']", "list")])
def test_an_image_that_is_no_text_is_told(hera: CommandLine, image: str, kind: str) -> None:
    Path("experiment.py").write_text(SWEEP.replace("VALUES", "[1]").replace("IMAGE", image))
    told = hera("render")
    assert told.code == 6
    assert f"image is a {kind}, and must be a text" in told.err


def test_more_points_than_a_run_can_have_are_refused_before_they_are_made(hera: CommandLine) -> None:
    Path("experiment.py").write_text(SWEEP.replace("VALUES", "range(10**12)").replace("IMAGE", "'busybox'"))
    told = hera("check")
    assert told.code == 6
    assert "1,000,000,000,000; at most 1,000,000 are possible" in told.err


def test_a_name_that_no_file_can_have_is_cut(hera: CommandLine) -> None:
    told = hera("check", "a" * 5000 + ".py")
    assert told.code == 6
    assert "File name too long" in told.err
    assert len(told.err) < 300


def test_a_working_directory_that_was_deleted_is_told(tmp_path: Path) -> None:
    place = tmp_path / "gone"
    place.mkdir()
    program = f"import os; os.chdir({str(place)!r}); os.rmdir({str(place)!r})\n"
    program += "import sys; from hera_k8s_cli.main import main; sys.exit(main(['runs']))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "there is no working directory: it was deleted" in done.stderr
    assert "unexpected" not in done.stderr
