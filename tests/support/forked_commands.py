"""Runs commands, each in a fork of one process that has imported everything: a fresh interpreter's state, in no time.

Reads a JSON object a line: words, directory, environ, script (a 0.1 script to run instead of `hera-k8s`). Writes the
process's id, and when it has ended its exit code. Its output is in the files `out` and `err` of the directory's parent.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any

_PRELOADED = (
    "aiohttp",
    "hera.workflows",
    "hera_k8s_argo.client",
    "hera_k8s_kube.client",
    "hera_k8s_utils.cli",
    "hera_k8s_utils.container",
    "hera_k8s_utils.k8s_cluster",
    "kubernetes.client",
    "kubernetes.config",
    "requests",
    "rich.console",
    "yaml",
)


def main() -> None:
    """Serve the lines of standard input."""
    for module in _PRELOADED:
        __import__(module)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(json.loads(line))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(spec: Any) -> None:
    code = 1
    try:
        os.setsid()
        os.chdir(spec["directory"])
        os.environ.clear()
        os.environ.update(spec["environ"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(Path(spec["directory"]).parent / name, os.O_WRONLY | os.O_CREAT, 0o600), number)
        code = _script(spec) if spec.get("script") else _command(spec["words"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _command(words: list[str]) -> int:
    from hera_k8s_utils.cli import main as command

    return command(words)


def _script(spec: Any) -> int:
    """As Python runs a script: an exit's message and an error's traceback go to standard error."""
    sys.argv = ["script.py", *spec["words"]]
    try:
        runpy.run_path(spec["script"], run_name="__main__")
    except SystemExit as leaving:
        if leaving.code is None or isinstance(leaving.code, int):
            return leaving.code or 0
        print(leaving.code, file=sys.stderr)
    return 0


if __name__ == "__main__":
    main()
