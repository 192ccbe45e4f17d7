"""The token in use: renewed shortly before it ends, and when the server refuses it; many threads renew it once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final, Protocol

from hera_k8s_utils import Credential, HeraK8sError, NotApplicable
from hera_k8s_utils.network import bearer_token, expires_within

log = logging.getLogger(__name__)

EARLY: Final = 60.0
"""Seconds before its expiry at which a token is renewed."""


class Renew(Protocol):
    """Gives a fresh credential in place of the refused one, or the present one when that is another already."""

    def __call__(self, *, refused: Credential) -> Credential: ...


class RefreshingToken:
    """Gives the token for each request; safe to share between threads.

    present: the credential in use. renew: raises `NotApplicable` or another `HeraK8sError` when there is no other.
    """

    def __init__(self, present: Callable[[], Credential], renew: Renew) -> None:
        self._present = present
        self._renew = renew
        self._last_attempt: Credential | None = None
        self._given = threading.local()

    def __call__(self) -> str:
        """The token to send; "" when none is to be sent."""
        credential = self._present()
        if expires_within(credential.expires_at, EARLY) and credential is not self._last_attempt:
            credential = self._renewed_early(credential)
        self._given.credential = credential
        return bearer_token(credential.secret) if credential.secret else ""

    def renew(self) -> None:
        """The token that this thread was given last was refused. Raises as `renew` does."""
        self._renew(refused=getattr(self._given, "credential", None) or self._present())

    def _renewed_early(self, credential: Credential) -> Credential:
        """A credential that lasts longer, where there is one; it is asked for once, until the server refuses this."""
        try:
            fresh = self._renew(refused=credential)
        except (HeraK8sError, NotApplicable) as reason:
            log.info("the token ends soon, and could not be renewed: %s", reason)
            fresh = credential
        if expires_within(fresh.expires_at, EARLY):
            self._last_attempt = fresh
        return fresh
