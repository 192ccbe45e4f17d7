"""`hera-k8s run`: build, check everything, submit once, follow, record."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hera_k8s_cli.commands.follow import see_through, timeout_argument
from hera_k8s_cli.hints import with_typed_hints
from hera_k8s_utils.container.session import Session, experiment_argument
from hera_k8s_utils.errors import ChecksFailed, Interrupted, PlatformError
from hera_k8s_utils.plugins.records import Command

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_cli.runs.selection import RunHandle
    from hera_k8s_cli.terminal.console import Console
    from hera_k8s_utils.checks.runner import Report
    from hera_k8s_utils.container.container import ExperimentContainer
    from hera_k8s_utils.experiment.model import BuiltExperiment
    from hera_k8s_utils.experiment.run_state import Submission
    from hera_k8s_utils.runs.records import RunRecord


def arguments(parser: ArgumentParser) -> None:
    """What to run, and how far to go."""
    experiment_argument(parser)
    parser.add_argument("--detach", action="store_true", help="submit and exit, without following")
    parser.add_argument("--dry-run", action="store_true", help="build and lint locally; contact no server")
    parser.add_argument(
        "--provision", action="store_true", help="create missing resources and update declared data first"
    )
    parser.add_argument("--strict", action="store_true", help="treat unknown (forbidden) checks as failures")
    timeout_argument(parser)


def run(session: Session) -> int:
    """Run an experiment: its exit code is 0 only when its workflow succeeded."""
    from hera_k8s_cli.runs.follower import left_running
    from hera_k8s_cli.runs.selection import RunHandle
    from hera_k8s_cli.terminal.console import console_of
    from hera_k8s_utils.container.recording import recording_engine
    from hera_k8s_utils.formatting import parse_duration

    console = console_of(session)
    timeout = parse_duration(session.arguments.timeout, "--timeout") if session.arguments.timeout else None
    with session.container(session.file) as container:
        try:
            built = container.experiment()
            container.plugins().notify("built", workflow=built.name, experiment=built.experiment.name)
            built.require_run()
            if session.arguments.dry_run:
                return dry_run(built, container, console)
            report = _checked(session, container, console)
            if report is None:
                return ChecksFailed.exit_code
            record = recording_engine(container).record(built, report)
        except KeyboardInterrupt:
            raise Interrupted("stopped; nothing was submitted") from None
        submission = _submit(built, record, container)
        target = RunHandle(submission.name, record)
        try:
            return _after(target, built, session, console, container, timeout)
        except KeyboardInterrupt:
            raise left_running(target.name, target.come_back, target.stop) from None


# --- before ----------------------------------------------------------------------------------------------------


def _checked(session: Session, container: ExperimentContainer, console: Console) -> Report | None:
    """The report of all checks; None when it forbids the run, which was then said."""
    _provision(session, container, console)
    report = with_typed_hints(container.report(), session, container)
    strict = session.arguments.strict
    failures = report.failures(strict=strict)
    container.plugins().notify("checked", **report.to_json())
    if console.json:
        console.record({"event": "checked", "passed": not failures, **report.to_json()})
    if failures:
        if not console.json:
            show_report(container.experiment(), report, console, stderr=True, closing="Nothing was submitted.")
        return None
    from hera_k8s_cli.terminal.report import report_brief

    console.success(report_brief(report))
    console.remarks(report)
    return report


def _provision(session: Session, container: ExperimentContainer, console: Console) -> None:
    """Create or update what is not as declared, when that was asked for, or where the cluster is the user's own."""
    from hera_k8s_cli.commands.provision import done_sentence
    from hera_k8s_utils.checks.provisioning import apply, auto_provisions, plan

    asked = session.arguments.provision
    container.running()  # credentials first: without any, say that and nothing else
    if not asked and not auto_provisions(container.platforms(), container.context()):
        return
    try:
        planned = plan(container.requirements(), container.context(), container.platforms())
        done = apply(planned, container.context())
    except PlatformError:
        if asked:
            raise
        return  # the checks will say what is wrong with the server
    if not done:
        return
    container.plugins().notify("provisioned", steps=[step.to_json() for step in done])
    if console.json:
        console.record({"event": "provisioned", "steps": [step.to_json() for step in done]})
    else:
        console.success(done_sentence(done, planned.namespace))


def show_report(
    built: BuiltExperiment, report: Report, console: Console, *, stderr: bool = False, closing: str = ""
) -> None:
    """The head, as whom and where, then the whole report."""
    from hera_k8s_cli.terminal.report import identity_lines

    console.head(identity_lines(built, report), stderr=stderr)
    if report.rows:
        (console.info if stderr else console.result)()
    console.report(report, stderr=stderr, closing=closing)


def dry_run(built: BuiltExperiment, container: ExperimentContainer, console: Console) -> int:
    """Everything that can be told without a server: lint, layout, what would be required and submitted."""
    from hera_k8s_utils.checks.preflight import offline_checks, rejected_requirements
    from hera_k8s_utils.checks.runner import ENVIRONMENT, Check, run_checks

    wanted = container.requirements()
    rejected = rejected_requirements(each.requirement for each in wanted)
    checks = [Check(ENVIRONMENT, each.title, partial(list, [each])) for each in rejected]
    report = run_checks([*checks, *offline_checks(built)])
    failed = bool(report.failures())
    if console.json:
        console.document(
            {"workflow": built.name, "passed": not failed, **report.to_json(), "manifest": built.manifest.body}
        )
    else:
        show_report(built, report, console, closing="No server was asked, nothing was submitted.")
        console.result()
        console.result(f"would submit {_what(built)} {built.name}{', and needs' if wanted else ''}")
        for each in wanted:
            console.result(f"  {requirement_line(each.requirement)}")
    return ChecksFailed.exit_code if failed else 0


def _what(built: BuiltExperiment) -> str:
    kind = built.manifest.engine_kind
    number = sum(each.get("kind") == kind for each in built.manifest.objects)
    return f"{number} {kind}s of" if number > 1 else kind


def requirement_line(requirement: Any) -> str:
    """`claim results  (vcity-rwx), at /results`; what is known only when it runs is said so."""
    from hera_k8s_utils.experiment.model import Requirement

    if not isinstance(requirement, Requirement):
        return f"{getattr(requirement, 'text', requirement)}, known only when it runs"
    bound = f" ({requirement.name})" if requirement.name != requirement.role else ""
    mounted = getattr(requirement, "mount_path", None)
    return f"{requirement.title}{bound}{f', at {mounted}' if mounted else ''}"


# --- submission and after --------------------------------------------------------------------------------------


def _submit(built: BuiltExperiment, record: RunRecord, container: ExperimentContainer) -> Submission:
    from hera_k8s_utils.container.recorded_submission import submit

    try:
        return submit(built, record, container)
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped while submitting {built.name}; whether it arrived is not known",
            hint=f"the same command with --run-id {built.run_id} finds out, and never makes a second one",
        ) from None


def _after(
    target: RunHandle,
    built: BuiltExperiment,
    session: Session,
    console: Console,
    container: ExperimentContainer,
    timeout: float | None,
) -> int:
    assert target.record is not None  # a run records itself before it submits
    submission = target.record.submission or {}
    data = {
        **{key: submission.get(key) for key in ("namespace", "url", "existed")},
        "workflow": target.name,
        "run": target.record.id,
        "record": str(target.record.path),
    }
    container.plugins().notify("submitted", **data)
    if console.json:
        console.record({"event": "submitted", **data})
    url = f"   {data['url']}" if data["url"] else ""
    said = f"{target.name} was submitted before" if data["existed"] else f"submitted {target.name}"
    if session.arguments.detach or not built.manifest.is_runnable:
        console.result(console.out.glyphs.passed, f" {said}{url}")
        console.hint(target.come_back)
        return 0
    console.success(said + url)
    console.info(f"  Ctrl-C leaves it running; `{target.come_back}` comes back.")
    console.info()
    return see_through(target, console, container, timeout)


COMMAND = Command(
    name="run",
    run=run,
    summary="check, submit and follow an experiment",
    example=(
        "hera-k8s run --sandbox\n"
        "hera-k8s run experiment.py --set seed=1,2 --bind results=my-claim --detach\n"
        "hera-k8s run --output json        one event a line"
    ),
    arguments=arguments,
)
