"""A client of the Argo server's REST API (4.1): plain JSON in and out, tokens renewed, streams that may be cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from typing import Any, Final
from urllib.parse import quote

from hera_k8s_argo.settings import ArgoSettings
from hera_k8s_argo.sse import results
from hera_k8s_argo.token_refresh import RefreshingToken
from hera_k8s_utils import (
    ARGO,
    Context,
    Credential,
    ErrorKind,
    Json,
    LogLine,
    NoCredential,
    OptionsError,
    PlatformError,
    is_dns_label,
    is_dns_subdomain,
)
from hera_k8s_utils.network import STREAM_SILENCE, HttpClient, ListLimits, NetworkSettings
from hera_k8s_utils.plugins import admit
from hera_k8s_utils.reading import are_objects
from hera_k8s_utils.trust import sends

VERBS: Final = ("stop", "terminate", "retry", "resubmit", "suspend", "resume")
_NOT_TWICE: Final = ("retry", "resubmit")
"""Verbs that would do something else when their answer is lost and they are sent again."""
_PAGE: Final = 500
_LAST_GRPC_CODE: Final = 16
_STREAM: Final = {"Accept": "text/event-stream"}
_HINTS: Final = {
    ErrorKind.UNAUTHORIZED: "hera-k8s login, or a fresh ARGO_TOKEN",
    ErrorKind.FORBIDDEN: "is it the right namespace (-n NAME)? else ask the cluster's administrators for permission",
}


def open_argo(settings: ArgoSettings, credential: Credential, context: Context) -> ArgoClient:
    """A client of the server that the credential or the settings name.

    Raises `NoCredential` when neither does: Argo is not configured then, whatever tokens there are.
    """
    server = credential.server or str(settings.address or "")
    if not server:
        raise NoCredential(
            "no Argo server is configured", found="ARGO_SERVER is not set", hint="--argo-server HOST:PORT"
        )

    if credential.secret:
        subject = f"the token of {credential.source}"
        admit(context, ArgoSettings, "server", sends(subject, server), secret=credential.secret)
    token = RefreshingToken(
        partial(context.platforms.credential, ARGO.name),
        partial(context.platforms.renew, ARGO.name),
    )
    http = HttpClient(
        server,
        context.options.of(NetworkSettings),
        token=token,
        renew=token.renew,
        verify=not settings.insecure_skip_verify,
        ca_file=credential.certificate_authority,
        hints=_HINTS,
        is_own=_is_own,
    )
    return ArgoClient(http, context, identity=credential.identity)


def _is_own(body: Mapping[str, Any]) -> bool:
    """Whether an error is worded as the Argo server (4.1) words its own: with a message and a gRPC code."""
    code = body.get("code")
    return type(code) is int and 0 < code <= _LAST_GRPC_CODE and isinstance(body.get("message"), str)


def close_argo(client: ArgoClient) -> None:
    """Close the connections of a client."""
    client.close()


_LINTED: Final = {
    "Workflow": ("workflows", "workflow"),
    "WorkflowTemplate": ("workflow-templates", "template"),
    "ClusterWorkflowTemplate": ("cluster-workflow-templates", "template"),
    "CronWorkflow": ("cron-workflows", "cronWorkflow"),
}
"""The path and the field under which the server lints objects of a kind (Argo 4.0, pkg/apiclient)."""


class ArgoClient:
    """The client of `hera_k8s_utils.Argo`; safe to share between threads.

    server: the server's address, without secrets.
    identity: the caller's identity; empty when unknown.
    """

    def __init__(self, http: HttpClient, context: Context, *, identity: str = "") -> None:
        self._http = http
        self._context = context
        self.server = http.shown_url
        self.identity = identity

    def __repr__(self) -> str:
        return f"ArgoClient({self.server!r})"

    @cached_property
    def namespace(self) -> str:
        """The namespace that is meant where none is named."""
        return self._context.namespace

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._http.close()

    # --- the server ------------------------------------------------------------------------------------------------

    def version(self) -> str:
        """The server's version, `v4.1.2`."""
        return str(self._object("api/v1/version").get("version") or "")

    def info(self) -> Json:
        """Settings of the server, such as `managedNamespace`."""
        return self._object("api/v1/info")

    def userinfo(self) -> Json:
        """The caller's identity as the server sees it."""
        return self._object("api/v1/userinfo")

    # --- workflows -------------------------------------------------------------------------------------------------

    def create(self, workflow: Json, *, namespace: str | None = None, dry_run: bool = False) -> Json:
        """Create a workflow, or with `dry_run` let the server and the cluster judge it."""
        where = self._where(namespace)
        body = {"namespace": where, "serverDryRun": dry_run, "workflow": workflow}
        created: Json = self._http.post(self._path(where), json=body).json()
        return created

    def lint(self, workflow: Json, *, namespace: str | None = None) -> Json:
        """Let the server judge a workflow, a template or a CronWorkflow by its own rules alone."""
        where = self._where(namespace)
        plural, field = _LINTED[str(workflow.get("kind") or "Workflow")]
        place = "" if plural == "cluster-workflow-templates" else f"/{quote(where, safe='')}"
        body = {"namespace": where, field: workflow} if place else {field: workflow}
        linted: Json = self._http.post(f"api/v1/{plural}{place}/lint", json=body).json()
        return linted

    def get(self, name: str, *, namespace: str | None = None, fields: str = "") -> Json:
        """A workflow, from the archive where the cluster has it no more. fields: `status.phase,...`; empty: all."""
        return self._object(self._path(namespace, _checked(name)), **({"fields": fields} if fields else {}))

    def list(
        self, *, namespace: str | None = None, label_selector: str = "", limit: int = 0, fields: str = ""
    ) -> Iterator[Json]:
        """Workflows one by one, fetched page by page. limit: the most; 0: all. fields: as in `items.status.phase`."""
        left = limit or None
        query = {"listOptions.labelSelector": label_selector, "fields": f"metadata,{fields}" if fields else ""}
        resume, limits = "", ListLimits(f"GET {self.server}/{self._path(namespace)}")
        while True:
            size = _PAGE if left is None else min(left, _PAGE)
            asked = {**query, "listOptions.limit": str(size), "listOptions.continue": resume}
            page, length = self._sized(self._path(namespace), **{key: value for key, value in asked.items() if value})
            limits.take(length)
            items = self._items(page, self._path(namespace))
            yield from items[:left]
            left = None if left is None else left - len(items)
            resume = (page.get("metadata") or {}).get("continue") or ""
            if not resume or not items or (left is not None and left <= 0):
                return

    def delete(self, name: str, *, namespace: str | None = None) -> None:
        """Delete a workflow; its pods go with it."""
        self._http.delete(self._path(namespace, _checked(name)))

    def delete_template(self, name: str, *, namespace: str | None = None) -> None:
        """Delete a workflow template; the workflows that were made from it stay."""
        self._http.delete(f"api/v1/workflow-templates/{self._where(namespace)}/{_checked(name)}")

    def act(self, name: str, verb: str, *, namespace: str | None = None) -> Json:
        """Do one of `VERBS` to a workflow."""
        if verb not in VERBS:
            raise OptionsError(f"unknown action on a workflow: {verb}", found=f"known: {', '.join(VERBS)}")
        where = self._where(namespace)
        body = {"namespace": where, "name": name}
        path = self._path(where, _checked(name), verb)
        changed: Json = self._http.put(path, json=body, repeat=verb not in _NOT_TWICE).json()
        return changed

    def watch(self, name: str, *, namespace: str | None = None, fields: str = "") -> Iterator[tuple[str, Json]]:
        """(type, workflow) pairs until the server ends the stream, the workflow as it is first.

        fields: of the workflow, `status.phase,...`; empty: all.
        """
        from hera_k8s_utils.network import EVENTS

        query = {"listOptions.fieldSelector": f"metadata.name={_checked(name)}"}
        if fields:  # without `error` the server would filter its own error frames out (4.1)
            wanted = [f"result.object.{field}" for field in fields.split(",")]
            query["fields"] = ",".join(["error", "result.type", *wanted])
        path = f"api/v1/workflow-events/{self._where(namespace)}"
        lines = self._http.stream(path, params=query, headers=_STREAM, pace=EVENTS)
        for event in results(lines, wanted=f"following {name}"):
            if isinstance(event.get("object"), dict):
                yield str(event.get("type") or ""), event["object"]

    def logs(
        self,
        name: str,
        *,
        pod: str = "",
        container: str = "main",
        namespace: str | None = None,
        follow: bool = False,
    ) -> Iterator[LogLine]:
        """Lines of a workflow's pods, or of one; with `follow` until they end. A cut stream raises `PlatformError`."""
        for line, _ in self.timed_logs(name, pod=pod, container=container, namespace=namespace, follow=follow):
            yield line

    def timed_logs(
        self,
        name: str,
        *,
        pod: str = "",
        container: str = "main",
        namespace: str | None = None,
        follow: bool = False,
        timestamps: bool = False,
    ) -> Iterator[tuple[LogLine, str]]:
        """As `logs`, each line with the time at which it was written (RFC 3339; "" where the server gave none)."""
        from hera_k8s_utils.network import EVENTS, FINISHED

        asked = {
            "logOptions.container": container,
            "logOptions.follow": "true" if follow else "",
            "logOptions.timestamps": "true" if timestamps else "",
            "podName": pod,
        }
        path = self._path(namespace, _checked(name), "log")
        query = {key: value for key, value in asked.items() if value}
        within = self._context.options.of(NetworkSettings).http_timeout
        silence, pace = (STREAM_SILENCE, EVENTS) if follow else (within, FINISHED)
        lines = self._http.stream(path, params=query, headers=_STREAM, silence=silence, pace=pace)
        for entry in results(lines, wanted=f"logs of {name}"):
            content, moment = str(entry.get("content") or ""), ""
            if timestamps:
                moment, content = split_timestamp(content)
            yield LogLine(str(entry.get("podName") or ""), content), moment

    def artifact(self, name: str, node: str, artifact: str, *, namespace: str | None = None) -> Iterator[str]:
        """Lines of an output artifact of a node, as the server fetches it from the artifact store."""
        from hera_k8s_utils.network import FINISHED

        parts = ["workflows", _checked(name), node, "outputs", artifact]
        path = "/".join(quote(part, safe="") for part in [self._where(namespace), *parts])
        return self._http.stream(f"artifact-files/{path}", headers={"Accept": "*/*"}, pace=FINISHED)

    def url(self, name: str, *, namespace: str | None = None) -> str:
        """The page of a workflow in Argo's user interface."""
        return f"{self.server}/workflows/{quote(namespace or self.namespace)}/{quote(name)}"

    # --- how -------------------------------------------------------------------------------------------------------

    def _where(self, namespace: str | None) -> str:
        """The namespace that is meant; a kubeconfig's context may hold any text, and `..` would lead elsewhere."""
        where = namespace or self.namespace
        if not is_dns_label(where):
            raise OptionsError(
                f"{where[:80]!r} is not the name of a namespace", hint="-n NAME, or the kubeconfig's context"
            )
        return where

    def _path(self, namespace: str | None, *parts: str) -> str:
        segments = [self._where(namespace), *parts]
        return "/".join(["api/v1/workflows", *(quote(segment, safe="") for segment in segments)])

    def _items(self, page: Json, path: str) -> Any:
        """The items of a list, empty where there are none; an object that is no list is not taken for an empty one."""
        items = page.get("items") or []
        if not _is_list(page) or not are_objects(items):
            raise PlatformError(
                f"GET {self.server}/{path}",
                found="the answer is not a list of workflows",
                hint="is it the address of an Argo server?",
                kind=ErrorKind.PROTOCOL,
            )
        return items

    def _object(self, path: str, **query: str) -> Json:
        return self._sized(path, **query)[0]

    def _sized(self, path: str, **query: str) -> tuple[Json, int]:
        """The object that is answered, and its size in bytes."""
        answer = self._http.get(path, params=_nothing_to_none(query))
        found: Any = answer.json()
        if not isinstance(found, dict):
            raise PlatformError(f"GET {self.server}/{path}", found="not an object", kind=ErrorKind.PROTOCOL)
        return found, len(answer.content)


def split_timestamp(content: str) -> tuple[str, str]:
    """A line's time and its text; a line without a time is left whole."""
    moment, blank, text = content.partition(" ")
    timed = bool(blank) and len(moment) >= 20 and moment[:4].isdigit() and moment[10] == "T"
    return (moment, text) if timed else ("", content)


def _is_list(page: Json) -> bool:
    """Whether an object has the metadata of a list, as the server (4.1) gives even an empty one, and is no item."""
    metadata = page.get("metadata")
    return isinstance(metadata, dict) and metadata.keys().isdisjoint(("name", "uid"))


def _nothing_to_none(query: Mapping[str, str]) -> Mapping[str, str] | None:
    return query or None


def _checked(name: str) -> str:
    """A name that makes one segment of a path; anything else would ask for another page of the server."""
    if not is_dns_subdomain(name):
        raise OptionsError(
            f"{name[:80]!r} is not the name of a workflow",
            found="names are lower-case letters, digits, dashes and dots",
            hint="hera-k8s runs --server lists the workflows",
        )
    return name
