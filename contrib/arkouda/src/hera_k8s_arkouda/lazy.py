"""Functions of this package that are imported when they are first called: `hera-k8s --help` imports every plugin."""

from __future__ import annotations

from typing import Any

# --- checkers ----------------------------------------------------------------------------------------------------


def check_installed(*arguments: Any) -> Any:
    """`check_installed` of `hera_k8s_arkouda.checks`."""
    from hera_k8s_arkouda.checks import check_installed

    return check_installed(*arguments)


def build_installed(*arguments: Any) -> Any:
    """`build_installed` of `hera_k8s_arkouda.checks`."""
    from hera_k8s_arkouda.checks import build_installed

    return build_installed(*arguments)


def check_token(*arguments: Any) -> Any:
    """`check_token` of `hera_k8s_arkouda.checks`."""
    from hera_k8s_arkouda.checks import check_token

    return check_token(*arguments)


def check_ssh_keys(*arguments: Any) -> Any:
    """`check_ssh_keys` of `hera_k8s_arkouda.checks`."""
    from hera_k8s_arkouda.checks import check_ssh_keys

    return check_ssh_keys(*arguments)


def check_prometheus(*arguments: Any) -> Any:
    """`check_prometheus` of `hera_k8s_arkouda.checks`."""
    from hera_k8s_arkouda.checks import check_prometheus

    return check_prometheus(*arguments)


def check_capacity(*arguments: Any) -> Any:
    """`check_capacity` of `hera_k8s_arkouda.checks`."""
    from hera_k8s_arkouda.checks import check_capacity

    return check_capacity(*arguments)


# --- commands ----------------------------------------------------------------------------------------------------


def install(*arguments: Any) -> int:
    """`run` of `hera_k8s_arkouda.commands.install`."""
    from hera_k8s_arkouda.commands.install import run

    return run(*arguments)


def install_arguments(*arguments: Any) -> None:
    """`arguments` of `hera_k8s_arkouda.commands.install`."""
    from hera_k8s_arkouda.commands.install import arguments as add_arguments

    add_arguments(*arguments)


def deploy(*arguments: Any) -> int:
    """`run` of `hera_k8s_arkouda.commands.deploy`."""
    from hera_k8s_arkouda.commands.deploy import run

    return run(*arguments)


def deploy_arguments(*arguments: Any) -> None:
    """`arguments` of `hera_k8s_arkouda.commands.deploy`."""
    from hera_k8s_arkouda.commands.deploy import arguments as add_arguments

    add_arguments(*arguments)


def status(*arguments: Any) -> int:
    """`run` of `hera_k8s_arkouda.commands.status`."""
    from hera_k8s_arkouda.commands.status import run

    return run(*arguments)


def delete(*arguments: Any) -> int:
    """`run` of `hera_k8s_arkouda.commands.delete`."""
    from hera_k8s_arkouda.commands.delete import run

    return run(*arguments)


def delete_arguments(*arguments: Any) -> None:
    """`arguments` of `hera_k8s_arkouda.commands.delete`."""
    from hera_k8s_arkouda.commands.delete import arguments as add_arguments

    add_arguments(*arguments)


def deploy_exporter(*arguments: Any) -> int:
    """`run_deploy` of `hera_k8s_arkouda.commands.exporter`."""
    from hera_k8s_arkouda.commands.exporter import run_deploy

    return run_deploy(*arguments)


def delete_exporter(*arguments: Any) -> int:
    """`run_delete` of `hera_k8s_arkouda.commands.exporter`."""
    from hera_k8s_arkouda.commands.exporter import run_delete

    return run_delete(*arguments)


def schedule(*arguments: Any) -> int:
    """`run` of `hera_k8s_arkouda.commands.schedule`."""
    from hera_k8s_arkouda.commands.schedule import run

    return run(*arguments)


def schedule_arguments(*arguments: Any) -> None:
    """`arguments` of `hera_k8s_arkouda.commands.schedule`."""
    from hera_k8s_arkouda.commands.schedule import arguments as add_arguments

    add_arguments(*arguments)


def render(*arguments: Any) -> int:
    """`run` of `hera_k8s_arkouda.commands.render`."""
    from hera_k8s_arkouda.commands.render import run

    return run(*arguments)


def render_arguments(*arguments: Any) -> None:
    """`arguments` of `hera_k8s_arkouda.commands.render`."""
    from hera_k8s_arkouda.commands.render import arguments as add_arguments

    add_arguments(*arguments)
