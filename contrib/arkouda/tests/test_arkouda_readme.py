"""The README: its pictures show the graphs as they are, its example runs."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from arkouda_contract import tasks
from arkouda_support import PROJECT
from hera_k8s_arkouda.graph_svg import GRAPH_FILES, draw
from hera_k8s_arkouda.templates import template_bodies

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(("name", "file"), GRAPH_FILES.items())
def test_the_picture_is_up_to_date(name: str, file: str) -> None:
    written = (PROJECT / "docs" / file).read_text(encoding="utf-8")
    assert written == draw(template_bodies()[name]), "python -m hera_k8s_arkouda.graph_svg docs"


@pytest.mark.parametrize("name", GRAPH_FILES)
def test_every_task_has_a_box_and_no_two_boxes_overlap(name: str) -> None:
    body = template_bodies()[name]
    drawn = ElementTree.fromstring(draw(body))
    groups = drawn.findall(f"{SVG}g")
    assert {group.findtext(f"{SVG}text") for group in groups} == set(tasks(body))
    boxes = [place(group.find(f"{SVG}rect")) for group in groups]
    width, height = float(drawn.get("width", "0")), float(drawn.get("height", "0"))
    for index, (left, top, right, bottom) in enumerate(boxes):
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        for other in boxes[index + 1 :]:
            assert right < other[0] or other[2] < left or bottom < other[1] or other[3] < top


def test_the_readme_shows_them() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert all(f"docs/{file}" in readme for file in GRAPH_FILES.values())


def test_what_the_readme_says_in_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    exec(compile(block, "README.md", "exec"), {})
    assert "name: deploy-arkouda-on-kubernetes" in capsys.readouterr().out


def place(rect: Any) -> tuple[float, float, float, float]:
    left, top = float(rect.get("x")), float(rect.get("y"))
    return left, top, left + float(rect.get("width")), top + float(rect.get("height"))
