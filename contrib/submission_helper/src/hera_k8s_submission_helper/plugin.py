"""The plugin: the commands `hera-k8s jobs ...`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hera_k8s_submission_helper import flags, lazy
from hera_k8s_submission_helper.settings import PodSettings
from hera_k8s_utils import Command, hookimpl

hera_k8s_hook_api: Final = (1, 0)


@hookimpl
def commands() -> Iterator[Command]:
    """`hera-k8s jobs ...`."""
    yield Command(
        name="jobs submit",
        run=lazy.run_submit,
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
        run=lazy.run_status,
        summary="show the state of the jobs of command lines",
        example="hera-k8s jobs status\nhera-k8s jobs status --identifier lines --output json",
        arguments=flags.of_status,
    )
    yield Command(
        name="jobs pods",
        run=lazy.run_pods,
        summary="show the pods of the jobs of command lines",
        example="hera-k8s jobs pods --identifier lines",
        arguments=flags.of_pods,
    )
    yield Command(
        name="jobs logs",
        run=lazy.run_logs,
        summary="print the logs of the jobs of command lines, or write each to a file",
        example="hera-k8s jobs logs shj-lines-00003\nhera-k8s jobs logs --identifier lines --logpath logs",
        arguments=flags.of_logs,
    )
    yield Command(
        name="jobs cancel",
        run=lazy.run_cancel,
        summary="delete the unfinished jobs of command lines",
        example="hera-k8s jobs cancel --identifier lines\nhera-k8s jobs cancel --identifier lines --all",
        arguments=flags.of_cancel,
    )
    yield Command(
        name="jobs wait",
        run=lazy.run_wait,
        summary="run the jobs of command lines to their end, and collect their logs",
        example="hera-k8s jobs wait --identifier lines",
        arguments=flags.of_wait,
    )
