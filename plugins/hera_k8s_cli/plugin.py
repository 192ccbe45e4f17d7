"""Plugin `commands`: the commands of `hera-k8s`, declared through the hook that other plugins use too."""

from __future__ import annotations

from collections.abc import Iterator

from hera_k8s_utils.plugins.hookspecs import hookimpl
from hera_k8s_utils.plugins.records import Command


@hookimpl
def commands() -> Iterator[Command]:
    """The built-in commands.

    Their modules are imported for the summaries that `--help` prints: what is heavy they import inside `run`.
    """
    from hera_k8s_cli.commands import (
        check,
        config,
        follow,
        layout,
        logs,
        plugins,
        provision,
        render,
        run,
        runs,
        stop,
        trust,
    )

    for module in (run, check, provision, render, layout, follow, logs, stop, runs, config, trust, plugins):
        yield module.COMMAND
