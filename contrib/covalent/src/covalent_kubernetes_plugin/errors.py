"""The failures that are not the task's own: each with what was wanted, what was found, what to do next."""

from __future__ import annotations

from hera_k8s_utils import HeraK8sError


class TaskFailed(HeraK8sError):
    """A task did not run to its end, or what came of it cannot be had."""


class OutcomeIncomplete(TaskFailed):
    """A part of a task's outcome is missing in its pod's log: for a moment, or for good."""


class StoreUnreadable(TaskFailed):
    """A data store does not say what came of a task: for a moment, or for good. What is stored there stays."""


class TaskPending(TaskFailed):
    """A task cannot begin, and will not begin by waiting."""


class TaskTimeout(TaskFailed):
    """A task took longer than its `time_limit`."""
