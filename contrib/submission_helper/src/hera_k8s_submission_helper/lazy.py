"""Functions of this package that are imported when they are first called: `hera-k8s --help` imports every plugin."""

from __future__ import annotations

from typing import Any


def run_submit(*arguments: Any) -> int:
    """`run` of `hera_k8s_submission_helper.submit`."""
    from hera_k8s_submission_helper.submit import run

    return run(*arguments)


def run_status(*arguments: Any) -> int:
    """`status` of `hera_k8s_submission_helper.status`."""
    from hera_k8s_submission_helper.status import status

    return status(*arguments)


def run_pods(*arguments: Any) -> int:
    """`pods` of `hera_k8s_submission_helper.status`."""
    from hera_k8s_submission_helper.status import pods

    return pods(*arguments)


def run_logs(*arguments: Any) -> int:
    """`logs` of `hera_k8s_submission_helper.status`."""
    from hera_k8s_submission_helper.status import logs

    return logs(*arguments)


def run_cancel(*arguments: Any) -> int:
    """`cancel` of `hera_k8s_submission_helper.cancel`."""
    from hera_k8s_submission_helper.cancel import cancel

    return cancel(*arguments)


def run_wait(*arguments: Any) -> int:
    """`wait` of `hera_k8s_submission_helper.cancel`."""
    from hera_k8s_submission_helper.cancel import wait

    return wait(*arguments)
