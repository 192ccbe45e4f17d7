"""Errors other than those of the task's own code."""

from __future__ import annotations

from hera_k8s_utils import HeraK8sError


class TaskFailed(HeraK8sError):
    """A task did not finish, or its outcome is not available."""


class OutcomeIncomplete(TaskFailed):
    """A part of a task's outcome is missing in its pod's log, temporarily or permanently."""


class StoreUnreadable(TaskFailed):
    """A data store cannot be read, temporarily or permanently. What is stored there is kept."""


class TaskPending(TaskFailed):
    """A task cannot start, and waiting will not help."""


class TaskTimeout(TaskFailed):
    """A task took longer than its `time_limit`."""
