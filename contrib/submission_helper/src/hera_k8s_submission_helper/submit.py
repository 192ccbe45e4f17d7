"""`hera-k8s jobs submit`: check what the jobs need, create each once, and drive them where that is wanted."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from hera_k8s_kube import PersistentVolumeClaim, PullSecret
from hera_k8s_kube.jobs import Jobs, open_jobs, submit_all
from hera_k8s_submission_helper import flags
from hera_k8s_submission_helper.command_lines import Batch, read_batch
from hera_k8s_submission_helper.driver import Collected, Collector, Counts, Driver
from hera_k8s_submission_helper.manifests import JobFactory, JobOptions, pod_of, selector
from hera_k8s_submission_helper.outputs import look, make_room
from hera_k8s_submission_helper.settings import DEFAULT_SECRET, PodSettings
from hera_k8s_utils import (
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
"""What `Session.console()` gives."""

_MOST_SHOWN: Final = 3


def run(session: Session) -> int:
    """Submit command lines; with `--wait` the exit code is 0 only when every job succeeded."""
    arguments, settings = session.arguments, session.options.of(PodSettings)
    batch = read_batch(arguments.file, arguments.command, arguments.identifier, arguments.ntest)
    wishes = JobOptions(
        ncores=arguments.ncores,
        memory=arguments.memory,
        minutes=arguments.time,
        retries=arguments.retries,
        at_once=flags.limit(arguments.at_once) or 0,
        output=arguments.output,
        root=settings.root if settings.volume_claim else "",
    )
    console = session.console()
    if settings.lacks_bash:
        console.warning(f"{settings.image} is known to have no bash, and `bash -cl` is what runs: --k8s-image IMAGE")
    if arguments.dry_run:
        return _dry_run(session, settings, batch, wishes, console)
    secret = _secret(session, settings, console)
    with session.container(_experiment(settings, wishes, secret)) as container:
        if arguments.provision or container.context().platforms.credential("kubernetes").auto_provision:
            provision(container)
        if not _passed(container, console):
            return ChecksFailed.exit_code
        maker = JobFactory(batch, wishes, _pod(container))
        return _submitted(session, open_jobs(container.context()), maker, console)


# --- what the jobs need --------------------------------------------------------------------------------------------


def _experiment(settings: PodSettings, wishes: JobOptions, secret: str) -> Experiment:
    """One job as an experiment: the framework completes its image, lets sites amend it, and checks what it needs."""
    requires: list[Requirement] = []
    if settings.volume_claim:
        requires.append(PersistentVolumeClaim(settings.volume_claim, mount_path=settings.root, size="1Gi"))
    if secret:
        requires.append(PullSecret(secret, registry=_host(settings.image)))

    def one_job(environment: Any, inputs: Any, layout: Any) -> Any:
        template = {"spec": pod_of(environment, wishes)}
        return {"kind": "Job", "metadata": {"name": "one"}, "spec": {"template": template}}

    return Experiment(name="submission-helper", image=settings.image, requires=requires, workflow=one_job)


def _host(image: str) -> str:
    """The registry that an image names; empty when it names none."""
    head, slash, _ = image.partition("/")
    return head if slash and ("." in head or ":" in head or head == "localhost") else ""


def _secret(session: Session, settings: PodSettings, console: Console) -> str:
    """The secret that the image is pulled with. The default one is wanted only where there is one."""
    if settings.registry_secret != DEFAULT_SECRET:
        return settings.registry_secret
    with session.container(None) as container:
        try:
            container.context().kubernetes.get("v1", "secrets", DEFAULT_SECRET)
        except PlatformError as error:
            if error.trouble is ErrorKind.MISSING:
                console.say(f"no secret {DEFAULT_SECRET} here: the image is pulled without one")
                return ""
            if error.trouble is not ErrorKind.FORBIDDEN:
                raise
    return DEFAULT_SECRET


def _passed(container: Any, console: Console) -> bool:
    report = container.report()
    if report.failures():
        if console.json:
            console.record({"event": "checked", "passed": False, **report.to_json()})
        else:
            console.report(report, talk=True, closing="Nothing was submitted.")
        return False
    for row in report.rows:
        if row.result.verdict is Verdict.WARNING:
            console.warning(f"{row.title}: {row.result.detail}")
    return True


def _pod(container: Any) -> Any:
    """The pod of the one job, as the framework made it."""
    return container.manifest().jobs[0]["spec"]["template"]["spec"]


# --- submission ----------------------------------------------------------------------------------------------------


def _submitted(session: Session, jobs: Jobs, maker: JobFactory, console: Console) -> int:
    batch = maker.batch
    numbers: Sequence[int] = range(len(batch.lines))
    if session.arguments.checkmissing:
        present = look(jobs, maker)
        console.say(present.sentence())
        there = {job.name: job for job in jobs.list(selector(batch.label))}
        numbers = make_room(jobs, batch, present.missing, there)
    made = _create(jobs, maker, numbers)
    before = len(numbers) - made
    said = (
        f"{made} of {len(numbers)} jobs submitted as {batch.name(numbers[0])} ..." if numbers else "nothing is missing"
    )
    told = f"{said}{f', {before} were there before' if before else ''}"
    if console.json:
        console.record({"event": "submitted", "identifier": batch.label, "submitted": made, "existed": before})
    console.passed(told)
    if not numbers and not session.arguments.wait:
        return 0
    return _driven(session, jobs, batch, maker.wishes, console)


def _create(jobs: Jobs, maker: JobFactory, numbers: Sequence[int]) -> int:
    """Create the jobs, each once; returns how many were not there before. Stopped, the same command goes on."""
    batch = maker.batch
    again, end = "the same command", f"hera-k8s jobs cancel --identifier {shlex.quote(batch.identifier)}"
    manifests = [maker.job(number) for number in numbers]
    return sum(not each.existed for each in submit_all(jobs, manifests, batch.label, again=again, end=end))


def _driven(session: Session, jobs: Jobs, batch: Batch, wishes: JobOptions, console: Console) -> int:
    wait = session.arguments.wait
    again = f"hera-k8s jobs wait --identifier {shlex.quote(batch.identifier)}"
    if not wait and not wishes.at_once:
        console.hint(again)
        return 0
    console.say(f"  Ctrl-C leaves them running; `{again}` goes on from here.")
    directory = Path(session.arguments.logpath) if wait else None
    return drive(jobs, selector(batch.label), wishes.at_once, console, logs=directory, until_over=wait)


def drive(
    jobs: Jobs, labels: str, at_once: int | None, console: Console, *, logs: Path | None, until_over: bool = True
) -> int:
    """Drive jobs as `Driver` does, tell how far they are, and collect their logs; the exit code that they come to."""
    collector = Collector(jobs, logs) if logs is not None else None
    told = _Told(console)
    try:
        counts = Driver(
            jobs,
            labels,
            at_once,
            until_over=until_over,
            on_end=collector.collect if collector else None,
            on_change=told.tell,
        ).run()
        _tell_end(counts, console, until_over=until_over)
        if collector is not None:
            _tell_logs(collector.finish(), logs, console)
    except BaseException:  # Ctrl-C too
        if collector is not None:
            collector.abandon()
        raise
    return 0 if _good(counts) or not until_over else WorkflowFailed.exit_code


def _good(counts: Counts) -> bool:
    return not counts.failed and not counts.cancelled


def _tell_end(counts: Counts, console: Console, *, until_over: bool) -> None:
    if console.json:
        console.record({"event": "ended" if until_over else "started", **vars(counts)})
    if until_over:
        sign = console.out.signs.passed if _good(counts) else console.out.signs.failed
        console.result(sign, f" {counts.sentence()}")
    else:
        console.passed(f"every job was started: {counts.sentence()}")


def _tell_logs(collected: Collected, directory: Path | None, console: Console) -> None:
    """Logs that cannot be had are warned of: the end of the batch is another matter."""
    if collected.written:
        console.result(f"  logs of {collected.written} in {directory}/")
    if collected.failures:
        first, many = collected.failures[0], len(collected.failures)
        missing = "the log of 1 job is" if many == 1 else f"the logs of {many} jobs are"
        console.warning(f"{missing} missing: {first.wanted}: {first.found}")
        console.hint(f"hera-k8s jobs logs --logpath {shlex.quote(str(directory))}")


class _Told:
    """Tells how far the jobs are, now and then: when a tenth more has ended, or has begun."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: tuple[int, int] | None = None

    def tell(self, counts: Counts) -> None:
        """Say it, if it is time."""
        step = max(1, counts.total // 10)
        over = counts.succeeded + counts.failed + counts.cancelled
        stage = (over // step, int(over == counts.total))
        if stage == self._last:
            return
        self._last = stage
        if self._console.json:
            self._console.record({"event": "updated", **vars(counts)})
        else:
            self._console.say(f"  {counts.sentence()}")


# --- a dry run -------------------------------------------------------------------------------------------------------


def _dry_run(session: Session, settings: PodSettings, batch: Batch, wishes: JobOptions, console: Console) -> int:
    with session.container(_experiment(settings, wishes, settings.registry_secret)) as container:
        maker = JobFactory(batch, wishes, _pod(container))
    jobs = [maker.job(number) for number in range(len(batch.lines))]
    if console.json:
        console.document({"identifier": batch.label, "jobs": jobs})
        return 0
    names = [job["metadata"]["name"] for job in jobs]
    console.result(
        f"would submit {len(jobs)} {'Job' if len(jobs) == 1 else 'Jobs'}, with label identifier={batch.label}"
    )
    for name, line in list(zip(names, batch.lines, strict=True))[:_MOST_SHOWN]:
        console.result(f"  {name}  {line}")
    if len(jobs) > _MOST_SHOWN:
        console.result(f"  and {len(jobs) - _MOST_SHOWN} more; --output json shows all of them")
    console.result("No server was asked, nothing was submitted.")
    return 0
