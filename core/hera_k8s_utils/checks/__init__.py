"""Checks: what an experiment requires is collected, checked concurrently, and provisioned where asked."""

from typing import TYPE_CHECKING

from hera_k8s_utils._public import names_of

if TYPE_CHECKING:
    from hera_k8s_utils.checks.provisioning import Plan, Step, apply, auto_provisions, plan, plural
    from hera_k8s_utils.checks.runner import ACCESS, ENVIRONMENT, Check, Report, Row, run_checks

__getattr__ = names_of(
    __name__,
    {
        "provisioning": ["Plan", "Step", "apply", "auto_provisions", "plan", "plural"],
        "runner": ["ACCESS", "ENVIRONMENT", "Check", "Report", "Row", "run_checks"],
    },
)

__all__ = [
    "ACCESS",
    "ENVIRONMENT",
    "Check",
    "Plan",
    "Report",
    "Row",
    "Step",
    "apply",
    "auto_provisions",
    "plan",
    "plural",
    "run_checks",
]
