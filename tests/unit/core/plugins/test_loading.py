"""Loading plugins in this process: what comes too late, and what is given by the program."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

from hera_k8s_utils.plugins.manager import PluginManager

LATE = """
import gate_of_the_test as gate
from hera_k8s_utils import hookimpl

gate.opened.wait(60)

@hookimpl
def on_event(event):
    gate.heard.append(event.name)
"""


class Gate(ModuleType):
    opened: threading.Event
    heard: list[str]


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """A plugin that is installed, and whose import waits for this gate."""
    gate = Gate("gate_of_the_test")
    gate.opened, gate.heard = threading.Event(), []
    monkeypatch.setitem(sys.modules, gate.__name__, gate)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "late_plugin.py").write_text(LATE)
    about = tmp_path / "late_plugin-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: late-plugin\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[hera_k8s_utils]\nlate = late_plugin\n")
    return gate


def test_a_plugin_that_is_imported_too_late_takes_no_part(gate: Gate) -> None:
    plugins = PluginManager.load(timeout=1.0)
    left_behind = [thread for thread in threading.enumerate() if thread.name == "plugin"]
    gate.opened.set()
    for thread in left_behind:
        thread.join(60)
    plugins.notify("built")
    late = next(info for info in plugins.listing() if info.name == "late")
    assert (late.state, gate.heard) == ("broken", [])
    assert "still loading after 1 s" in late.reason


MAKES_A_MANIFEST = """
from hera_k8s_utils import Manifest, hookimpl

body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "x-"}, "spec": {}}
manifest = Manifest.of(body)

@hookimpl
def on_event(event):
    pass
"""


@pytest.mark.parametrize(
    "first", ["PluginManager.load(timeout=20)", "Manifest.of({'kind': 'Workflow', 'metadata': {}, 'spec': {}})"]
)
def test_a_plugin_may_make_a_manifest_while_it_is_loaded(tmp_path: Path, first: str) -> None:
    (tmp_path / "early_plugin.py").write_text(MAKES_A_MANIFEST)
    about = tmp_path / "early_plugin-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: early-plugin\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[hera_k8s_utils]\nearly = early_plugin\n")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from hera_k8s_utils import Manifest\n"
        "from hera_k8s_utils.plugins.manager import PluginManager\n"
        f"{first}\n"
        "print([info.state for info in PluginManager.load(timeout=20).listing() if info.name == 'early'])\n"
        "print(Manifest.of({'kind': 'Workflow', 'metadata': {}, 'spec': {}}).is_runnable)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=90)
    assert (done.stdout, done.stderr) == ("['loaded']\nTrue\n", "")


def test_plugins_that_could_not_be_loaded_for_a_manifest_are_loaded_for_the_next() -> None:
    program = (
        "import os\n"
        "from hera_k8s_utils import HeraK8sError, Manifest\n"
        "body = {'kind': 'Workflow', 'metadata': {}, 'spec': {}}\n"
        "os.environ['HERA_K8S_PLUGIN_TIMEOUT'] = 'soon'\n"
        "try:\n    Manifest.of(body)\nexcept HeraK8sError as error:\n    print(type(error).__name__)\n"
        "del os.environ['HERA_K8S_PLUGIN_TIMEOUT']\n"
        "print(Manifest.of(body).is_runnable)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=90)
    assert done.stdout.splitlines()[-1] == "True", done.stderr
    assert done.stdout.splitlines()[0].endswith("Error")
