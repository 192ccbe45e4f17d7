"""What the templates, workflows and objects are called and hold: the contract with users of the YAML files of old."""

from __future__ import annotations

from typing import Any, Final

import yaml
from hera_k8s_arkouda import ArkoudaDeletion, ArkoudaDeployment, ArkoudaExporter, ArkoudaExporterDeletion

Json = dict[str, Any]

DEPLOYMENT = ArkoudaDeployment(
    instance_name="ark",
    release_version="v2024.04.19",
    namespace="arkouda",
    serviceaccount_name="ark-account",
    ssh_secret="arkouda-ssh",
    number_of_locales=2,
    cpu_cores="2000m",
    memory="2048Mi",
    chpl_mem_max=1_000_000_000,
    prometheus_match_label="release: kube-stack",
)
EXPORTER = ArkoudaExporter(
    app_name="slurm-exporter",
    service_name="slurm-exporter",
    release_version="v2024.04.19",
    server_name="ark-on-slurm",
    metrics_service_host="arkouda-metrics.arkouda",
    prometheus_match_label="release: kube-stack",
)
SUBJECTS = [
    DEPLOYMENT,
    ArkoudaDeletion(instance_name="ark"),
    EXPORTER,
    ArkoudaExporterDeletion(app_name="slurm-exporter", service_name="slurm-exporter"),
]

VALUES: Final = {
    "arkouda-serviceaccount-name": "ark-account",
    "arkouda-serviceaccount-token-name": "ark-token",
    "arkouda-user": "bearsrus",
    "arkouda-uid": "1009",
    "arkouda-group": "bears",
    "arkouda-gid": "1019",
    "arkouda-release-version": "v2024.04.19",
    "arkouda-instance-name": "ark",
    "arkouda-ssh-secret": "arkouda-ssh",
    "arkouda-number-of-locales": "2",
    "arkouda-total-number-of-locales": "3",
    "kubernetes-api-url": "https://k8s.example:6443",
    "arkouda-namespace": "arkouda",
    "arkouda-log-level": "LogLevel.DEBUG",
    "image-pull-policy": "Always",
    "mem-track": "false",
    "collect-metrics": "true",
    "metrics-polling-interval-seconds": "17",
    "prometheus-match-label": "release: kube-stack",
    "launcher": "kubernetes",
    "num-cpu-cores": "50m",
    "memory": "32Mi",
    "chpl-mem-max": "1000000000",
    "chpl-num-threads-per-locale": "4",
    "locale-ready-timeout-seconds": "90",
    "exporter-release-version": "v2024.03.18",
    "exporter-app-name": "slurm-exporter",
    "exporter-service-name": "slurm-exporter-service",
    "exporter-polling-interval": "23",
    "arkouda-launcher": "slurm",
    "arkouda-server-name": "ark-on-slurm",
    "arkouda-metrics-service-host": "arkouda-metrics.arkouda",
    "arkouda-metrics-service-port": "5557",
}
_KEY: Final = 'toJson(sprig.trim(sprig.splitList(":", workflow.parameters["prometheus-match-label"])[{}]))'


def filled(text: str, values: dict[str, str] | None = None) -> str:
    """A manifest as the controller fills it in, by simple replacement; the one expression by what it comes to."""
    values = {**VALUES, **(values or {})}
    key, _, value = values["prometheus-match-label"].partition(":")
    for index, part in enumerate((key, value)):
        text = text.replace("{{=" + _KEY.format(index) + "}}", f'"{part.strip()}"')
    for name, value in values.items():
        text = text.replace(f"{{{{workflow.parameters.{name}}}}}", value)
    return text.replace("{{workflow.namespace}}", values["arkouda-namespace"])


def objects(template: Json, values: dict[str, str] | None = None) -> dict[str, Json]:
    """The objects that the tasks of a template make or delete, by the task's name."""
    by_name = {each["name"]: each for each in template["spec"]["templates"]}
    found = {}
    for task in tasks(template).values():
        resource = by_name[task["template"]].get("resource")
        if resource:
            body = yaml.safe_load(filled(resource["manifest"], values))
            assert "{{" not in str(body), body
            found[task["name"]] = body
    return found


def tasks(template: Json) -> dict[str, Json]:
    """The tasks of a template's entry point, by name."""
    entry = next(each for each in template["spec"]["templates"] if each["name"] == template["spec"]["entrypoint"])
    return {task["name"]: task for task in entry["dag"]["tasks"]}


def waits_for(template: Json) -> dict[str, set[str]]:
    """What each task waits for, directly."""
    return {
        name: {word.removesuffix(".Succeeded") for word in task.get("depends", "").split(" && ") if word}
        for name, task in tasks(template).items()
    }


def environment(container: Json) -> dict[str, str]:
    """The variables of a container; those from the pod's fields by the field's path."""
    return {
        each["name"]: each["value"] if "value" in each else each["valueFrom"]["fieldRef"]["fieldPath"]
        for each in container["env"]
    }
