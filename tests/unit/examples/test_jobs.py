"""The example of Jobs, as a user types it on the sandbox: what its README says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, record
from machine import MOUNTS, PRIVATE_ROOTS

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "jobs" / "experiment.py"


@pytest.mark.needs(PRIVATE_ROOTS)
def test_each_growth_rate_gets_its_exponent(work: Path, capsys: pytest.CaptureFixture[str], sandbox: Any) -> None:
    hera = CommandLine(capsys)
    flags = ("--sandbox", "--sandbox-dir", str(sandbox.directory))
    done = hera("run", str(EXAMPLE), "--run-id", "chaos", *flags)
    assert done.code == 0, done.text
    outcome = record("chaos")["outcome"]
    assert (outcome["done"], outcome["total"], outcome["unit"]) == (25, 25, "point")
    root = sandbox.directory / "claims" / "default" / "results" / "lyapunov" / "chaos"
    found = {path.parent.name: float(path.read_text()) for path in root.rglob("exponent.txt")}
    assert len(found) == 25
    assert found["growth_rate=3.5"] < 0 < found["growth_rate=4.0"]
    assert found["growth_rate=4.0"] == pytest.approx(0.693, abs=0.01), "the logarithm of two"
    one = hera("logs", "chaos", "growth_rate=4.0", *flags)
    assert one.out == "r = 4.0: +0.6931, chaos\n"


@pytest.mark.parametrize("mounts", MOUNTS)
def test_results_that_are_reported_are_there(work: Path, capsys: pytest.CaptureFixture[str], mounts: str) -> None:
    hera = CommandLine(capsys)
    run_id = f"by-{mounts}"
    done = hera("run", str(EXAMPLE), "--run-id", run_id, "--sandbox", "--sandbox-mounts", mounts)
    hera("sandbox", "--stop")
    found = list(Path(".hera-k8s/sandbox/claims").rglob("exponent.txt"))
    outcome = record(run_id)["outcome"]
    assert len(found) == outcome["done"] == (0 if mounts == "rewrite" else 25)
    assert done.code == (8 if mounts == "rewrite" else 0), done.text
    assert ("names the mount /results" in done.text) == (mounts == "rewrite")
    assert not Path("/results/lyapunov", run_id).exists(), "on this machine, outside of the claim"


def test_the_files_of_the_example_are_all_there() -> None:
    assert {path.name for path in EXAMPLE.parent.iterdir()} >= {"README.md", "experiment.py", "hera.config.tmpl"}
