"""Loading plugins in this process: what comes too late, and what is given by the program."""

from __future__ import annotations

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
    about = tmp_path / "late_stranger-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: late-stranger\nVersion: 1.0\n")
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
