"""The path of `hera_utils.utils` in version 0.1, which scripts import."""

from hera_utils.utils import assert_version, check_version, clear_workflow_template, print_version

__all__ = ["assert_version", "check_version", "clear_workflow_template", "print_version"]
