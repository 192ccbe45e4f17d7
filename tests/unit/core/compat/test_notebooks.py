"""The parser of 0.1 in a notebook: a real kernel, started as Jupyter starts it, is the judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

nbclient = pytest.importorskip("nbclient", reason="runs notebooks")
nbformat = pytest.importorskip("nbformat", reason="makes notebooks")
pytest.importorskip("ipykernel", reason="runs the code of notebooks")

PARSED = """
from hera_k8s_utils import parser
mine = parser()
mine.parser.add("--my_parameter", type=int, default=10)
args = mine.parse_args()
print(args.argo_server, args.my_parameter)
"""


def run(work: Path, *cells: str) -> str:
    """What the cells of a notebook print."""
    notebook: Any = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(
        notebook, timeout=100, kernel_name="python3", resources={"metadata": {"path": work}}
    ).execute()
    return "".join(output.get("text", "") for cell in notebook.cells for output in cell.outputs)


def test_the_command_line_of_the_kernel_is_not_the_scripts(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGO_SERVER", "https://argo.example")
    assert run(work, "import sys\nassert '-f' in sys.argv or sys.argv[1].startswith('--f')", PARSED) == (
        "https://argo.example 10\n"
    )


def test_a_command_line_that_the_notebook_sets_is_parsed(work: Path) -> None:
    given = "import sys\nsys.argv = ['mine', '--argo_server', 'localhost:2746', '--my_parameter=3']"
    assert run(work, given, PARSED) == "localhost:2746 3\n"
    refused = PARSED.replace("mine.parse_args()", "mine.parse_args(['-f', 'kernel.json'])")
    assert "-f is unknown" in run(
        work,
        f"try:\n    {refused.strip().replace(chr(10), chr(10) + '    ')}\n"
        "except SystemExit as error:\n    print(error)",
    )
