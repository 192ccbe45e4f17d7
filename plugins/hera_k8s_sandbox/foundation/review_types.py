"""Review types: resources that are questions about access, which the API server answers and does not store."""

from __future__ import annotations

from typing import Final

from hera_k8s_sandbox.foundation.resource_types import Resource

AUTHORIZATION: Final = "authorization.k8s.io"
AUTHENTICATION: Final = "authentication.k8s.io"


def _review(group: str, plural: str, kind: str, *, namespaced: bool = False) -> Resource:
    return Resource(group, "v1", plural, kind.lower(), kind, namespaced=namespaced, verbs=("create",))


TOKEN_REQUESTS: Final = _review(AUTHENTICATION, "tokenrequests", "TokenRequest", namespaced=True)
"""A subresource of service accounts, and so not one of `REVIEWS`."""
SELF_SUBJECT_ACCESS_REVIEWS: Final = _review(AUTHORIZATION, "selfsubjectaccessreviews", "SelfSubjectAccessReview")
SUBJECT_ACCESS_REVIEWS: Final = _review(AUTHORIZATION, "subjectaccessreviews", "SubjectAccessReview")
LOCAL_SUBJECT_ACCESS_REVIEWS: Final = _review(
    AUTHORIZATION, "localsubjectaccessreviews", "LocalSubjectAccessReview", namespaced=True
)
SELF_SUBJECT_RULES_REVIEWS: Final = _review(AUTHORIZATION, "selfsubjectrulesreviews", "SelfSubjectRulesReview")
SELF_SUBJECT_REVIEWS: Final = _review(AUTHENTICATION, "selfsubjectreviews", "SelfSubjectReview")
TOKEN_REVIEWS: Final = _review(AUTHENTICATION, "tokenreviews", "TokenReview")

REVIEWS: Final = (
    SELF_SUBJECT_ACCESS_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
    LOCAL_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_RULES_REVIEWS,
    SELF_SUBJECT_REVIEWS,
    TOKEN_REVIEWS,
)
_BY_PLACE: Final = {(one.group, one.version, one.plural): one for one in REVIEWS}


def find_review(group: str, version: str, plural: str) -> Resource | None:
    """The review that is served at this place, or None."""
    return _BY_PLACE.get((group, version, plural))
