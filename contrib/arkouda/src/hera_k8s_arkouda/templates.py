"""The four workflow templates, as Hera code: deploy and delete Arkouda, deploy and delete an exporter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_arkouda import launch, objects
from hera_k8s_arkouda.yaml_text import dump, parameter

if TYPE_CHECKING:
    from hera.workflows import WorkflowTemplate

Json = dict[str, Any]

DEPLOY: Final = "deploy-arkouda-on-kubernetes"
DELETE: Final = "delete-arkouda-on-kubernetes"
DEPLOY_EXPORTER: Final = "deploy-prometheus-arkouda-exporter"
DELETE_EXPORTER: Final = "delete-prometheus-arkouda-exporter"
WORKFLOWS_ACCOUNT: Final = "arkouda-workflows-service-account"
VERIFY_TASK: Final = "verify-locale-deployment"
TOKEN_DIRECTORY: Final = "/opt/sa"  # noqa: S105  a directory
METRICS_WANTED: Final = "{{workflow.parameters.collect-metrics}} == true"

DEPLOY_PARAMETERS: Final[Mapping[str, str | None]] = {
    "arkouda-serviceaccount-name": None,
    "arkouda-serviceaccount-token-name": None,
    "arkouda-user": "ubuntu",
    "arkouda-uid": "1000",
    "arkouda-group": "ubuntu",
    "arkouda-gid": "1000",
    "arkouda-release-version": None,
    "arkouda-instance-name": None,
    "arkouda-ssh-secret": None,
    "arkouda-number-of-locales": None,
    "arkouda-total-number-of-locales": None,
    "kubernetes-api-url": None,
    "arkouda-namespace": None,
    "arkouda-log-level": None,
    "image-pull-policy": "IfNotPresent",
    "mem-track": "true",
    "collect-metrics": "true",
    "metrics-polling-interval-seconds": "30",
    "prometheus-match-label": None,
    "launcher": None,
    "num-cpu-cores": None,
    "memory": None,
    "chpl-mem-max": None,
    "chpl-num-threads-per-locale": "2",
    "locale-ready-timeout-seconds": "600",
}
"""Names of parameters and their defaults; None: whoever submits must say it."""
DELETE_PARAMETERS: Final[Mapping[str, str | None]] = {
    "arkouda-instance-name": None,
    "kubernetes-api-url": None,
    "collect-metrics": "true",
}
EXPORTER_PARAMETERS: Final[Mapping[str, str | None]] = {
    "exporter-release-version": None,
    "exporter-app-name": None,
    "exporter-service-name": None,
    "exporter-polling-interval": None,
    "prometheus-match-label": None,
    "arkouda-launcher": None,
    "arkouda-server-name": None,
    "arkouda-metrics-service-host": None,
    "arkouda-metrics-service-port": None,
}
DELETE_EXPORTER_PARAMETERS: Final[Mapping[str, str | None]] = {
    "exporter-app-name": None,
    "exporter-service-name": None,
}


@dataclass(frozen=True)
class Step:
    """One task of a graph that makes or deletes one object.

    task: its name. template: the name of its template, where that is another. body: makes the manifest.
    after: tasks that must have succeeded. flags: for kubectl.
    succeeds, fails: conditions on the object. within: seconds in which one must come true.
    metrics: left out when no metrics are collected.
    """

    task: str
    body: Callable[[], Json]
    after: Sequence[str] = ()
    template: str = ""
    flags: Sequence[str] = ()
    succeeds: str = ""
    fails: str = ""
    within: str = ""
    metrics: bool = False

    @property
    def template_name(self) -> str:
        """The name of the template that the task calls."""
        return self.template or self.task


_REPLACED: Final = ("--force", "--timeout=120s")
"""kubectl deletes and makes anew what cannot be changed in place, as a pod cannot; what is unchanged is left alone.

Without a time kubectl (1.36) does not wait for the end of the pod at all, and fails."""

DEPLOY_STEPS: Final = (
    Step("create-pod-role", lambda: objects.role("pod", objects.POD_RULES)),
    Step("create-pod-role-binding", lambda: objects.role_binding("pod"), ["create-pod-role"]),
    Step("create-service-role", lambda: objects.role("service", objects.SERVICE_RULES)),
    Step("create-service-role-binding", lambda: objects.role_binding("service"), ["create-service-role"]),
    Step("create-servicemonitor-role", lambda: objects.role("servicemonitor", objects.MONITOR_RULES)),
    Step(
        "create-servicemonitor-role-binding",
        lambda: objects.role_binding("servicemonitor"),
        ["create-servicemonitor-role"],
    ),
    Step("create-locale-launch-script-config-map", lambda: objects.launch_script("locale", launch.LOCALE)),
    Step(
        "deploy-arkouda-locale",
        objects.locale_deployment,
        ["create-locale-launch-script-config-map"],
        template="deploy-locale",
    ),
    Step("create-locale-headless-service", lambda: objects.headless_service("locale")),
    Step("create-locale-ssh-service", lambda: objects.ssh_service("locale")),
    Step(
        "create-server-launch-script-config-map",
        lambda: objects.launch_script("server", launch.SERVER),
        ["deploy-arkouda-locale"],
    ),
    Step("create-server-headless-service", lambda: objects.headless_service("server"), ["deploy-arkouda-locale"]),
    Step("create-server-ssh-service", lambda: objects.ssh_service("server"), ["deploy-arkouda-locale"]),
    Step(
        "deploy-arkouda-server",
        objects.server_pod,
        [
            VERIFY_TASK,
            "create-locale-ssh-service",
            "create-locale-headless-service",
            "create-server-launch-script-config-map",
            "create-pod-role-binding",
            "create-service-role-binding",
        ],
        template="deploy-server",
        flags=_REPLACED,
        succeeds="status.phase == Running",
        fails="status.phase == Failed",
        within=parameter("locale-ready-timeout-seconds"),
    ),
    Step("create-metrics-exporter-service", objects.metrics_service),
    Step(
        "create-servicemonitor",
        objects.service_monitor,
        ["create-servicemonitor-role-binding", "deploy-arkouda-server", "create-metrics-exporter-service"],
        metrics=True,
    ),
)
VERIFY_AFTER: Final = ("deploy-arkouda-locale", "create-pod-role-binding")

DELETE_STEPS: Final = (
    Step("delete-arkouda-locale", objects.locale_deployment, template="delete-locale-deployment"),
    Step("delete-locale-headless-service", lambda: objects.headless_service("locale")),
    Step("delete-locale-ssh-service", lambda: objects.ssh_service("locale")),
    Step("delete-arkouda-server", objects.server_pod, template="delete-server-deployment"),
    Step("delete-server-headless-service", lambda: objects.headless_service("server")),
    Step("delete-server-ssh-service", lambda: objects.ssh_service("server")),
    Step("delete-arkouda-service", lambda: _service(objects.named())),
    Step("delete-arkouda-metrics-service", lambda: _service(objects.named("metrics"))),
    Step("delete-arkouda-locale-launch-script", lambda: objects.launch_script("locale", launch.LOCALE)),
    Step("delete-arkouda-server-launch-script", lambda: objects.launch_script("server", launch.SERVER)),
    Step("delete-pod-role", lambda: objects.role("pod", ())),
    Step("delete-pod-role-binding", lambda: objects.role_binding("pod")),
    Step("delete-service-role", lambda: objects.role("service", ())),
    Step("delete-service-role-binding", lambda: objects.role_binding("service")),
    Step("delete-servicemonitor-role", lambda: objects.role("servicemonitor", ())),
    Step("delete-servicemonitor-role-binding", lambda: objects.role_binding("servicemonitor")),
    Step("delete-metrics-exporter-service", objects.metrics_service),
    Step("delete-metrics-exporter-servicemonitor", objects.service_monitor, metrics=True),
)

EXPORTER_STEPS: Final = (
    Step(
        "prometheus-arkouda-exporter",
        objects.exporter_deployment,
        template="deploy-prometheus-arkouda-exporter",
        succeeds="status.readyReplicas == 1",
        within="600",
    ),
    Step(
        "create-prometheus-arkouda-exporter-service",
        objects.exporter_service,
        template="create-exporter-service",
    ),
    Step(
        "create-prometheus-arkouda-exporter-servicemonitor",
        objects.exporter_monitor,
        ["prometheus-arkouda-exporter", "create-prometheus-arkouda-exporter-service"],
        template="create-exporter-servicemonitor",
    ),
)
DELETE_EXPORTER_STEPS: Final = (
    Step("delete-prometheus-arkouda-exporter", objects.exporter_deployment, template="delete-deployment"),
    Step(
        "delete-prometheus-arkouda-exporter-service",
        objects.exporter_service,
        template="delete-exporter-service",
    ),
    Step(
        "delete-prometheus-arkouda-exporter-servicemonitor",
        objects.exporter_monitor,
        template="delete-exporter-servicemonitor",
    ),
)


def _service(name: str) -> Json:
    """A service that the server registers by itself."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}}


def deploy_template() -> WorkflowTemplate:
    """Deploys an Arkouda instance. Each task applies one object, so that a second run finds what the first one made."""
    from hera.workflows import DAG, WorkflowTemplate

    with WorkflowTemplate(name=DEPLOY, entrypoint=DEPLOY, arguments=_arguments(DEPLOY_PARAMETERS)) as template:
        calls = {step.task: _resource(step, "apply") for step in DEPLOY_STEPS}
        verification = _verification()
        with DAG(name=DEPLOY):
            for step in DEPLOY_STEPS:
                _task(step, calls[step.task])
                if step.task == "create-locale-ssh-service":
                    verification(name=VERIFY_TASK, depends=_all(VERIFY_AFTER))
    return template


def delete_template() -> WorkflowTemplate:
    """Deletes an Arkouda instance: each object by a task that waits for no other and takes absence for success."""
    return _deleting(DELETE, DELETE_PARAMETERS, DELETE_STEPS)


def deploy_exporter_template() -> WorkflowTemplate:
    """Deploys an exporter."""
    from hera.workflows import DAG, WorkflowTemplate
    from hera.workflows.models import PodGC

    entrypoint = "launch-prometheus-arkouda-exporter"
    with WorkflowTemplate(
        name=DEPLOY_EXPORTER,
        entrypoint=entrypoint,
        arguments=_arguments(EXPORTER_PARAMETERS),
        service_account_name=WORKFLOWS_ACCOUNT,
        pod_gc=PodGC(strategy="OnWorkflowSuccess"),
    ) as template:
        calls = {step.task: _resource(step, "apply") for step in EXPORTER_STEPS}
        with DAG(name=entrypoint):
            for step in EXPORTER_STEPS:
                _task(step, calls[step.task])
    return template


def delete_exporter_template() -> WorkflowTemplate:
    """Deletes an exporter."""
    return _deleting(DELETE_EXPORTER, DELETE_EXPORTER_PARAMETERS, DELETE_EXPORTER_STEPS)


def all_templates() -> list[WorkflowTemplate]:
    """The four, in the order in which they are installed."""
    return [deploy_template(), delete_template(), deploy_exporter_template(), delete_exporter_template()]


def template_bodies() -> dict[str, Json]:
    """The four as plain data, by name."""
    from hera_k8s_utils import Manifest

    bodies = [dict(Manifest.of(template).body) for template in all_templates()]
    return {str(body["metadata"]["name"]): body for body in bodies}


def _deleting(name: str, parameters: Mapping[str, str | None], steps: Sequence[Step]) -> WorkflowTemplate:
    from hera.workflows import DAG, WorkflowTemplate

    with WorkflowTemplate(name=name, entrypoint=name, arguments=_arguments(parameters)) as template:
        calls = {step.task: _resource(step, "delete") for step in steps}
        with DAG(name=name, fail_fast=False):  # what can be deleted is, whatever the others come to
            for step in steps:
                _task(step, calls[step.task])
    return template


def _arguments(parameters: Mapping[str, str | None]) -> list[Any]:
    from hera.workflows import Parameter

    return [
        Parameter(name=name) if value is None else Parameter(name=name, value=value)
        for name, value in parameters.items()
    ]


def _resource(step: Step, action: str) -> Any:
    from hera.workflows import Resource

    if action == "delete":
        return Resource(
            name=step.template_name,
            action=action,
            flags=["--ignore-not-found"],
            manifest=dump(_only_named(step.body())),
        )
    return Resource(
        name=step.template_name,
        action=action,
        flags=list(step.flags) or None,
        manifest=dump(step.body()),
        active_deadline_seconds=_seconds(step.within),
        success_condition=step.succeeds or None,
        failure_condition=step.fails or None,
    )


def _seconds(text: str) -> int | str | None:
    return int(text) if text.isdigit() else text or None


def _only_named(body: Json) -> Json:
    """What is enough to delete an object."""
    return {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "metadata": {"name": body["metadata"]["name"]},
    }


def _task(step: Step, call: Any) -> None:
    call(name=step.task, depends=_all(step.after) or None, when=METRICS_WANTED if step.metrics else None)


def _all(tasks: Sequence[str]) -> str:
    return " && ".join(f"{task}.Succeeded" for task in tasks)


def _verification() -> Any:
    """Waits for the locales with the account and the address that the server will use."""
    from hera.workflows import Env, Script, SecretVolume

    return Script(
        name=VERIFY_TASK,
        image=f"bearsrus/arkouda-udp-server:{parameter('arkouda-release-version')}",
        image_pull_policy="IfNotPresent",  # Hera 7.1 takes no variable here
        command=["python3"],
        source=launch.source(launch.VERIFY),
        env=[
            Env(name="K8S_HOST", value=parameter("kubernetes-api-url")),
            Env(name="NAMESPACE", value=parameter("arkouda-namespace")),
            Env(name="APP_NAME", value=objects.named("locale")),
            Env(name="LOCALES", value=parameter("arkouda-number-of-locales")),
            Env(name="TIMEOUT_SECONDS", value=parameter("locale-ready-timeout-seconds")),
            Env(name="SA_DIRECTORY", value=TOKEN_DIRECTORY),
        ],
        volumes=[
            SecretVolume(
                name="sa",
                secret_name=parameter("arkouda-serviceaccount-token-name"),
                mount_path=TOKEN_DIRECTORY,
                read_only=True,
            )
        ],
    )
