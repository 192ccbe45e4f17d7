"""The token in use: renewed shortly before it ends, and when the server refuses it; many threads renew it once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Final, Protocol

from hera_k8s_argo.tokens import bare_token
from hera_k8s_utils import Credential, HeraK8sError, NotApplicable

log = logging.getLogger(__name__)

EARLY: Final = timedelta(seconds=60)
"""A token that ends within this time is renewed before it is used."""


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
        self._as_fresh_as_can_be: Credential | None = None
        self._given = threading.local()

    def __call__(self) -> str:
        """The token to send; "" when none is to be sent."""
        credential = self._present()
        if _ends_soon(credential) and credential is not self._as_fresh_as_can_be:
            credential = self._renewed_early(credential)
        self._given.credential = credential
        return bare_token(credential.secret) if credential.secret else ""

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
        if _ends_soon(fresh):
            self._as_fresh_as_can_be = fresh
        return fresh


def _ends_soon(credential: Credential) -> bool:
    end = credential.expires_at
    return end is not None and datetime.now(timezone.utc) >= end - EARLY
