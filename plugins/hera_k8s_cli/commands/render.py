"""`hera-k8s render`: the manifest that would be submitted, on stdout. Asks no server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_k8s_utils.container.session import Session, experiment_argument
from hera_k8s_utils.plugins.records import Command
from hera_k8s_utils.redaction import mask_known

if TYPE_CHECKING:
    from argparse import ArgumentParser


def arguments(parser: ArgumentParser) -> None:
    """What to render, and how."""
    experiment_argument(parser)
    parser.add_argument(
        "--format", choices=("yaml", "json"), default="yaml", help="format of the manifest (default: %(default)s)"
    )


def run(session: Session) -> int:
    """Write the manifest as YAML, or as JSON."""
    from hera_k8s_utils.checks.preflight import rejected_requirements

    console = session.console()
    with session.container(session.file) as container:
        manifest = container.manifest()
        if container.inputs().names:
            container.layout().verify()  # what would overwrite itself is not written for another program to submit
        for each in rejected_requirements(container.environment().requirements):
            console.warning(f"{each.title}: {each.result.detail}")
        as_json = console.json or session.arguments.format == "json"
        text = manifest.to_json(indent=2) + "\n" if as_json else manifest.to_yaml()
        console.write(text)
        if mask_known(text) != text:  # another program would submit the mask
            console.warning(
                "the manifest holds a secret, written as <redacted>: refer to a Secret of the cluster instead"
            )
    return 0


COMMAND = Command(
    name="render",
    run=run,
    summary="print the manifest that would be submitted, offline",
    example="hera-k8s render > workflow.yaml\nhera-k8s render --run-id trial-7 --format json",
    arguments=arguments,
)
