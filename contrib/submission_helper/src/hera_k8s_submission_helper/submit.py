"""`hera-k8s jobs submit`: check requirements, create each job once, and run them with a limit or to their end."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from hera_k8s_kube import PersistentVolumeClaim, PullSecret
from hera_k8s_kube.jobs import Jobs, jobs_of, open_jobs, submit_all
from hera_k8s_submission_helper import flags
from hera_k8s_submission_helper.command_lines import Batch, read_batch
from hera_k8s_submission_helper.driver import Collected, Collector, Counts, Driver
from hera_k8s_submission_helper.manifests import JobFactory, JobOptions, pod_of, selector
from hera_k8s_submission_helper.outputs import clear_finished, find_existing
from hera_k8s_submission_helper.settings import DEFAULT_SECRET, PodSettings
from hera_k8s_utils import (
    CheckResult,
    ChecksFailed,
    ErrorKind,
    Experiment,
    PlatformError,
    Requirement,
    Session,
    Verdict,
    WorkflowFailed,
    provision,
)

Console = Any
"""The console of `Session.console()`."""

_MAX_SHOWN: Final = 3
_FLAGS: Final = {"claim": "--k8s-volume-claim NAME", "pull secret": "--k8s-registry-secret NAME"}
"""What a line of the report is about, and the flag that names another one."""


def run(session: Session) -> int:
    """Submit command lines; with `--wait`, the exit code is 0 only if every job succeeded."""
    arguments, settings = session.arguments, session.options.of(PodSettings)
    batch = read_batch(arguments.file, arguments.command, arguments.identifier, arguments.ntest)
    options = JobOptions(
        ncores=arguments.ncores,
        memory=arguments.memory,
        minutes=arguments.time,
        retries=arguments.retries,
        max_concurrent=flags.limit(arguments.max_concurrent) or 0,
        output=arguments.output,
        root=settings.root if settings.volume_claim else "",
    )
    console = session.console()
    if settings.lacks_bash:
        console.warning(f"{settings.image} is known to have no bash, which runs the command lines: --k8s-image IMAGE")
    if arguments.dry_run:
        return _dry_run(session, settings, batch, options, console)
    secret = _secret(session, settings, console)
    with session.container(_experiment(settings, options, secret)) as container:
        if arguments.provision or container.context().platforms.credential("kubernetes").auto_provision:
            provision(container)
        if not _checks_pass(container, console):
            return ChecksFailed.exit_code
        factory = JobFactory(batch, options, _pod(container))
        return _submit(session, open_jobs(container.context()), factory, console)


# --- requirements ---------------------------------------------------------------------------------------------------


def _experiment(settings: PodSettings, options: JobOptions, secret: str) -> Experiment:
    """A single job as an experiment, so that the framework completes its image, applies sites and checks it."""
    requires: list[Requirement] = []
    if settings.volume_claim:
        requires.append(PersistentVolumeClaim(settings.volume_claim, mount_path=settings.root, size="1Gi"))
    if secret:
        requires.append(PullSecret(secret, registry=_host(settings.image)))

    def one_job(environment: Any, inputs: Any, layout: Any) -> Any:
        template = {"spec": pod_of(environment, options)}
        return {"kind": "Job", "metadata": {"name": "one"}, "spec": {"template": template}}

    return Experiment(name="submission-helper", image=settings.image, requires=requires, workflow=one_job)


def _host(image: str) -> str:
    """The registry of an image reference; empty without one."""
    head, slash, _ = image.partition("/")
    return head if slash and ("." in head or ":" in head or head == "localhost") else ""


def _secret(session: Session, settings: PodSettings, console: Console) -> str:
    """The pull secret; the default one only if it exists."""
    if settings.registry_secret != DEFAULT_SECRET:
        return settings.registry_secret
    with session.container(None) as container:
        try:
            container.context().kubernetes.get("v1", "secrets", DEFAULT_SECRET)
        except PlatformError as error:
            if error.kind is ErrorKind.MISSING:
                console.info(f"no secret {DEFAULT_SECRET}: pulling the image without one")
                return ""
            if error.kind is not ErrorKind.FORBIDDEN:
                raise
    return DEFAULT_SECRET


def _checks_pass(container: Any, console: Console) -> bool:
    report = _with_hints_of_submit(container.report())
    if report.failures():
        if console.json:
            console.record({"event": "checked", "passed": False, **report.to_json()})
        else:
            console.report(report, stderr=True, closing="Nothing was submitted.")
        return False
    for row in report.rows:
        if row.result.verdict is Verdict.WARNING:
            console.warning(f"{row.title}: {row.result.detail}")
    return True


def _with_hints_of_submit(report: Any) -> Any:
    """The report with the flags of `jobs submit`: there is no experiment that could be bound or provisioned."""
    return replace(report, rows=[replace(row, result=_with_own_hint(row)) for row in report.rows])


def _with_own_hint(row: Any) -> CheckResult:
    result: CheckResult = row.result
    flag = next((flag for word, flag in _FLAGS.items() if row.title.startswith(f"{word} ")), "")
    if not flag or "--bind" not in result.hint:
        return result
    made = "--provision    or  " if result.hint.startswith("hera-k8s provision") else ""
    return replace(result, hint=made + flag)


def _pod(container: Any) -> Any:
    """The pod of the single job, as the framework built it."""
    return jobs_of(container.manifest().body)[0]["spec"]["template"]["spec"]


# --- submission ----------------------------------------------------------------------------------------------------


def _submit(session: Session, jobs: Jobs, factory: JobFactory, console: Console) -> int:
    batch = factory.batch
    numbers: Sequence[int] = range(len(batch.lines))
    if session.arguments.checkmissing:
        outputs = find_existing(jobs, factory)
        console.info(outputs.describe())
        existing = {job.name: job for job in jobs.list(selector(batch.label))}
        numbers = clear_finished(jobs, batch, outputs.missing, existing)
    created = _create(jobs, factory, numbers)
    before = len(numbers) - created
    summary = (
        f"{created} of {len(numbers)} jobs submitted as {batch.name(numbers[0])} ..."
        if numbers
        else "nothing is missing"
    )
    message = f"{summary}{f', {before} already existed' if before else ''}"
    if console.json:
        console.record({"event": "submitted", "identifier": batch.label, "submitted": created, "existed": before})
    console.success(message)
    if not numbers and not session.arguments.wait:
        return 0
    return _drive_batch(session, jobs, batch, factory.options, console)


def _create(jobs: Jobs, factory: JobFactory, numbers: Sequence[int]) -> int:
    """Create each job once; returns the number of new jobs. If interrupted, the same command continues."""
    batch = factory.batch
    again, end = "the same command", f"hera-k8s jobs cancel --identifier {shlex.quote(batch.identifier)}"
    manifests = [factory.job(number) for number in numbers]
    return sum(not each.existed for each in submit_all(jobs, manifests, batch.label, again=again, end=end))


def _drive_batch(session: Session, jobs: Jobs, batch: Batch, options: JobOptions, console: Console) -> int:
    wait = session.arguments.wait
    again = f"hera-k8s jobs wait --identifier {shlex.quote(batch.identifier)}"
    if not wait and not options.max_concurrent:
        console.hint(again)
        return 0
    console.info(f"  Ctrl-C leaves them running; `{again}` continues from here.")
    directory = Path(session.arguments.logpath) if wait else None
    return drive(jobs, selector(batch.label), options.max_concurrent, console, logs=directory, until_over=wait)


def drive(
    jobs: Jobs, labels: str, max_concurrent: int | None, console: Console, *, logs: Path | None, until_over: bool = True
) -> int:
    """Run jobs, report progress and collect logs; returns the exit code."""
    collector = Collector(jobs, logs) if logs is not None else None
    reporter = _ProgressReporter(console)
    try:
        counts = Driver(
            jobs,
            labels,
            max_concurrent,
            until_over=until_over,
            on_end=collector.collect if collector else None,
            on_change=reporter.report,
        ).run()
        _report_end(counts, console, until_over=until_over)
        if collector is not None:
            _report_logs(collector.finish(), logs, console)
    except BaseException:  # Ctrl-C too
        if collector is not None:
            collector.cancel_pending()
        raise
    return 0 if _all_succeeded(counts) or not until_over else WorkflowFailed.exit_code


def _all_succeeded(counts: Counts) -> bool:
    return not counts.failed and not counts.cancelled


def _report_end(counts: Counts, console: Console, *, until_over: bool) -> None:
    if console.json:
        console.record({"event": "ended" if until_over else "started", **vars(counts)})
    if until_over:
        sign = console.out.glyphs.passed if _all_succeeded(counts) else console.out.glyphs.failed
        console.result(sign, f" {counts.describe()}")
    else:
        console.success(f"every job was started: {counts.describe()}")


def _report_logs(collected: Collected, directory: Path | None, console: Console) -> None:
    """Report the logs; a missing log is a warning and does not change the exit code."""
    if collected.written:
        console.result(f"  logs of {collected.written} in {directory}/")
    if collected.failures:
        first, count = collected.failures[0], len(collected.failures)
        missing = "the log of 1 job is" if count == 1 else f"the logs of {count} jobs are"
        console.warning(f"{missing} missing: {first.wanted}: {first.found}")
        console.hint(f"hera-k8s jobs logs --logpath {shlex.quote(str(directory))}")


class _ProgressReporter:
    """Reports progress when another tenth of the jobs has finished."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: tuple[int, int] | None = None

    def report(self, counts: Counts) -> None:
        """Report the counts if there is enough progress."""
        step = max(1, counts.total // 10)
        over = counts.succeeded + counts.failed + counts.cancelled
        stage = (over // step, int(over == counts.total))
        if stage == self._last:
            return
        self._last = stage
        if self._console.json:
            self._console.record({"event": "updated", **vars(counts)})
        else:
            self._console.info(f"  {counts.describe()}")


# --- a dry run -------------------------------------------------------------------------------------------------------


def _dry_run(session: Session, settings: PodSettings, batch: Batch, options: JobOptions, console: Console) -> int:
    with session.container(_experiment(settings, options, settings.registry_secret)) as container:
        factory = JobFactory(batch, options, _pod(container))
    jobs = [factory.job(number) for number in range(len(batch.lines))]
    if console.json:
        console.document({"identifier": batch.label, "jobs": jobs})
        return 0
    names = [job["metadata"]["name"] for job in jobs]
    console.result(
        f"would submit {len(jobs)} {'Job' if len(jobs) == 1 else 'Jobs'}, with label identifier={batch.label}"
    )
    for name, line in list(zip(names, batch.lines, strict=True))[:_MAX_SHOWN]:
        console.result(f"  {name}  {line}")
    if len(jobs) > _MAX_SHOWN:
        console.result(f"  and {len(jobs) - _MAX_SHOWN} more; --output json shows all of them")
    console.result("Nothing was submitted; no server was contacted.")
    return 0
