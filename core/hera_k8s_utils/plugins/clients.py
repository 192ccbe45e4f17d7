"""Clients of the two built-in platforms, as protocols, and the keys by which a context opens them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from hera_k8s_utils._types import Json
from hera_k8s_utils.experiment.run_state import LogLine

C = TypeVar("C")
Scope = Literal["namespace", "cluster"]


@dataclass(frozen=True)
class PlatformKey(Generic[C]):
    """The name of a platform, and for a type checker the type of its client."""

    name: str


class Kubernetes(Protocol):
    """A small client of the Kubernetes API: plain JSON in and out, `PlatformError` on anything but success.

    `resource` is a plural, `configmaps`; `namespace` None means the client's own; scope `cluster` means none at all.
    Safe to share between threads. Every request has a timeout.
    """

    namespace: str
    server: str
    identity: str

    def get(
        self,
        api_version: str,
        resource: str,
        name: str,
        *,
        namespace: str | None = None,
        scope: Scope = "namespace",
    ) -> Json: ...

    def list(
        self,
        api_version: str,
        resource: str,
        *,
        namespace: str | None = None,
        scope: Scope = "namespace",
        label_selector: str = "",
        field_selector: str = "",
        page: int = 500,
    ) -> Iterator[Json]:
        """The items one by one, fetched page by page."""

    def create(
        self,
        api_version: str,
        resource: str,
        body: Json,
        *,
        name: str = "",
        subresource: str = "",
        namespace: str | None = None,
        scope: Scope = "namespace",
        dry_run: bool = False,
    ) -> Json:
        """POST; with `name` and `subresource` to a subresource, such as serviceaccounts/NAME/token."""

    def apply(
        self,
        api_version: str,
        resource: str,
        name: str,
        body: Json,
        *,
        namespace: str | None = None,
        scope: Scope = "namespace",
        dry_run: bool = False,
        force: bool = False,
    ) -> Json:
        """Server-side apply, with this project as field manager."""

    def patch(
        self,
        api_version: str,
        resource: str,
        name: str,
        body: Json,
        *,
        namespace: str | None = None,
        scope: Scope = "namespace",
    ) -> Json:
        """JSON merge patch."""

    def delete(
        self,
        api_version: str,
        resource: str,
        name: str,
        *,
        namespace: str | None = None,
        scope: Scope = "namespace",
        propagation: str = "Background",
    ) -> Json: ...

    def watch(
        self,
        api_version: str,
        resource: str,
        *,
        namespace: str | None = None,
        scope: Scope = "namespace",
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
        timeout: float = 300,
    ) -> Iterator[tuple[str, Json]]:
        """(type, object) pairs until the server ends the stream; an ERROR event is raised as `PlatformError`."""

    def logs(
        self,
        pod: str,
        *,
        namespace: str | None = None,
        container: str = "main",
        follow: bool = False,
        errors: str = "replace",
    ) -> Iterator[str]:
        """Lines of a container's output.

        errors: for bytes that are not UTF-8, as `bytes.decode` takes it.
        """

    def version(self) -> Json: ...


class Argo(Protocol):
    """A client of the Argo server, with the manners of `Kubernetes` above. `namespace` None means the client's own."""

    namespace: str
    server: str
    identity: str

    def version(self) -> str: ...
    def info(self) -> Json: ...
    def userinfo(self) -> Json: ...
    def create(self, workflow: Json, *, namespace: str | None = None, dry_run: bool = False) -> Json: ...
    def lint(self, workflow: Json, *, namespace: str | None = None) -> Json: ...
    def get(self, name: str, *, namespace: str | None = None, fields: str = "") -> Json: ...
    def list(
        self, *, namespace: str | None = None, label_selector: str = "", limit: int = 0, fields: str = ""
    ) -> Iterator[Json]: ...
    def delete(self, name: str, *, namespace: str | None = None) -> None: ...
    def act(self, name: str, verb: str, *, namespace: str | None = None) -> Json:
        """PUT one of the verbs `stop`, `terminate`, `retry`, `resubmit`, `suspend`, `resume`."""

    def watch(self, name: str, *, namespace: str | None = None, fields: str = "") -> Iterator[tuple[str, Json]]: ...
    def logs(
        self,
        name: str,
        *,
        pod: str = "",
        container: str = "main",
        namespace: str | None = None,
        follow: bool = False,
    ) -> Iterator[LogLine]: ...
    def url(self, name: str, *, namespace: str | None = None) -> str:
        """The page of a workflow in Argo's user interface."""


KUBERNETES: PlatformKey[Kubernetes] = PlatformKey("kubernetes")


ARGO: PlatformKey[Argo] = PlatformKey("argo")
