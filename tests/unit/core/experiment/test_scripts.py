"""Scripts that submit: what they would have submitted is checked, rendered and run; the judge is an Argo server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from argo_peer import NAMESPACE, ArgoPeer
from command_line import SECRET, CommandLine, records

from hera_k8s_utils import build_container

HEAD = """
from hera.workflows import Container, CronWorkflow, Workflow, WorkflowTemplate, WorkflowsService, AsyncWorkflowsService
service = WorkflowsService(host="http://argo.invalid", namespace="argo")
"""
BUILD = """
def made(kind=Workflow, **more):
    with kind(**{"generate_name": "coin-flip-", "entrypoint": "a", "workflows_service": service, **more}) as w:
        Container(name="a", image="busybox", command=["true"])
    return w
"""
JOB = """
from kubernetes import client
container = client.V1Container(name="main", image="busybox", command=["true"])
pod = client.V1PodTemplateSpec(spec=client.V1PodSpec(restart_policy="Never", containers=[container]))
job = client.V1Job(metadata=client.V1ObjectMeta(generate_name="pi-"), spec=client.V1JobSpec(template=pod))
api = client.BatchV1Api(client.ApiClient(client.Configuration(host="http://kubernetes.invalid")))
"""
MAIN = "if __name__ == '__main__':\n    "


@pytest.fixture
def hera(work: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(capsys)


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[ArgoPeer]:
    with ArgoPeer() as running:
        for name, value in {"ARGO_SERVER": running.url, "ARGO_TOKEN": SECRET, "ARGO_NAMESPACE": NAMESPACE}.items():
            monkeypatch.setenv(name, value)
        yield running


def write(text: str, name: str = "script.py") -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(HEAD + BUILD + text)


def rendered(hera: CommandLine, target: str = "script.py", *more: str) -> Any:
    told = hera("render", target, *more)
    assert told.code == 0, told.err
    return yaml.safe_load(told.out)  # and so nothing that the script printed


SUBMITTING = {
    "at import": "made().create()",
    "as a program": MAIN + "made().create()",
    "in a function": "def main():\n    made().create()\n" + MAIN + "main()",
    "waiting": MAIN + "made().create(wait=True)",
    "waiting afterwards": "w = made()\nw.create()\nw.wait(poll_interval=0)",
    "asking until it is answered": """
w = made()
created = w.create()
while True:
    try:
        print(service.get_workflow(created.metadata.name).status.phase)
        break
    except Exception:
        pass
""",
    "swallowing errors": "try:\n    made().create(wait=True, poll_interval=0)\nexcept Exception:\n    print('no luck')",
    "reading what is not there": "created = made().create()\nprint(created.status.phase)",
    "through the service": """
from hera.workflows.models import WorkflowCreateRequest
service.create_workflow(WorkflowCreateRequest(workflow=made().build()))
""",
    "asynchronously": """
import asyncio
async def main():
    w = made(workflows_service=AsyncWorkflowsService(host="http://argo.invalid"))
    created = await w.async_create(wait=True)
asyncio.run(main())
""",
    "in a thread": """
import threading
thread = threading.Thread(target=made().create, kwargs={"wait": True, "poll_interval": 0})
thread.start()
thread.join()
""",
    "in a pool": """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor() as pool:
    pool.submit(made().create).result()
""",
    "as an instance of a template": "made(WorkflowTemplate, name='x').create_as_workflow(generate_name='coin-flip-')",
    "ending itself": "import sys\ndef main():\n    made().create()\n    return 0\n" + MAIN + "sys.exit(main())",
}


@pytest.mark.parametrize("way", SUBMITTING)
def test_what_a_script_submits_is_rendered(hera: CommandLine, peer: ArgoPeer, way: str) -> None:
    write(SUBMITTING[way])
    body = rendered(hera)
    assert body["kind"] == "Workflow"
    assert body["metadata"]["name"].startswith("coin-flip-")
    assert body["spec"]["templates"][0]["container"]["command"] == ["true"]
    assert peer.requests == []


@pytest.mark.parametrize("way", ["at import", "as a program", "waiting", "asynchronously"])
def test_a_captured_script_is_run_exactly_once(hera: CommandLine, peer: ArgoPeer, way: str) -> None:
    write(SUBMITTING[way])
    assert hera("run", "script.py", "--detach", "--run-id", "r1").code == 0
    assert list(peer.workflows) == ["coin-flip-r1"]
    assert records() == ["r1"]
    submitted = [each.json() for each in peer.requests if each.method == "POST"]
    assert sum(not each.get("serverDryRun", True) for each in submitted) == 1


def test_what_is_submitted_is_what_python_alone_would_send(hera: CommandLine, peer: ArgoPeer) -> None:
    write("w = made()\nw.create()", "captured.py")
    write("print(made().to_yaml())", "alone.py")
    alone = subprocess.run([sys.executable, "alone.py"], capture_output=True, text=True, timeout=100, check=True)
    assert rendered(hera, "captured.py")["spec"] == yaml.safe_load(alone.stdout)["spec"]


def test_several_submissions_are_listed_and_one_is_chosen(hera: CommandLine, peer: ArgoPeer) -> None:
    write("for seed in (1, 2):\n    made(arguments={'seed': seed}).create()\nmade(generate_name='last-').create()\n")
    told = hera("run", "script.py")
    assert told.code == 6
    assert "script.py would submit 3 objects" in told.err
    assert "made(arguments={'seed': seed}).create()" in told.err
    assert "script.py:1; nothing was sent" in told.err
    assert peer.workflows == {}
    assert rendered(hera, "script.py:2")["spec"]["arguments"]["parameters"] == [{"name": "seed", "value": "2"}]
    assert rendered(hera, "script.py:last")["metadata"]["name"].startswith("last-")
    assert hera("render", "script.py:4").code == 6


def test_a_variable_of_a_program_can_be_named(hera: CommandLine) -> None:
    write(MAIN + "w = made()\n    w.create()\n    other = made(generate_name='other-')")
    assert rendered(hera, "script.py:w")["metadata"]["name"].startswith("coin-flip-")
    assert rendered(hera, "script.py:other")["metadata"]["name"].startswith("other-")
    assert rendered(hera, "script.py:coin-flip")["metadata"]["name"].startswith("coin-flip-")


@pytest.mark.parametrize(
    "function",
    [
        "def build():\n    return made()",
        "def build(n=3, *more, **others):\n    return made()",
        "def build():\n    made().create()",
        "def build():\n    w = made()\n    w.create(wait=True)\n    return w",
        "async def build():\n    return made()",
        "async def build():\n    await made(workflows_service=AsyncWorkflowsService(host='http://x')).async_create()",
        "import functools\nbuild = functools.partial(made, Workflow)",
    ],
)
def test_a_function_is_called_for_its_workflow(hera: CommandLine, peer: ArgoPeer, function: str) -> None:
    write(function)
    assert rendered(hera, "script.py:build")["spec"]["entrypoint"] == "a"
    assert peer.requests == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def build(environment, inputs, layout): ...", ["build(environment, inputs, layout)", "Experiment("]),
        ("def build(): ...", ["returned nothing and submitted nothing", "return the workflow"]),
        ("def build(): return 3", ["it is a int"]),
        ("def build(): raise ValueError('no luck')", ["failed in build()", "ValueError: no luck"]),
        ("def build(): service.delete_workflow('w')", ["would delete a Workflow in build()", "nothing was sent"]),
        ("from hera.workflows import script\n@script()\ndef build(): ...", ["it is a function"]),
    ],
)
def test_a_function_that_builds_nothing_is_explained(hera: CommandLine, text: str, words: list[str]) -> None:
    write(text)
    told = hera("check", "script.py:build")
    assert told.code == 6
    for word in words:
        assert word in " ".join(told.err.split())


def test_a_script_sees_its_own_command_line(hera: CommandLine) -> None:
    write(
        "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--name', required=True)\n"
        "made(generate_name=parser.parse_args().name).create()"
    )
    assert rendered(hera, "script.py", "--", "--name", "mine-")["metadata"]["name"].startswith("mine-")
    told = hera("render", "script.py")
    assert told.code == 6
    assert "script.py -- --name value" in told.err
    assert hera("render", "script.py", "--name", "x").code != 0


def test_a_failure_before_the_submission_is_one_and_after_it_a_warning(hera: CommandLine) -> None:
    write("1 / 0\nmade().create()", "before.py")
    write("made().create()\n1 / 0", "after.py")
    told = hera("render", "before.py")
    assert told.code == 6
    assert "ZeroDivisionError" in told.err
    told = hera("render", "after.py")
    assert told.code == 0
    assert "after its submission" in told.err
    assert "ZeroDivisionError" in told.err


def test_other_changes_of_a_script_are_left_out_and_named(hera: CommandLine, peer: ArgoPeer) -> None:
    write("service.delete_workflow_template('old')\nmade().create()")
    told = hera("run", "script.py", "--detach", "--run-id", "r1")
    assert told.code == 0
    assert "would also delete a WorkflowTemplate" in told.err
    assert [each.method for each in peer.requests if each.method == "DELETE"] == []


def test_an_experiment_that_submits_something_besides_is_refused(hera: CommandLine, peer: ArgoPeer) -> None:
    write("from hera_k8s_utils import Experiment\nexperiment = Experiment(name='e', workflow=made)\nmade().create()")
    for target in ("script.py", "script.py:experiment"):
        told = hera("run", target)
        assert (told.code, peer.workflows) == (6, {})
        assert "would submit a workflow when it is imported" in told.err


def test_a_template_and_its_workflow_are_two_submissions(hera: CommandLine) -> None:
    write("made(WorkflowTemplate, generate_name=None, name='both').create()\nmade().create()")
    assert "would submit 2 objects" in hera("render", "script.py").err
    assert rendered(hera, "script.py:both")["kind"] == "WorkflowTemplate"


def test_a_cron_workflow_is_captured(hera: CommandLine) -> None:
    write("made(CronWorkflow, generate_name=None, name='nightly', schedules=['@daily']).create()")
    body = rendered(hera)
    assert (body["kind"], body["spec"]["schedules"]) == ("CronWorkflow", ["@daily"])


def test_a_submitted_template_is_the_workflow_that_argo_makes_of_it(hera: CommandLine) -> None:
    write(
        "from hera.workflows.models import SubmitOpts, WorkflowSubmitRequest\n"
        "options = SubmitOpts(parameters=['a=1', 'b=x=y'], entry_point='other', labels='team=lyon')\n"
        "service.submit_workflow(WorkflowSubmitRequest(\n"
        "    resource_kind='WorkflowTemplate', resource_name='sweep', submit_options=options))"
    )
    body = rendered(hera)
    assert body["metadata"]["name"].startswith("sweep-")
    assert body["metadata"]["labels"]["team"] == "lyon"
    assert body["spec"] == {
        "workflowTemplateRef": {"name": "sweep"},
        "entrypoint": "other",
        "arguments": {"parameters": [{"name": "a", "value": "1"}, {"name": "b", "value": "x=y"}]},
    }


@pytest.mark.parametrize(
    "submit",
    [
        "api.create_namespaced_job('lab', job)",
        "api.create_namespaced_job('lab', job)\nwhile not api.read_namespaced_job_status('pi', 'lab').status: pass",
        "created = api.create_namespaced_job('lab', job)\nprint(api.read_namespaced_job(created.metadata.name, 'lab'))",
        MAIN + "api.create_namespaced_job(body=job, namespace='lab')",
    ],
)
def test_a_job_of_the_official_client_is_captured(hera: CommandLine, submit: str) -> None:
    write(JOB + submit)
    told = hera("render", "script.py")
    body = yaml.safe_load(told.out)
    assert "would also" not in told.err
    assert (body["apiVersion"], body["kind"]) == ("batch/v1", "Job")
    assert body["metadata"]["name"].startswith("pi-")
    assert body["metadata"]["namespace"] == "lab"
    assert body["spec"]["template"]["spec"]["containers"][0]["command"] == ["true"]


def test_a_namespace_is_kept_where_the_script_names_one(hera: CommandLine) -> None:
    write("made(namespace='lab').create()", "named.py")
    write("made(workflows_service=WorkflowsService(host='http://x')).create()", "unnamed.py")
    assert rendered(hera, "named.py")["metadata"]["namespace"] == "lab"
    assert "namespace" not in rendered(hera, "unnamed.py")["metadata"]


# --- scripts of 0.1 ----------------------------------------------------------------------------------------------

OLD = """
from hera_k8s_utils import k8s_cluster, num_exp_environment, parser
from hera_k8s_utils.num_exp_environment import Struct

class environment(num_exp_environment):
    def __init__(self, args, verbose=False):
        num_exp_environment.__init__(self, args, verbose)
        k8s = k8s_cluster(args)
        k8s.assert_cluster()
        k8s.assert_configmap(args.k8s_configmap_name)
        k8s.assert_volume_claim("data")
        self.persisted_volume = Struct(claim_name="data")

if __name__ == "__main__":
    mine = parser()
    mine.parser.add("--k8s_configmap_name", type=str)
    args = mine.parser.parse_args()
    found = environment(args, verbose=True)
    made(arguments={"map": args.k8s_configmap_name}).create()
"""


def test_what_a_script_of_0_1_asserts_is_required_and_no_server_is_asked(hera: CommandLine) -> None:
    write(OLD)
    told = hera("run", "--dry-run", "script.py", "--", "--k8s_configmap_name", "proxy")
    assert told.code == 0, told.err
    assert "config map proxy" in told.out
    assert "claim data" in told.out
    told = hera("check", "script.py")
    assert told.code == 6
    assert "script.py -- --k8s_configmap_name NAME" in told.err


def test_a_secret_among_the_arguments_of_the_script_is_not_shown(hera: CommandLine, work: Path) -> None:
    write(OLD)
    box = ("--sandbox", "--sandbox-dir", str(work / "box"))
    told = hera("check", "script.py", *box, "--", "--k8s_configmap_name", "proxy", "--argo_token", SECRET)
    assert told.code == 5
    assert "config map proxy" in told.out
    assert "claim data" in told.out
    assert hera("sandbox", "--stop", "--sandbox-dir", str(work / "box")).code == 0


def test_a_script_of_0_1_runs_on_the_sandbox(hera: CommandLine, work: Path) -> None:
    write(OLD.replace('k8s.assert_volume_claim("data")', "pass").replace("k8s.assert_configmap(", "print("))
    told = hera("run", "script.py", "--sandbox", "--sandbox-dir", str(work / "box"))
    assert told.code == 0, told.err
    assert "succeeded" in told.out
    assert hera("sandbox", "--stop", "--sandbox-dir", str(work / "box")).code == 0


def test_a_program_may_load_a_script_too(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("import sys\nmade(generate_name=sys.argv[1]).create()")
    with build_container("script.py", script_arguments=["mine-"], environ={}) as container:
        assert container.experiment().name.startswith("mine-")
    assert "mine-" not in sys.argv


LOOPS = {
    "a loop": "for name in NAMES:\n    w = made(name=name, namespace='argo')\n    w.create()\n    w.wait()",
    "a function in a loop": "def go(name):\n    made(name=name).create(wait=True)\nfor name in NAMES:\n    go(name)",
    "a comprehension": MAIN + "[made(name=name).create(wait=True) for name in NAMES]",
}


@pytest.mark.parametrize("way", LOOPS)
def test_a_loop_that_submits_and_waits_is_refused_because_more_would_follow(hera: CommandLine, way: str) -> None:
    write("NAMES = ('r1', 'r2')\n" + LOOPS[way])
    told = hera("render", "script.py")
    assert told.code == 6
    assert "would submit more objects, one after the other" in told.err
    assert "script.py:r1" in told.err
    assert rendered(hera, "script.py:r1")["metadata"]["name"].startswith("r1")


def test_the_line_where_a_script_is_stopped_is_said(hera: CommandLine) -> None:
    write("first = made(name='first', namespace='argo')\nfirst.create()\nfirst.wait()\nmade(name='second').create()")
    told = hera("render", "script.py")
    assert told.code == 0
    assert yaml.safe_load(told.out)["metadata"]["name"].startswith("first")
    assert "was stopped where it asks for what it submitted (line 11: first.wait())" in told.err


def test_a_script_that_ends_with_0_and_submits_nothing_has_not_failed(hera: CommandLine) -> None:
    Path("script.py").write_text("import sys\n" + MAIN + "sys.exit(0)")
    told = hera("render", "script.py")
    assert told.code == 6
    assert "nothing is submitted when it is run" in told.err


def test_a_process_pool_whose_function_submits_ends(hera: CommandLine) -> None:
    write(
        "import multiprocessing\ndef go(name):\n    made(name=name).create()\n"
        + MAIN
        + "multiprocessing.get_context('fork').Pool(2).map(go, ['a', 'b'])"
    )
    told = hera("render", "script.py")
    assert told.code == 6
    assert "nothing was sent" in told.err


def test_a_script_that_changes_its_directory_leaves_the_record_where_it_was_called(
    hera: CommandLine, peer: ArgoPeer, tmp_path: Path
) -> None:
    write(f"import os\nos.chdir({str(tmp_path)!r})\nmade().create()")
    assert hera("run", "script.py", "--detach", "--run-id", "r1").code == 0
    assert records() == ["r1"]


def test_what_programs_print_that_a_script_starts_is_not_in_the_manifest(work: Path) -> None:
    write("import os\nos.system('echo noise')\nmade().create()")
    told = subprocess.run(
        [sys.executable, "-m", "hera_k8s_utils", "render", "script.py"], capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    assert yaml.safe_load(told.stdout)["kind"] == "Workflow"
    assert "noise" in told.stderr
