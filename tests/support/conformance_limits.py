"""The known limits of the sandbox: dialogues that differ from a real control plane's, by the reason they do.

Each reason is the title of a paragraph under "Limits" in docs/sandbox.md.
"""

from __future__ import annotations

from typing import Final

OWNERS: Final = "Field managers are recorded for server-side apply only"
WARNINGS: Final = "Warnings are issued for unknown fields only"
WORDS: Final = "Some error messages differ"
EXPIRY: Final = "Tokens expire exactly on time"
OVERLOAD: Final = "The sandbox is never overloaded"

LIMITS: Final = {
    "access/impersonation_needs_the_right_to_it": WORDS,
    "kinds/custom_objects_that_break_a_rule-wrong-version": WARNINGS,
    "lists/queries_that_cannot_be_read-labelSelector-a-b": WORDS,
    "lists/queries_that_cannot_be_read-labelSelector-3D-3D": WORDS,
    "objects/what_breaks_a_rule_is_refused-kind": WORDS,
    "objects/what_breaks_a_rule_is_refused-api-version": WORDS,
    "patches/apply_conflicts_with_who_created_or_changed_by_other_verbs": OWNERS,
    "patches/who_owns_which_fields": OWNERS,
    "secrets/types-tls": WARNINGS,
    "tokens/a_token_lives_a_minute_longer_than_it_says": EXPIRY,
    "tokens/who_asks_too_often_is_told_when_to_come_again": OVERLOAD,
}
