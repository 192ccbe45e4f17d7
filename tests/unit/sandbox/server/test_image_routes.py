"""Clients ask the sandbox whether containers could be started, before they submit them."""

from __future__ import annotations

import requests
from sandbox_api import Api


def test_the_sandbox_says_which_containers_it_can_start(sandbox) -> None:
    api = Api(sandbox.url, sandbox.token)
    containers = [
        {"image": "python:3.12-slim", "command": ["python"], "args": ["-c", "1"]},
        {"image": "docker/whalesay:latest", "command": ["cowsay"]},
        {"image": "acme/solver:1"},
        {"image": "acme/solver:1", "command": ["no-such-program"]},
    ]
    found = api.send("POST", "/sandbox/images", {"containers": containers}).json()["containers"]
    assert [(one["image"], one["known"], bool(one["problem"])) for one in found] == [
        ("python:3.12-slim", True, False),
        ("docker/whalesay:latest", True, False),
        ("acme/solver:1", False, True),
        ("acme/solver:1", False, True),
    ]
    assert all("--sandbox-images" in one["problem"] for one in found[2:])


def test_what_is_no_list_of_containers_is_rejected(sandbox) -> None:
    api = Api(sandbox.url, sandbox.token)
    for body in (
        {},
        {"containers": "x"},
        {"containers": [{"command": ["x"]}]},
        {"containers": [{"image": "x", "args": 1}]},
        {"containers": [{"image": "x", "env": ["PATH"]}]},
    ):
        assert api.send("POST", "/sandbox/images", body).status_code == 400


def test_who_has_no_token_is_told_nothing(sandbox) -> None:
    answer = requests.post(f"{sandbox.url}/sandbox/images", json={"containers": [{"image": "x"}]}, timeout=10)
    assert answer.status_code == 401
