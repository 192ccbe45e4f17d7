"""The clock's API: administrators can read and advance the sandbox clock."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Final

from aiohttp import web

from hera_k8s_sandbox.argo_server.handlers import answering, body_of, json_answer
from hera_k8s_sandbox.controllers.cron_workflows import CronController
from hera_k8s_sandbox.foundation.clock import CLOCK
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.files import CLOCK_PATH
from hera_k8s_sandbox.rbac.authorizer import MASTERS
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.store import time_text
from hera_k8s_utils._types import Json

MOST_RUNS: Final = 1000  # scheduled times that one advance may meet
LONGEST: Final = 10 * 366 * 24 * 3600.0  # seconds


class ClockApi:
    """Reads and advances the clock.

    resync: called after the clock was advanced.
    """

    def __init__(self, state: SandboxState, cron: CronController, resync: Callable[[], None]) -> None:
        self._state = state
        self._cron = cron
        self._resync = resync
        self._lock = asyncio.Lock()

    def add_routes(self, app: web.Application) -> None:
        """Serve it."""
        app.router.add_route("GET", CLOCK_PATH, answering(self.read, self._state))
        app.router.add_route("POST", CLOCK_PATH, answering(self.advance, self._state))

    async def read(self, request: web.Request) -> web.Response:
        """What time it is, and by how much that is ahead of the system's."""
        self._require_administrator(request)
        return json_answer(_told())

    async def advance(self, request: web.Request) -> web.Response:
        """Let time pass at once; each scheduled time on the way is met in its order."""
        self._require_administrator(request)
        seconds = (await body_of(request)).get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not math.isfinite(seconds):
            raise ApiError(400, "BadRequest", "seconds is a number")
        if not 0 <= seconds <= LONGEST:
            raise ApiError(400, "BadRequest", f"seconds is between 0 and {LONGEST:.0f}: time passes forward")
        async with self._lock:
            await self._let_pass(float(seconds))
        return json_answer(_told())

    async def _let_pass(self, seconds: float) -> None:
        target, met = CLOCK.now() + seconds, 0
        try:
            while (due := self._cron.next_due()) is not None and due <= target:
                if met >= MOST_RUNS:
                    message = f"the clock stands at {time_text(CLOCK.now())}: {met} scheduled times were met until then"
                    raise ApiError(400, "BadRequest", f"{message}; advance it again to go on")
                CLOCK.move_to(due)
                met += self._cron.fire()
                await asyncio.sleep(0)  # what was made is seen by who runs it
            CLOCK.move_to(target)
            self._cron.fire()
        finally:
            CLOCK.keep()
            self._resync()

    def _require_administrator(self, request: web.Request) -> None:
        identity = self._state.access.authenticate(request, bare=True)
        if identity.anonymous:
            raise ApiError(401, "Unauthorized", "the clock is advanced with the administrator's token")
        if MASTERS not in identity.groups:
            raise ApiError(403, "Forbidden", f'the clock is not for "{identity.name}" to advance')


def _told() -> Json:
    return {"now": time_text(CLOCK.now()), "ahead": round(CLOCK.ahead, 3)}
