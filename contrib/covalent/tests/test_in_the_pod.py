"""What travels into a pod, run there by a Python that has neither Covalent nor cloudpickle, and what comes back."""

from __future__ import annotations

import ast
import base64
import functools
import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("covalent", reason="needs Covalent: nox -s 'contrib(covalent)'")
pytest.importorskip("covalent_kubernetes_plugin", reason="needs hera-k8s-covalent: nox -s 'contrib(covalent)'")

import covalent as ct
from covalent.executor.utils.wrappers import wrapper_fn
from covalent_kubernetes_plugin import manifests, results, runner, tasks
from covalent_kubernetes_plugin.errors import TaskFailed
from covalent_kubernetes_plugin.results import Outcome
from covalent_kubernetes_plugin.secret_store import LARGEST_TASK, SecretStore
from covalent_kubernetes_plugin.stores import TaskBundle

BARE = sys._base_executable  # type: ignore[attr-defined]
noise = lambda length: hashlib.shake_256(b"").digest(length)  # noqa: E731 - a lambda is pickled by its code
SEALING = manifests.SealingKey(b"k" * 32, "0123456789abcdef")


@dataclass(frozen=True)
class Ran:
    """A pod that has ended. log: what its container printed."""

    status: int
    log: str
    stderr: str

    @property
    def outcome(self) -> Outcome:
        """What its log says came of the task."""
        block = results.from_log(self.log.splitlines(), SEALING.nonce)
        assert block is not None, self.stderr
        return results.unseal(block, SEALING.key)


def wanted() -> manifests.TaskSpec:
    return manifests.TaskSpec("job", "1", "p", "d", "0", "python:3", "", "", 0, "")


def packed(function: Any, *args: Any, before: Any = (), after: Any = ()) -> tasks.Task:
    calls = [each.apply() for each in before], [each.apply() for each in after]
    serialised = functools.partial(wrapper_fn, ct.TransportableObject(function), *calls)
    return tasks.pack(serialised, [ct.TransportableObject(each) for each in args], {})


@pytest.fixture
def pod(tmp_path: Path) -> Callable[..., Ran]:
    """Runs a task as a pod would that mounts the task's Secret."""

    def run(task: tasks.Task, *, parcel: TaskBundle | None = None, digest: str = "", **environ: str) -> Ran:
        parcel = parcel or SecretStore().send("job", task.payload)
        digest = digest or hashlib.sha256(task.payload).hexdigest()
        secret = manifests.task_secret(wanted(), task, digest, parcel, SEALING)
        mounted, elsewhere = tmp_path / "mounted", tmp_path / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        mounted.mkdir(exist_ok=True)
        for name, content in secret["data"].items():
            (mounted / name).write_bytes(base64.b64decode(content))
        done = subprocess.run(
            [BARE, "-S", str(mounted / "runner.py")],
            cwd=elsewhere,
            env={"PATH": "/usr/bin:/bin", **environ},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


def test_the_runner_is_python_3_8_and_needs_its_standard_library_only() -> None:
    tree = ast.parse(Path(runner.__file__).read_text(encoding="utf-8"), feature_version=(3, 8))
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names = {name.partition(".")[0] for name in imported} - {"cloudpickle"}
    assert names <= sys.stdlib_module_names
    assert "hashlib" in names


def test_a_result_comes_back_as_covalents_object_without_being_unpickled_here(pod: Callable[..., Ran]) -> None:
    class Mine:
        def __reduce__(self) -> Any:
            return (print, ("unpickled",))

    task = packed(lambda: Mine())
    ran = pod(task)
    result = tasks.result_of(task, ran.outcome)
    assert ran.status == 0
    assert isinstance(result, ct.TransportableObject)
    assert result.python_version == sys.version.split()[0]
    assert base64.b64decode(result.get_serialized()) == ran.outcome.result
    assert b"unpickled" in ran.outcome.result


def test_results_say_what_covalent_wants_to_know_of_them(pod: Callable[..., Ran]) -> None:
    def answer() -> Any:
        def named() -> None:
            """Documented."""

        return named

    task = packed(answer)
    result = tasks.result_of(task, pod(task).outcome)
    assert result.attrs == {"doc": "Documented.", "name": "named"}
    assert "answer.<locals>.named at 0x" in result.object_string
    assert ct.TransportableObject.deserialize(result.serialize()) == result


def test_covalents_own_preparations_run_where_covalent_is_not(pod: Callable[..., Ran]) -> None:
    task = packed(lambda: Path("made").read_text(), before=[ct.DepsBash(["echo one > made", "echo said by bash"])])
    ran = pod(task)
    assert tasks.result_of(task, ran.outcome).get_deserialized() == "one\n"
    assert ran.outcome.header["stdout"] == "said by bash\n"


@pytest.mark.skipif(
    subprocess.run([BARE, "-c", "import pip"], capture_output=True).returncode != 0, reason="no pip beside this Python"
)
def test_packages_that_a_task_asks_for_are_installed_first(pod: Callable[..., Ran], tmp_path: Path) -> None:
    wheel, place = tmp_path / "tiny-1.0-py3-none-any.whl", str(tmp_path / "place")
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "ANSWER = 42")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "")

    def use() -> Any:
        import sys

        sys.path.insert(0, place)
        import tiny  # type: ignore[import-not-found]

        return tiny.ANSWER

    task = packed(use, before=[ct.DepsPip(["--no-index", "--no-deps", f"--target={place}", str(wheel)])])
    ran = pod(task)
    assert tasks.result_of(task, ran.outcome).get_deserialized() == 42


def test_a_failed_preparation_fails_the_task_and_says_so(pod: Callable[..., Ran]) -> None:
    from covalent_kubernetes_plugin.failures import told

    ran = pod(packed(lambda: 1, before=[ct.DepsBash("echo why >&2; exit 4")]))
    assert (ran.status, ran.outcome.state, ran.outcome.header["stage"]) == (1, "raised", "before")
    assert ran.outcome.header["stderr"] == "why\n"
    assert "What was to run before the task failed." in told(ran.outcome, image="python:3")


def test_a_module_that_the_image_lacks_is_named(pod: Callable[..., Ran]) -> None:
    from covalent_kubernetes_plugin.failures import told

    outcome = pod(packed(functools.partial(ct.TransportableObject, 1))).outcome
    assert outcome.header["stage"] == "unpickle"
    assert "The image python:3 lacks the module covalent: take another base_image" in told(outcome, image="python:3")


def test_a_result_that_cannot_be_pickled_is_told_from_a_failure(pod: Callable[..., Ran]) -> None:
    from covalent_kubernetes_plugin.failures import told

    outcome = pod(packed(lambda: (each for each in [1]))).outcome
    assert "The task ran, and its result cannot be pickled." in told(outcome, image="python:3")


def test_a_failure_with_much_to_say_is_told_as_a_failure(pod: Callable[..., Ran]) -> None:
    def fail() -> None:
        raise ValueError("x" * 20_000_000 + " is too much")

    header = pod(packed(fail)).outcome.header
    assert (header["state"], header["kind"]) == ("raised", "ValueError")
    assert header["traceback"].endswith("x is too much\n")


def test_a_task_that_exits_is_a_failed_task(pod: Callable[..., Ran]) -> None:
    outcome = pod(packed(lambda: sys.exit("enough"))).outcome
    assert (outcome.state, outcome.header["kind"]) == ("raised", "SystemExit")


def test_a_process_that_ends_without_a_word_is_told(pod: Callable[..., Ran]) -> None:
    ran = pod(packed(lambda: __import__("os")._exit(7)))
    assert (ran.status, ran.outcome.state) == (1, "crashed")
    assert ran.outcome.header["found"] == "its process ended with status 7"


def test_a_process_that_is_killed_while_it_sends_its_result_is_told(pod: Callable[..., Ran]) -> None:
    """As the kernel does where memory runs out: while the runner stands still, the pipe to it is full."""

    def large() -> bytes:
        import array
        import fcntl
        import os
        import signal
        import sys
        import termios
        import time

        task, runner, pipe = os.getpid(), os.getppid(), int(sys.argv[2])
        if os.fork() == 0:
            os.kill(runner, signal.SIGSTOP)
            waiting, until = array.array("i", [0]), time.monotonic() + 30
            while not waiting[0] and time.monotonic() < until:
                fcntl.ioctl(pipe, termios.FIONREAD, waiting)
                time.sleep(0.01)
            os.kill(task, signal.SIGKILL)
            os.kill(runner, signal.SIGCONT)
            os._exit(0)
        return noise(10_000_000)

    ran = pod(packed(large))
    assert (ran.status, ran.outcome.state) == (1, "crashed")
    assert ran.outcome.header["found"] == "its process was ended by SIGKILL"


def test_what_a_task_leaves_running_does_not_hold_up_its_outcome(pod: Callable[..., Ran]) -> None:
    def leave() -> str:
        import subprocess

        subprocess.Popen(["sleep", "30"])
        return "done"

    task = packed(leave)
    assert tasks.result_of(task, pod(task).outcome).get_deserialized() == "done"


def test_what_a_task_leaves_running_does_not_write_into_its_outcome(pod: Callable[..., Ran]) -> None:
    def leave() -> bytes:
        import subprocess

        subprocess.Popen(["sh", "-c", "while printf 'still there, '; do :; done"], stderr=subprocess.DEVNULL)
        return noise(2_000_000)

    task = packed(leave)
    ran = pod(task)
    assert tasks.result_of(task, ran.outcome).get_deserialized() == noise(2_000_000)
    assert "still there, " in ran.outcome.header["stdout"]


def test_a_task_reads_nothing_from_standard_input_and_does_not_see_the_runners_directory(
    pod: Callable[..., Ran],
) -> None:
    def look() -> Any:
        import os
        import sys

        return sys.stdin.read(), sys.path[1] == os.getcwd()

    task = packed(look)
    assert tasks.result_of(task, pod(task).outcome).get_deserialized() == ("", True)


def test_a_task_pickled_by_another_python_is_not_read(pod: Callable[..., Ran]) -> None:
    task = packed(lambda: open("read", "w").close())
    other = tasks.Task(task.payload, "3.8.20", wrapped=True)
    ran = pod(other)
    assert (ran.status, ran.outcome.header["kind"]) == (1, "python")
    assert ran.outcome.header["found"] == sys.version.split()[0]


def test_a_stored_task_that_somebody_changed_is_not_read(pod: Callable[..., Ran], tmp_path: Path) -> None:
    task = packed(lambda: 1)
    (tmp_path / "task").write_bytes(task.payload + b" ")
    parcel = TaskBundle({"file": "task"}, {"log": 10_000})
    ran = pod(task, parcel=parcel, COVALENT_STORE=str(tmp_path))
    assert (ran.status, ran.outcome.header["kind"]) == (1, "digest")


def test_a_task_that_the_pod_does_not_find_is_told(pod: Callable[..., Ran], tmp_path: Path) -> None:
    parcel = TaskBundle({"file": "task"}, {"log": 10_000})
    ran = pod(packed(lambda: 1), parcel=parcel, COVALENT_STORE=str(tmp_path))
    assert ran.status == runner.UNDELIVERED
    assert "the task cannot be fetched: FileNotFoundError" in ran.stderr


def test_an_outcome_that_cannot_be_left_ends_the_pod_with_a_status_of_its_own(
    pod: Callable[..., Ran], tmp_path: Path
) -> None:
    parcel = TaskBundle({"file": "task"}, {"file": "absent/outcome"})
    task = packed(lambda: 1)
    (tmp_path / "task").write_bytes(task.payload)
    ran = pod(task, parcel=parcel, COVALENT_STORE=str(tmp_path))
    assert ran.status == runner.UNDELIVERED
    assert "the outcome cannot be sent" in ran.stderr


def test_a_large_result_and_a_long_output_go_through_the_log_whole_or_are_said_to_be_cut(
    pod: Callable[..., Ran],
) -> None:
    def much() -> bytes:
        print("x" * 1_000_000)
        print("the end")
        return noise(1_000_000)

    task = packed(much)
    ran = pod(task)
    assert tasks.result_of(task, ran.outcome).get_deserialized() == noise(1_000_000)
    stdout = ran.outcome.header["stdout"]
    assert stdout.endswith("x\nthe end\n")
    assert stdout.startswith("[")
    assert "before this are in the pod's log only]" in stdout.splitlines()[0]
    assert max(len(line) for line in ran.log.splitlines() if line.startswith(runner.MARK)) < 16 * 1024


def test_a_result_that_is_too_large_for_the_log_says_what_to_set(pod: Callable[..., Ran]) -> None:
    from covalent_kubernetes_plugin.failures import of_refusal

    task = packed(lambda: noise(2_000_000))
    parcel = SecretStore().send("job", task.payload)
    small = TaskBundle(parcel.task, {"log": 1_000_000}, files=parcel.files)
    ran = pod(task, parcel=small)
    assert ran.status == 1
    error = of_refusal("job", ran.outcome, image="python:3", python=task.python)
    assert "too large" in error.wanted
    assert "set data_store" in error.hint


def test_a_task_that_is_too_large_for_a_secret_says_what_to_set() -> None:
    task = packed(len, noise(2 * LARGEST_TASK))
    with pytest.raises(TaskFailed, match="too large for a Secret") as told:
        SecretStore().send("job", task.payload)
    assert "set data_store" in told.value.hint


def test_the_largest_task_fits_in_its_secret() -> None:
    parcel = TaskBundle({}, {}, files={"task.z": b"x" * LARGEST_TASK})
    secret = manifests.task_secret(wanted(), packed(len, ""), "", parcel, SEALING)
    assert sum(len(base64.b64decode(each)) for each in secret["data"].values()) <= 1024 * 1024


def test_an_outcome_sealed_with_another_key_is_not_read(pod: Callable[..., Ran]) -> None:
    ran = pod(packed(lambda: 1))
    block = results.from_log(ran.log.splitlines(), SEALING.nonce)
    assert block is not None
    with pytest.raises(TaskFailed, match="is not authentic"):
        results.unseal(block, b"another")
    with pytest.raises(TaskFailed, match="is not authentic"):
        results.unseal(block.replace(b'"done"', b'"good"'), SEALING.key)


def test_lines_of_another_task_are_not_taken_for_an_outcome(pod: Callable[..., Ran]) -> None:
    ran = pod(packed(lambda: 1))
    assert results.from_log(ran.log.splitlines(), "another") is None
    assert results.from_log(["nothing", f"{runner.MARK} said the task"], SEALING.nonce) is None


def test_an_outcome_whose_log_was_rotated_meanwhile_is_said_to_be_broken(pod: Callable[..., Ran]) -> None:
    ran = pod(packed(lambda: noise(50_000)))
    lines = [line for line in ran.log.splitlines() if line.startswith(runner.MARK)]
    with pytest.raises(TaskFailed, match=f"{len(lines) - 1} of its {len(lines)} lines"):
        results.from_log(lines[1:], SEALING.nonce)


def test_the_key_is_in_no_manifest_but_the_secrets_and_in_no_text() -> None:
    secret = manifests.task_secret(wanted(), packed(len, ""), "", TaskBundle({}, {}), SEALING)
    ticket = json.loads(base64.b64decode(secret["data"]["ticket.json"]))
    job = json.dumps(manifests.job(wanted(), TaskBundle({}, {}), pull=False))
    assert ticket["key"] == SEALING.key.hex()
    assert SEALING.key.hex() not in job
    assert "kkkk" not in repr(SEALING)
