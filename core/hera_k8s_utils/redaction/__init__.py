"""Secrets never leave: known ones are masked in every form, others by their looks.

`register_secrets` is called with each secret where it enters the program. `mask_known` masks those alone, for data
that must stay as they are; `redact` also masks what looks like a secret, for messages.
"""

from hera_k8s_utils._moved import forward
from hera_k8s_utils.redaction.addresses import remember_address, secrets_in, shown_address, without_query
from hera_k8s_utils.redaction.patterns import looks_secret, redact, redact_words
from hera_k8s_utils.redaction.registry import (
    REDACTED,
    SHORTEST,
    environment_for_children,
    isolated_secrets,
    json_without_known,
    mask_known,
    register_secrets,
)

__all__ = [
    "REDACTED",
    "SHORTEST",
    "environment_for_children",
    "isolated_secrets",
    "json_without_known",
    "looks_secret",
    "mask_known",
    "redact",
    "redact_words",
    "register_secrets",
    "remember_address",
    "secrets_in",
    "shown_address",
    "without_query",
]


globals()["__getattr__"] = forward(__name__)  # old names; not as a `def`, or type checkers would accept any name
