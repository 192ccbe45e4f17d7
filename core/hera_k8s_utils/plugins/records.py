"""What plugins declare: frozen records of functions, which the core calls in its own order and under its own clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from hera_k8s_utils.redaction import redact

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_argo.workflow.variables import Unresolved
    from hera_k8s_utils.experiment.manifest import Manifest
    from hera_k8s_utils.experiment.model import BuiltExperiment, Requirement
    from hera_k8s_utils.plugins.context import Context
    from hera_k8s_utils.sweep.inputs import Inputs, Point

Json = dict[str, Any]
R = TypeVar("R", bound="Requirement")


# --- credentials -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Credential:
    """What opens a platform, and what may be shown of it.

    secret: a bearer token; never shown.
    handle: an object that only the platform understands, such as a configured client; never shown.
    server: the platform's address, where the provider knows it; it then beats the settings. Its path may hold a secret.
    certificate_authority: path of a PEM file that the server's certificate is verified with.
    identity: as whom; empty when it cannot be told.
    namespace: the namespace that comes with the credential (a kubeconfig's context has one).
    expires_at: timezone-aware; None when it cannot be told.
    source: where it was found, as the user would say it: `kubeconfig, context lyon`.
    provisions: the platform is the user's own (the sandbox): missing resources are created without asking.
    """

    secret: str = field(default="", repr=False)
    handle: Any = field(default=None, repr=False)
    server: str = field(default="", repr=False)
    certificate_authority: str = ""
    identity: str = ""
    namespace: str = ""
    expires_at: datetime | None = None
    source: str = ""
    provisions: bool = False


@dataclass(frozen=True, kw_only=True)
class CredentialProvider:
    """One way to a credential for one platform.

    target: name of the platform that the credential opens.
    load: (settings, context) -> Credential. Raises `NotApplicable` with the reason when it has nothing to offer,
        any other `HeraK8sError` when it should have worked and did not. Called again to renew.
    priority: among providers that were found rather than asked for, the highest is tried first.
    settings: its options; a field declared with `option(..., selects=True)` that the user sets asks for this provider.
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

    open: (settings, credential, context) -> client. Makes no request by itself.
    close: releases the client.
    probe: (settings, context) -> findings about access: reachable, trusted, authorised, version.
    replaces: name of a platform that this one takes the place of (the key stays the replaced one's).
    needs: names of platforms that must be opened before, for their credential or their client.
    """

    name: str
    open: Callable[[Any, Credential, Context], Any]
    close: Callable[[Any], None] | None = None
    probe: Callable[[Any, Context], Iterable[Finding]] | None = None
    replaces: str | None = None
    needs: Sequence[str] = ()
    settings: type | None = None


# --- checks ----------------------------------------------------------------------------------------------------


class Verdict(str, Enum):
    """What a check came to. UNKNOWN: it may not be looked at; ERROR: the checker itself broke, never a pass."""

    PASSED = "passed"
    WARNING = "warning"
    UNKNOWN = "unknown"
    FAILED = "failed"
    ERROR = "error"


@dataclass(frozen=True)
class CheckResult:
    """A verdict, what was found in a few words, what can be typed about it, and a page to read; without secrets."""

    verdict: Verdict
    detail: str
    hint: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        for name in ("detail", "hint", "url"):
            object.__setattr__(self, name, redact(str(getattr(self, name))))


def ok(detail: str) -> CheckResult:
    """It is there and fit for use."""
    return CheckResult(Verdict.PASSED, detail)


def warn(detail: str, hint: str = "", url: str = "") -> CheckResult:
    """It will probably work, and the reader should know why it may not."""
    return CheckResult(Verdict.WARNING, detail, hint, url)


def unknown(detail: str, hint: str = "", url: str = "") -> CheckResult:
    """It may not be looked at, or cannot be told."""
    return CheckResult(Verdict.UNKNOWN, detail, hint, url)


def fail(detail: str, hint: str = "", url: str = "") -> CheckResult:
    """The run would fail or hang."""
    return CheckResult(Verdict.FAILED, detail, hint, url)


@dataclass(frozen=True)
class Finding:
    """A result with the title of its line in the report, such as `claim results`."""

    title: str
    result: CheckResult


@dataclass(frozen=True, kw_only=True)
class ResourceChecker(Generic[R]):
    """Says whether one kind of resource is there and fit for use.

    kind: the resource's kind, `PersistentVolumeClaim`; the name of the checker.
    requirement: the type that an experiment writes to ask for it.
    check: (settings, context, wanted) -> CheckResult. It may let a `PlatformError` pass: the core turns 404 into
        failed, 403 into unknown, and the rest into failed, in words of its own.
    references: what a workflow manifest uses of this kind; `Unresolved` for what is named only when it runs.
    provision: (settings, context, wanted) -> the object to create when it is missing, or None when the requirement
        does not say enough to make one. Makes no request.
    locate: (settings, context, wanted) -> where on this machine its contents lie, or None.
    """

    kind: str
    requirement: type[R]
    check: Callable[[Any, Context, R], CheckResult]
    references: Callable[[Manifest], Iterable[R | Unresolved]] | None = None
    provision: Callable[[Any, Context, R], Json | None] | None = None
    locate: Callable[[Any, Context, R], str | None] | None = None
    settings: type | None = None


# --- layouts ---------------------------------------------------------------------------------------------------


class Naming(Protocol):
    """How one strategy names the points of one sweep. Paths are relative, with `/`, and never leave their root."""

    def encode(self, point: Point) -> str:
        """The relative path of a point."""

    def decode(self, path: str) -> Mapping[str, Any]:
        """The values that `encode` was given; raises `BuildError` on a path that is not of this naming."""


@dataclass(frozen=True, kw_only=True)
class LayoutStrategy:
    """A way of naming directories after points.

    build: (settings, inputs, argument) -> Naming; `argument` is what follows the colon in `template:{seed}/{rate}`.
    sidecar: paths do not say the whole point by themselves, so each holds a `point.json`.
    """

    name: str
    build: Callable[[Any, Inputs, str], Naming]
    sidecar: bool = False
    settings: type | None = None


# --- engines ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NodeState:
    """The last that was heard of one task of a run.

    name: of the node, unique in the run; display_name: what people call it. pod: empty where it has none.
    started_at, finished_at: as the server writes them (RFC 3339), empty while there is none.
    retries: further attempts after the first. inputs: its parameters.
    """

    id: str
    name: str
    display_name: str = ""
    type: str = ""
    template: str = ""
    phase: str = ""
    message: str = ""
    pod: str = ""
    started_at: str = ""
    finished_at: str = ""
    retries: int = 0
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunUpdate:
    """What changed in a run since the last update.

    phase: of the whole workflow: Pending, Running, Succeeded, Failed, Error.
    nodes: the tasks that changed, by their id.
    gone: the object was deleted while it was followed.
    suspended: somebody suspended it as a whole: it starts no further task until it is resumed.
    """

    phase: str
    message: str = ""
    nodes: Sequence[NodeState] = ()
    progress: str = ""
    started_at: str = ""
    finished_at: str = ""
    gone: bool = False
    suspended: bool = False

    @property
    def finished(self) -> bool:
        """Whether the phase is a final one."""
        return self.gone or self.phase in ("Succeeded", "Failed", "Error")


@dataclass(frozen=True, kw_only=True)
class Submission:
    """An accepted workflow. `existed`: an earlier try of the same submission had already arrived."""

    name: str
    namespace: str
    uid: str = ""
    url: str = ""
    existed: bool = False


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """A run as a listing shows it. missing: how many of its objects are not there, of a run of several Jobs."""

    name: str
    phase: str
    progress: str = ""
    started_at: str = ""
    finished_at: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    missing: int = 0


@dataclass(frozen=True)
class LogLine:
    """One line of a task's output.

    text: what it says, with U+FFFD for bytes that are not UTF-8. raw: all its bytes, where there are such.
    """

    pod: str
    text: str
    raw: bytes | None = None


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
        """Let exit handlers run (stop) or not (terminate). Raises `RunOver` for a run that has ended already."""

    def runs(self, *, label_selector: str = "", limit: int = 500) -> Iterator[RunSummary]:
        """The runs on the server that carry the labels."""

    def find(self, name: str) -> RunSummary:
        """The one run of a name, with its labels, read and not listed; raises `PlatformError` (404) without one."""


@dataclass(frozen=True, kw_only=True)
class ExecutionEngine:
    """A way to run manifests.

    open: (settings, context) -> Engine; makes no request by itself.
    runs: kinds of object that it takes, such as `Workflow`.
    platforms: names of the platforms that it talks to, the one it submits through first.
    priority: the highest that takes the manifest's kind is used, unless `--engine` names one.
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
    run: takes a `Session` (`hera_k8s_cli.commands`), returns the exit code.
    summary: one line for the list of commands.
    example: a line or two that can be typed.
    arguments: adds the command's own positionals and flags to its parser.
    configures: whether the options of all plugins are its flags too (they are, for whatever talks to a server).
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
    """What a platform team settles for its users.

    defaults: values of options by name; below configuration files, above built-in defaults.
    requires: what every experiment here needs.
    amend: (manifest, context) -> manifest; may return a changed copy. Runs offline.
    """

    name: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    requires: Sequence[Requirement] = ()
    amend: Callable[[Manifest, Context], Manifest] | None = None


# --- requests of other libraries -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Replacement:
    """An attribute of a class or a module, and what takes its place while requests are held back."""

    owner: Any
    name: str
    value: Any


@dataclass(frozen=True, kw_only=True)
class RequestGuard:
    """How the requests of one library are held back while experiments are loaded and built.

    modules: those that send. Each is changed when it is there or gets imported, and put back afterwards; a guard never
        imports one.
    replace: module -> the attributes to replace. What takes a function's place calls the original when
        `hera_k8s_utils.offline_phase()` is None, and else hands the request to the phase's `hold`. An error of it
        ends the build: a library that cannot be held back must not be used by an experiment.
    """

    name: str
    modules: Sequence[str]
    replace: Callable[[ModuleType], Iterable[Replacement]]

    def __hash__(self) -> int:
        return hash((self.name, tuple(self.modules)))


@dataclass(frozen=True)
class LifecycleEvent:
    """Something that happened in the life of a run: `built`, `checked`, `provisioned`, `submitted`, `updated`,
    `finished`; `data` is plain and holds no secret."""

    name: str
    data: Mapping[str, Any] = field(default_factory=dict)
