"""The preflight: what must hold before a run, gathered from the experiment, its manifest, sites and platforms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from textwrap import indent
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_utils.checks.lint import lint
from hera_k8s_utils.checks.runner import ACCESS, ENVIRONMENT, WORKFLOW, Check, Report, Row, run_checks
from hera_k8s_utils.errors import (
    CredentialError,
    ErrorKind,
    NoCredential,
    OptionsError,
    PluginError,
    attribute_errors_to,
    join_names,
)
from hera_k8s_utils.experiment.manifest import Manifest
from hera_k8s_utils.experiment.model import BuiltExperiment, Requirement
from hera_k8s_utils.experiment.workload import Unresolved
from hera_k8s_utils.plugins.context import Context
from hera_k8s_utils.plugins.records import Engine, ExecutionEngine, ResourceChecker
from hera_k8s_utils.redaction import shown_address
from hera_k8s_utils.results import CheckResult, Finding, Verdict, ok, unknown, warn

if TYPE_CHECKING:
    from hera_k8s_utils.config.settings import CoreSettings
    from hera_k8s_utils.plugins.manager import PluginManager
    from hera_k8s_utils.plugins.platforms import PlatformRegistry

_BLINDING = (ErrorKind.UNREACHABLE, ErrorKind.UNTRUSTED, ErrorKind.TIMEOUT, ErrorKind.UNAUTHORIZED, ErrorKind.PROTOCOL)
"""Troubles that say nothing of the resource that was asked for: nothing on that platform can be looked at."""
_SAID_ONCE: Final = (ErrorKind.THROTTLED, ErrorKind.SERVER)
"""Troubles of one request, perhaps: what meets the same one as the access to a platform need not repeat it."""


@dataclass(frozen=True)
class RequiredResource:
    """A requirement, and whether it was read out of the workflow rather than declared."""

    requirement: Requirement | Unresolved
    checker: ResourceChecker[Any] | None
    derived: bool = False


def collect_requirements(built: BuiltExperiment, checkers: Sequence[ResourceChecker[Any]]) -> list[RequiredResource]:
    """What the experiment and the sites declare, and what the workflow itself uses besides. Works offline.

    Two requirements of one kind and name are one; the declared one stays, with what the other knows more of.
    """
    by_type = {checker.requirement: checker for checker in checkers}
    merged: dict[tuple[str, str], RequiredResource] = {}
    for requirement in built.environment.requirements:
        _merge(merged, RequiredResource(requirement, _checker_of(requirement, by_type)))
    unresolved: list[RequiredResource] = []
    for checker in checkers:
        for found in _references(checker, built.manifest):
            if isinstance(found, Unresolved):
                unresolved.append(RequiredResource(found, checker, derived=True))
            else:
                _merge(merged, RequiredResource(found, checker, derived=True))
    return [*merged.values(), *unresolved]


def _references(checker: ResourceChecker[Any], manifest: Manifest) -> list[Requirement | Unresolved]:
    if checker.references is None:
        return []
    with attribute_errors_to(f"the checker of {checker.kind}"):
        return list(checker.references(manifest))


def _merge(merged: dict[tuple[str, str], RequiredResource], wanted: RequiredResource) -> None:
    requirement = wanted.requirement
    if isinstance(requirement, Unresolved):
        return
    key = (requirement.kind or type(requirement).__name__, requirement.identity)
    before = merged.get(key)
    if before is None or isinstance(before.requirement, Unresolved):
        merged[key] = wanted
    else:
        merged[key] = replace(before, requirement=before.requirement.combine(requirement))


def _checker_of(
    requirement: Requirement, by_type: dict[type[Requirement], ResourceChecker[Any]]
) -> ResourceChecker[Any]:
    for kind in type(requirement).__mro__:
        if kind in by_type:
            return by_type[kind]
    raise PluginError(
        f"no plugin checks {type(requirement).__name__}",
        found=f"it is required as {requirement.role!r}",
        hint="hera-k8s plugins shows what is loaded, disabled or broken",
    )


# --- engines ---------------------------------------------------------------------------------------------------


def choose_engine(
    plugins: PluginManager, core: CoreSettings, platforms: PlatformRegistry, context: Context, kind: str
) -> ExecutionEngine:
    """The engine that the option names, else the first whose platforms are configured. Opens those platforms.

    A platform that is configured and fails is an error, never a reason to go another way.
    """
    if core.engine:
        named: ExecutionEngine = plugins.named("execution_engines", core.engine)
        _require_able(named, kind, plugins)
        _open_all(named, platforms, context)
        return named
    able = [e for e in plugins.records("execution_engines", ExecutionEngine) if not kind or kind in e.runs]
    if not able:
        raise PluginError(f"no execution engine runs a {kind}", hint="hera-k8s plugins")
    missing: list[NoCredential] = []
    for engine in sorted(able, key=lambda e: (-e.priority, e.name)):
        try:
            _open_all(engine, platforms, context)
        except NoCredential as error:
            missing.append(error)
            continue
        return engine
    raise CredentialError(
        "no cluster is configured",
        found="".join(dict.fromkeys(f"\n{indent(_without_hint(error), '  ')}" for error in missing)),
        hint="set KUBECONFIG or ARGO_SERVER, or try without a cluster: --sandbox",
    )


def _require_able(engine: ExecutionEngine, kind: str, plugins: PluginManager) -> None:
    """Raises `OptionsError` when the engine that was asked for does not run this kind of object."""
    if not kind or kind in engine.runs:
        return
    able = [e.name for e in plugins.records("execution_engines", ExecutionEngine) if kind in e.runs]
    raise OptionsError(
        f"the engine {engine.name} runs no {kind}",
        found=f"it runs {join_names(list(engine.runs)) or 'nothing'}",
        hint=f"--engine {able[0]}, or leave it out" if able else "hera-k8s plugins",
    )


def _without_hint(error: NoCredential) -> str:
    return str(NoCredential(error.wanted, found=error.found))


def _open_all(engine: ExecutionEngine, platforms: PlatformRegistry, context: Context) -> None:
    for name in engine.platforms:
        platforms.open(name, context)


# --- the report ------------------------------------------------------------------------------------------------


def check_all(
    built: BuiltExperiment,
    wanted: Sequence[RequiredResource],
    engine: tuple[ExecutionEngine, Engine],
    platforms: PlatformRegistry,
    context: Context,
    core: CoreSettings,
    on_row: Callable[[Row], None] | None = None,
) -> Report:
    """Run every check at once and report all of them. Platforms are opened before any thread starts."""
    declaration, running = engine
    access = _open_remaining_platforms(platforms, context, declaration, lenient=bool(core.engine))
    checks = [
        *access,
        *_inspections(platforms, context),
        *(_requirement(w, context, platforms) for w in wanted),
        *offline_checks(built),
        Check(WORKFLOW, f"{declaration.name} accepts it", lambda: running.preflight(built)),
    ]
    report = run_checks(checks, max_workers=core.concurrency, timeout=core.check_timeout, on_row=on_row)
    rows = _hint_once(_suppress_repeated_failures(report.rows))
    return replace(report, rows=rows, identities=head(platforms, context))


def _open_remaining_platforms(
    platforms: PlatformRegistry, context: Context, engine: ExecutionEngine, *, lenient: bool
) -> list[Check]:
    """Open what the engine does not need but requirements may, and look at the access to each.

    One that is simply not configured is left out. One that is configured and cannot be opened is an error, unless
    the user said which engine to take (`lenient`) and it is none of that engine's: then it is a warning.
    """
    checks: list[Check] = []
    for name in platforms.names:
        try:
            platforms.open(name, context)
        except NoCredential:
            if name in engine.platforms:
                raise
        except CredentialError as error:
            if not lenient or name in engine.platforms:
                raise
            checks.append(Check(ACCESS, name, partial(warn, f"{error.wanted}: {error.found}", error.hint)))
        else:
            checks += _probe(platforms, context, name)
    return checks


def _probe(platforms: PlatformRegistry, context: Context, name: str) -> list[Check]:
    declared = platforms.declared(name)
    if declared.probe is None:
        return []
    return [Check(ACCESS, name, partial(declared.probe, platforms.settings(declared), context))]


def _inspections(platforms: PlatformRegistry, context: Context) -> Iterable[Check]:
    """What the providers of the credentials in use find out besides, such as the sandbox about images."""
    for name in platforms.opened:
        inspect = platforms.credential(name, context).inspect
        if inspect is not None:
            yield Check(ENVIRONMENT, name, partial(inspect, context))


def _requirement(wanted: RequiredResource, context: Context, platforms: PlatformRegistry) -> Check:
    requirement, checker = wanted.requirement, wanted.checker
    if isinstance(requirement, Unresolved):
        said = unknown(f"named by {requirement.text} in {requirement.where}, which is known only when it runs")
        return Check(ENVIRONMENT, checker.kind if checker else "reference", lambda: said)
    assert checker is not None  # only unresolved references have none
    rejected = rejected_requirements([requirement])
    if rejected:
        return Check(ENVIRONMENT, requirement.title, lambda: rejected)
    settings = platforms.settings(checker)

    def look() -> CheckResult:
        try:
            result: CheckResult = checker.check(settings, context, requirement)
        except NoCredential as error:
            return unknown("not looked at: no credential for Kubernetes", hint=error.hint)
        return result

    return Check(ENVIRONMENT, requirement.title, look)


def rejected_requirements(wanted: Iterable[Requirement | Unresolved]) -> list[Finding]:
    """Those that every API server would reject, which is known without asking one."""
    found = [(each.title, each.problem()) for each in wanted if isinstance(each, Requirement)]
    return [Finding(title, result) for title, result in found if result is not None]


def offline_checks(built: BuiltExperiment) -> Iterable[Check]:
    """What can be told of a workflow and its layout without a server."""
    yield Check(WORKFLOW, "lint", lambda: lint(built.manifest, source=built.workflow), timed=False)
    if built.inputs.names:
        yield Check(WORKFLOW, f"layout {built.layout.strategy}", lambda: ok(_proof(built)), timed=False)


def _proof(built: BuiltExperiment) -> str:
    """What was proved; the run that the root names is not made yet, and is shown as `<run>`."""
    return built.layout.verify().detail.replace(built.run_id, "<run>")


def _suppress_repeated_failures(rows: Sequence[Row]) -> list[Row]:
    """When a platform cannot be reached, say so once: what was to be looked at on it is unknown, not failed."""
    troubles = {row.kind for row in rows if row.section == ACCESS and row.result.verdict is Verdict.FAILED}
    if not troubles:
        return list(rows)
    echoes = {*_BLINDING, *troubles.intersection(_SAID_ONCE)}
    told = unknown("not looked at: see Access")
    return [replace(row, result=told) if row.section != ACCESS and row.kind in echoes else row for row in rows]


def _hint_once(rows: Sequence[Row]) -> list[Row]:
    """What could not be looked at for one reason, such as a missing credential, needs its hint once."""
    told: set[tuple[str, str]] = set()
    kept = []
    for row in rows:
        said = (row.result.detail, row.result.hint)
        again = row.result.verdict is Verdict.UNKNOWN and said in told
        kept.append(replace(row, result=replace(row.result, hint="")) if again else row)
        told.add(said)
    return kept


def head(platforms: PlatformRegistry, context: Context) -> list[dict[str, str]]:
    """As whom and where: a line for each platform that was opened."""
    lines = []
    for name in platforms.opened:
        credential, client = platforms.credential(name, context), platforms.open(name, context)
        lines.append(
            {
                "platform": name,
                "server": shown_address(str(getattr(client, "server", "") or credential.server)),
                "namespace": str(getattr(client, "namespace", "") or ""),
                "identity": str(getattr(client, "identity", "") or credential.identity),
                "source": credential.source,
                "expires_at": credential.expires_at.isoformat() if credential.expires_at else "",
                "passed_over": "; ".join(f"{a.provider}: {a.reason}" for a in platforms.skipped(name)),
            }
        )
    return lines
