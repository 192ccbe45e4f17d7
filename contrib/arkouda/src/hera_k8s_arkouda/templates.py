"""The four workflow templates, as Hera code: deploy and delete Arkouda, deploy and delete an exporter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_arkouda import launch, objects
from hera_k8s_arkouda.argo_yaml import dump, parameter
from hera_k8s_utils import Json

if TYPE_CHECKING:
    from hera.workflows import WorkflowTemplate

DEPLOY: Final = "deploy-arkouda-on-kubernetes"
DELETE: Final = "delete-arkouda-on-kubernetes"
DEPLOY_EXPORTER: Final = "deploy-prometheus-arkouda-exporter"
DELETE_EXPORTER: Final = "delete-prometheus-arkouda-exporter"
WORKFLOWS_ACCOUNT: Final = "arkouda-workflows-service-account"
VERIFY_TASK: Final = "verify-locale-deployment"
TOKEN_DIRECTORY: Final = "/opt/sa"  # noqa: S105  a directory
METRICS_ENABLED: Final = "{{workflow.parameters.collect-metrics}} == true"

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
"""Parameters and their defaults; None: required."""
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
    """A task of the graph that creates or deletes one object.

    task: name of the task.
    body: builds the manifest.
    depends: tasks that must have succeeded.
    template: name of the template; empty: the task's name.
    flags: flags for kubectl.
    success_condition: condition on the object.
    failure_condition: condition on the object.
    timeout: seconds until one of the conditions must hold, a number or a variable.
    metrics: skip the task unless metrics are collected.
    """

    task: str
    body: Callable[[], Json]
    depends: Sequence[str] = ()
    template: str = ""
    flags: Sequence[str] = ()
    success_condition: str = ""
    failure_condition: str = ""
    timeout: str = ""
    metrics: bool = False

    @property
    def template_name(self) -> str:
        """The name of the template that the task calls."""
        return self.template or self.task


_REPLACE_FLAGS: Final = ("--force", "--timeout=120s")
"""kubectl replaces an object that cannot be changed in place, such as a pod; an unchanged object is left alone.

Without a timeout, kubectl (1.36) does not wait for the end of the pod and fails."""

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
        flags=_REPLACE_FLAGS,
        success_condition="status.phase == Running",
        failure_condition="status.phase == Failed",
        timeout=parameter("locale-ready-timeout-seconds"),
    ),
    Step("create-metrics-exporter-service", objects.metrics_service),
    Step(
        "create-servicemonitor",
        objects.service_monitor,
        ["create-servicemonitor-role-binding", "deploy-arkouda-server", "create-metrics-exporter-service"],
        metrics=True,
    ),
)
VERIFY_DEPENDS: Final = ("deploy-arkouda-locale", "create-pod-role-binding")

DELETE_STEPS: Final = (
    Step("delete-arkouda-locale", objects.locale_deployment, template="delete-locale-deployment"),
    Step("delete-locale-headless-service", lambda: objects.headless_service("locale")),
    Step("delete-locale-ssh-service", lambda: objects.ssh_service("locale")),
    Step("delete-arkouda-server", objects.server_pod, template="delete-server-deployment"),
    Step("delete-server-headless-service", lambda: objects.headless_service("server")),
    Step("delete-server-ssh-service", lambda: objects.ssh_service("server")),
    Step("delete-arkouda-service", lambda: _service(objects.object_name())),
    Step("delete-arkouda-metrics-service", lambda: _service(objects.object_name("metrics"))),
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
        success_condition="status.readyReplicas == 1",
        timeout="600",
    ),
    Step(
        "create-prometheus-arkouda-exporter-service",
        objects.exporter_service,
        template="create-exporter-service",
    ),
    Step(
        "create-prometheus-arkouda-servicemonitor",
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
    """A service that the server registers itself."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}}


def deploy_template() -> WorkflowTemplate:
    """Deploys an Arkouda instance. Each task applies one object, so that a second run is safe."""
    from hera.workflows import DAG, WorkflowTemplate

    with WorkflowTemplate(name=DEPLOY, entrypoint=DEPLOY, arguments=_arguments(DEPLOY_PARAMETERS)) as template:
        calls = {step.task: _resource(step, "apply") for step in DEPLOY_STEPS}
        verification = _verification()
        with DAG(name=DEPLOY):
            for step in DEPLOY_STEPS:
                _task(step, calls[step.task])
                if step.task == "create-locale-ssh-service":
                    verification(name=VERIFY_TASK, depends=_all_succeeded(VERIFY_DEPENDS))
    return template


def delete_template() -> WorkflowTemplate:
    """Deletes an Arkouda instance: each object by an independent task that ignores absent objects."""
    return _deletion_template(DELETE, DELETE_PARAMETERS, DELETE_STEPS)


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
    return _deletion_template(DELETE_EXPORTER, DELETE_EXPORTER_PARAMETERS, DELETE_EXPORTER_STEPS)


def all_templates() -> list[WorkflowTemplate]:
    """The four templates in the order of installation."""
    return [deploy_template(), delete_template(), deploy_exporter_template(), delete_exporter_template()]


def template_bodies() -> dict[str, Json]:
    """The four templates as JSON data, by name."""
    from hera_k8s_utils import Manifest

    bodies = [dict(Manifest.of(template).body) for template in all_templates()]
    return {str(body["metadata"]["name"]): body for body in bodies}


def _deletion_template(name: str, parameters: Mapping[str, str | None], steps: Sequence[Step]) -> WorkflowTemplate:
    from hera.workflows import DAG, WorkflowTemplate

    with WorkflowTemplate(name=name, entrypoint=name, arguments=_arguments(parameters)) as template:
        calls = {step.task: _resource(step, "delete") for step in steps}
        with DAG(name=name, fail_fast=False):  # delete what can be deleted even if other tasks fail
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
            manifest=dump(_reference(step.body())),
        )
    return Resource(
        name=step.template_name,
        action=action,
        flags=list(step.flags) or None,
        manifest=dump(step.body()),
        active_deadline_seconds=_seconds(step.timeout),
        success_condition=step.success_condition or None,
        failure_condition=step.failure_condition or None,
    )


def _seconds(text: str) -> int | str | None:
    return int(text) if text.isdigit() else text or None


def _reference(body: Json) -> Json:
    """The part of a manifest that is sufficient to delete the object."""
    return {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "metadata": {"name": body["metadata"]["name"]},
    }


def _task(step: Step, call: Any) -> None:
    call(name=step.task, depends=_all_succeeded(step.depends) or None, when=METRICS_ENABLED if step.metrics else None)


def _all_succeeded(tasks: Sequence[str]) -> str:
    return " && ".join(f"{task}.Succeeded" for task in tasks)


def _verification() -> Any:
    """Waits for the locales, with the account and URL that the server will use."""
    from hera.workflows import Env, Script, SecretVolume

    return Script(
        name=VERIFY_TASK,
        image=f"bearsrus/arkouda-udp-server:{parameter('arkouda-release-version')}",
        image_pull_policy="IfNotPresent",  # Hera 7.1 does not accept a variable here
        command=["python3"],
        source=launch.source(launch.VERIFY),
        env=[
            Env(name="K8S_HOST", value=parameter("kubernetes-api-url")),
            Env(name="NAMESPACE", value=parameter("arkouda-namespace")),
            Env(name="APP_NAME", value=objects.object_name("locale")),
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
