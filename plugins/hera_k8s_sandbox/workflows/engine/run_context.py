"""The run context: the interface through which the parts of the engine use their workflow.

`operation.Operation` implements it. The parts import this Protocol only, so that operation.py can import the parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from hera_k8s_sandbox.workflows.model.cluster import Cluster
from hera_k8s_sandbox.workflows.model.expansion import Expansion
from hera_k8s_sandbox.workflows.model.nodes import Nodes
from hera_k8s_sandbox.workflows.model.templates import Templates
from hera_k8s_utils._types import Json


class Admission(Protocol):
    """Whether another node may be made."""

    def require_room(self, template: Json, boundary: str) -> None:
        """Raises ParallelismReached when no further node may be made here now."""


class RunContext(Protocol):
    """One workflow while it runs.

    workflow: the object as stored.
    spec: the spec that is executed, that of a referenced template included.
    status: the workflow's status, which the parts change in place.
    nodes: the nodes of the status.
    templates: the templates that may be called.
    cluster: the pods, claims, config maps and locks around the workflow.
    globals: values of `{{workflow...}}`, by tag.
    plans: what dag and steps derive of a node and keep between advances, by the node's id.
    """

    workflow: Json
    spec: Json
    status: Json
    nodes: Nodes
    templates: Templates
    cluster: Cluster
    globals: dict[str, str]
    plans: dict[str, Any]

    @property
    def admission(self) -> Admission:
        """Locks, caches and parallelism."""

    @property
    def name(self) -> str:
        """The workflow's name."""

    @property
    def executed(self) -> Json:
        """The workflow with the spec that is executed."""

    @property
    def shutdown(self) -> str:
        """`Stop`, `Terminate`, or empty while neither was requested."""

    @property
    def deadline(self) -> float | None:
        """When the workflow must have ended, in seconds since the epoch."""

    # Time

    def now(self) -> float:
        """Seconds since the epoch."""

    def wake(self, at: float) -> None:
        """Ask to be advanced again at a time, in seconds since the epoch."""

    # Executing templates

    def execute(self, name: str, holder: Json, arguments: Json, boundary: str, owner: str = "") -> Json | None:
        """Execute a template as the node of this name; the node, or None when it was not made.

        holder: the task or step. Raises ParallelismReached, and NodeError when the node's parent is in error too.
        """

    def execute_once(
        self,
        name: str,
        template: Json,
        holder: Json,
        arguments: Json,
        boundary: str,
        owner: str = "",
        *,
        local: Mapping[str, str] | None = None,
    ) -> Json | None:
        """Execute a template as `execute` does, ignoring its retry strategy; local: further values for tags."""

    def processed(
        self,
        name: str,
        template: Json,
        holder: Json,
        arguments: Json,
        boundary: str,
        owner: str,
        local: Mapping[str, str] | None = None,
    ) -> Json:
        """A template with its inputs bound and its tags replaced, for the node of this name. Raises NodeError."""

    def retry_strategy(self, template: Json) -> Json | None:
        """The retry strategy of a template, or None."""

    def require_turn(self, *, pod: bool) -> None:
        """Raises ParallelismReached when another node, or pod, must wait for the next advance."""

    def require_room(self, boundary: Json, prefix: str, step: Json, members: Expansion) -> None:
        """Check that the members of a fan-out fit into the workflow. Raises LimitError. prefix: of their names."""

    # Nodes

    def add_node(
        self, name: str, kind: str, template: Json, holder: Json, boundary: str, owner: str, phase: str, **more: Any
    ) -> Json:
        """Add the node of a processed template."""

    def add_retry_node(
        self, name: str, template: Json, holder: Json, arguments: Json, boundary: str, owner: str
    ) -> Json:
        """Add the node around the attempts of a template. Raises NodeError."""

    def error_node(self, name: str, holder: Json, boundary: str, owner: str, message: str) -> None:
        """Put a node in error; it is made if it does not exist."""

    def kind_of(self, template: Json) -> str:
        """The type of a template's node."""

    def caller_fields(self, holder: Json, boundary: str) -> Json:
        """The fields of a node that name its template; keywords of `Nodes.add`."""

    def take_outputs(self, node: Json, outputs: Json | None) -> None:
        """Give a node its outputs, and the workflow those with a globalName."""

    def pod_name(self, node: Json) -> str:
        """The name of a node's pod."""

    def values(self) -> dict[str, str]:
        """The present values of `{{workflow...}}`, by tag."""
