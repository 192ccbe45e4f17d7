"""Experiment files: found, refused when importing them would submit something, and explained when they fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_server import FaultServer

from hera_k8s_utils import RequestGuard
from hera_k8s_utils.errors import BuildError
from hera_k8s_utils.experiment import loading
from hera_k8s_utils.experiment.loading import LoadedExperiment
from hera_k8s_utils.plugins.manager import PluginManager

GOOD = "from hera_k8s_utils import Experiment\nexperiment = Experiment(name='one', workflow=lambda e, i, l: {})\n"
POOL = "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as pool:\n"
HERA = "from hera.workflows import Workflow, Container\n"
WORKFLOW = HERA + "with Workflow(name='w1', entrypoint='a') as w:\n    Container(name='a', image='busybox')\n"


def load_experiment(target: str) -> LoadedExperiment:
    return loading.load_experiment(target, PluginManager.load().records("request_guards", RequestGuard))


def write(work: Path, text: str, name: str = "experiment.py") -> str:
    (work / name).write_text(text, encoding="utf-8")
    return name


def refusal(target: str) -> BuildError:
    with pytest.raises(BuildError) as caught:
        load_experiment(target)
    return caught.value


def test_the_only_experiment_of_a_file_is_found(work: Path) -> None:
    assert load_experiment(write(work, GOOD)).experiment.name == "one"


def test_one_of_two_is_found_by_name(work: Path) -> None:
    file = write(work, GOOD + "other = Experiment(name='two', workflow=lambda e, i, l: {})\n")
    assert load_experiment(f"{file}:other").experiment.name == "two"
    error = refusal(file)
    assert "experiment, other" in error.found
    assert f"{file}:experiment" in error.hint


def test_a_hera_workflow_is_an_experiment_without_rewriting(work: Path) -> None:
    file = write(work, WORKFLOW)
    assert load_experiment(file).experiment.name == "w1"
    assert load_experiment(f"{file}:w").experiment.name == "w1"


def test_a_misspelt_name_is_answered_with_the_nearest(work: Path) -> None:
    file = write(work, GOOD)
    assert f"{file}:experiment" in refusal(f"{file}:experimnt").hint


def test_neighbours_of_the_file_can_be_imported(work: Path) -> None:
    write(work, "NAME = 'from-a-neighbour'\n", "my_neighbour_module.py")
    file = write(
        work, GOOD.replace("'one'", "my_neighbour_module.NAME").replace("from", "import my_neighbour_module\nfrom", 1)
    )
    assert load_experiment(file).experiment.name == "from-a-neighbour"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def broken(:\n", ["line 1", "def broken(:"]),
        ("x = 1\n", ["no Experiment"]),
        ("raise RuntimeError('no luck')\n", ["line 1", "RuntimeError: no luck"]),
        ("import sys\nsys.exit(0)\n", ["line 2", "SystemExit"]),
        ("import a_module_nobody_has\n", ["a_module_nobody_has"]),
        (GOOD.replace("'one'", "'Not A Name'"), ["lower-case"]),
        ("x = '\0'\n", ["null"]),
    ],
    ids=["syntax", "empty", "raises", "exits", "imports", "bad-name", "null-byte"],
)
def test_a_file_that_cannot_be_used_is_explained_in_one_line(work: Path, text: str, words: list[str]) -> None:
    error = refusal(write(work, text))
    for word in words:
        assert word in f"{error.wanted} {error.found}"


def test_a_missing_file_names_the_nearest(work: Path) -> None:
    write(work, GOOD, "experiment.py")
    assert "experiment.py" in refusal("experimnt.py").hint


def test_a_file_that_is_not_text_is_refused(work: Path) -> None:
    (work / "experiment.py").write_bytes(b"\xff\xfe\x00\x01")
    assert "UTF-8" in refusal("experiment.py").found


def test_a_directory_is_refused_with_the_file_to_name(work: Path) -> None:
    (work / "mine").mkdir()
    assert "mine/experiment.py" in refusal("mine").hint


@pytest.mark.parametrize(
    "ending",
    [
        "w.create()\n",
        "w.create(wait=True)\n",
        "def main():\n    w.create()\nmain()\n",
        "for _ in range(2):\n    w.create()\n",
        "from hera.workflows.models import WorkflowCreateRequest\nservice = w.workflows_service\n"
        "service.create_workflow(WorkflowCreateRequest(workflow=w.build()), namespace='n')\n",
        "class C:\n    w.create()\n",
        "go = w.create\ngo()\n",
        "try:\n    w.create(wait=True, poll_interval=0)\nexcept Exception:\n    pass\n",
        "import threading\nthread = threading.Thread(target=w.create)\nthread.start()\nthread.join()\n",
        f"{POOL}    pool.submit(w.create)\n",
        "if True:\n    w.create()\n",
        "if __name__ == '__main__':\n    pass\nelse:\n    w.create()\n",
    ],
)
def test_a_file_that_would_submit_is_captured_and_nothing_is_sent(work: Path, ending: str) -> None:
    with FaultServer() as server:
        file = write(work, f"{WORKFLOW}w.workflows_service.host = {server.url!r}\n{ending}")
        if "range(2)" in ending:
            error = refusal(file)
            assert "would submit 2 objects" in error.wanted
            assert "line 5: w.create()" in error.found or "line 6: w.create()" in error.found
            assert "nothing was sent" in error.hint
        else:
            assert load_experiment(file).experiment.name == "w1"
        assert server.requests == []


@pytest.mark.parametrize(
    "ending",
    [
        "if __name__ == '__main__':\n    w.create()\n",
        "def main():\n    w.create()\n",
        "import shutil\nclass C:\n    def f(self): w.create()\n",
        f"{POOL}    pool.submit(len, 'abc')\n",
        "class Images:\n    def create(self, version): return version\nImages().create('3.12')\n",
    ],
)
def test_a_file_that_submits_only_when_run_is_loaded(work: Path, ending: str) -> None:
    assert load_experiment(write(work, WORKFLOW + ending)).experiment.name == "w1"


def test_future_annotations_are_noticed(work: Path) -> None:
    assert load_experiment(write(work, "from __future__ import annotations\n" + GOOD)).future_annotations
    assert not load_experiment(write(work, GOOD, "plain.py")).future_annotations
