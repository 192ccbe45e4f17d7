"""The README's main job, as a user types it: 152 tasks on the sandbox, and what they found is right."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import urllib.request
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hera_k8s_sandbox.server.launch import ensure_running, stop

POINTS = 152
SAMPLES = 400


@dataclass(frozen=True)
class Finished:
    """The finished run: what was printed, the directory it was typed in, the directory of the results."""

    done: subprocess.CompletedProcess[str]
    work: Path
    results: Path
    salt: str


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[Finished]:
    work = tmp_path_factory.mktemp("main-job")
    shutil.copy(repository / "examples" / "logistic_map" / "experiment.py", work)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("ARGO", "KUBE", "HERA_K8S"))}
    environ |= {"HOME": str(work), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "hera_k8s_utils", "run", "--sandbox", "--run-id", "one"]
    done = subprocess.run(command, cwd=work, env=environ, capture_output=True, text=True, timeout=110)
    tables = list((work / ".hera-k8s").rglob("bifurcation.csv"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(tables) == 1
    yield Finished(done, work, tables[0].parent, _salt(work))
    stop(work / ".hera-k8s" / "sandbox")


def _salt(work: Path) -> str:
    """The Secret that was generated for the run, asked of the sandbox as any client would."""
    address = ensure_running(work / ".hera-k8s" / "sandbox")
    url = f"{address.url}/api/v1/namespaces/default/secrets/salt"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {address.token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return base64.b64decode(json.load(answer)["data"]["SALT"]).decode()


def table(finished: Finished) -> dict[tuple[float, int], list[float]]:
    orbits: dict[tuple[float, int], list[float]] = {}
    with (finished.results / "bifurcation.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            orbits.setdefault((float(row["growth_rate"]), int(row["seed"])), []).append(float(row["x"]))
    return orbits


def test_what_is_printed_says_what_was_done_and_where_the_results_lie(finished: Finished) -> None:
    said = finished.done.stdout + finished.done.stderr
    assert "152 of 152 points" in said
    assert "succeeded in" in said
    assert "/results/logistic-map/one" in said
    assert str(finished.results) in said
    assert "Traceback" not in said
    assert "\x1b[" not in said


def test_every_point_has_its_orbit_at_the_path_of_its_layout(finished: Finished) -> None:
    paths = {str(path.relative_to(finished.results).parent) for path in finished.results.rglob("orbit.json")}
    assert len(paths) == POINTS
    assert {"growth_rate=2.5/seed=1", "growth_rate=3.82/seed=2", "growth_rate=4.0/seed=1"} <= paths


def test_the_table_holds_what_an_independent_computation_finds(finished: Finished) -> None:
    orbits = table(finished)
    assert len(orbits) == POINTS
    assert {len(orbit) for orbit in orbits.values()} == {SAMPLES}
    for (rate, seed), orbit in orbits.items():
        start = int(hashlib.sha256(f"{finished.salt}:{seed}".encode()).hexdigest()[:12], 16)
        x = (start + 1) / (2**48 + 1)
        expected = []
        for step in range(1000 + SAMPLES):
            x = rate * x * (1 - x)
            expected += [x] if step >= 1000 else []
        assert orbit == expected, (rate, seed)


def test_the_orbits_obey_what_is_known_of_the_map(finished: Finished) -> None:
    """One fixed point 1 - 1/r up to r = 3; a cycle of two up to 1 + sqrt 6; never above r/4 (May 1976)."""
    for (rate, _), orbit in table(finished).items():
        assert 0 <= min(orbit) <= max(orbit) <= rate / 4 + 1e-12
        if rate < 2.98:
            assert orbit[-1] == pytest.approx(1 - 1 / rate, abs=1e-6)
        if 3.02 < rate < 1 + math.sqrt(6) - 0.02:
            root = math.sqrt((rate + 1) * (rate - 3))
            cycle = sorted([(rate + 1 - root) / (2 * rate), (rate + 1 + root) / (2 * rate)])
            assert sorted(orbit[-2:]) == pytest.approx(cycle, abs=1e-6)


def test_the_picture_is_a_grey_png_with_dark_and_white_in_it(finished: Finished) -> None:
    data = (finished.results / "bifurcation.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    assert (width, height, depth, colour) == (912, 600, 8, 0)
    length = struct.unpack(">I", data[33:37])[0]
    pixels = zlib.decompress(data[41 : 41 + length])
    assert len(pixels) == (width + 1) * height
    assert pixels.count(255) > width * height / 2
    assert sum(value < 200 for value in pixels) > 5000


def test_the_run_is_on_record(finished: Finished) -> None:
    record = finished.work / "runs" / "one"
    outcome = json.loads((record / "outcome.json").read_text())
    assert outcome["phase"] == "Succeeded"
    assert json.loads((record / "report.json").read_text())["counts"]["failed"] == 0
    assert json.loads((record / "manifest.json").read_text())["metadata"]["name"] == "logistic-map-one"
    everything = "".join(path.read_text() for path in record.iterdir())
    assert finished.salt not in everything
