"""Tokens of service accounts: JSON Web Tokens with the claims of a real cluster, signed with the sandbox's own key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
import uuid
from typing import Final, NamedTuple

from hera_k8s_utils._types import Json

AUDIENCE: Final = "https://kubernetes.default.svc.cluster.local"
SHORTEST: Final = 600  # seconds; the API server refuses to issue shorter ones
LONGEST: Final = 1 << 32  # seconds
_SECRETS: Final = "kubernetes.io/serviceaccount"  # who issues the tokens in Secrets


def request_claims(account: Json, audiences: list[str], lifetime: float, bound: Json | None) -> Json:
    """The claims of a token that TokenRequest issues; lifetime in seconds, bound: `kind`, `name`, `uid`."""
    now = int(time.time())
    meta = account["metadata"]
    about: Json = {
        "namespace": meta["namespace"],
        "serviceaccount": {"name": meta["name"], "uid": meta["uid"]},
    }
    if bound is not None:
        about[bound["kind"].lower()] = {"name": bound["name"], "uid": bound["uid"]}
    return {
        "aud": audiences,
        "exp": now + lifetime if lifetime % 1 else now + int(lifetime),
        "iat": now,
        "iss": AUDIENCE,
        "jti": str(uuid.uuid4()),
        "kubernetes.io": about,
        "nbf": now,
        "sub": subject(meta["namespace"], meta["name"]),
    }


def secret_claims(account: Json, secret_name: str) -> Json:
    """The claims of the token in a Secret of type kubernetes.io/service-account-token; it never expires."""
    meta = account["metadata"]
    prefix = _SECRETS
    return {
        "iss": prefix,
        f"{prefix}/namespace": meta["namespace"],
        f"{prefix}/secret.name": secret_name,
        f"{prefix}/service-account.name": meta["name"],
        f"{prefix}/service-account.uid": meta["uid"],
        "sub": subject(meta["namespace"], meta["name"]),
    }


def subject(namespace: str, name: str) -> str:
    """The user name of a service account."""
    return f"system:serviceaccount:{namespace}:{name}"


class TokenSubject(NamedTuple):
    """Whose token it is."""

    namespace: str
    name: str
    uid: str


def about(claims: Json) -> TokenSubject | None:
    """Whose token it is by its claims; None when they are not those of an account's."""
    try:
        if claims["iss"] == AUDIENCE:
            bound = claims["kubernetes.io"]
            return TokenSubject(bound["namespace"], bound["serviceaccount"]["name"], bound["serviceaccount"]["uid"])
        prefix = f"{_SECRETS}/service-account"
        return TokenSubject(claims[f"{_SECRETS}/namespace"], claims[f"{prefix}.name"], claims[f"{prefix}.uid"])
    except (KeyError, TypeError):
        return None


def sign(claims: Json, key: bytes) -> str:
    """The token (HS256)."""
    header = {"alg": "HS256", "kid": hashlib.sha256(key).hexdigest()[:16], "typ": "JWT"}
    signed = f"{_encode(json.dumps(header).encode())}.{_encode(json.dumps(claims).encode())}"
    return f"{signed}.{_encode(_digest(signed, key))}"


def verify(token: str, key: bytes) -> Json | None:
    """The claims of a token that this sandbox signed; None for any other text. Expiry is not checked."""
    signed, _, signature = token.rpartition(".")
    try:
        if signed.count(".") != 1 or not hmac.compare_digest(_decode(signature), _digest(signed, key)):
            return None
        claims: Json = json.loads(_decode(signed.partition(".")[2]))
    except (ValueError, binascii.Error):
        return None
    return claims


def _digest(signed: str, key: bytes) -> bytes:
    return hmac.new(key, signed.encode(), hashlib.sha256).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
