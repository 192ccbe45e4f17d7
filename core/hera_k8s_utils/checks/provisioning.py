"""Provisioning: the objects that an experiment declares and the cluster lacks, shown before they are made.

Only what is missing is created, and only objects that carry our label are completed: another's are left as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_utils._moved import renamed
from hera_k8s_utils._types import Json
from hera_k8s_utils.errors import ErrorKind, NoCredential, PlatformError, attribute_errors_to
from hera_k8s_utils.experiment.model import Requirement
from hera_k8s_utils.labels import EXPERIMENT_LABEL, MANAGED_BY, MANAGER
from hera_k8s_utils.plugins.clients import KUBERNETES

if TYPE_CHECKING:
    from hera_k8s_utils.checks.preflight import RequiredResource
    from hera_k8s_utils.plugins.clients import Kubernetes, Scope
    from hera_k8s_utils.plugins.context import Context
    from hera_k8s_utils.plugins.platforms import PlatformRegistry


CREATE, PATCH, PRESENT, BLOCKED = "create", "complete", "present", "cannot"

_OF_THE_CLUSTER: Final = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "Namespace",
        "PersistentVolume",
        "PriorityClass",
        "StorageClass",
    }
)
"""Kinds that live in no namespace."""
_CORE: Final = frozenset({"ConfigMap", "Namespace", "PersistentVolumeClaim", "Secret", "ServiceAccount"})
"""Kinds of the API group `v1`, which can be looked for without a body that says their group."""
_KEYED: Final = ("data", "stringData", "binaryData")
"""Fields of ConfigMaps and Secrets whose keys may be completed one by one."""


@dataclass(frozen=True)
class Step:
    """What would be done about one requirement.

    title: of the requirement, `claim results`.
    kind: of the object.
    name: of the object.
    action: `create`, `complete` (add keys to an object of ours), `present` (nothing to do) or `cannot`.
    body: what is sent; None when nothing is.
    keys: names that the body holds; their values are never shown.
    why: for `cannot`.
    """

    title: str
    kind: str
    name: str
    action: str
    body: Json | None = None
    keys: tuple[str, ...] = ()
    why: str = ""

    def sentence(self) -> str:
        """`create ConfigMap settings (SAMPLES, TRANSIENT)`."""
        keys = f" ({', '.join(self.keys)})" if self.keys else ""
        said = f"{self.action} {self.kind} {self.name}{keys}"
        return f"{said}: {self.why}" if self.why else said

    def to_json(self) -> Json:
        """The step as plain data, without values."""
        return {
            "requirement": self.title,
            "kind": self.kind,
            "name": self.name,
            "action": self.action,
            "keys": list(self.keys),
            "why": self.why,
        }


@renamed(todo="changes", impossible="blocked")
@dataclass(frozen=True)
class Plan:
    """What provisioning would do.

    steps: one for each requirement.
    namespace: where the objects belong.
    """

    steps: Sequence[Step]
    namespace: str

    @property
    def changes(self) -> list[Step]:
        """The steps that change something."""
        return [step for step in self.steps if step.body is not None]

    @property
    def blocked(self) -> list[Step]:
        """What is missing and cannot be made."""
        return [step for step in self.steps if step.action == BLOCKED]


def plan(wanted: Iterable[RequiredResource], context: Context, platforms: PlatformRegistry) -> Plan:
    """Look at each declared requirement that says enough to be made; changes nothing.

    Raises `CredentialError` or `PlatformError` when the cluster cannot be asked at all.
    """
    declared = [w for w in wanted if isinstance(w.requirement, Requirement) and not w.derived]
    experiment = context.experiment.experiment.name if context.experiment else ""
    steps = [_step(each, context, platforms, experiment) for each in declared]
    return Plan([step for step in steps if step is not None], context.namespace)


def apply(plan: Plan, context: Context) -> list[Step]:
    """Create and complete what the plan says, in its order; returns what was done.

    Raises `PlatformError` at the first that the cluster refuses; what was made before stays, and is found next time.
    An object is made once: values that were generated for it are not replaced when an answer is lost, or comes late.
    """
    done = []
    for step in plan.changes:
        _send(step, context.kubernetes)
        done.append(step)
    return done


def auto_provisions(platforms: PlatformRegistry, context: Context) -> bool:
    """Whether the cluster is the user's own, so that what is missing is made without asking (the sandbox is)."""
    try:
        return platforms.credential(KUBERNETES.name, context).auto_provision
    except NoCredential:
        return False


def _step(wanted: RequiredResource, context: Context, platforms: PlatformRegistry, experiment: str) -> Step | None:
    requirement, checker = wanted.requirement, wanted.checker
    if not isinstance(requirement, Requirement) or checker is None or checker.provision is None:
        return None
    kind = requirement.kind or checker.kind
    with attribute_errors_to(f"the checker of {checker.kind}"):
        body = checker.provision(platforms.settings(checker), context, requirement)
    name = str(body["metadata"]["name"]) if body else requirement.name
    kind = str(body["kind"]) if body else kind
    if body is None and kind not in _CORE:
        return None
    try:
        found = _find(context.kubernetes, body, kind, name)
    except PlatformError as error:
        if error.kind is not ErrorKind.FORBIDDEN:
            raise
        return Step(requirement.title, kind, name, BLOCKED, why="it may not be looked at (403)")
    if body is None:
        absent = "it is missing, and the experiment does not say how to make it"
        return None if found is not None else Step(requirement.title, kind, name, BLOCKED, why=absent)
    labelled = _labelled(body, experiment)
    if found is None:
        return Step(requirement.title, kind, name, CREATE, labelled, _keys(labelled))
    return _completion(requirement.title, labelled, found)


def _completion(title: str, body: Json, found: Json) -> Step:
    """What to do about an object that is there: add the keys that it lacks, if it is ours."""
    kind, name = str(body["kind"]), str(body["metadata"]["name"])
    there = set(_keys(found))
    lacking = {
        each: missing
        for each in _KEYED
        if (missing := {key: value for key, value in (body.get(each) or {}).items() if key not in there})
    }
    if not lacking:
        return Step(title, kind, name, PRESENT)
    keys = tuple(sorted(key for missing in lacking.values() for key in missing))
    if ((found.get("metadata") or {}).get("labels") or {}).get(MANAGED_BY) != MANAGER:
        return Step(
            title, kind, name, BLOCKED, keys=keys, why="it is there without these keys, and is not ours to change"
        )
    version = (found.get("metadata") or {}).get("resourceVersion")
    metadata = {"name": name, **_namespace_of(body), **({"resourceVersion": version} if version else {})}
    patch = {"apiVersion": body["apiVersion"], "kind": kind, "metadata": metadata, **lacking}
    return Step(title, kind, name, PATCH, patch, keys)


def _find(kubernetes: Kubernetes, body: Json | None, kind: str, name: str) -> Json | None:
    api_version = str(body["apiVersion"]) if body else "v1"
    try:
        return kubernetes.get(api_version, plural(kind), name, **_where(body or {"kind": kind}))
    except PlatformError as error:
        if error.kind is ErrorKind.MISSING:
            return None
        raise


def _send(step: Step, kubernetes: Kubernetes) -> None:
    body = step.body
    assert body is not None
    try:
        if step.action == CREATE:
            kubernetes.create(body["apiVersion"], plural(step.kind), body, **_where(body))
        else:
            kubernetes.patch(body["apiVersion"], plural(step.kind), step.name, body, **_where(body))
    except PlatformError as error:
        if error.conclusive and error.kind is not ErrorKind.CONFLICT:
            raise
        if not _has_arrived(step, kubernetes, error):
            raise _perhaps_made(step, error) from error


def _has_arrived(step: Step, kubernetes: Kubernetes, error: PlatformError) -> bool:
    """Whether what was sent is there all the same, or has been made by another meanwhile."""
    try:
        found = _find(kubernetes, step.body, step.kind, step.name)
    except PlatformError:
        raise _perhaps_made(step, error) from error
    return found is not None and set(step.keys) <= set(_keys(found))


def _perhaps_made(step: Step, error: PlatformError) -> PlatformError:
    if error.conclusive:
        return error
    return PlatformError(
        f"it is not known whether {step.kind} {step.name} was made",
        found=error.found or error.wanted,
        hint="the same command again finds out, and never makes it twice",
        kind=error.kind,
        status=error.status,
        conclusive=False,
    )


def _where(body: Mapping[str, Any]) -> dict[str, Any]:
    if body.get("kind") in _OF_THE_CLUSTER:
        scope: Scope = "cluster"
        return {"scope": scope}
    return _namespace_of(body)


def _namespace_of(body: Mapping[str, Any]) -> dict[str, Any]:
    namespace = (body.get("metadata") or {}).get("namespace")
    return {"namespace": namespace} if namespace else {}


def _labelled(body: Json, experiment: str) -> Json:
    metadata = body.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), MANAGED_BY: MANAGER}
    if experiment:
        labels[EXPERIMENT_LABEL] = experiment
    return {**body, "metadata": {**metadata, "labels": labels}}


def _keys(body: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(sorted({key for each in _KEYED for key in (body.get(each) or {})}))


def plural(kind: str) -> str:
    """The resource of a kind, by the rule that kubectl guesses with: `StorageClass` -> `storageclasses`."""
    word = kind.lower()
    if word.endswith("s") or word.endswith("x"):
        return f"{word}es"
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
