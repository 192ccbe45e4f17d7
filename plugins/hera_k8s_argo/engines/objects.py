"""The engine `kubernetes`: the same through Workflow objects, where the Argo server is out of reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from hera_k8s_argo.following import Source, follow, require_going_on, require_stopping
from hera_k8s_argo.pod_logs import followed_logs, logs_of_workflow, without_executor_lines
from hera_k8s_argo.settings import ArgoSettings
from hera_k8s_argo.submission import INSTANCE, prepared
from hera_k8s_argo.summaries import summary
from hera_k8s_utils import (
    Context,
    CoreSettings,
    Finding,
    Json,
    Kubernetes,
    LogLine,
    PlatformError,
    RunSummary,
    RunUpdate,
    Submission,
)
from hera_k8s_utils.checks import plural
from hera_k8s_utils.engines import (
    CONFIRMING,
    STREAM_SECONDS,
    UNANCHORED_STREAM_SECONDS,
    SubmissionTarget,
    dry_run_result,
    log_of_pod,
    log_permission_result,
    submit_once,
)
from hera_k8s_utils.network import RetryPolicy

if TYPE_CHECKING:
    from hera_k8s_utils import BuiltExperiment
    from hera_k8s_utils.plugins import Scope


API: Final = "argoproj.io/v1alpha1"
WORKFLOWS: Final = "workflows"
_PAGE: Final = 50
"""Workflows that are fetched at once: each comes whole, with all of its nodes."""


@dataclass(frozen=True)
class KubernetesEngine:
    """Runs workflows by creating Workflow objects.

    instance: of the controller, where there are several. confirming: seconds, as in `SubmissionTarget`.
    """

    kubernetes: Kubernetes
    instance: str = ""
    patience: RetryPolicy = field(default_factory=RetryPolicy)
    confirming: float = CONFIRMING

    def submit(self, built: BuiltExperiment) -> Submission:
        """Exactly once; raises `SubmitError`, and `OptionsError` for what is created and not run."""
        built.require_run()
        target = SubmissionTarget(
            self.kubernetes.namespace,
            create=partial(self.kubernetes.create, API, WORKFLOWS),
            read=self._read,
            sleep=self.patience.sleep,
            confirming=self.confirming,
        )
        return submit_once(self._prepared(built), target)

    def preflight(self, built: BuiltExperiment) -> Iterable[Finding]:
        """Let the API server admit it without keeping it; the controller's own rules are tried only when it runs."""
        body = self._prepared(built)
        api, resource = str(body.get("apiVersion") or API), plural(built.manifest.kind)
        scope: Scope = "cluster" if built.manifest.kind == "ClusterWorkflowTemplate" else "namespace"
        dry_run = partial(self.kubernetes.create, api, resource, body, scope=scope, dry_run=True)
        yield Finding("kubernetes accepts it", dry_run_result(dry_run, resource=resource))
        logs = log_permission_result(self.kubernetes)
        if logs is not None:
            yield Finding("logs", logs)

    def follow(self, name: str) -> Iterator[RunUpdate]:
        """Updates as they come, until a final phase."""
        return follow(Source(read=self._read, watch=self._watch), name, self.patience)

    def logs(self, name: str, *, pod: str = "", follow: bool = False) -> Iterator[LogLine]:
        """What the tasks' pods printed, as far as the pods are still there; with `follow` until the workflow ends."""
        if pod:
            lines = log_of_pod(self.kubernetes, pod, follow=follow)
        elif follow:
            lines = followed_logs(self.kubernetes, self.follow(name))
        else:
            lines = logs_of_workflow(self.kubernetes, name)
        return without_executor_lines(lines)

    def stop(self, name: str, *, terminate: bool = False) -> None:
        """Stop with exit handlers, or terminate without; raises `RunAlreadyFinished` for a workflow that has ended."""
        require_going_on(name, self._read(name))  # the API server would change one that is over
        body = {"spec": {"shutdown": "Terminate" if terminate else "Stop"}}
        try:
            self.kubernetes.patch(API, WORKFLOWS, name, body)
        except PlatformError as error:
            if error.conclusive:
                raise
            require_stopping(name, self._read, error, terminate=terminate)

    def find(self, name: str) -> RunSummary:
        """The workflow of a name as a listing shows it; raises 404 when there is none."""
        return summary(self._read(name))

    def runs(self, *, label_selector: str = "", limit: int = 500) -> Iterator[RunSummary]:
        """The runs that carry the labels, the newest first."""
        labels = ",".join(filter(None, [label_selector, f"{INSTANCE}={self.instance}" if self.instance else ""]))
        found = self.kubernetes.list(API, WORKFLOWS, label_selector=labels, page=_PAGE)
        newest = sorted(map(summary, found), key=lambda run: (run.started_at, run.name), reverse=True)
        yield from newest[: limit or None]

    def _prepared(self, built: BuiltExperiment) -> Json:
        return prepared(built, self.kubernetes.namespace, instance=self.instance)

    def _read(self, name: str) -> Json:
        return self.kubernetes.get(API, WORKFLOWS, name)

    def _watch(self, name: str, since: str) -> Iterator[tuple[str, Json]]:
        return self.kubernetes.watch(
            API,
            WORKFLOWS,
            field_selector=f"metadata.name={name}",
            resource_version=since,
            timeout=STREAM_SECONDS if since else UNANCHORED_STREAM_SECONDS,
        )


def open_kubernetes_engine(settings: ArgoSettings, context: Context) -> KubernetesEngine:
    """The engine over the context's Kubernetes API."""
    confirming = context.options.of(CoreSettings).confirm_timeout
    return KubernetesEngine(context.kubernetes, settings.instanceid, confirming=confirming)
