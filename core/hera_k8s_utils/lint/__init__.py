"""Toolkit for linting workloads: problems, and the source of inline Python functions."""

from typing import TYPE_CHECKING

from hera_k8s_utils._public import names_of

if TYPE_CHECKING:
    from hera_k8s_utils.lint.problems import (
        NAMES,
        Problem,
        findings_of,
        format_size,
        lint_error,
        lint_suggestion,
        lint_warning,
    )
    from hera_k8s_utils.lint.python_source import line_of, source_problems

__getattr__ = names_of(
    __name__,
    {
        "problems": ["NAMES", "Problem", "findings_of", "format_size", "lint_error", "lint_suggestion", "lint_warning"],
        "python_source": ["line_of", "source_problems"],
    },
)

__all__ = [
    "NAMES",
    "Problem",
    "findings_of",
    "format_size",
    "line_of",
    "lint_error",
    "lint_suggestion",
    "lint_warning",
    "source_problems",
]
