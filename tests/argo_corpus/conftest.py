"""Argo's examples on Argo itself and on the sandbox.

    pytest tests/argo_corpus --real                         # the table comes at the end
    pytest tests/argo_corpus --real -k "hello or dag"

Workflows run ahead of their tests, a few at a time, and each in a namespace of its own on either server.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from corpus_comparison import OUTCOMES
from corpus_documents import Document, documents
from corpus_runs import run
from go_programs import ARGO, build
from real_argo import image_rows, is_built

from clusters import Server, wants_real

Json = dict[str, Any]
AT_ONCE = 6


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the outcomes are kept as they come: a run over all examples takes some time."""
    parser.getgroup("corpus").addoption("--corpus-report", metavar="FILE", type=Path, help="add each outcome, as JSON")


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str, str, list[str]], None]:
    """`note(example, verdict, lines)`: for the table, and for the report."""

    def keep(name: str, verdict: str, lines: list[str]) -> None:
        OUTCOMES[name] = verdict, lines
        report = request.config.getoption("--corpus-report")
        if report is not None:
            with report.open("a", encoding="utf-8") as file:
                print(json.dumps({"example": name, "verdict": verdict, "differs": lines}), file=file)

    return keep


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each workflow of the examples, where they have been built."""
    if "document" in metafunc.fixturenames:
        found = documents(build(ARGO) / "examples") if wants_real(metafunc.config) and is_built() else []
        metafunc.parametrize("document", found, ids=[each.name for each in found])


@pytest.fixture(scope="session")
def corpus_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A sandbox whose images run what the real cluster's run."""
    from cluster_access import Access

    from hera_k8s_sandbox.server.launch import running

    directory = tmp_path_factory.mktemp("corpus")
    images = directory / "images.json"
    images.write_text(json.dumps(image_rows(build(ARGO))), encoding="utf-8")
    with running(directory / "sandbox", lifetime=7200, images=images) as address:
        yield Server("sandbox", Access(address.url, token=address.token), own=True)


@pytest.fixture(scope="session")
def both(
    request: pytest.FixtureRequest, real_server: Server, corpus_sandbox: Server
) -> Iterator[Callable[[Document], tuple[Json, Json]]]:
    """`both(document)`: what Argo and the sandbox have made of it."""
    argo = real_server.real_argo
    if argo is None:
        pytest.skip(real_server.without_controller or "needs the Argo Workflows that the tests start")
    examples = argo.programs / "examples"
    with ThreadPoolExecutor(AT_ONCE) as pool:
        pending: dict[str, tuple[Future[Json], Future[Json]]] = {}
        wanted = [item.callspec.params.get("document") for item in request.session.items if hasattr(item, "callspec")]
        for number, document in enumerate(each for each in wanted if each is not None):
            namespace = f"corpus-{os.getpid()}-{number}"
            pending[document.name] = (
                pool.submit(run, real_server.access, namespace, document, examples, argo),
                pool.submit(run, corpus_sandbox.access, namespace, document, examples, None),
            )
        try:
            yield lambda document: (pending[document.name][0].result(), pending[document.name][1].result())
        finally:
            for futures in pending.values():
                for future in futures:
                    future.cancel()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table of what was compared."""
    if not OUTCOMES:
        return
    terminalreporter.section("Argo's examples: Argo / the sandbox")
    for name, (verdict, lines) in sorted(OUTCOMES.items(), key=lambda each: (each[1][0], each[0])):
        terminalreporter.write_line(f"{verdict:<10}{name}")
        for line in lines:
            terminalreporter.write_line(f"            {line[:300]}")
    counts = [verdict for verdict, _ in OUTCOMES.values()]
    told = ", ".join(f"{counts.count(verdict)} {verdict}" for verdict in sorted(set(counts)))
    terminalreporter.write_line(told)
