"""Provisioning: the objects that an experiment declares and the cluster lacks, shown before they are made.

What is missing is created. Only objects that carry our label are changed: they get keys that they lack, and the
declared value of keys that have another. Keys that are not declared stay, and so do values that were generated.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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


CREATE, PATCH, UPDATE, PRESENT, BLOCKED = "create", "complete", "update", "present", "cannot"

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
_DONE: Final = {CREATE: "made", PATCH: "made", UPDATE: "updated"}
_ATTEMPTS: Final = 5
"""How often a change is made anew when another client changes the object at the same time."""


@dataclass(frozen=True)
class Step:
    """What would be done about one requirement.

    title: of the requirement, `claim results`.
    kind: of the object.
    name: of the object.
    action: `create`, `complete` (add keys to an object of ours), `update` (also give keys their declared values),
        `present` (nothing to do) or `cannot`.
    body: what is sent; None when nothing is.
    keys: names that the body holds; their values are never shown.
    why: for `cannot`, and what to know of an `update`.
    declared: the whole object as it is declared; None where the requirement does not say enough.
    declared_keys: the keys whose values are declared, as `Requirement.declared_keys`.
    """

    title: str
    kind: str
    name: str
    action: str
    body: Json | None = None
    keys: tuple[str, ...] = ()
    why: str = ""
    declared: Json | None = field(default=None, repr=False)
    declared_keys: frozenset[str] = frozenset()

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
    """Create, complete and update what the plan says, in its order; returns what was done.

    Raises `PlatformError` at the first that the cluster refuses; what was made before stays, and is found next time.
    An object is made once: values that were generated for it are not replaced when an answer is lost, or comes late.
    An object is changed at the version that was read; when another client changed it meanwhile, it is read again.
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
    problem = requirement.problem()
    if problem is not None:
        return Step(requirement.title, kind, requirement.name, BLOCKED, why=problem.detail)
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
    declared = _labelled(body, experiment)
    step = Step(
        requirement.title, kind, name, CREATE, declared, _keys(declared), "", declared, requirement.declared_keys
    )
    return step if found is None else _change(step, found)


def _change(step: Step, found: Json) -> Step:
    """What to do about an object that is there: give it the keys and the values that it lacks, if it is ours."""
    declared = step.declared
    assert declared is not None
    fields, lacking, differing = _fields_to_send(declared, found, step.declared_keys)
    keys = tuple(sorted({*lacking, *differing}))
    if not keys:
        return replace(step, action=PRESENT, body=None, keys=())
    obstacle = _obstacle(declared, found, lacking, differing)
    if obstacle:
        return replace(step, action=BLOCKED, body=None, keys=keys, why=obstacle)
    version = (found.get("metadata") or {}).get("resourceVersion")
    metadata = {"name": step.name, **_namespace_of(declared), **({"resourceVersion": version} if version else {})}
    body = {"apiVersion": declared["apiVersion"], "kind": step.kind, "metadata": metadata, **fields}
    if differing:
        return replace(step, action=UPDATE, body=body, keys=keys, why="pods that start from now on read the new values")
    return replace(step, action=PATCH, body=body, keys=keys)


def _fields_to_send(declared: Json, found: Json, declared_keys: Collection[str]) -> tuple[Json, set[str], set[str]]:
    """The fields of a merge patch, the keys that are missing, and the keys that have another value."""
    kind = str(declared["kind"])
    there, wanted = _values(found, kind), _values(declared, kind)
    lacking = wanted.keys() - there.keys()
    differing = {key for key in wanted.keys() & there.keys() if key in declared_keys and wanted[key] != there[key]}
    fields: Json = {}
    for name in _KEYED:
        for key, value in (declared.get(name) or {}).items():
            if key in lacking or key in differing:
                fields.setdefault(name, {})[key] = value
        for key in differing & (found.get(name) or {}).keys() - (declared.get(name) or {}).keys():
            fields.setdefault(name, {})[key] = None  # it moves to another field, and no key may be in two
    return fields, lacking, differing


def _values(body: Json, kind: str) -> dict[str, bytes]:
    """The values of an object's keys as bytes, whichever of its fields they are in."""
    encoded = {"binaryData", *(("data",) if kind == "Secret" else ())}
    return {
        key: _decoded(str(value)) if name in encoded else str(value).encode(errors="surrogatepass")
        for name in _KEYED
        for key, value in (body.get(name) or {}).items()
    }


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value)
    except ValueError:
        return value.encode()


def _obstacle(declared: Json, found: Json, lacking: set[str], differing: set[str]) -> str:
    """Why an object is not changed; empty when it may be."""
    labels = (found.get("metadata") or {}).get("labels") or {}
    what = "with other values of these keys" if differing else "without these keys"
    if labels.get(MANAGED_BY) != MANAGER:
        return f"it is there {what}, and is not ours to change"
    owner = labels.get(EXPERIMENT_LABEL)
    own = (declared["metadata"].get("labels") or {}).get(EXPERIMENT_LABEL)
    if differing and owner and own and owner != own:
        return f"it is there {what}, and belongs to the experiment {owner}"
    if found.get("immutable"):
        return f"it is there {what}, and is immutable"
    return ""


def _find(kubernetes: Kubernetes, body: Json | None, kind: str, name: str) -> Json | None:
    api_version = str(body["apiVersion"]) if body else "v1"
    try:
        return kubernetes.get(api_version, plural(kind), name, **_where(body or {"kind": kind}))
    except PlatformError as error:
        if error.kind is ErrorKind.MISSING:
            return None
        raise


def _send(step: Step, kubernetes: Kubernetes) -> None:
    """Make one step, again as it has become after a change of another client's."""
    for _ in range(_ATTEMPTS):
        try:
            _request(step, kubernetes)
        except PlatformError as error:
            if error.conclusive and error.kind is not ErrorKind.CONFLICT:
                raise
            now = _read_back(step, kubernetes, error)
            if now.action == PRESENT:
                return
            if not error.conclusive:
                raise _perhaps_made(step, error) from error
            if now.body is None:
                raise _overtaken(step, now.why) from error
            step = now
        else:
            return
    raise _overtaken(step, f"another client changed it {_ATTEMPTS} times at the same moment")


def _request(step: Step, kubernetes: Kubernetes) -> None:
    body = step.body
    assert body is not None
    if step.action == CREATE:
        kubernetes.create(body["apiVersion"], plural(step.kind), body, **_where(body))
    else:
        kubernetes.patch(body["apiVersion"], plural(step.kind), step.name, body, **_where(body))


def _read_back(step: Step, kubernetes: Kubernetes, error: PlatformError) -> Step:
    """The step as it is now: what was sent may be there all the same, or another client may have changed it."""
    assert step.declared is not None
    try:
        found = _find(kubernetes, step.declared, step.kind, step.name)
    except PlatformError:
        raise _perhaps_made(step, error) from error
    if found is None:
        return replace(step, action=CREATE, body=step.declared, keys=_keys(step.declared))
    return _change(step, found)


def _overtaken(step: Step, why: str) -> PlatformError:
    return PlatformError(
        f"{step.kind} {step.name} was not changed",
        found=why,
        hint="the same command again shows what is left to do",
        kind=ErrorKind.CONFLICT,
        conclusive=True,
    )


def _perhaps_made(step: Step, error: PlatformError) -> PlatformError:
    if error.conclusive:
        return error
    return PlatformError(
        f"it is not known whether {step.kind} {step.name} was {_DONE[step.action]}",
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
