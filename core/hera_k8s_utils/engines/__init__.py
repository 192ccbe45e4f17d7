"""Toolkit for authors of execution engines: submit once, read the logs of pods.

What runs follow is `hera_k8s_utils.network`; the record to declare an engine with is `hera_k8s_utils.ExecutionEngine`.
"""

from typing import TYPE_CHECKING

from hera_k8s_utils._public import names_of

if TYPE_CHECKING:
    from hera_k8s_utils.engines.pod_logs import (
        by_creation,
        log_of_pod,
        log_permission_result,
        skip_missing,
        started_pods,
        stream_logs,
    )
    from hera_k8s_utils.engines.pod_status import describe_wait
    from hera_k8s_utils.engines.pump import Pump
    from hera_k8s_utils.engines.reconnecting import (
        PERMANENT,
        REFUSALS,
        STREAM_SECONDS,
        UNANCHORED_STREAM_SECONDS,
        StreamAttempt,
        is_permanent,
    )
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
        "reconnecting": [
            "PERMANENT",
            "REFUSALS",
            "STREAM_SECONDS",
            "StreamAttempt",
            "UNANCHORED_STREAM_SECONDS",
            "is_permanent",
        ],
        "pump": ["Pump"],
        "pod_status": ["describe_wait"],
        "pod_logs": [
            "by_creation",
            "log_of_pod",
            "log_permission_result",
            "log_permission_result",
            "skip_missing",
            "started_pods",
            "stream_logs",
        ],
        "submission": ["CONFIRMING", "SETTLED", "SubmissionTarget", "dry_run_result", "spread", "submit_once", "taken"],
    },
)

__all__ = [
    "CONFIRMING",
    "PERMANENT",
    "REFUSALS",
    "SETTLED",
    "STREAM_SECONDS",
    "UNANCHORED_STREAM_SECONDS",
    "Pump",
    "StreamAttempt",
    "SubmissionTarget",
    "by_creation",
    "describe_wait",
    "dry_run_result",
    "is_permanent",
    "log_of_pod",
    "log_permission_result",
    "skip_missing",
    "spread",
    "started_pods",
    "stream_logs",
    "submit_once",
    "taken",
]
