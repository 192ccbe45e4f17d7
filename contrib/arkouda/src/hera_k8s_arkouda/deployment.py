"""Arkouda instances and exporters, each as a frozen record.

Every field is a parameter of a workflow template; `parameters()` returns them by the template's names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from hera_k8s_arkouda.fields import LOG_LEVELS, PULL_POLICIES, ValidationErrors

IN_CLUSTER_URL: Final = "https://kubernetes.default.svc"
"""URL of the API server for the pods of an ordinary cluster."""
MAX_INSTANCE_NAME: Final = 63 - len("-locale-launch-script")
"""Characters of an instance's name: the longest name derived from it is also a label value."""


@dataclass(frozen=True, kw_only=True)
class ArkoudaDeployment:
    """One Arkouda instance on Kubernetes: a server and its locales.

    instance_name: prefix of the names of all objects.
    release_version: release of Arkouda, the tag of its images.
    namespace: namespace of the instance.
    serviceaccount_name: service account that Arkouda registers its services with.
    ssh_secret: Secret with `id_rsa` and `id_rsa.pub`.
    number_of_locales: pods of the locale Deployment.
    cpu_cores: CPU of each pod, as a quantity.
    memory: memory of each pod, as a quantity.
    chpl_mem_max: bytes that a locale may use for arrays.
    serviceaccount_token_name: Secret with the token of `serviceaccount_name`.
    total_number_of_locales: locales including the server; None: `number_of_locales` + 1.
    kubernetes_url: URL of the Kubernetes API for pods.
    prometheus_match_label: `key: value`, the label that Prometheus selects ServiceMonitors by; required with
        collect_metrics.
    launcher: label of the metrics.
    log_level: `LogLevel.INFO` or `INFO`, ...
    image_pull_policy: `Always`, `IfNotPresent` or `Never`.
    mem_track: whether the server tracks its memory.
    collect_metrics: whether metrics are offered to Prometheus.
    metrics_polling_interval: seconds.
    chpl_num_threads_per_locale: threads of each locale.
    user, uid, group, gid: user and group that Arkouda runs as.
    ready_timeout: seconds until all locales must be ready.

    Raises `OptionsError` naming every invalid field.
    """

    template: ClassVar[str] = "deploy-arkouda-on-kubernetes"

    instance_name: str
    release_version: str
    namespace: str
    serviceaccount_name: str
    ssh_secret: str
    number_of_locales: int
    cpu_cores: str
    memory: str
    chpl_mem_max: int
    serviceaccount_token_name: str = "arkouda-serviceaccount-token"  # noqa: S105  a name
    total_number_of_locales: int | None = None
    kubernetes_url: str = IN_CLUSTER_URL
    prometheus_match_label: str = ""
    launcher: str = "kubernetes"
    log_level: str = "LogLevel.DEBUG"  # what the shell scripts passed
    image_pull_policy: str = "IfNotPresent"
    mem_track: bool = True
    collect_metrics: bool = True
    metrics_polling_interval: int = 30
    chpl_num_threads_per_locale: int = 2
    user: str = "ubuntu"
    uid: int = 1000
    group: str = "ubuntu"
    gid: int = 1000
    ready_timeout: int = 600

    def __post_init__(self) -> None:
        if self.total_number_of_locales is None and isinstance(self.number_of_locales, int):
            object.__setattr__(self, "total_number_of_locales", self.number_of_locales + 1)
        if not self.log_level.startswith("LogLevel.") and self.log_level.upper() in LOG_LEVELS:
            object.__setattr__(self, "log_level", f"LogLevel.{self.log_level.upper()}")
        errors = ValidationErrors("the Arkouda instance")
        errors.service("instance_name", self.instance_name, max_length=MAX_INSTANCE_NAME)
        errors.tag("release_version", self.release_version)
        errors.service("namespace", self.namespace)
        errors.object_name("serviceaccount_name", self.serviceaccount_name)
        errors.object_name("serviceaccount_token_name", self.serviceaccount_token_name)
        errors.object_name("ssh_secret", self.ssh_secret)
        errors.count("number_of_locales", self.number_of_locales)
        if isinstance(self.number_of_locales, int):
            total = self.total_number_of_locales or 0
            errors.count("total_number_of_locales", total, maximum=self.number_of_locales + 1)
        errors.quantity("cpu_cores", self.cpu_cores, "2000m")
        errors.quantity("memory", self.memory, "2048Mi")
        errors.count("chpl_mem_max", self.chpl_mem_max)
        errors.url("kubernetes_url", self.kubernetes_url)
        if self.collect_metrics or self.prometheus_match_label:
            errors.label("prometheus_match_label", self.prometheus_match_label)
        errors.label_value("launcher", self.launcher)
        errors.one_of("log_level", self.log_level, tuple(f"LogLevel.{level}" for level in LOG_LEVELS))
        errors.one_of("image_pull_policy", self.image_pull_policy, PULL_POLICIES)
        errors.count("metrics_polling_interval", self.metrics_polling_interval)
        errors.count("chpl_num_threads_per_locale", self.chpl_num_threads_per_locale)
        errors.account("user", self.user)
        errors.account("group", self.group)
        errors.count("uid", self.uid, maximum=2**31 - 2)
        errors.count("gid", self.gid, maximum=2**31 - 2)
        errors.count("ready_timeout", self.ready_timeout)
        errors.raise_if_any("hera-k8s arkouda deploy --help lists flags and variables")

    def parameters(self) -> dict[str, str]:
        """The arguments of the template by name, as text."""
        return {
            "arkouda-serviceaccount-name": self.serviceaccount_name,
            "arkouda-serviceaccount-token-name": self.serviceaccount_token_name,
            "arkouda-user": self.user,
            "arkouda-uid": str(self.uid),
            "arkouda-group": self.group,
            "arkouda-gid": str(self.gid),
            "arkouda-release-version": self.release_version,
            "arkouda-instance-name": self.instance_name,
            "arkouda-ssh-secret": self.ssh_secret,
            "arkouda-number-of-locales": str(self.number_of_locales),
            "arkouda-total-number-of-locales": str(self.total_number_of_locales),
            "kubernetes-api-url": self.kubernetes_url,
            "arkouda-namespace": self.namespace,
            "arkouda-log-level": self.log_level,
            "image-pull-policy": self.image_pull_policy,
            "mem-track": _bool_text(self.mem_track),
            "collect-metrics": _bool_text(self.collect_metrics),
            "metrics-polling-interval-seconds": str(self.metrics_polling_interval),
            "prometheus-match-label": self.prometheus_match_label or "unused: unused",
            "launcher": self.launcher,
            "num-cpu-cores": self.cpu_cores,
            "memory": self.memory,
            "chpl-mem-max": str(self.chpl_mem_max),
            "chpl-num-threads-per-locale": str(self.chpl_num_threads_per_locale),
            "locale-ready-timeout-seconds": str(self.ready_timeout),
        }


@dataclass(frozen=True, kw_only=True)
class ArkoudaDeletion:
    """The instance to delete.

    instance_name: name of the instance.
    kubernetes_url: URL of the Kubernetes API for pods.
    collect_metrics: whether to delete a ServiceMonitor; the cluster must then have this kind.

    Raises `OptionsError` naming every invalid field.
    """

    template: ClassVar[str] = "delete-arkouda-on-kubernetes"

    instance_name: str
    kubernetes_url: str = IN_CLUSTER_URL
    collect_metrics: bool = True

    def __post_init__(self) -> None:
        errors = ValidationErrors("the Arkouda instance")
        errors.service("instance_name", self.instance_name, max_length=MAX_INSTANCE_NAME)
        errors.url("kubernetes_url", self.kubernetes_url)
        errors.raise_if_any("hera-k8s arkouda delete --help lists flags and variables")

    def parameters(self) -> dict[str, str]:
        """The arguments of the template by name."""
        return {
            "arkouda-instance-name": self.instance_name,
            "kubernetes-api-url": self.kubernetes_url,
            "collect-metrics": _bool_text(self.collect_metrics),
        }


@dataclass(frozen=True, kw_only=True)
class ArkoudaExporter:
    """An exporter of metrics for an Arkouda that runs elsewhere, for example under Slurm.

    app_name: name of the exporter's Deployment.
    service_name: name of its Service.
    release_version: tag of its image.
    server_name: name of the Arkouda server.
    metrics_service_host: host of the server's metrics.
    prometheus_match_label: `key: value`, the label that Prometheus selects ServiceMonitors by.
    metrics_service_port: port of the server's metrics.
    polling_interval: seconds between two readings.
    launcher: label of the metrics.

    Raises `OptionsError` naming every invalid field.
    """

    template: ClassVar[str] = "deploy-prometheus-arkouda-exporter"

    app_name: str
    service_name: str
    release_version: str
    server_name: str
    metrics_service_host: str
    prometheus_match_label: str
    metrics_service_port: int = 5556
    polling_interval: int = 15
    launcher: str = "slurm"

    def __post_init__(self) -> None:
        errors = ValidationErrors("the exporter")
        errors.service("app_name", self.app_name)
        errors.service("service_name", self.service_name)
        errors.tag("release_version", self.release_version)
        errors.label_value("server_name", self.server_name)
        errors.host("metrics_service_host", self.metrics_service_host)
        errors.count("metrics_service_port", self.metrics_service_port, maximum=65535)
        errors.count("polling_interval", self.polling_interval)
        errors.label("prometheus_match_label", self.prometheus_match_label)
        errors.label_value("launcher", self.launcher)
        errors.raise_if_any("hera-k8s arkouda exporter deploy --help lists flags and variables")

    def parameters(self) -> dict[str, str]:
        """The arguments of the template by name."""
        return {
            "exporter-release-version": self.release_version,
            "exporter-app-name": self.app_name,
            "exporter-service-name": self.service_name,
            "exporter-polling-interval": str(self.polling_interval),
            "prometheus-match-label": self.prometheus_match_label,
            "arkouda-launcher": self.launcher,
            "arkouda-server-name": self.server_name,
            "arkouda-metrics-service-host": self.metrics_service_host,
            "arkouda-metrics-service-port": str(self.metrics_service_port),
        }


@dataclass(frozen=True, kw_only=True)
class ArkoudaExporterDeletion:
    """The exporter to delete.

    app_name: name of its Deployment.
    service_name: name of its Service.

    Raises `OptionsError` naming every invalid field.
    """

    template: ClassVar[str] = "delete-prometheus-arkouda-exporter"

    app_name: str
    service_name: str

    def __post_init__(self) -> None:
        errors = ValidationErrors("the exporter")
        errors.service("app_name", self.app_name)
        errors.service("service_name", self.service_name)
        errors.raise_if_any("hera-k8s arkouda exporter delete --help lists flags and variables")

    def parameters(self) -> dict[str, str]:
        """The arguments of the template by name."""
        return {"exporter-app-name": self.app_name, "exporter-service-name": self.service_name}


Subject = ArkoudaDeployment | ArkoudaDeletion | ArkoudaExporter | ArkoudaExporterDeletion
"""What a workflow deploys or deletes."""


def _bool_text(value: bool) -> str:
    return "true" if value else "false"
