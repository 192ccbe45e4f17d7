"""Access: who sends a request, and what the roles allow them to do."""

from __future__ import annotations

import csv
import hmac
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hera_k8s_sandbox.foundation import jwt
from hera_k8s_sandbox.foundation.errors import ApiError, forbidden, unauthorized
from hera_k8s_sandbox.foundation.resource_types import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    PODS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    Resource,
)
from hera_k8s_utils._types import Json

if TYPE_CHECKING:
    from aiohttp import web

    from hera_k8s_sandbox.store.store import Store


ADMIN: Final = "sandbox-admin"
MASTERS: Final = "system:masters"
AUTHENTICATED: Final = "system:authenticated"
UNAUTHENTICATED: Final = "system:unauthenticated"


@dataclass(frozen=True)
class Identity:
    """As whom a request is made.

    expires_at: seconds since the epoch, None for never.
    """

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, list[str]] = field(default_factory=dict)
    expires_at: float | None = None

    @property
    def anonymous(self) -> bool:
        """Whether no token was presented."""
        return UNAUTHENTICATED in self.groups


_AHEAD: Final = 60.0  # seconds that the clock of who issued a token may be ahead
_CLAIMS_KEPT: Final = 10_000  # verified tokens that are remembered
ANONYMOUS: Final = Identity("system:anonymous", groups=(UNAUTHENTICATED,))


@dataclass(frozen=True)
class Rule:
    """One rule that applies to an identity.

    namespace: where (None: everywhere).
    """

    namespace: str | None
    rule: Json


class Authorizer:
    """Authentication by token and authorization by the served roles and bindings.

    users: identities by their fixed tokens.
    key: signs service account tokens.
    longest_token: seconds that a requested token lives at most, whatever was asked for; None leaves it to the request.
    """

    def __init__(
        self,
        store: Store,
        *,
        users: Mapping[str, Identity],
        key: bytes,
        longest_token: float | None = None,
    ) -> None:
        self._store = store
        self._users = dict(users)
        self._key = key
        self._claims: dict[str, Json] = {}
        self.longest_token = longest_token

    # Who

    def authenticate(self, request: web.Request, *, bare: bool = False) -> Identity:
        """The identity behind a request's token; no token: system:anonymous.

        bare: also accept a token without the word Bearer, as the Argo server does.
        Raises ApiError 401 for a token that is unknown or has expired.
        """
        header = request.headers.get("Authorization", "").strip()
        word, _, rest = header.partition(" ")
        if word.lower() == "bearer" and rest.strip():
            return self.identify(rest.split()[0])
        if bare and header and not rest:
            return self.identify(header)
        return ANONYMOUS

    def identify(self, token: str) -> Identity:
        """The identity of a token. Raises ApiError 401."""
        given = token.encode("utf-8", "surrogateescape")  # headers may hold any bytes
        for known, identity in self._users.items():
            if hmac.compare_digest(known.encode(), given):
                return identity
        account = self._account(token)
        if account is None:
            raise unauthorized()
        return account

    def issue(
        self, account: Json, audiences: list[str], lifetime: float, bound: Json | None = None
    ) -> tuple[str, float]:
        """A new token for a service account and when it expires (seconds since the epoch)."""
        if self.longest_token is not None:
            lifetime = min(lifetime, self.longest_token)
        claims = jwt.request_claims(account, audiences or [jwt.AUDIENCE], lifetime, bound)
        return jwt.sign(claims, self._key), float(claims["exp"])

    def issue_for_secret(self, account: Json, secret_name: str) -> str:
        """The lasting token that belongs into a service account token Secret."""
        return jwt.sign(jwt.secret_claims(account, secret_name), self._key)

    def reviewed(self, token: str, audiences: list[str]) -> tuple[Identity, list[str]]:
        """The identity of a token, and which of the audiences to whom it is shown it is for. Raises ApiError 401."""
        given = token.encode("utf-8", "surrogateescape")
        for known, identity in self._users.items():
            if hmac.compare_digest(known.encode(), given):
                shared = [one for one in audiences if one == jwt.AUDIENCE]
                if not shared:
                    raise unauthorized()
                return identity, shared
        account = self._account(token, audiences)
        if account is None:
            raise unauthorized()
        return account, audiences_of(jwt.verify(token, self._key) or {}, audiences)

    def _account(self, token: str, audiences: Sequence[str] = (jwt.AUDIENCE,)) -> Identity | None:
        claims = self._claims.get(token)
        if claims is None:
            claims = jwt.verify(token, self._key)
            if claims is None:
                return None
            if len(self._claims) >= _CLAIMS_KEPT:
                self._claims.clear()
            self._claims[token] = claims
        if not _is_timely(claims) or not audiences_of(claims, audiences):
            return None
        about = jwt.about(claims)
        if about is None:
            return None
        account = self._store.find(SERVICE_ACCOUNTS, about.namespace, about.name)
        if account is None or account["metadata"]["uid"] != about.uid:
            return None
        if not self._anchor_is_there(claims, about.namespace):
            return None
        return Identity(
            name=jwt.subject(about.namespace, about.name),
            uid=about.uid,
            groups=("system:serviceaccounts", f"system:serviceaccounts:{about.namespace}", AUTHENTICATED),
            extra={"authentication.kubernetes.io/credential-id": [f"JTI={claims['jti']}"]} if "jti" in claims else {},
            expires_at=claims.get("exp"),
        )

    def _anchor_is_there(self, claims: Json, namespace: str) -> bool:
        """Whether the Secret or Pod that a token is bound to exists; most tokens are bound to none."""
        about = claims.get("kubernetes.io") or {}
        for kind, resource in (("secret", SECRETS), ("pod", PODS)):
            anchor = about.get(kind)
            if anchor is not None:
                found = self._store.find(resource, namespace, anchor["name"])
                if found is None or found["metadata"]["uid"] != anchor["uid"]:
                    return False
        return self._secret_is_there(claims, namespace)

    def _secret_is_there(self, claims: Json, namespace: str) -> bool:
        name = claims.get("kubernetes.io/serviceaccount/secret.name")
        return name is None or self._store.find(SECRETS, namespace, name) is not None

    def impersonated(self, request: web.Request, identity: Identity) -> Identity:
        """The identity that is impersonated (`kubectl --as`), if any. Raises ApiError 403."""
        headers = request.headers
        name = headers.get("Impersonate-User", "")
        if not name:
            return identity
        groups = headers.getall("Impersonate-Group", [])
        for plural, wanted in (("users", name), *(("groups", group) for group in groups)):
            if not self.allowed(identity, "impersonate", "", plural, None, wanted):
                subject = Resource("", "v1", plural, "", "")
                raise forbidden(subject, wanted, refusal(identity, "impersonate", "", plural, None))
        if name.startswith("system:serviceaccount:") and not groups:
            groups = ["system:serviceaccounts", f"system:serviceaccounts:{name.split(':')[2]}"]
        return Identity(name, headers.get("Impersonate-Uid", ""), (*groups, AUTHENTICATED))

    # What

    def allowed(
        self,
        identity: Identity,
        verb: str,
        group: str,
        plural: str,
        namespace: str | None,
        name: str = "",
        subresource: str = "",
    ) -> bool:
        """Whether a role lets the identity do this; namespace None or empty: at the cluster scope."""
        if MASTERS in identity.groups:
            return True
        resource = f"{plural}/{subresource}" if subresource else plural
        return any(
            _covers_resource(rule, verb, group, resource, name) for rule in self._rules(identity, namespace or None)
        )

    def allowed_path(self, identity: Identity, verb: str, path: str) -> bool:
        """Whether a role lets the identity do this to a path that is no resource, such as /version."""
        if MASTERS in identity.groups:
            return True
        return any(_covers_path(rule, verb, path) for rule in self._rules(identity, None))

    def require(
        self,
        identity: Identity,
        verb: str,
        resource: Resource,
        namespace: str | None,
        name: str = "",
        subresource: str = "",
    ) -> None:
        """Raises ApiError 403, with the API server's sentence, unless it is allowed."""
        group, plural = resource.group, resource.plural
        if self.allowed(identity, verb, group, plural, namespace, name, subresource):
            return
        raise forbidden(resource, name, refusal(identity, verb, group, plural, namespace, subresource))

    def require_path(self, identity: Identity, verb: str, path: str) -> None:
        """As `require`, for a path that is no resource."""
        if not self.allowed_path(identity, verb, path):
            message = f'forbidden: User "{identity.name}" cannot {verb} path "{path}"'
            raise ApiError(403, "Forbidden", message, details={})

    def rules(self, identity: Identity, namespace: str) -> list[Json]:
        """All rules that hold for the identity in a namespace, as a SelfSubjectRulesReview lists them."""
        everything: list[Json] = [
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
            {"verbs": ["*"], "nonResourceURLs": ["*"]},
        ]
        found = list(self._rules(identity, namespace))
        return everything + found if MASTERS in identity.groups else found

    def _rules(self, identity: Identity, namespace: str | None) -> Iterator[Json]:
        for binding in self._store.list(CLUSTER_ROLE_BINDINGS):
            if _binds(binding, identity):
                yield from self._role_rules(binding, None)
        if namespace is None:
            return
        for binding in self._store.list(ROLE_BINDINGS, namespace):
            if _binds(binding, identity):
                yield from self._role_rules(binding, namespace)

    def _role_rules(self, binding: Json, namespace: str | None) -> Iterable[Json]:
        wanted = binding["roleRef"]
        if wanted["kind"] == "ClusterRole":
            role = self._store.find(CLUSTER_ROLES, "", wanted["name"])
        else:
            role = self._store.find(ROLES, namespace or "", wanted["name"])
        return () if role is None else role.get("rules") or ()


def _is_timely(claims: Json) -> bool:
    """Whether a token holds now; one of a clock that is a minute ahead does."""
    now, latest = time.time(), time.time() + _AHEAD
    return bool(claims.get("exp", now + 1) > now and claims.get("nbf", 0) <= latest and claims.get("iat", 0) <= latest)


def audiences_of(claims: Json, wanted: Sequence[str]) -> list[str]:
    """Which of these a token is for; one that names none is for the API server."""
    named = claims.get("aud") or [jwt.AUDIENCE]
    named = [named] if isinstance(named, str) else named
    return [one for one in wanted if one in named]


def refusal(
    identity: Identity, verb: str, group: str, plural: str, namespace: str | None, subresource: str = ""
) -> str:
    """The API server's message for a denied request."""
    what = f"{plural}/{subresource}" if subresource else plural
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    return f'User "{identity.name}" cannot {verb} resource "{what}" in API group "{group}" {where}'


def read_users(path: Path) -> dict[str, Identity]:
    """Fixed tokens from a file in the API server's `--token-auth-file` format: token,user,uid,"group1,group2"."""
    users = {}
    with path.open(newline="", encoding="utf-8") as lines:
        for row in csv.reader(lines):
            if len(row) < 3:
                continue
            groups = tuple(row[3].split(",")) if len(row) > 3 and row[3] else ()
            users[row[0]] = Identity(row[1], row[2], (*groups, AUTHENTICATED))
    return users


def admin(token: str) -> dict[str, Identity]:
    """The one identity that the sandbox is born with."""
    return {token: Identity(ADMIN, groups=(MASTERS, AUTHENTICATED))}


def _binds(binding: Json, identity: Identity) -> bool:
    namespace = binding["metadata"].get("namespace", "")
    return any(_is_subject(one, identity, namespace) for one in binding.get("subjects") or ())


def _is_subject(subject: Json, identity: Identity, namespace: str) -> bool:
    kind, name = subject.get("kind"), subject.get("name", "")
    if kind == "User":
        return bool(name == identity.name)
    if kind == "Group":
        return name in identity.groups
    return identity.name == jwt.subject(subject.get("namespace") or namespace, name)


def _covers_resource(rule: Json, verb: str, group: str, resource: str, name: str) -> bool:
    return (
        _has(rule.get("verbs"), verb)
        and _has(rule.get("apiGroups"), group)
        and _has_resource(rule.get("resources") or (), resource)
        and (not rule.get("resourceNames") or name in rule["resourceNames"])
    )


def _has_resource(resources: Iterable[str], wanted: str) -> bool:
    _, _, subresource = wanted.partition("/")
    return any(one in ("*", wanted) or (subresource and one == f"*/{subresource}") for one in resources)


def _covers_path(rule: Json, verb: str, path: str) -> bool:
    return _has(rule.get("verbs"), verb) and any(
        one == path or (one.endswith("*") and path.startswith(one[:-1])) for one in rule.get("nonResourceURLs") or ()
    )


def _has(values: Iterable[str] | None, wanted: str) -> bool:
    return any(value in ("*", wanted) for value in values or ())
