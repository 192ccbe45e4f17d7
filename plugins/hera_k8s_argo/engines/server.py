"""The engine `argo`: workflows through the Argo server."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_argo.client import ArgoClient
from hera_k8s_argo.following import FIELDS, Source, follow, require_stopping
from hera_k8s_argo.logs import resume_stream
from hera_k8s_argo.nodes import nodes_of, pod_name
from hera_k8s_argo.pod_logs import without_executor_lines
from hera_k8s_argo.settings import ArgoSettings
from hera_k8s_argo.submission import prepared
from hera_k8s_argo.summaries import summary
from hera_k8s_utils import (
    Context,
    CoreSettings,
    ErrorKind,
    Finding,
    Json,
    LogLine,
    PlatformError,
    RunSummary,
    RunUpdate,
    Submission,
    Verdict,
    ok,
)
from hera_k8s_utils.engines import CONFIRMING, SubmissionTarget, dry_run_result, submit_once
from hera_k8s_utils.network import RetryPolicy

if TYPE_CHECKING:
    from hera_k8s_utils import BuiltExperiment

log = logging.getLogger(__name__)

_LOGS: Final = "main-logs"
"""The artifact under which Argo (4.1) archives what the container `main` printed."""
_IDENTITY: Final = "metadata.name,metadata.namespace,metadata.uid,metadata.labels"
_SUMMARY: Final = "items.metadata.name,items.metadata.labels,items.metadata.creationTimestamp,items.status.phase"
_TIMES: Final = "items.status.progress,items.status.startedAt,items.status.finishedAt"


@dataclass(frozen=True)
class ArgoEngine:
    """Runs workflows through the Argo server.

    instance: of the controller, where there are several. confirming: seconds, as in `SubmissionTarget`.
    """

    argo: ArgoClient
    instance: str = ""
    patience: RetryPolicy = field(default_factory=RetryPolicy)
    confirming: float = CONFIRMING

    def submit(self, built: BuiltExperiment) -> Submission:
        """Exactly once; raises `SubmitError`, and `OptionsError` for what is created and not run."""
        built.require_run()
        workflow = prepared(built, self.argo.namespace, instance=self.instance)
        target = SubmissionTarget(
            self.argo.namespace,
            create=self.argo.create,
            read=partial(self.argo.get, fields=_IDENTITY),
            url=self.argo.url,
            sleep=self.patience.sleep,
            confirming=self.confirming,
        )
        return submit_once(workflow, target)

    def preflight(self, built: BuiltExperiment) -> Iterable[Finding]:
        """Let the server create it without keeping it: its rules, admission and the right to create are all tried.

        Of templates and CronWorkflows, which another program creates, only Argo's rules are tried.
        """
        workflow = prepared(built, self.argo.namespace, instance=self.instance)
        if built.manifest.kind != "Workflow":
            result = dry_run_result(partial(self.argo.lint, workflow))
            yield Finding("argo accepts it", ok("linted") if result.verdict is Verdict.PASSED else result)
            return
        yield Finding("argo accepts it", dry_run_result(partial(self.argo.create, workflow, dry_run=True)))

    def follow(self, name: str) -> Iterator[RunUpdate]:
        """Updates as they come, until a final phase."""
        fields = ",".join(FIELDS)

        def watch(name: str, since: str) -> Iterator[tuple[str, Json]]:
            return self.argo.watch(name, fields=fields)  # it begins with the workflow as it is

        return follow(Source(read=partial(self.argo.get, fields=fields), watch=watch), name, self.patience)

    def logs(self, name: str, *, pod: str = "", follow: bool = False) -> Iterator[LogLine]:
        """The output of the tasks; with `follow` until the workflow ends, with interrupted streams resumed.

        For pods that are gone, the logs that Argo archived (`archiveLogs`), if any.
        """
        return without_executor_lines(self._all_logs(name, pod=pod, follow=follow))

    def _all_logs(self, name: str, *, pod: str, follow: bool) -> Iterator[LogLine]:
        stream = partial(self.argo.timed_logs, name, pod=pod, follow=follow, timestamps=True)
        missing: PlatformError | None = None
        heard = False
        try:
            for line in resume_stream(stream, self.patience, follow=follow):
                heard = True
                yield line
        except PlatformError as error:
            if error.kind is not ErrorKind.MISSING:
                raise
            missing = error
        if not heard:
            for line in self._archived(name, pod):
                heard = True
                yield line
        if missing and not heard:
            raise missing

    def _archived(self, name: str, pod: str) -> Iterator[LogLine]:
        workflow = self.argo.get(name, fields=",".join(FIELDS))
        for key, node in nodes_of(workflow.get("status") or {}).items():
            artifacts = (node.get("outputs") or {}).get("artifacts") or ()
            if node.get("type") != "Pod" or all(artifact.get("name") != _LOGS for artifact in artifacts):
                continue
            of = pod_name(key, node, workflow)
            if pod in ("", of):
                yield from (LogLine(of, line) for line in self.argo.artifact(name, key, _LOGS))

    def stop(self, name: str, *, terminate: bool = False) -> None:
        """Stop with exit handlers, or terminate without; raises `RunAlreadyFinished` for a workflow that has ended."""
        try:
            self.argo.act(name, "terminate" if terminate else "stop")
        except PlatformError as error:
            is_over = error.kind is ErrorKind.INVALID  # 400: "cannot stop a completed workflow" (4.1)
            if error.conclusive and not is_over:
                raise
            read = partial(self.argo.get, fields="status.phase,spec.shutdown")
            require_stopping(name, read, error, terminate=terminate)

    def find(self, name: str) -> RunSummary:
        """The workflow of a name as a listing shows it; raises 404 when there is none."""
        return summary(self.argo.get(name, fields=f"{_IDENTITY},status.phase"))

    def runs(self, *, label_selector: str = "", limit: int = 500) -> Iterator[RunSummary]:
        """The runs that carry the labels, the newest first as the server lists them."""
        for workflow in self.argo.list(label_selector=label_selector, limit=limit, fields=f"{_SUMMARY},{_TIMES}"):
            yield summary(workflow)


def open_argo_engine(settings: ArgoSettings, context: Context) -> ArgoEngine:
    """The engine over the context's Argo server."""
    client: Any = context.argo
    confirming = context.options.of(CoreSettings).confirm_timeout
    return ArgoEngine(client, settings.instanceid, confirming=confirming)
