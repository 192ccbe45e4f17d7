"""Claims of tokens: one reader for all servers, which takes nothing that is not surely a name or a time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from argo_peer import jwt

from hera_k8s_utils.network import expires_within, read_claims


@pytest.mark.parametrize(
    ("claims", "identity"),
    [
        ({"email": "jane@lyon.example", "preferred_username": "jane", "sub": "u-1"}, "jane@lyon.example"),
        ({"preferred_username": "jane", "sub": "u-1"}, "jane"),
        ({"name": "Jane", "sub": "u-1"}, "u-1"),  # several people may be called Jane
        ({"name": "Jane"}, ""),
        ({"email": "a\x1b[31mb", "sub": "u-1"}, "u-1"),
        ({"email": 5, "sub": ""}, ""),
    ],
)
def test_the_identity_is_the_best_known_unique_name(claims: dict[str, Any], identity: str) -> None:
    assert read_claims(jwt(**claims)).identity == identity


@pytest.mark.parametrize("end", [True, "1800000000", 1e300, None])
def test_an_expiry_that_is_no_time_is_unknown(end: Any) -> None:
    assert read_claims(jwt(exp=end)).expires_at is None


def test_a_moment_expires_within_the_seconds_that_are_left() -> None:
    moment = datetime.now(timezone.utc) + timedelta(seconds=30)
    assert (expires_within(moment, 60), expires_within(moment, 5), expires_within(None, 60)) == (True, False, False)
