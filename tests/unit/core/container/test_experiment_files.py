"""What FILE may be: a Python file in any encoding, with postponed annotations, or a manifest; and what it may not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
