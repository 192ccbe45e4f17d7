"""What is declared to `hera-k8s`: the commands `jobs ...`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Final

from hera_k8s_submission_helper import flags
from hera_k8s_submission_helper.settings import PodSettings
from hera_k8s_utils import Command, hookimpl

hera_k8s_hook_api: Final = (1, 0)


def _later(place: str) -> Callable[[Any], int]:
    """`module.function` of this package, imported when it is first called: `--help` imports every plugin."""
    module, _, name = place.partition(".")

    def call(session: Any) -> int:
        return int(getattr(import_module(f"{__package__}.{module}"), name)(session))

    return call


@hookimpl
def commands() -> Iterator[Command]:
    """Submitting command lines, and what one wants to do with them afterwards."""
    yield Command(
        name="jobs submit",
        run=_later("submit.run"),
        summary="run command lines as Kubernetes Jobs",
        example=(
            "hera-k8s jobs submit lines.txt --k8s-image registry.example/group/image:tag --wait\n"
            "hera-k8s jobs submit lines.txt --maxConcurrent 50 --ncores 2 --memory 8000 --time 120\n"
            "hera-k8s jobs submit lines.txt --checkmissing"
        ),
        arguments=flags.of_submit,
        settings=PodSettings,
    )
    yield Command(
        name="jobs status",
        run=_later("status.status"),
        summary="how the jobs of command lines stand",
        example="hera-k8s jobs status\nhera-k8s jobs status --identifier lines --output json",
        arguments=flags.of_status,
    )
    yield Command(
        name="jobs pods",
        run=_later("status.pods"),
        summary="the pods of the jobs of command lines",
        example="hera-k8s jobs pods --identifier lines",
        arguments=flags.of_pods,
    )
    yield Command(
        name="jobs logs",
        run=_later("status.logs"),
        summary="what command lines printed, or a file of it for each",
        example="hera-k8s jobs logs shj-lines-00003\nhera-k8s jobs logs --identifier lines --logpath logs",
        arguments=flags.of_logs,
    )
    yield Command(
        name="jobs cancel",
        run=_later("cancel.cancel"),
        summary="delete the jobs of command lines that have not ended",
        example="hera-k8s jobs cancel --identifier lines\nhera-k8s jobs cancel --identifier lines --all",
        arguments=flags.of_cancel,
    )
    yield Command(
        name="jobs wait",
        run=_later("cancel.wait"),
        summary="drive the jobs of command lines to their end, and collect their logs",
        example="hera-k8s jobs wait --identifier lines",
        arguments=flags.of_wait,
    )
