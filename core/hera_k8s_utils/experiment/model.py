"""What a user declares, an Experiment, and what it becomes on one cluster, a BuiltExperiment."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from hera_k8s_utils.errors import BuildError, OptionsError
from hera_k8s_utils.names import is_dns_label, nearest
from hera_k8s_utils.results import CheckResult
from hera_k8s_utils.sweep.inputs import Inputs

if TYPE_CHECKING:
    from hera_k8s_utils.experiment.manifest import Manifest
    from hera_k8s_utils.sweep.layout import Layout

Workflow = Any
"""A Hera Workflow, or the plain dict of one; a Kubernetes Job (a dict, or a `V1Job`), or several."""

Q = TypeVar("Q", bound="Requirement")


@dataclass(frozen=True)
class Requirement:
    """Something that the cluster must have for the experiment to run. Plugins derive a type for each kind.

    role: what the experiment calls it; `--bind ROLE=NAME` says what it is called on a cluster.
    bound: its name there, once bound.
    """

    role: str
    bound: str | None = field(default=None, kw_only=True, compare=True)

    kind: ClassVar[str] = ""
    """The resource's kind; a checker of this kind checks it."""
    word: ClassVar[str] = ""
    """What a person calls the kind in a report: `claim`, `config map`."""
    binding_option: ClassVar[str] = ""
    """An option that names the only requirement of this type, such as the 0.1 name `k8s_volume_claim_name`."""

    @property
    def name(self) -> str:
        """What it is called on the cluster; the role, unless bound to another name."""
        return self.bound or self.role

    @property
    def title(self) -> str:
        """How a report names it."""
        return f"{self.word or self.kind} {self.role}"

    @property
    def identity(self) -> str:
        """Two requirements of one kind with the same identity are one."""
        return self.name

    def combine(self: Q, other: Requirement) -> Q:  # noqa: ARG002 - types derived from this one use it
        """This requirement with what another one of the same kind and identity asks for besides."""
        return self

    def bind(self: Q, name: str) -> Q:
        """The same requirement under a cluster's name for it."""
        return replace(self, bound=name)

    def task_arguments(self) -> Mapping[str, Sequence[Any]]:
        """What a Hera template needs in order to use it: lists by keyword (`volumes`, `env`, `env_from`)."""
        return {}

    def pod_fields(self) -> Mapping[str, Sequence[Any]]:
        """What a pod of a Job needs in order to use it, as plain data: lists by field, those of the pod (`volumes`)
        and those of its container (`volumeMounts`, `env`, `envFrom`)."""
        return {}

    def workflow_fields(self) -> Mapping[str, Any]:
        """What the workflow's spec needs in order to use it, such as `imagePullSecrets`; plain data."""
        return {}

    @property
    def declared_keys(self) -> frozenset[str]:
        """Keys of its data whose values are declared: `provision` replaces another value on the cluster by them.

        Any other key is added where it is missing, and its value is never replaced.
        """
        return frozenset()

    def problem(self) -> CheckResult | None:
        """Why every API server would reject it, such as an invalid name; None when nothing is known against it.

        No server is asked.
        """
        return None

    def record(self) -> Mapping[str, Any]:
        """What the record of a run holds of it, as plain data without secrets."""
        return requirement_fields(self)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What the cluster offers under the names that the experiment uses. Made offline; asks no server.

    requirements: each with its name on the cluster.
    image: the default image, completed with the registry.
    options: the experiment's own options, an instance of the class that `Experiment(options=)` names.
    """

    requirements: Sequence[Requirement] = ()
    image: str = ""
    registry: str = ""
    service_account: str = ""
    namespace: str | None = None
    options: Any = None

    def __getitem__(self, role: str) -> Requirement:
        """The requirement that plays a role; raises `BuildError` naming the nearest one."""
        for requirement in self.requirements:
            if requirement.role == role:
                return requirement
        roles = [requirement.role for requirement in self.requirements]
        near = nearest(role, roles)
        raise BuildError(
            f"no requirement plays the role {role!r}",
            found=f"roles: {', '.join(roles) or 'none'}",
            hint=f"did you mean {near!r}?" if near else "add it to requires=[...] of the Experiment",
        )

    @property
    def task(self) -> dict[str, Any]:
        """What a Hera template needs: `script(**environment.task)(function)`. A fresh dict at each use."""
        arguments: dict[str, Any] = {"image": self.image} if self.image else {}
        for requirement in self.requirements:
            for keyword, values in requirement.task_arguments().items():
                arguments[keyword] = [*arguments.get(keyword, ()), *values]
        return arguments

    def pod(self, **container: Any) -> dict[str, Any]:
        """The spec of a Job's pod, as plain data: `environment.pod(command=["simulate"])`. A fresh dict at each use.

        It has one container, `main`, with the default image, and all that the experiment requires mounted or set in it.
        container: further fields of that container; lists are added to what is there. `restartPolicy` is `Never`, so
        that each try is a pod of its own.
        """
        main: dict[str, Any] = {"name": "main", "image": self.image} if self.image else {"name": "main"}
        spec: dict[str, Any] = {"restartPolicy": "Never"}
        for requirement in self.requirements:
            _refuse_hera_alone(requirement)
            for field_name, values in requirement.pod_fields().items():
                holder = spec if field_name == "volumes" else main
                holder[field_name] = [*holder.get(field_name, ()), *values]
        for field_name, value in container.items():
            before = main.get(field_name)
            main[field_name] = [*before, *value] if isinstance(before, list) else value
        return {**spec, "containers": [main]}

    def image_name(self, image: str) -> str:
        """An image's full name: a short one is completed with the registry."""
        return qualify_image(image, self.registry)


def _refuse_hera_alone(requirement: Requirement) -> None:
    """Raises `BuildError` for one that says how a Hera template uses it, and not how a pod does."""
    kind = type(requirement)
    if kind.task_arguments is not Requirement.task_arguments and kind.pod_fields is Requirement.pod_fields:
        raise BuildError(
            f"{requirement.title} cannot be used by a Job",
            found=f"{kind.__name__} says only what a Hera template needs",
            hint="its plugin must define pod_fields() as well",
        )


def qualify_image(image: str, registry: str) -> str:
    """Prefix a short image name with the registry; a name that already begins with a host is left alone.

    The rule is Docker's: the first component is a host when it holds a dot or a colon, or is `localhost`.
    """
    head, slash, _ = image.partition("/")
    named_host = bool(slash) and ("." in head or ":" in head or head == "localhost")
    if not image or not registry or named_host:
        return image
    return f"{registry.rstrip('/')}/{image}"


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A numerical experiment, written once, independent of any cluster.

    name: a DNS label of at most 40 characters; workflows and directories are named after it.
    workflow: (environment, inputs, layout) -> a Hera Workflow, or the dict of one; or Kubernetes Jobs: one (a dict, or
        the official client's `V1Job`), or an iterable of them and of the config maps that they read.
    inputs: constants and parameters.
    layout: strategy that names directories: `hive`, `flat`, `hashed`, `template:{a}/{b}` or a plugin's.
    image: default image of the tasks.
    requires: what the cluster must have; each names a role.
    results: the role whose mount holds the results; by default the first requirement that is mounted.
    options: a dataclass whose fields are made with `option(...)`: the experiment's own flags.
    """

    name: str
    workflow: Callable[[Environment, Inputs, Layout], Workflow]
    inputs: Inputs = field(default_factory=Inputs)
    layout: str = "hive"
    image: str = ""
    requires: Sequence[Requirement] = ()
    results: str = ""
    options: type | None = None

    def __post_init__(self) -> None:
        if not is_dns_label(self.name, longest=40):
            raise BuildError(
                f"an experiment cannot be called {self.name!r}",
                found="names are lower-case letters, digits and dashes, at most 40, and begin and end with no dash",
                hint=f"name={slugify(self.name)!r}",
            )
        for what in ("image", "layout", "results"):
            if not isinstance(getattr(self, what), str):
                found = f"{what} is a {type(getattr(self, what)).__name__}, and must be a text"
                hint = f'{what}="python:3.12-slim", or leave it out' if what == "image" else f"{what}=NAME"
                raise BuildError(f"the experiment {self.name} cannot be used", found=found, hint=hint)
        self._refuse_repeated_roles()

    def _refuse_repeated_roles(self) -> None:
        roles = [requirement.role for requirement in self.requires]
        repeated = sorted({role for role in roles if roles.count(role) > 1})
        if repeated:
            raise BuildError(
                f"two requirements of {self.name} play the same role",
                found=", ".join(repeated),
                hint="give each a role of its own; --bind may give both the same name on a cluster",
            )

    @property
    def results_requirement(self) -> Requirement | None:
        """The requirement whose mount holds the results, None when nothing is mounted."""
        mounted = [r for r in self.requires if getattr(r, "mount_path", None)]
        if self.results:
            named = [r for r in mounted if r.role == self.results]
            if not named:
                raise BuildError(
                    f"results={self.results!r} names no mounted requirement",
                    found=f"mounted: {', '.join(r.role for r in mounted) or 'none'}",
                )
            return named[0]
        return mounted[0] if mounted else None


@dataclass(frozen=True, kw_only=True)
class BuiltExperiment:
    """An experiment with everything decided that can be decided without a server.

    run_id: of this run, in the results' root and in the records. name: of the workflow object.
    workflow: what the experiment's function returned. manifest: what is submitted.
    """

    name: str
    run_id: str
    experiment: Experiment
    inputs: Inputs
    layout: Layout
    environment: Environment
    workflow: Workflow
    manifest: Manifest
    source: str = ""

    def require_run(self) -> None:
        """Raises `OptionsError` for an object that is created rather than run, such as a CronWorkflow."""
        kind = self.manifest.workload_kind
        ways = kind.how_to_create(self.manifest.name or self.name, self.environment.namespace or "")
        if not ways:
            return
        file = f" {shlex.quote(self.source)}" if self.source else ""
        piped, *after = ways.split("\n")
        raise OptionsError(
            f"{self.source or self.name} is a {self.manifest.kind}, which is created and not run",
            hint="\n".join([f"hera-k8s render{file} | {piped}", *after]),
        )


def bind_requirements(
    requirements: Sequence[Requirement], bindings: Mapping[str, str], named: Mapping[str, str]
) -> tuple[Requirement, ...]:
    """Give each requirement its name on the cluster.

    bindings: role -> name. named: value by `binding_option`, for the only requirement of a type that has one.
    Raises `OptionsError` for a binding of a role that nothing plays.
    """
    roles = [requirement.role for requirement in requirements]
    for role in bindings:
        if role not in roles:
            near = nearest(role, roles)
            raise OptionsError(
                f"--bind {role}=...: no requirement plays this role",
                found=f"roles: {', '.join(roles) or 'none'}",
                hint=f"did you mean {near}?" if near else "hera-k8s layout shows the roles of an experiment",
            )
    return tuple(_bound(requirement, requirements, bindings, named) for requirement in requirements)


def _bound(
    requirement: Requirement,
    all_of_them: Sequence[Requirement],
    bindings: Mapping[str, str],
    named: Mapping[str, str],
) -> Requirement:
    if requirement.role in bindings:
        return requirement.bind(bindings[requirement.role])
    given = named.get(requirement.binding_option, "") if requirement.binding_option else ""
    alone = sum(type(other) is type(requirement) for other in all_of_them) == 1
    return requirement.bind(given) if given and alone and requirement.bound is None else requirement


def slugify(text: str) -> str:
    """The nearest name that fits the rules for experiments."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-") or "experiment"


def requirement_fields(requirement: Requirement) -> dict[str, Any]:
    """A requirement as plain data, for records; values of `data` are left out, since they may be long."""
    return {
        "kind": requirement.kind,
        "role": requirement.role,
        "name": requirement.name,
        **{
            f.name: getattr(requirement, f.name)
            for f in fields(requirement)
            if f.name not in ("role", "bound", "data")
            and isinstance(getattr(requirement, f.name), (str, int, float, bool))
        },
    }
