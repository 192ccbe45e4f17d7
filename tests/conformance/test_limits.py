"""Every known limit is written down for the people who use the sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance_limits import LIMITS

GUIDE = Path(__file__).resolve().parent.parent.parent / "docs" / "sandbox.md"
GOLDEN = Path(__file__).resolve().parent / "golden"


@pytest.mark.parametrize("reason", sorted(set(LIMITS.values())))
def test_a_limit_stands_in_the_guide_with_its_reason(reason: str) -> None:
    limits = GUIDE.read_text(encoding="utf-8").partition("## Limits")[2]
    assert reason in limits


@pytest.mark.parametrize("dialogue", sorted(LIMITS))
def test_a_limit_is_about_a_dialogue_that_is_recorded(dialogue: str) -> None:
    assert (GOLDEN / f"{dialogue}.json").exists()
