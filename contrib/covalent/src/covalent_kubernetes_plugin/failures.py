"""How tasks end otherwise than in a result: each with its cause, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from covalent_kubernetes_plugin.errors import TaskFailed, TaskPending, TaskTimeout
from covalent_kubernetes_plugin.results import Outcome
from covalent_kubernetes_plugin.runner import DONE, FAILED, UNDELIVERED

if TYPE_CHECKING:
    from hera_k8s_kube.jobs import Job

Json = dict[str, Any]

_AT_ONCE: Final = ("InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError")
"""Reasons for waiting that time does not mend."""
_SOON: Final = ("ErrImagePull", "ImagePullBackOff", "CreateContainerError", "RunContainerError", "ImageInspectError")
"""Reasons that may pass, such as a registry that does not answer for a moment."""
_LINES: Final = 20
"""Lines of a log that an error quotes."""


class PendingLimit:
    """How long a task may be pending for a reason. Without one there is no limit.

    limit: seconds since some reason was first found. soon: the same for reasons such as an image that cannot be pulled,
    which pass only when they pass quickly.
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
        """What was found at this (monotonic) time. Raises `TaskPending` when waiting is over."""
        if not reason:
            self._since = self._since_soon = None
            return
        word = reason.partition(":")[0]
        self.reason = reason
        self._since = now if self._since is None else self._since
        self._since_soon = None if word not in _SOON else now if self._since_soon is None else self._since_soon
        if word in _AT_ONCE or (self._since_soon is not None and now - self._since_soon >= self._soon):
            raise TaskPending(f"the task {self._name} cannot begin", found=reason, hint=self._hint(word))
        if now - self._since >= self._limit:
            raise TaskPending(
                f"the task {self._name} is pending since {now - self._since:.0f} s",
                found=reason,
                hint="pending_limit (seconds) lets it wait longer",
            )

    def _hint(self, word: str) -> str:
        if word == "CreateContainerConfigError":
            return ""
        return f"base_image = {self._image!r}: is it there, and may the cluster pull it (registry_credentials_file)?"


def exit_code(pods: Sequence[Json]) -> int | None:
    """The status that the task's container ended with, None where it is not known."""
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
    """The error for a task of which there is no outcome.

    lines: of its log. limit: its `time_limit`. pending: why it did not begin, where that was so.
    """
    if job.reason == "DeadlineExceeded":
        return TaskTimeout(
            f"the task {name} was ended",
            found=f"its time_limit of {limit:g} s is over{f'; it never began: {pending}' if pending else ''}",
            hint="a longer time_limit",
        )
    ended = _terminated(pods)
    unseen = "its pod has left an outcome, which is not seen here" if exit_code(pods) in (DONE, FAILED) else ""
    causes = [unseen, _of_pod(pods), _of_container(ended), _of_condition(job)]
    found = next((cause for cause in causes if cause), "its pod is gone, and nothing says why")
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
        return "data_store: do the pod and this machine see the same there?"
    if ended.get("reason") == "OOMKilled":
        return "more memory"
    if ended.get("reason") in ("StartError", "ContainerCannotRun") or ended.get("exitCode") == 127:
        return "base_image must have python3"
    return ""


def of_refusal(name: str, outcome: Outcome, *, image: str, python: str) -> TaskFailed:
    """The error for a task that the runner did not begin, or whose result it could not send."""
    kind, found = str(outcome.header.get("kind")), str(outcome.header.get("found"))
    if kind == "python":
        minor = ".".join(python.split(".")[:2])
        return TaskFailed(
            f"the task {name} cannot be read in its image",
            found=f"{image} has Python {found}, the task was pickled by Python {python}, and its code needs the same",
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
        found=f"what lay in the data store is not what was put there: {found}",
        hint="who else may write to the data store?",
    )


def told(outcome: Outcome, *, image: str) -> str:
    """What goes to the task's standard error, after what it wrote there itself, when its own code failed."""
    header = outcome.header
    if outcome.state == "crashed":
        killed = "SIGKILL" in str(header["found"])
        return f"{header['found']}, without a result{'; was it the memory?' if killed else ''}\n"
    text = str(header["traceback"])
    wanted = {
        "before": "What was to run before the task failed.",
        "unpickle": "The task cannot be unpickled in its image.",
        "pickle": "The task ran, and its result cannot be pickled.",
    }.get(str(header["stage"]), "")
    if module := header.get("module"):
        wanted += f" The image {image} lacks the module {module}: take another base_image, or ct.DepsPip."
    return f"{text}{wanted.strip()}\n" if wanted else text
