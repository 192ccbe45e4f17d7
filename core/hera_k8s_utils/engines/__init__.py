"""Toolkit for authors of execution engines: submit once, read the logs of pods.

What runs follow is `hera_k8s_utils.network`; the record to declare an engine with is `hera_k8s_utils.ExecutionEngine`.
"""

from typing import TYPE_CHECKING

from hera_k8s_utils._public import names_of

if TYPE_CHECKING:
    from hera_k8s_utils.engines.pod_logs import by_creation, log_of_pod, skip_missing, started_pods, stream_logs
    from hera_k8s_utils.engines.submission import (
        CONFIRMING,
        SETTLED,
        SubmissionTarget,
        dry_run_result,
        spread,
        submit_once,
        taken,
    )

__getattr__ = names_of(
    __name__,
    {
        "pod_logs": ["by_creation", "log_of_pod", "started_pods", "stream_logs", "skip_missing"],
        "submission": ["CONFIRMING", "SETTLED", "SubmissionTarget", "dry_run_result", "spread", "submit_once", "taken"],
    },
)

__all__ = [
    "CONFIRMING",
    "SETTLED",
    "SubmissionTarget",
    "by_creation",
    "dry_run_result",
    "log_of_pod",
    "skip_missing",
    "spread",
    "started_pods",
    "stream_logs",
    "submit_once",
    "taken",
]
