"""Requirements of experiments on a Kubernetes cluster: claims, config maps, secrets, accounts, permissions and more."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar

from hera_k8s_utils import BuildError, CheckResult, Requirement
from hera_k8s_utils._moved import forward, renamed

K = TypeVar("K", bound="KubeRequirement")
Keyed = TypeVar("Keyed", bound="KeyValueRequirement")

DIFFERENCES = ("fail", "warn", "ignore")
"""What a check does about declared data that has other values on the cluster."""
_RECORDED = 64 * 1024
"""Characters of declared data that the record of a run holds as they are."""
ACCESS_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")


@dataclass(frozen=True)
class KubeRequirement(Requirement):
    """A requirement on a Kubernetes cluster.

    role: the experiment's name for the resource; configuration binds it to a name on the cluster.
    where: the place in a workflow that names the resource; empty for requirements of the experiment itself.
    """

    where: str = field(default="", kw_only=True, compare=False)

    @property
    def label(self) -> str:
        """`NAME: `, to put before a message; empty when the name on the cluster is the role, which the line shows."""
        return "" if self.name == self.role else f"{self.name}: "

    @property
    def subject(self) -> str:
        """`NAME `, as the subject of a sentence; empty when the name on the cluster is the role."""
        return "" if self.name == self.role else f"{self.name} "

    def problem(self) -> CheckResult | None:
        """Why every API server would reject it, such as an invalid name; None when nothing is known against it."""
        from hera_k8s_kube.validation import problem_of

        return problem_of(self)


@dataclass(frozen=True)
class PersistentVolumeClaim(KubeRequirement):
    """A persistent volume claim in the experiment's namespace.

        PersistentVolumeClaim("results", mount_path="/results", access_mode="ReadWriteMany", size="500Gi")

    role: the experiment's name for the claim; configuration binds it to a name on the cluster.
    mount_path: absolute path at which tasks see the claim; empty (default): it must exist, and is not mounted.
    access_mode: required access mode, such as `ReadWriteMany` for tasks on several nodes; empty (default): any.
    size: minimum capacity, such as `500Gi`; empty (default): any, and `hera-k8s provision` cannot create the claim.
    storage_class: storage class of a claim that `hera-k8s provision` creates; empty (default): the cluster's default.
    sub_path: directory within the claim to mount; empty (default): the whole claim.
    read_only: mount without write access; default False.
    """

    kind: ClassVar[str] = "PersistentVolumeClaim"
    word: ClassVar[str] = "claim"
    binding_option: ClassVar[str] = "k8s_volume_claim_name"

    mount_path: str = field(default="", kw_only=True)
    access_mode: str = field(default="", kw_only=True)
    size: str = field(default="", kw_only=True)
    storage_class: str = field(default="", kw_only=True)
    sub_path: str = field(default="", kw_only=True)
    read_only: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if self.access_mode and self.access_mode not in ACCESS_MODES:
            raise _wrong(self, f"access_mode={self.access_mode!r}", f"one of {', '.join(ACCESS_MODES)}")
        if self.mount_path and not self.mount_path.startswith("/"):
            raise _wrong(self, f"mount_path={self.mount_path!r}", f"an absolute path, such as /{self.mount_path}")
        if self.size:
            _require_quantity(self, self.size)

    def combine(self, other: Requirement) -> PersistentVolumeClaim:
        """A claim that is written to anywhere must be writable."""
        if isinstance(other, PersistentVolumeClaim) and self.read_only and not other.read_only:
            return replace(self, read_only=False)
        return self

    def task_arguments(self) -> Mapping[str, Sequence[Any]]:
        """The volume and its mount."""
        if not self.mount_path:
            return {}
        from hera.workflows import ExistingVolume

        volume = ExistingVolume(
            name=volume_name(self.role),
            claim_name=self.name,
            mount_path=self.mount_path,
            sub_path=self.sub_path or None,
            read_only=self.read_only or None,
        )
        return {"volumes": [volume]}

    def pod_fields(self) -> Mapping[str, Sequence[Any]]:
        """The volume and its mount."""
        if not self.mount_path:
            return {}
        name, read_only = volume_name(self.role), {"readOnly": True} if self.read_only else {}
        source = {"claimName": self.name, **read_only}
        sub_path = {"subPath": self.sub_path} if self.sub_path else {}
        return {
            "volumes": [{"name": name, "persistentVolumeClaim": source}],
            "volumeMounts": [{"name": name, "mountPath": self.mount_path, **sub_path, **read_only}],
        }


@dataclass(frozen=True)
class KeyValueRequirement(KubeRequirement):
    """A config map or a secret. By default each key becomes an environment variable of the tasks.

    role: the experiment's name for the object; configuration binds it to a name on the cluster.
    keys: keys that must be present, in addition to those of `data` and `variables`; default none.
    data: key -> value; `hera-k8s provision` creates the object and updates values that differ; default none.
    when_different: the result of a check when the cluster has other values: `fail` (default) or `warn`; with `ignore`,
        `data` are only initial values, which are neither compared nor updated.
    variables: name of an environment variable -> key; when given, only these variables are set.
    prefix: prefix of the names of environment variables; default none.
    mount_path: absolute path at which tasks see the keys as files; empty (default): as environment variables.
    """

    keys: Sequence[str] = field(default=(), kw_only=True)
    data: Mapping[str, str] = field(default_factory=dict, kw_only=True, hash=False, repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, kw_only=True, hash=False)
    prefix: str = field(default="", kw_only=True)
    mount_path: str = field(default="", kw_only=True)
    when_different: str = field(default="fail", kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.keys, str):
            raise _wrong(self, f"keys={self.keys!r}", f"a list: keys=[{self.keys!r}]")
        object.__setattr__(self, "keys", tuple(self.keys))
        wrong = sorted(str(key) for key, value in self.data.items() if not isinstance(value, str))
        if wrong:
            raise _wrong(self, f"data whose values are not strings ({', '.join(wrong)})", 'strings: "1000" for 1000')
        if self.when_different not in DIFFERENCES:
            raise _wrong(self, f"when_different={self.when_different!r}", f"one of {', '.join(DIFFERENCES)}")
        if self.mount_path and not self.mount_path.startswith("/"):
            raise _wrong(self, f"mount_path={self.mount_path!r}", f"an absolute path, such as /{self.mount_path}")

    @property
    def wanted_keys(self) -> frozenset[str]:
        """Every key that must be present."""
        return frozenset((*self.keys, *self.data, *self.variables.values()))

    @property
    def declared_keys(self) -> frozenset[str]:
        """The keys of `data`, unless another value is to be ignored."""
        return frozenset() if self.when_different == "ignore" else frozenset(self.data)

    def _pod_fields(self, source: str, volume: Mapping[str, Any]) -> Mapping[str, Sequence[Any]]:
        """The keys as environment variables or files. source: `configMap` or `secret`, as fields' names begin."""
        fields: dict[str, Sequence[Any]] = {}
        if self.mount_path:
            name = volume_name(self.role)
            fields["volumes"] = [{"name": name, source: volume}]
            fields["volumeMounts"] = [{"name": name, "mountPath": self.mount_path, "readOnly": True}]
        if self.variables:
            fields["env"] = [
                {"name": variable, "valueFrom": {f"{source}KeyRef": {"name": self.name, "key": key}}}
                for variable, key in self.variables.items()
            ]
        prefix = {"prefix": self.prefix} if self.prefix else {}
        return fields or {"envFrom": [{f"{source}Ref": {"name": self.name}, **prefix}]}

    def combine(self: Keyed, other: Requirement) -> Keyed:
        """This requirement with the other one's keys added."""
        if not isinstance(other, KeyValueRequirement) or other.wanted_keys <= self.wanted_keys:
            return self
        return replace(self, keys=(*self.keys, *sorted(other.wanted_keys - self.wanted_keys)))


@dataclass(frozen=True)
class ConfigMap(KeyValueRequirement):
    """A config map in the experiment's namespace. By default each key becomes an environment variable of the tasks.

        ConfigMap("settings", data={"TRANSIENT": "1000"})

    role: the experiment's name for the config map; configuration binds it to a name on the cluster.
    keys: keys that must be present, in addition to those of `data` and `variables`; default none.
    data: key -> value; `hera-k8s provision` creates the config map and updates values that differ; default none.
    when_different: the result of a check when the cluster has other values: `fail` (default) or `warn`; with `ignore`,
        `data` are only initial values, which are neither compared nor updated.
    variables: name of an environment variable -> key; when given, only these variables are set.
    prefix: prefix of the names of environment variables; default none.
    mount_path: absolute path at which tasks see the keys as files; empty (default): as environment variables.
    """

    kind: ClassVar[str] = "ConfigMap"
    word: ClassVar[str] = "config map"
    binding_option: ClassVar[str] = "k8s_configmap_name"

    def task_arguments(self) -> Mapping[str, Sequence[Any]]:
        """The keys as environment variables or files."""
        from hera.workflows import ConfigMapEnv, ConfigMapEnvFrom, ConfigMapVolume

        arguments: dict[str, Sequence[Any]] = {}
        if self.mount_path:
            # Hera 7.1 names the volume after the config map
            arguments["volumes"] = [_volume(ConfigMapVolume, name=self.name, mount_path=self.mount_path)]
        if self.variables:
            arguments["env"] = [
                ConfigMapEnv(name=variable, config_map_name=self.name, config_map_key=key)
                for variable, key in self.variables.items()
            ]
        if not arguments:
            arguments["env_from"] = [ConfigMapEnvFrom(name=self.name, prefix=self.prefix or None)]
        return arguments

    def pod_fields(self) -> Mapping[str, Sequence[Any]]:
        """The keys as environment variables or files."""
        return self._pod_fields("configMap", {"name": self.name})

    def record(self) -> Mapping[str, Any]:
        """Its fields and its declared data; of data beyond 64 KiB, size and digest of each value."""
        if not self.data:
            return super().record()
        if sum(len(key) + len(value) for key, value in self.data.items()) <= _RECORDED:
            return {**super().record(), "data": dict(self.data)}
        return {**super().record(), "data_digests": {key: _digest(value) for key, value in self.data.items()}}


@dataclass(frozen=True)
class Secret(KeyValueRequirement):
    """A secret in the experiment's namespace. Its values are never shown.

        Secret("salt", generate=["SALT"])

    role: the experiment's name for the secret; configuration binds it to a name on the cluster.
    keys: keys that must be present, in addition to those of `data`, `generate` and `variables`; default none.
    data: key -> value; `hera-k8s provision` creates the secret and updates values that differ; default none.
    when_different: the result of a check when the cluster has other values: `fail` (default) or `warn`; with `ignore`,
        `data` are only initial values, which are neither compared nor updated.
    variables: name of an environment variable -> key; when given, only these variables are set.
    prefix: prefix of the names of environment variables; default none.
    mount_path: absolute path at which tasks see the keys as files; empty (default): as environment variables.
    type: required type, such as `kubernetes.io/tls`; empty (default): any.
    generate: keys for which `hera-k8s provision` generates random values; default none.
    """

    kind: ClassVar[str] = "Secret"
    word: ClassVar[str] = "secret"

    type: str = field(default="", kw_only=True)
    generate: Sequence[str] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.generate, str):
            raise _wrong(self, f"generate={self.generate!r}", f"a list: generate=[{self.generate!r}]")
        object.__setattr__(self, "generate", tuple(self.generate))

    @property
    def wanted_keys(self) -> frozenset[str]:
        """Every key that must be present."""
        return super().wanted_keys | frozenset(self.generate)

    def task_arguments(self) -> Mapping[str, Sequence[Any]]:
        """The keys as environment variables or files."""
        from hera.workflows import SecretEnv, SecretEnvFrom, SecretVolume

        arguments: dict[str, Sequence[Any]] = {}
        if self.mount_path:
            name, path = volume_name(self.role), self.mount_path
            arguments["volumes"] = [_volume(SecretVolume, name=name, secret_name=self.name, mount_path=path)]
        if self.variables:
            arguments["env"] = [
                SecretEnv(name=variable, secret_name=self.name, secret_key=key)
                for variable, key in self.variables.items()
            ]
        if not arguments:
            arguments["env_from"] = [SecretEnvFrom(name=self.name, prefix=self.prefix or None)]
        return arguments

    def pod_fields(self) -> Mapping[str, Sequence[Any]]:
        """The keys as environment variables or files."""
        return self._pod_fields("secret", {"secretName": self.name})

    def record(self) -> Mapping[str, Any]:
        """Its fields, and a fingerprint of each declared value, which shows whether it is the one of another run."""
        from hera_k8s_utils.trust import fingerprint

        prints = {key: fingerprint(value) for key, value in self.data.items()}
        return {**super().record(), **({"data_fingerprints": prints} if prints else {})}


@dataclass(frozen=True)
class PullSecret(KubeRequirement):
    """A secret with the login for a private image registry.

    role: the experiment's name for the secret; configuration binds it to a name on the cluster.
    registry: host (and port) of the registry that the login must be for; empty (default): the value of `--registry`.
    """

    kind: ClassVar[str] = "PullSecret"
    word: ClassVar[str] = "pull secret"

    registry: str = field(default="", kw_only=True)

    def workflow_fields(self) -> Mapping[str, Any]:
        """`imagePullSecrets` of the workflow."""
        return {"imagePullSecrets": [{"name": self.name}]}


@dataclass(frozen=True)
class Rule:
    """Verbs on one resource.

    resource: such as `pods`, `pods/log` or `workflows.argoproj.io`.
    verbs: such as `get`, `create` or `patch`.
    """

    resource: str
    verbs: tuple[str, ...]

    @property
    def plural(self) -> str:
        """The resource without group and subresource."""
        return self.resource.partition("/")[0].partition(".")[0]

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.resource.partition("/")[0].partition(".")[2]

    @property
    def subresource(self) -> str:
        """The part after the slash; empty for the resource itself."""
        return self.resource.partition("/")[2]


REPORTS_RESULTS = Rule("workflowtaskresults.argoproj.io", ("create", "patch"))
"""What Argo's executor needs in each pod to report its result (argo-workflows #15016, #15203)."""


@renamed(may="permissions")
@dataclass(frozen=True)
class ServiceAccount(KubeRequirement):
    """A service account that pods run as.

        ServiceAccount("runner", permissions=(Rule("pods/log", ("get",)),))

    role: the experiment's name for the account; configuration binds it to a name on the cluster.
    runs_workflows: the account must be able to report results, as a workflow's pods do; default True.
    permissions: what the account must also be permitted; default nothing.
    """

    kind: ClassVar[str] = "ServiceAccount"
    word: ClassVar[str] = "account"

    runs_workflows: bool = field(default=True, kw_only=True)
    permissions: tuple[Rule, ...] = field(default=(), kw_only=True)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Everything that the account must be permitted."""
        return ((REPORTS_RESULTS,) if self.runs_workflows else ()) + tuple(self.permissions)

    def combine(self, other: Requirement) -> ServiceAccount:
        """This requirement with the other one's permissions added."""
        if not isinstance(other, ServiceAccount):
            return self
        added = tuple(rule for rule in other.permissions if rule not in self.permissions)
        runs_workflows = self.runs_workflows or other.runs_workflows
        return replace(self, permissions=(*self.permissions, *added), runs_workflows=runs_workflows)


@dataclass(frozen=True)
class Permission(KubeRequirement):
    """Permission for verbs on a resource of the namespace.

        Permission("workflows.argoproj.io", verbs=("create", "get"))

    role: the resource, such as `pods`, `pods/log` or `workflows.argoproj.io`.
    verbs: default `get`.
    account: service account that must have the permission; empty (default): the user who runs the command.
    only: name of the one object that the permission is for; empty (default): all objects of the resource.
    """

    kind: ClassVar[str] = "Permission"
    word: ClassVar[str] = "permission to"

    verbs: tuple[str, ...] = field(default=("get",), kw_only=True)
    account: str = field(default="", kw_only=True)
    only: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.verbs, str):
            raise _wrong(self, f"verbs={self.verbs!r}", f"a tuple: verbs=({self.verbs!r},)")
        object.__setattr__(self, "verbs", tuple(self.verbs))

    @property
    def title(self) -> str:
        """`permission to create pods`, `account runner to create pods`."""
        who = f"account {self.account} to" if self.account else self.word
        return f"{who} {', '.join(self.verbs)} {self.name}"

    @property
    def identity(self) -> str:
        """The verbs, the resource, and the account that needs them."""
        return " ".join((self.account, ",".join(self.verbs), self.name, self.only))

    @property
    def rule(self) -> Rule:
        """The permission as a rule."""
        return Rule(self.name, self.verbs)


@dataclass(frozen=True)
class Namespace(KubeRequirement):
    """A namespace. Reading one needs a permission that ordinary users may lack.

    role: the namespace's name.
    """

    kind: ClassVar[str] = "Namespace"
    word: ClassVar[str] = "namespace"


@dataclass(frozen=True)
class StorageClass(KubeRequirement):
    """A storage class of the cluster.

    role: the experiment's name for the class; configuration binds it to a name on the cluster.
    """

    kind: ClassVar[str] = "StorageClass"
    word: ClassVar[str] = "storage class"


@dataclass(frozen=True)
class CustomResourceDefinition(KubeRequirement):
    """A custom resource definition, such as an operator installs.

    role: its full name, such as `servicemonitors.monitoring.coreos.com`.
    version: API version that must be served, such as `v1`; empty (default): any.
    """

    kind: ClassVar[str] = "CustomResourceDefinition"
    word: ClassVar[str] = "definition"

    version: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class WorkflowTemplate(KubeRequirement):
    """An Argo WorkflowTemplate that a workflow refers to.

    role: the experiment's name for it; configuration binds it to a name on the cluster.
    templates: names of the templates that it must contain; default none.
    cluster: it is a ClusterWorkflowTemplate; default False.
    """

    kind: ClassVar[str] = "WorkflowTemplate"
    word: ClassVar[str] = "workflow template"

    templates: tuple[str, ...] = field(default=(), kw_only=True)
    cluster: bool = field(default=False, kw_only=True)

    @property
    def identity(self) -> str:
        """Scope and name: a WorkflowTemplate and a ClusterWorkflowTemplate may have the same name."""
        return f"{'cluster' if self.cluster else 'namespace'}/{self.name}"

    def combine(self, other: Requirement) -> WorkflowTemplate:
        """This requirement with the other one's templates added."""
        if not isinstance(other, WorkflowTemplate):
            return self
        return replace(self, templates=tuple(dict.fromkeys((*self.templates, *other.templates))))


def volume_name(role: str) -> str:
    """The volume name for a role: a DNS label, without the dots that a role may contain, of at most 63 characters."""
    return role.replace(".", "-").replace("_", "-").lower()[:63].strip("-") or "volume"


def _digest(value: str) -> Mapping[str, Any]:
    content = value.encode(errors="surrogatepass")
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _volume(kind: Any, **fields: Any) -> Any:
    """A Hera volume that is mounted read-only: a pod cannot write to projected data."""
    return kind(read_only=True, **fields)


def _require_quantity(requirement: KubeRequirement, size: str) -> None:
    from hera_k8s_utils import parse_quantity

    try:
        parse_quantity(size)
    except ValueError as error:
        raise _wrong(requirement, f"size={size!r}", "a quantity, such as 500Gi") from error


def _wrong(requirement: KubeRequirement, given: str, wanted: str) -> BuildError:
    return BuildError(f"{requirement.title} cannot have {given}", hint=f"use {wanted}")


globals()["__getattr__"] = forward(__name__)  # old names; not as a `def`, or type checkers would accept any name
