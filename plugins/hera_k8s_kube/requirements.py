"""What an experiment may ask of a Kubernetes cluster: claims, config maps, secrets, accounts, rights and the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar

from hera_k8s_utils import BuildError, Requirement

K = TypeVar("K", bound="KubeRequirement")
Keyed = TypeVar("Keyed", bound="KeyValueRequirement")

ACCESS_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")


@dataclass(frozen=True)
class KubeRequirement(Requirement):
    """A requirement that a Kubernetes cluster meets.

    where: for one that was read out of a workflow, the place that names it; such a one has no role to bind.
    """

    where: str = field(default="", kw_only=True, compare=False)

    @property
    def label(self) -> str:
        """The name on the cluster in front of a message, where it is not the role that the line shows already."""
        return "" if self.name == self.role else f"{self.name}: "

    @property
    def subject(self) -> str:
        """The name on the cluster as the subject of a sentence, where it is not the role."""
        return "" if self.name == self.role else f"{self.name} "


@dataclass(frozen=True)
class PersistentVolumeClaim(KubeRequirement):
    """A claim on storage, in the experiment's namespace.

    role: what the experiment calls it; bound to a name of the cluster's by configuration.
    mount_path: where tasks see it; empty: it must be there, and is not mounted by us.
    access_mode: `ReadWriteMany` where tasks on several nodes share it; empty: any.
    size: the least that it must hold, such as `500Gi`; needed for `hera-k8s provision`.
    storage_class: of the claim that `hera-k8s provision` makes; empty: the cluster's default.
    sub_path: a directory of the claim to mount instead of the whole. read_only: tasks may not write.
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
        """One that is written to anywhere must be writable."""
        if isinstance(other, PersistentVolumeClaim) and self.read_only and not other.read_only:
            return replace(self, read_only=False)
        return self

    def task_arguments(self) -> Mapping[str, Sequence[Any]]:
        """The claim, mounted."""
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
        """The claim, mounted."""
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
    """A map of keys to values. By default each key becomes a variable of the task's environment.

    keys: names that must be present; those of `data` and `variables` are wanted too.
    data: values, by key, that `hera-k8s provision` creates it with.
    variables: names of variables -> keys; when given, only these are set. prefix: of the variables' names.
    mount_path: where tasks see the keys as files, instead of as variables.
    """

    keys: Sequence[str] = field(default=(), kw_only=True)
    data: Mapping[str, str] = field(default_factory=dict, kw_only=True, hash=False, repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, kw_only=True, hash=False)
    prefix: str = field(default="", kw_only=True)
    mount_path: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.keys, str):
            raise _wrong(self, f"keys={self.keys!r}", f"a list: keys=[{self.keys!r}]")
        object.__setattr__(self, "keys", tuple(self.keys))
        wrong = sorted(str(key) for key, value in self.data.items() if not isinstance(value, str))
        if wrong:
            raise _wrong(self, f"data with values that are no text ({', '.join(wrong)})", 'text: "1000" for 1000')
        if self.mount_path and not self.mount_path.startswith("/"):
            raise _wrong(self, f"mount_path={self.mount_path!r}", f"an absolute path, such as /{self.mount_path}")

    @property
    def wanted_keys(self) -> frozenset[str]:
        """Every key that must be present."""
        return frozenset((*self.keys, *self.data, *self.variables.values()))

    def _pod_fields(self, source: str, volume: Mapping[str, Any]) -> Mapping[str, Sequence[Any]]:
        """The keys as variables or as files. source: `configMap` or `secret`, as names of fields begin."""
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
        """With the keys that the other one needs besides."""
        if not isinstance(other, KeyValueRequirement) or other.wanted_keys <= self.wanted_keys:
            return self
        return replace(self, keys=(*self.keys, *sorted(other.wanted_keys - self.wanted_keys)))


@dataclass(frozen=True)
class ConfigMap(KeyValueRequirement):
    """A config map in the experiment's namespace. The fields are those of `KeyedRequirement`.

    ConfigMap("settings", data={"TRANSIENT": "1000"})
    """

    kind: ClassVar[str] = "ConfigMap"
    word: ClassVar[str] = "config map"
    binding_option: ClassVar[str] = "k8s_configmap_name"

    def task_arguments(self) -> Mapping[str, Sequence[Any]]:
        """The keys, as variables or as files."""
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
        """The keys, as variables or as files."""
        return self._pod_fields("configMap", {"name": self.name})


@dataclass(frozen=True)
class Secret(KeyValueRequirement):
    """A secret in the experiment's namespace. Its values are never shown.

        Secret("salt", generate=["SALT"])

    type: such as `kubernetes.io/tls`; empty: any. generate: keys that `hera-k8s provision` fills with random text.
    The other fields are those of `KeyedRequirement`.
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
        """The keys, as variables or as files."""
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
        """The keys, as variables or as files."""
        return self._pod_fields("secret", {"secretName": self.name})


@dataclass(frozen=True)
class PullSecret(KubeRequirement):
    """A secret with which images are pulled from a registry that asks who one is.

    registry: the host that it must cover; empty: the one that `--registry` names.
    """

    kind: ClassVar[str] = "PullSecret"
    word: ClassVar[str] = "pull secret"

    registry: str = field(default="", kw_only=True)

    def workflow_fields(self) -> Mapping[str, Any]:
        """`imagePullSecrets` of the workflow."""
        return {"imagePullSecrets": [{"name": self.name}]}


@dataclass(frozen=True)
class Rule:
    """Verbs on one resource. resource: `pods`, `pods/log`, `workflows.argoproj.io`."""

    resource: str
    verbs: tuple[str, ...]

    @property
    def plural(self) -> str:
        """The resource without its group and subresource."""
        return self.resource.partition("/")[0].partition(".")[0]

    @property
    def group(self) -> str:
        """The API group; empty for the core one."""
        return self.resource.partition("/")[0].partition(".")[2]

    @property
    def subresource(self) -> str:
        """What follows the slash."""
        return self.resource.partition("/")[2]


REPORTS_RESULTS = Rule("workflowtaskresults.argoproj.io", ("create", "patch"))
"""What Argo's executor needs in every pod to report its result (argo-workflows #15016, #15203)."""


@dataclass(frozen=True)
class ServiceAccount(KubeRequirement):
    """An account that pods run as.

    runs_workflows: it must be able to report results, as the pods of a workflow do. may: further rights.
    """

    kind: ClassVar[str] = "ServiceAccount"
    word: ClassVar[str] = "account"

    runs_workflows: bool = field(default=True, kw_only=True)
    may: tuple[Rule, ...] = field(default=(), kw_only=True)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All that it must be allowed."""
        return ((REPORTS_RESULTS,) if self.runs_workflows else ()) + tuple(self.may)

    def combine(self, other: Requirement) -> ServiceAccount:
        """With the rights that the other one needs besides."""
        if not isinstance(other, ServiceAccount):
            return self
        added = tuple(rule for rule in other.may if rule not in self.may)
        return replace(self, may=(*self.may, *added), runs_workflows=self.runs_workflows or other.runs_workflows)


@dataclass(frozen=True)
class Permission(KubeRequirement):
    """Something that one must be allowed to do in the namespace.

        Right("workflows.argoproj.io", verbs=("create", "get"))

    role: the resource. account: a service account that must be allowed; empty: whoever runs this.
    only: the name of the one object that it is about; empty: all of the resource.
    """

    kind: ClassVar[str] = "Permission"
    word: ClassVar[str] = "right to"

    verbs: tuple[str, ...] = field(default=("get",), kw_only=True)
    account: str = field(default="", kw_only=True)
    only: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.verbs, str):
            raise _wrong(self, f"verbs={self.verbs!r}", f"a tuple: verbs=({self.verbs!r},)")
        object.__setattr__(self, "verbs", tuple(self.verbs))

    @property
    def title(self) -> str:
        """`right to create pods`, `account runner to create pods`."""
        who = f"account {self.account} to" if self.account else self.word
        return f"{who} {', '.join(self.verbs)} {self.name}"

    @property
    def identity(self) -> str:
        """Who, what and on which resource."""
        return " ".join((self.account, ",".join(self.verbs), self.name, self.only))

    @property
    def rule(self) -> Rule:
        """As a rule."""
        return Rule(self.name, self.verbs)


@dataclass(frozen=True)
class Namespace(KubeRequirement):
    """A namespace; looking at one needs a right that ordinary users may lack."""

    kind: ClassVar[str] = "Namespace"
    word: ClassVar[str] = "namespace"


@dataclass(frozen=True)
class StorageClass(KubeRequirement):
    """A storage class of the cluster."""

    kind: ClassVar[str] = "StorageClass"
    word: ClassVar[str] = "storage class"


@dataclass(frozen=True)
class CustomResourceDefinition(KubeRequirement):
    """A kind that an operator brings: `servicemonitors.monitoring.coreos.com`.

    version: one that must be served; empty: any.
    """

    kind: ClassVar[str] = "CustomResourceDefinition"
    word: ClassVar[str] = "definition"

    version: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class WorkflowTemplate(KubeRequirement):
    """A workflow template of Argo's that a workflow refers to.

    templates: those that it must hold. cluster: it is a ClusterWorkflowTemplate.
    """

    kind: ClassVar[str] = "WorkflowTemplate"
    word: ClassVar[str] = "workflow template"

    templates: tuple[str, ...] = field(default=(), kw_only=True)
    cluster: bool = field(default=False, kw_only=True)

    @property
    def identity(self) -> str:
        """A template of the cluster and one of the namespace may have the same name."""
        return f"{'cluster' if self.cluster else 'namespace'}/{self.name}"

    def combine(self, other: Requirement) -> WorkflowTemplate:
        """With the templates that the other one needs besides."""
        if not isinstance(other, WorkflowTemplate):
            return self
        return replace(self, templates=tuple(dict.fromkeys((*self.templates, *other.templates))))


def volume_name(role: str) -> str:
    """The name of the volume of a role: roles may hold dots, names of volumes may not, and end after 63 characters."""
    return role.replace(".", "-").replace("_", "-").lower()[:63].strip("-") or "volume"


def _volume(kind: Any, **fields: Any) -> Any:
    """A Hera volume that is mounted read-only, since what is projected into a pod cannot be written."""
    return kind(read_only=True, **fields)


def _require_quantity(requirement: KubeRequirement, size: str) -> None:
    from hera_k8s_utils import parse_quantity

    try:
        parse_quantity(size)
    except ValueError as error:
        raise _wrong(requirement, f"size={size!r}", "a quantity, such as 500Gi") from error


def _wrong(requirement: KubeRequirement, given: str, wanted: str) -> BuildError:
    return BuildError(f"{requirement.title} cannot have {given}", hint=f"it takes {wanted}")
