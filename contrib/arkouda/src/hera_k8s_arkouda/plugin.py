"""What is declared: checkers of what Arkouda needs, and the commands `hera-k8s arkouda ...`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Final

from hera_k8s_arkouda.requirements import Capacity, Installed, PrometheusSelection, SshKeys, TokenSecret
from hera_k8s_arkouda.settings import ArkoudaSettings
from hera_k8s_utils import Command, ResourceChecker, hookimpl

hera_k8s_hook_api: Final = (1, 0)


def _later(module: str, function: str) -> Callable[..., Any]:
    """A function of this package whose module is imported when it is first called."""

    def call(*arguments: Any) -> Any:
        return getattr(import_module(f"{__package__}.{module}"), function)(*arguments)

    return call


@hookimpl
def resource_checkers() -> Iterator[ResourceChecker[Any]]:
    """What an Arkouda on Kubernetes needs besides what the framework can check."""
    yield ResourceChecker(
        kind=Installed.kind,
        requirement=Installed,
        check=_later("checks", "check_installed"),
        provision=_later("checks", "provide_installed"),
    )
    yield ResourceChecker(kind=TokenSecret.kind, requirement=TokenSecret, check=_later("checks", "check_token"))
    yield ResourceChecker(kind=SshKeys.kind, requirement=SshKeys, check=_later("checks", "check_ssh_keys"))
    yield ResourceChecker(
        kind=PrometheusSelection.kind, requirement=PrometheusSelection, check=_later("checks", "check_prometheus")
    )
    yield ResourceChecker(kind=Capacity.kind, requirement=Capacity, check=_later("checks", "check_capacity"))


def _command(name: str, module: str, summary: str, example: str, *, run: str = "run", arguments: str = "") -> Command:
    words = _later(f"commands.{arguments or module}", "arguments") if arguments != "none" else None
    return Command(
        name=f"arkouda {name}",
        run=_later(f"commands.{module}", run),
        summary=summary,
        example=example,
        arguments=words,
        settings=ArkoudaSettings,
    )


@hookimpl
def commands() -> Iterator[Command]:
    """`hera-k8s arkouda` and what follows."""
    yield _command(
        "install",
        "install",
        "install the workflow templates and the rights of their account",
        "hera-k8s arkouda install\nhera-k8s arkouda install --dry-run",
    )
    yield _command(
        "deploy",
        "deploy",
        "deploy Arkouda, and wait until all locales are ready",
        "hera-k8s arkouda deploy\nhera-k8s arkouda deploy --arkouda-number-of-locales 4 --dry-run",
    )
    yield _command(
        "status",
        "status",
        "what of an instance is there, and which locales are ready",
        "hera-k8s arkouda status --arkouda-instance-name arkouda-on-k8s",
        arguments="none",
    )
    yield _command(
        "delete",
        "delete",
        "delete an instance, and say what was removed",
        "hera-k8s arkouda delete --arkouda-instance-name arkouda-on-k8s --yes",
    )
    yield _command(
        "exporter deploy",
        "exporter",
        "deploy the Prometheus exporter of an Arkouda elsewhere",
        "hera-k8s arkouda exporter deploy",
        run="run_deploy",
        arguments="deploy",
    )
    yield _command(
        "exporter delete",
        "exporter",
        "delete that exporter",
        "hera-k8s arkouda exporter delete --yes",
        run="run_delete",
        arguments="delete",
    )
    yield _command(
        "schedule",
        "schedule",
        "deploy and delete at certain times",
        'hera-k8s arkouda schedule --deploy-at "0 07 * * 1-5" --timezone Europe/Paris\n'
        "hera-k8s arkouda schedule --remove",
    )
    yield _command(
        "render",
        "render",
        "write templates, rights, workflows or schedules as YAML; asks no server",
        "hera-k8s arkouda render --arkouda-namespace arkouda > install.yaml\n"
        "hera-k8s arkouda render deploy > workflow.yaml",
    )
