"""The errors of tasks that end without a result, each with its cause and a remedy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from covalent_kubernetes_plugin.errors import TaskFailed, TaskPending, TaskTimeout
from covalent_kubernetes_plugin.results import Outcome
from covalent_kubernetes_plugin.runner import DONE, FAILED, UNDELIVERED

if TYPE_CHECKING:
    from hera_k8s_kube.jobs import Job

Json = dict[str, Any]

_PERMANENT: Final = ("InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError")
"""Pending reasons that do not go away."""
_TRANSIENT: Final = (
    "ErrImagePull",
    "ImagePullBackOff",
    "CreateContainerError",
    "RunContainerError",
    "ImageInspectError",
)
"""Pending reasons that may be temporary, such as a registry that does not respond."""
_LINES: Final = 20
"""Log lines that an error quotes."""


class PendingLimit:
    """How long a task may be pending for a known reason. Without a reason there is no limit.

    name: name of the task's Job.
    image: its image.
    limit: seconds since the first reason was found.
    soon: the same for reasons that either pass quickly or not at all, such as an image that cannot be pulled.
    """

    def __init__(self, name: str, image: str, *, limit: float, soon: float) -> None:
        self._name = name
        self._image = image
        self._limit = limit
        self._soon = soon
        self._since: float | None = None
        self._since_soon: float | None = None
        self.reason = ""

    def consider(self, reason: str, now: float) -> None:
        """Record a reason at this (monotonic) time. Raises `TaskPending` when the limit is reached."""
        if not reason:
            self._since = self._since_soon = None
            return
        word = reason.partition(":")[0]
        self.reason = reason
        self._since = now if self._since is None else self._since
        self._since_soon = None if word not in _TRANSIENT else now if self._since_soon is None else self._since_soon
        if word in _PERMANENT or (self._since_soon is not None and now - self._since_soon >= self._soon):
            raise TaskPending(f"the task {self._name} cannot start", found=reason, hint=self._hint(word))
        if now - self._since >= self._limit:
            raise TaskPending(
                f"the task {self._name} has been pending for {now - self._since:.0f} s",
                found=reason,
                hint="increase pending_limit (seconds)",
            )

    def _hint(self, word: str) -> str:
        if word == "CreateContainerConfigError":
            return ""
        return f"base_image = {self._image!r}: is it there, and may the cluster pull it (registry_credentials_file)?"


def exit_code(pods: Sequence[Json]) -> int | None:
    """The exit code of the task's container; None if unknown."""
    ended = _terminated(pods)
    return None if ended.get("exitCode") is None else int(ended["exitCode"])


def _terminated(pods: Sequence[Json]) -> Json:
    for pod in reversed(pods):
        for container in (pod.get("status") or {}).get("containerStatuses") or ():
            if ended := (container.get("state") or {}).get("terminated"):
                return dict(ended)
    return {}


def of_job(
    name: str, job: Job, pods: Sequence[Json], lines: Iterable[str], *, limit: float, pending: str
) -> TaskFailed:
    """The error for a task without an outcome.

    name: name of its Job.
    job: its Job.
    pods: its pods.
    lines: lines of its log.
    limit: its `time_limit`.
    pending: why it did not start; empty if it did.
    """
    if job.reason == "DeadlineExceeded":
        return TaskTimeout(
            f"the task {name} was stopped",
            found=f"its time_limit of {limit:g} s is over{f'; it never started: {pending}' if pending else ''}",
            hint="increase time_limit",
        )
    ended = _terminated(pods)
    unseen = "its pod has written an outcome, which is not visible here" if exit_code(pods) in (DONE, FAILED) else ""
    causes = [unseen, _of_pod(pods), _of_container(ended), _of_condition(job)]
    found = next((cause for cause in causes if cause), "its pod is gone, for an unknown reason")
    quoted = "".join(f"\n  | {line}" for line in list(lines)[-_LINES:])
    return TaskFailed(f"the task {name} failed without an outcome", found=found + quoted, hint=_remedy(ended))


def _of_pod(pods: Sequence[Json]) -> str:
    """Evicted, lost with its node, ..."""
    status = (pods[-1].get("status") or {}) if pods else {}
    return ": ".join(str(status[key]) for key in ("reason", "message") if status.get(key))


def _of_container(ended: Json) -> str:
    if not ended:
        return ""
    reason, message = ended.get("reason") or "Error", ended.get("message") or ""
    return f"{reason}, status {ended.get('exitCode')}{f': {message}' if message else ''}"


def _of_condition(job: Job) -> str:
    return ": ".join(part for part in (job.reason, job.message) if part)


def _remedy(ended: Json) -> str:
    if ended.get("exitCode") in (DONE, FAILED, UNDELIVERED):
        return "data_store: do the pod and this machine see the same directory?"
    if ended.get("reason") == "OOMKilled":
        return "increase memory"
    if ended.get("reason") in ("StartError", "ContainerCannotRun") or ended.get("exitCode") == 127:
        return "base_image must have python3"
    return ""


def of_refusal(name: str, outcome: Outcome, *, image: str, python: str) -> TaskFailed:
    """The error for a task that the runner refused to run, or whose result it could not send."""
    kind, found = str(outcome.header.get("kind")), str(outcome.header.get("found"))
    if kind == "python":
        minor = ".".join(python.split(".")[:2])
        return TaskFailed(
            f"the task {name} cannot be read in its image",
            found=f"{image} has Python {found}, the task was pickled by Python {python}; the minor versions must match",
            hint=f'base_image = "python:{minor}-slim"',
        )
    if kind == "size":
        return TaskFailed(
            f"the result of the task {name} is too large for the pod's log",
            found=found,
            hint="set data_store to a claim, a path or s3://bucket/prefix",
        )
    return TaskFailed(
        f"the task {name} was not run",
        found=f"the content of the data store was changed: {found}",
        hint="who else may write to the data store?",
    )


def stderr_note(outcome: Outcome, *, image: str) -> str:
    """Text appended to the task's standard error when its own code failed."""
    header = outcome.header
    if outcome.state == "crashed":
        killed = "SIGKILL" in str(header["found"])
        return f"{header['found']}, without a result{'; out of memory?' if killed else ''}\n"
    text = str(header["traceback"])
    wanted = {
        "before": "A dependency that runs before the task failed.",
        "unpickle": "The task cannot be unpickled in its image.",
        "pickle": "The task ran, but its result cannot be pickled.",
    }.get(str(header["stage"]), "")
    if module := header.get("module"):
        wanted += f" The image {image} lacks the module {module}: use another base_image, or ct.DepsPip."
    return f"{text}{wanted.strip()}\n" if wanted else text
