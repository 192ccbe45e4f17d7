"""Each of Argo's examples has the same outcome on Argo and on the sandbox, is rejected by name, or is a known limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import corpus_comparison
import pytest
from corpus_comparison import DIFFERENT, EQUAL, LIMIT, REJECTED, differences, is_rejected
from corpus_documents import Document
from corpus_limits import LIMITS, OPEN

Json = dict[str, Any]


@pytest.mark.timeout(600)
def test_an_example_of_argo_has_the_same_outcome(
    both: Callable[[Document], tuple[Json, Json]], note: Callable[[str, str, list[str]], None], document: Document
) -> None:
    real, sandbox = both(document)
    verdict, lines = _verdict(document.name, real, sandbox)
    note(document.name, verdict, lines)
    assert verdict != DIFFERENT, "\n".join(lines)


def _verdict(name: str, real: Json, sandbox: Json) -> tuple[str, list[str]]:
    refused = sandbox.get("rejected") or (is_rejected(sandbox) and sandbox["status"].get("message"))
    if refused and (real.get("rejected") or is_rejected(real)):
        return EQUAL, []
    if refused:
        return REJECTED, [str(refused)]
    found = [f"Argo does not accept it: {real['rejected']}"] if real.get("rejected") else differences(real, sandbox)
    if not found:
        return EQUAL, []
    if name in LIMITS:
        return LIMIT, [LIMITS[name]]
    return (corpus_comparison.OPEN, [OPEN[name], *found]) if name in OPEN else (DIFFERENT, found)
