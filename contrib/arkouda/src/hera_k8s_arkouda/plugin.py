"""The plugin: checkers of what Arkouda needs, and the commands `hera-k8s arkouda ...`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_arkouda import lazy
from hera_k8s_arkouda.requirements import Capacity, Installed, PrometheusSelection, SshKeys, TokenSecret
from hera_k8s_arkouda.settings import ArkoudaSettings
from hera_k8s_utils import Command, ResourceChecker, hookimpl

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_utils import Session

hera_k8s_hook_api: Final = (1, 0)


@hookimpl
def resource_checkers() -> Iterator[ResourceChecker[Any]]:
    """Checkers of what Arkouda needs beyond the framework's own requirements."""
    yield ResourceChecker(
        kind=Installed.kind, requirement=Installed, check=lazy.check_installed, provision=lazy.build_installed
    )
    yield ResourceChecker(kind=TokenSecret.kind, requirement=TokenSecret, check=lazy.check_token)
    yield ResourceChecker(kind=SshKeys.kind, requirement=SshKeys, check=lazy.check_ssh_keys)
    yield ResourceChecker(kind=PrometheusSelection.kind, requirement=PrometheusSelection, check=lazy.check_prometheus)
    yield ResourceChecker(kind=Capacity.kind, requirement=Capacity, check=lazy.check_capacity)


@hookimpl
def commands() -> Iterator[Command]:
    """`hera-k8s arkouda ...`."""
    yield _command(
        "install",
        lazy.install,
        lazy.install_arguments,
        summary="install the workflow templates, and the account and role that run them",
        example="hera-k8s arkouda install\nhera-k8s arkouda install --dry-run",
    )
    yield _command(
        "deploy",
        lazy.deploy,
        lazy.deploy_arguments,
        summary="deploy Arkouda, and wait until all locales are ready",
        example="hera-k8s arkouda deploy\nhera-k8s arkouda deploy --arkouda-number-of-locales 4 --dry-run",
    )
    yield _command(
        "status",
        lazy.status,
        None,
        summary="show which objects of an instance exist and which locales are ready",
        example="hera-k8s arkouda status --arkouda-instance-name arkouda-on-k8s",
    )
    yield _command(
        "delete",
        lazy.delete,
        lazy.delete_arguments,
        summary="delete an instance, and report what was removed",
        example="hera-k8s arkouda delete --arkouda-instance-name arkouda-on-k8s --yes",
    )
    yield _command(
        "exporter deploy",
        lazy.deploy_exporter,
        lazy.deploy_arguments,
        summary="deploy the Prometheus exporter of an Arkouda that runs elsewhere",
        example="hera-k8s arkouda exporter deploy",
    )
    yield _command(
        "exporter delete",
        lazy.delete_exporter,
        lazy.delete_arguments,
        summary="delete that exporter",
        example="hera-k8s arkouda exporter delete --yes",
    )
    yield _command(
        "schedule",
        lazy.schedule,
        lazy.schedule_arguments,
        summary="deploy and delete on a schedule",
        example=(
            'hera-k8s arkouda schedule --deploy-at "0 07 * * 1-5" --timezone Europe/Paris\n'
            "hera-k8s arkouda schedule --remove"
        ),
    )
    yield _command(
        "render",
        lazy.render,
        lazy.render_arguments,
        summary="write templates, RBAC objects, workflows or schedules as YAML, without a server",
        example=(
            "hera-k8s arkouda render --arkouda-namespace arkouda > install.yaml\n"
            "hera-k8s arkouda render deploy > workflow.yaml"
        ),
    )


def _command(
    name: str,
    run: Callable[[Session], int],
    arguments: Callable[[ArgumentParser], None] | None,
    *,
    summary: str,
    example: str,
) -> Command:
    return Command(
        name=f"arkouda {name}",
        run=run,
        summary=summary,
        example=example,
        arguments=arguments,
        settings=ArkoudaSettings,
    )
