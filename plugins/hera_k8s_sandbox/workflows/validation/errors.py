"""Errors of validation: what Argo would refuse, and what the sandbox cannot do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class Unsupported(ValueError):
    """The workflow asks for something that Argo does and the sandbox does not."""


class WorkflowInvalid(ValueError):
    """The workflow breaks a rule; the message is Argo's, as far as it goes."""


class TemplateNotFound(WorkflowInvalid):
    """The template that the whole workflow refers to is not there.

    name, cluster: which.
    """

    def __init__(self, name: str, *, cluster: bool) -> None:
        plural = "clusterworkflowtemplates" if cluster else "workflowtemplates"
        super().__init__(f'{plural}.argoproj.io "{name}" not found')
        self.name = name
        self.cluster = cluster


def unsupported(what: str) -> Unsupported:
    """The refusal of something by its name."""
    return Unsupported(f"the sandbox does not support {what}")


@contextlib.contextmanager
def fields_of_wrong_type() -> Iterator[None]:
    """What Go's decoder would refuse: a number where a list should be."""
    try:
        yield
    except (AttributeError, KeyError, TypeError) as error:
        raise WorkflowInvalid(f"a field is of the wrong type: {error}") from None
