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
    from hera_k8s_utils.network.exchange import (
        Answer,
        connection_error,
        connection_errors_of,
        redirect_found,
        send_with_renewal,
    )
    from hera_k8s_utils.network.headers import bearer_token, require_basic_auth, require_sendable, sendable
    from hera_k8s_utils.network.http import (
        STREAM_SILENCE,
        HttpClient,
        HttpResponse,
        NetworkSettings,
        describe_body,
        describe_refusal,
        silence_unverified,
        tls_context,
    )
    from hera_k8s_utils.network.jwt import TokenClaims, decode_claims, expires_within, read_claims
    from hera_k8s_utils.network.limits import LARGEST_ANSWER, LARGEST_OBJECT, ListLimits, RequestLimits
    from hera_k8s_utils.network.proxies import is_loopback, proxy_for, require_proxy
    from hera_k8s_utils.network.retry import FailureBudget, RetryPolicy

__getattr__ = names_of(
    __name__,
    {
        "jwt": ["TokenClaims", "decode_claims", "expires_within", "read_claims"],
        "exchange": ["Answer", "connection_error", "connection_errors_of", "send_with_renewal", "redirect_found"],
        "adapter": ["classify_error", "never_sent", "safe_retry", "was_in_doubt"],
        "bodies": ["EVENTS", "FINISHED", "GROWING", "WHOLE", "Pace", "iter_lines", "read_beginning", "read_whole"],
        "connections": ["limit_connections"],
        "headers": ["bearer_token", "require_basic_auth", "require_sendable", "sendable"],
        "http": [
            "HttpClient",
            "HttpResponse",
            "NetworkSettings",
            "STREAM_SILENCE",
            "describe_body",
            "describe_refusal",
            "silence_unverified",
            "tls_context",
        ],
        "limits": ["LARGEST_ANSWER", "LARGEST_OBJECT", "ListLimits", "RequestLimits"],
        "proxies": ["is_loopback", "proxy_for", "require_proxy"],
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
    "Answer",
    "FailureBudget",
    "HttpClient",
    "HttpResponse",
    "ListLimits",
    "NetworkSettings",
    "Pace",
    "RequestLimits",
    "RetryPolicy",
    "TokenClaims",
    "bearer_token",
    "classify_error",
    "connection_error",
    "connection_errors_of",
    "decode_claims",
    "describe_body",
    "describe_refusal",
    "expires_within",
    "is_loopback",
    "iter_lines",
    "limit_connections",
    "never_sent",
    "proxy_for",
    "read_beginning",
    "read_claims",
    "read_whole",
    "redirect_found",
    "require_basic_auth",
    "require_proxy",
    "require_sendable",
    "safe_retry",
    "send_with_renewal",
    "sendable",
    "silence_unverified",
    "tls_context",
    "was_in_doubt",
]
