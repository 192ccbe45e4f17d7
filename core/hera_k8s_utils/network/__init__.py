"""Toolkit for authors of platforms and engines: an HTTP client under the network policy, its limits, and retries."""

from typing import TYPE_CHECKING

from hera_k8s_utils._public import names_of

if TYPE_CHECKING:
    from hera_k8s_utils.network.adapter import classify_error, never_sent, safe_retry, was_in_doubt
    from hera_k8s_utils.network.bodies import (
        EVENTS,
        FINISHED,
        GROWING,
        WHOLE,
        Pace,
        iter_lines,
        read_beginning,
        read_whole,
    )
    from hera_k8s_utils.network.connections import limit_connections
    from hera_k8s_utils.network.headers import bearer_token, require_basic_auth, require_sendable, sendable
    from hera_k8s_utils.network.http import (
        STREAM_SILENCE,
        HttpClient,
        HttpResponse,
        NetworkSettings,
        describe_body,
        silence_unverified,
        tls_context,
    )
    from hera_k8s_utils.network.limits import LARGEST_ANSWER, LARGEST_OBJECT, ListLimits, RequestLimits
    from hera_k8s_utils.network.proxies import is_loopback, proxy_for
    from hera_k8s_utils.network.retry import FailureBudget, RetryPolicy

__getattr__ = names_of(
    __name__,
    {
        "adapter": ["classify_error", "never_sent", "safe_retry", "was_in_doubt"],
        "bodies": ["EVENTS", "FINISHED", "GROWING", "WHOLE", "Pace", "iter_lines", "read_beginning", "read_whole"],
        "connections": ["limit_connections"],
        "headers": ["bearer_token", "require_basic_auth", "require_sendable", "sendable"],
        "http": [
            "STREAM_SILENCE",
            "HttpClient",
            "HttpResponse",
            "NetworkSettings",
            "describe_body",
            "silence_unverified",
            "tls_context",
        ],
        "limits": ["LARGEST_ANSWER", "LARGEST_OBJECT", "ListLimits", "RequestLimits"],
        "proxies": ["is_loopback", "proxy_for"],
        "retry": ["FailureBudget", "RetryPolicy"],
    },
)

__all__ = [
    "EVENTS",
    "FINISHED",
    "GROWING",
    "LARGEST_ANSWER",
    "LARGEST_OBJECT",
    "STREAM_SILENCE",
    "WHOLE",
    "FailureBudget",
    "HttpClient",
    "HttpResponse",
    "ListLimits",
    "NetworkSettings",
    "Pace",
    "RequestLimits",
    "RetryPolicy",
    "bearer_token",
    "classify_error",
    "describe_body",
    "is_loopback",
    "iter_lines",
    "limit_connections",
    "never_sent",
    "proxy_for",
    "read_beginning",
    "read_whole",
    "require_basic_auth",
    "require_sendable",
    "safe_retry",
    "sendable",
    "silence_unverified",
    "tls_context",
    "was_in_doubt",
]
