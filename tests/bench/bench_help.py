"""How long `hera-k8s --help` takes, beside the imports that a command with a server cannot do without.

    python tests/bench/bench_help.py [--rounds N] [--json]

Runs alternate, so that a noisy machine is noisy for both; medians are compared. All of them have compiled bytecode, as
after an installation: it is kept in a directory of its own, since a checkout may have none. Target: at most a third.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

TARGET = 1 / 3
COMMANDS = {
    "help": [sys.executable, "-m", "hera_k8s_utils", "--help"],
    "imports": [sys.executable, "-c", "import hera.workflows, kubernetes.client"],
    "run_help": [sys.executable, "-m", "hera_k8s_utils", "run", "--help"],
    "python": [sys.executable, "-c", "pass"],
}


def seconds(command: Sequence[str], environ: Mapping[str, str]) -> float:
    """Wall-clock time of one run of a command that must succeed."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ)
    return time.perf_counter() - start


def measure(rounds: int = 15) -> dict[str, float]:
    """Medians in seconds by command, and the ratio; the first round, which fills the caches, does not count."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as bytecode:
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environ["PYTHONPYCACHEPREFIX"] = bytecode
        for number in range(rounds + 1):
            for name, command in COMMANDS.items():
                taken = seconds(command, environ)
                if number:
                    times[name].append(taken)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    return {**medians, "ratio": medians["help"] / medians["imports"], "target": TARGET}


def main() -> int:
    """Print the medians; 1 when the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = measure(asked.rounds)
    if asked.json:
        print(json.dumps(found))
    else:
        print(f"hera-k8s --help                            {found['help'] * 1000:6.0f} ms")
        print(f"hera-k8s run --help                        {found['run_help'] * 1000:6.0f} ms")
        print(f"import hera.workflows, kubernetes.client   {found['imports'] * 1000:6.0f} ms")
        print(f"python -c pass                             {found['python'] * 1000:6.0f} ms")
        print(f"ratio                                      {found['ratio']:6.2f}  (target: at most {TARGET:.2f})")
    return 0 if found["ratio"] <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
