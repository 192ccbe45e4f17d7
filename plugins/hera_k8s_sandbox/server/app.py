"""The server: one loopback port for the Kubernetes API and the Argo server, and the controller that runs workflows."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web

from hera_k8s_sandbox.apiserver import routes as kubernetes_routes
from hera_k8s_sandbox.argo_server import routes as argo_routes
from hera_k8s_sandbox.controllers.cron_workflows import CronController
from hera_k8s_sandbox.controllers.deployments import DeploymentController
from hera_k8s_sandbox.controllers.endpoints import EndpointsController
from hera_k8s_sandbox.controllers.jobs.controller import JobController
from hera_k8s_sandbox.controllers.replica_sets import ReplicaSetController
from hera_k8s_sandbox.controllers.workflows import Controller
from hera_k8s_sandbox.foundation import files
from hera_k8s_sandbox.foundation.clock import CLOCK
from hera_k8s_sandbox.foundation.reading import LARGEST_BODY
from hera_k8s_sandbox.foundation.resource_types import EVENTS
from hera_k8s_sandbox.operations.bootstrap import bootstrap
from hera_k8s_sandbox.rbac.authorizer import Authorizer, admin, read_users
from hera_k8s_sandbox.server.browser_page import show_browsers_a_page
from hera_k8s_sandbox.server.clock_routes import ClockApi
from hera_k8s_sandbox.server.image_routes import ImagesApi
from hera_k8s_sandbox.server.shutdown import stop_event
from hera_k8s_sandbox.state import SandboxState, two_for_each_processor
from hera_k8s_sandbox.store.store import Store, time_text

__all__ = ["Options", "SandboxBusyError", "SandboxState", "create_app", "open_state", "serve", "two_for_each_processor"]

_SHUTDOWN: Final = 2.0  # seconds that open requests get to end
_IDLE_CHECK: Final = 0.25  # seconds
_EVENTS_KEPT: Final = 3600.0  # seconds
_EVENTS_CHECK: Final = 60.0  # seconds

if TYPE_CHECKING:
    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SandboxBusyError(Exception):
    """Another server already serves this state directory."""


@dataclass(frozen=True)
class Options:
    """How a sandbox is started.

    port: 0 for any free one.
    until_idle: end after so many seconds without an open request and without a running workflow.
    lifetime: end after so many seconds in any case.
    users: a file with fixed tokens, one `token,user,uid,"group1,group2"` a line.
    longest_token: seconds that issued tokens live at most.
    """

    directory: Path
    port: int = 0
    until_idle: float | None = None
    lifetime: float | None = None
    users: Path | None = None
    longest_token: float | None = None
    runner_kind: str = "auto"
    concurrency: int = field(default_factory=two_for_each_processor)
    images: Path | None = None


@dataclass
class Activity:
    """Requests under way, and when the last one ended (monotonic seconds)."""

    open: int = 0
    last: float = 0.0

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """Count one request while it lasts."""
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1
            self.last = time.monotonic()


def open_state(options: Options) -> SandboxState:
    """Open, or found, the sandbox in a directory."""
    directory = options.directory
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    files.write_private(directory / ".gitignore", "*\n")  # tokens and results are not for repositories
    CLOCK.open(directory / files.CLOCK)
    key = files.secret(directory / files.SIGNING_KEY, lambda: secrets.token_hex(32))
    users = admin(files.secret(directory / files.ADMIN_TOKEN, lambda: files.seal(directory, secrets.token_urlsafe(32))))
    if options.users is not None:
        users |= read_users(options.users)
    store = Store(directory / files.DATABASE)
    access = Authorizer(store, users=users, key=key.encode(), longest_token=options.longest_token)
    state = SandboxState(
        directory=directory,
        store=store,
        access=access,
        runner_kind=options.runner_kind,
        concurrency=options.concurrency,
        images=options.images,
    )
    bootstrap(state)
    store.forget()
    state.trash.sweep()
    return state


def create_app(state: SandboxState, activity: Activity | None = None) -> web.Application:
    """The application that serves a sandbox and runs its workflows."""
    counted = activity or Activity()

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        with counted.request():
            return await handler(request)

    app = web.Application(middlewares=[count, show_browsers_a_page], client_max_size=LARGEST_BODY)
    controller = Controller(state)
    jobs = JobController(state)
    cron = CronController(state)
    kept = (ReplicaSetController(state), DeploymentController(state), EndpointsController(state))

    def resync() -> None:
        controller.resync()
        jobs.resync()

    ClockApi(state, cron, resync).add_routes(app)
    ImagesApi(state, controller.images).add_routes(app)
    argo_routes.add_routes(app, state)
    kubernetes_routes.add_routes(app, state)

    async def run_controller(_: web.Application) -> AsyncIterator[None]:
        await controller.start()
        jobs.start()
        cron.start()
        for each in kept:
            each.start()
        yield
        for each in kept:
            await each.stop()
        await cron.stop()
        await jobs.stop()
        await controller.stop()
        state.store.close()

    async def expire_events(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(_expire_events(state.store))
        yield
        task.cancel()

    async def end_watches(_: web.Application) -> None:
        state.store.end_watches()

    app[CONTROLLER] = controller
    app[JOB_CONTROLLER] = jobs
    app.cleanup_ctx.append(run_controller)
    app.cleanup_ctx.append(expire_events)
    app.on_shutdown.append(end_watches)
    return app


CONTROLLER: Final = web.AppKey("controller", Controller)
JOB_CONTROLLER: Final = web.AppKey("job_controller", JobController)


async def serve(options: Options, ready: Callable[[str], None] | None = None) -> None:
    """Serve until a signal, idleness or the end of the lifetime; `ready` is called with the URL.

    Raises SandboxBusyError when the directory is served already.
    """
    with _lock(options.directory), stop_event() as stopping:
        (options.directory / files.SERVER).unlink(missing_ok=True)  # of a server that was killed
        state = open_state(options)
        activity = Activity(last=time.monotonic())
        app = create_app(state, activity)
        # A watch whose client has left must end, or the server would never be idle.
        runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=_SHUTDOWN, handler_cancellation=True, auto_decompress=False
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", options.port)
            await site.start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            files.write_server(options.directory, url, app[CONTROLLER].mounts)
            if ready is not None:
                ready(url)
            await _until_over(options, activity, app, stopping)
        finally:
            files.remove_server(options.directory)
            await runner.cleanup()


async def _expire_events(store: Store) -> None:
    """Forget events after an hour, as the API server does."""
    while True:
        oldest = time_text(CLOCK.now() - _EVENTS_KEPT)
        for event in store.list(EVENTS):
            meta = event["metadata"]  # what clients write may hold no time of its own
            if str(event.get("lastTimestamp") or meta["creationTimestamp"]) < oldest:
                store.delete(EVENTS, meta["namespace"], meta["name"])
        await asyncio.sleep(_EVENTS_CHECK)


async def _until_over(options: Options, activity: Activity, app: web.Application, stopping: asyncio.Event) -> None:
    ends_at = None if options.lifetime is None else time.monotonic() + options.lifetime
    while not stopping.is_set():
        now = time.monotonic()
        if ends_at is not None and now >= ends_at:
            return
        if options.until_idle is not None and _idle_since(activity, app, now) >= options.until_idle:
            return
        pause = None if ends_at is None and options.until_idle is None else _IDLE_CHECK
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stopping.wait(), pause)


def _idle_since(activity: Activity, app: web.Application, now: float) -> float:
    if activity.open or not (app[CONTROLLER].idle and app[JOB_CONTROLLER].idle):
        activity.last = now
    return now - activity.last


@contextlib.contextmanager
def _lock(directory: Path) -> Iterator[None]:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    files.require_own(directory)
    files.require_sealed(directory)
    with (directory / files.LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SandboxBusyError(f"another sandbox already serves {directory}") from None
        yield
