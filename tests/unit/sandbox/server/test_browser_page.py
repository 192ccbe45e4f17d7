"""The address that the sandbox prints, opened in a browser, explains itself; API clients notice nothing of that."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import requests

FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
KUBECTL = "application/json, */*"


def get(sandbox: Any, path: str, **headers: str) -> requests.Response:
    """A request without the proxies and credentials of this machine."""
    with requests.Session() as session:
        session.trust_env = False
        session.headers.clear()
        return session.get(sandbox.url + path, headers=headers, timeout=30)


class Outside(HTMLParser):
    """Collects what a page would load from elsewhere, and what it would run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "form", "img"):
            self.found.append(tag)
        self.found += [f"{name}={value}" for name, value in attrs if name in ("src", "href") and value != "data:,"]


@pytest.mark.parametrize("accept", [FIREFOX, CHROME, "text/html"])
@pytest.mark.parametrize("path", ["/", "/workflows/default/pi-k3f9", "/workflows?limit=50", "/userinfo"])
def test_a_browser_is_shown_how_to_use_it(sandbox: Any, accept: str, path: str) -> None:
    answer = get(sandbox, path, Accept=accept)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "hera-k8s logs --sandbox" in answer.text
    assert "connect kubectl" in answer.text


def test_the_page_has_no_secret_and_needs_nothing_else(sandbox: Any) -> None:
    answer = get(sandbox, "/", Accept=FIREFOX)
    page = Outside()
    page.feed(answer.text)
    assert page.found == []
    kept = [sandbox.token, (Path(sandbox.directory) / "signing.key").read_text().strip(), str(sandbox.directory)]
    assert not any(secret in answer.text + str(answer.headers) for secret in kept)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_it_quotes_nothing_of_the_request(sandbox: Any) -> None:
    answer = get(sandbox, "/workflows/default/<script>alert(1)</script>", Accept=FIREFOX)
    assert "alert" not in answer.text


@pytest.mark.parametrize("accept", [KUBECTL, "*/*", "application/json", "", "text/html, application/json"])
@pytest.mark.parametrize("path", ["/", "/workflows/default/pi-k3f9"])
def test_an_api_client_without_a_token_is_refused_as_by_an_api_server(sandbox: Any, accept: str, path: str) -> None:
    answer = get(sandbox, path, **({"Accept": accept} if accept else {}))
    assert answer.status_code == 403
    assert answer.json()["message"] == f'forbidden: User "system:anonymous" cannot get path "{path}"'


@pytest.mark.parametrize(
    "path", ["/api", "/apis/batch/v1", "/api/v1/workflows/default", "/api/v1/namespaces", "/healthz"]
)
def test_a_browser_gets_the_api_as_every_client_does(sandbox: Any, path: str) -> None:
    by_browser, by_program = get(sandbox, path, Accept=FIREFOX), get(sandbox, path, Accept=KUBECTL)
    assert (by_browser.status_code, by_browser.text) == (by_program.status_code, by_program.text)
    assert "<html" not in by_browser.text


def test_with_a_token_the_api_answers(sandbox: Any) -> None:
    answer = get(sandbox, "/", Accept=FIREFOX, Authorization=f"Bearer {sandbox.token}")
    assert answer.headers["Content-Type"].startswith("application/json")


def test_other_methods_are_not_for_browsers(sandbox: Any) -> None:
    answer = requests.post(sandbox.url + "/", headers={"Accept": FIREFOX}, timeout=30)
    assert answer.status_code == 403
