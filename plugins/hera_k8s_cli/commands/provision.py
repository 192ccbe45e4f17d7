"""`hera-k8s provision`: show what an experiment declares and the cluster lacks, then create or update it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_k8s_utils.container.session import Session, experiment_argument
from hera_k8s_utils.errors import ChecksFailed, OptionsError
from hera_k8s_utils.plugins.records import Command

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence

    from hera_k8s_cli.terminal.console import Console
    from hera_k8s_utils.checks.provisioning import Plan, Step
    from hera_k8s_utils.container.container import ExperimentContainer


def arguments(parser: ArgumentParser) -> None:
    """What for, and whether to ask."""
    experiment_argument(parser)
    parser.add_argument("--yes", "-y", action="store_true", help="create and update without asking")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be done")


def run(session: Session) -> int:
    """Show, ask, create and update. The exit code is 5 when something that is missing cannot be made."""
    from hera_k8s_cli.terminal.console import console_of
    from hera_k8s_utils.checks.provisioning import plan

    console = console_of(session)
    with session.container(session.file) as container:
        container.running()
        planned = plan(container.requirements(), container.context(), container.platforms())
        _show(planned, container, console)
        done = _create(planned, session, container, console)
        if console.json:
            steps = [step.to_json() for step in planned.steps]
            console.document({"namespace": planned.namespace, "done": [s.name for s in done], "steps": steps})
        return ChecksFailed.exit_code if planned.blocked else 0


def _show(planned: Plan, container: ExperimentContainer, console: Console) -> None:
    from hera_k8s_cli.terminal.report import identity_lines
    from hera_k8s_cli.terminal.stream import Span
    from hera_k8s_utils.checks.preflight import head

    console.head(
        identity_lines(container.experiment(), None, head(container.platforms(), container.context())), stderr=True
    )
    console.info()
    signs = console.out.glyphs
    for step in planned.steps:
        if step.action == "cannot":
            console.result("  ", Span(signs.failed, "bad"), f" {step.title}: {step.sentence()}")
        elif step.action == "present":
            console.result("  ", Span(signs.passed, "good"), f" {step.title}: {step.kind} {step.name} is there")
        else:
            console.result("  ", Span("+", "hint"), f" {step.title}: {step.sentence()}")
    if not planned.steps:
        console.result("the experiment declares nothing that can be created")


def _create(planned: Plan, session: Session, container: ExperimentContainer, console: Console) -> list[Step]:
    from hera_k8s_utils.checks.provisioning import apply, auto_provisions

    if not planned.changes:
        console.info("nothing to create or update")
        return []
    if session.arguments.dry_run:
        console.info("nothing was changed: --dry-run")
        return []
    agreed = session.arguments.yes or auto_provisions(container.platforms(), container.context())
    if not agreed and not _asked(console, f"{_question(planned.changes)} in {planned.namespace}?"):
        console.info("nothing was changed")
        return []
    done = apply(planned, container.context())
    container.plugins().notify("provisioned", steps=[step.to_json() for step in done])
    console.success(done_sentence(done, planned.namespace))
    return done


def _question(steps: Sequence[Step]) -> str:
    """`create 2 objects and update 1 object`."""
    from hera_k8s_utils.formatting import pluralize

    created, updated = _by_action(steps)
    parts = (("create", created), ("update", updated))
    return " and ".join(f"{verb} {pluralize(len(some), 'object')}" for verb, some in parts if some)


def done_sentence(steps: Sequence[Step], namespace: str) -> str:
    """`created claim results, updated config map settings in vcity`."""
    created, updated = _by_action(steps)
    parts = (("created", created), ("updated", updated))
    said = "; ".join(f"{verb} {', '.join(step.title for step in some)}" for verb, some in parts if some)
    return f"{said} in {namespace}"


def _by_action(steps: Sequence[Step]) -> tuple[list[Step], list[Step]]:
    """The steps that create an object or complete one, and those that update values."""
    updated = [step for step in steps if step.action == "update"]
    return [step for step in steps if step.action != "update"], updated


def _asked(console: Console, question: str) -> bool:
    if not console.can_ask:
        raise OptionsError(
            "provision asks before it changes anything",
            found="there is no terminal to ask on",
            hint="--yes, or --dry-run",
        )
    return console.confirm(question)


COMMAND = Command(
    name="provision",
    run=run,
    summary="create missing resources, update declared data",
    example="hera-k8s provision\nhera-k8s provision --dry-run\nhera-k8s provision --yes --output json",
    arguments=arguments,
)
