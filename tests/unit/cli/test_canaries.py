"""Secrets at every place where one can enter, under every fault: none is printed, kept or given to a child."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from canaries import COMMANDS, FAULTS, SOURCES, campaign, encodings, needles, new_canary, some

pytestmark = pytest.mark.skipif(not hasattr(os, "fork") or not Path("/proc/self").exists(), reason="needs Linux")


@pytest.mark.timeout(300)
def test_no_canary_gets_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    combinations = some()
    assert {each.source for each in combinations} == set(SOURCES)
    assert {each.fault for each in combinations} == set(FAULTS)
    assert {each.command for each in combinations} == set(COMMANDS)
    exposures, children = campaign(combinations, tmp_path)
    with capsys.disabled():
        print(f"\n{len(combinations)} combinations, {children} children: {len(exposures)} exposed")
    assert [str(each) for each in exposures] == []
    assert len(combinations) >= 100
    assert children > 0


def test_a_canary_is_found_in_every_encoding() -> None:
    canary = new_canary()
    for name, written in encodings(canary).items():
        assert any(needle in "".join(written.split()) for needle in needles(canary)), name
