"""The records that hooks return: frozen declarations, whose functions the core calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from hera_k8s_utils._types import Json
from hera_k8s_utils.experiment.run_state import LogLine, RunSummary, RunUpdate, Submission
from hera_k8s_utils.experiment.workload_kinds import WorkloadKind as WorkloadKind
from hera_k8s_utils.plugins.credentials import Credential
from hera_k8s_utils.results import CheckResult, Finding

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_utils.experiment.manifest import Manifest
    from hera_k8s_utils.experiment.model import BuiltExperiment, Requirement
    from hera_k8s_utils.experiment.workload import Unresolved
    from hera_k8s_utils.plugins.context import Context

R = TypeVar("R", bound="Requirement")


# --- credentials -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class CredentialProvider:
    """One way to a credential for one platform.

    name: as in `--credentials PLATFORM=NAME`.
    target: name of the platform that the credential opens.
    load: (settings, context) -> Credential. Raises `NotApplicable` with the reason when it has nothing to offer,
        any other `HeraK8sError` when it should have worked and did not. Called again to renew.
    priority: among providers that were found rather than asked for, the highest is tried first.
    settings: its options, an `@option` class; setting a field declared with `option(..., selects_provider=True)`
        selects this provider.
    """

    name: str
    target: str
    load: Callable[[Any, Context], Credential]
    priority: int = 0
    settings: type | None = None


# --- platforms -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A server that experiments run on, and how a client for it is opened.

    name: its key, `argo`.
    open: (settings, credential, context) -> client. Makes no request by itself.
    close: releases the client.
    probe: (settings, context) -> findings about access: reachable, trusted, authorised, version.
    replaces: name of a platform that this one takes the place of (the key stays the replaced one's).
    needs: names of platforms that must be opened before, for their credential or their client.
    activate: (settings, context) -> None. Points a client library's global configuration at the server, for 0.1
        scripts that submit through that library; nothing else calls it. Without one, that of the replaced platform.
    settings: its options, an `@option` class; None without any.
    """

    name: str
    open: Callable[[Any, Credential, Context], Any]
    close: Callable[[Any], None] | None = None
    probe: Callable[[Any, Context], Iterable[Finding]] | None = None
    replaces: str | None = None
    needs: Sequence[str] = ()
    activate: Callable[[Any, Context], None] | None = None
    settings: type | None = None


# --- checks ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ResourceChecker(Generic[R]):
    """Checks whether a resource of one kind exists and is fit for use.

    kind: the resource's kind, `PersistentVolumeClaim`; the name of the checker.
    requirement: the type that an experiment writes to ask for it.
    check: (settings, context, wanted) -> CheckResult. It may let a `PlatformError` pass: the core turns 404 into
        failed, 403 into unknown, and the rest into failed, in words of its own.
    references: what a workflow manifest uses of this kind; `Unresolved` for what is named only when it runs.
    provision: (settings, context, wanted) -> the object to create when it is missing, or None when the requirement
        does not say enough to make one. Makes no request.
    locate: (settings, context, wanted) -> where on this machine its contents lie, or None.
    settings: its options; None without any.
    """

    kind: str
    requirement: type[R]
    check: Callable[[Any, Context, R], CheckResult]
    references: Callable[[Manifest], Iterable[R | Unresolved]] | None = None
    provision: Callable[[Any, Context, R], Json | None] | None = None
    locate: Callable[[Any, Context, R], str | None] | None = None
    settings: type | None = None


# --- layouts ---------------------------------------------------------------------------------------------------


# --- engines ---------------------------------------------------------------------------------------------------


class Engine(Protocol):
    """Runs manifests of the kinds that its declaration names."""

    def submit(self, built: BuiltExperiment) -> Submission:
        """Exactly once: a lost answer or a conflict is read back and compared by name and digest label."""

    def preflight(self, built: BuiltExperiment) -> Iterable[Finding]:
        """What the server says of the manifest without running it."""

    def follow(self, name: str) -> Iterator[RunUpdate]:
        """Updates as they come, reconnecting and renewing tokens, until a final phase."""

    def logs(self, name: str, *, pod: str = "", follow: bool = False) -> Iterator[LogLine]:
        """What the tasks printed."""

    def stop(self, name: str, *, terminate: bool = False) -> None:
        """End a run; its exit handlers run unless `terminate`. Raises `RunAlreadyFinished` for one that has ended."""

    def runs(self, *, label_selector: str = "", limit: int = 500) -> Iterator[RunSummary]:
        """The runs on the server that carry the labels."""

    def find(self, name: str) -> RunSummary:
        """The one run of a name, with its labels, read and not listed; raises `PlatformError` (404) without one."""


@dataclass(frozen=True, kw_only=True)
class ExecutionEngine:
    """A way to run manifests.

    name: as in `--engine NAME`.
    open: (settings, context) -> Engine; makes no request by itself.
    runs: kinds of object that it takes, such as `Workflow`.
    platforms: names of the platforms that it talks to, the one it submits through first.
    priority: the highest that takes the manifest's kind is used, unless `--engine` names one.
    settings: its options; None without any.
    """

    name: str
    open: Callable[[Any, Context], Engine]
    runs: Sequence[str]
    platforms: Sequence[str] = ()
    priority: int = 0
    settings: type | None = None


# --- commands and sites ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command of `hera-k8s`.

    name: one or more words: `run`, `arkouda exporter deploy`.
    run: (session) -> exit code; the argument is a `hera_k8s_utils.Session`.
    summary: one line for the list of commands.
    example: a line or two that can be typed.
    arguments: adds the command's own positionals and flags to its parser.
    configures: whether the options of all plugins are its flags too; True for commands that talk to a server.
    settings: its own options; None without any.
    """

    name: str
    run: Callable[[Any], int]
    summary: str
    example: str = ""
    arguments: Callable[[ArgumentParser], None] | None = None
    configures: bool = True
    settings: type | None = None


@dataclass(frozen=True, kw_only=True)
class Site:
    """Defaults and requirements that a platform team sets for its users.

    name: of the site.
    defaults: values of options by name; below configuration files, above built-in defaults.
    requires: what every experiment here needs.
    amend: (manifest, context) -> manifest; may return a changed copy. Runs offline.
    """

    name: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    requires: Sequence[Requirement] = ()
    amend: Callable[[Manifest, Context], Manifest] | None = None


# --- events ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LifecycleEvent:
    """A step in the life of a run.

    name: `built`, `checked`, `provisioned`, `submitted`, `updated` or `finished`.
    data: plain values without secrets.
    """

    name: str
    data: Mapping[str, Any] = field(default_factory=dict)
