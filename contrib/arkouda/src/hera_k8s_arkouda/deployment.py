"""What is deployed: an Arkouda instance, and the exporter of one that runs elsewhere, each as a frozen record.

Every field is a parameter of a workflow template; `parameters()` gives them by the templates' names for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from hera_k8s_arkouda.fields import LOG_LEVELS, PULL_POLICIES, ValidationErrors

ANYWHERE: Final = "https://kubernetes.default.svc"
"""The API server as every pod of an ordinary cluster reaches it."""
LONGEST_INSTANCE: Final = 63 - len("-locale-launch-script")
"""Characters of an instance's name: the longest name that is made of it is the value of a label, too."""


@dataclass(frozen=True, kw_only=True)
class ArkoudaDeployment:
    """One Arkouda instance on Kubernetes: a server and its locales.

    number_of_locales: pods of the Deployment. total_number_of_locales: those and the server, which is a locale itself;
    None stands for one more than the former. cpu_cores, memory: of each pod. chpl_mem_max: bytes that a locale may use.
    prometheus_match_label: `key: value`, by which a Prometheus finds the ServiceMonitor; needed with collect_metrics.
    ready_timeout: seconds until all locales must be ready.

    Raises `OptionsError` naming every field that does not fit.
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
    kubernetes_url: str = ANYWHERE
    prometheus_match_label: str = ""
    launcher: str = "kubernetes"
    log_level: str = "LogLevel.INFO"
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
        problems = ValidationErrors("the Arkouda instance")
        problems.service("instance_name", self.instance_name, longest=LONGEST_INSTANCE)
        problems.tag("release_version", self.release_version)
        problems.service("namespace", self.namespace)
        problems.object_name("serviceaccount_name", self.serviceaccount_name)
        problems.object_name("serviceaccount_token_name", self.serviceaccount_token_name)
        problems.object_name("ssh_secret", self.ssh_secret)
        problems.count("number_of_locales", self.number_of_locales)
        if isinstance(self.number_of_locales, int):
            total = self.total_number_of_locales or 0
            problems.count("total_number_of_locales", total, most=self.number_of_locales + 1)
        problems.quantity("cpu_cores", self.cpu_cores, "2000m")
        problems.quantity("memory", self.memory, "2048Mi")
        problems.count("chpl_mem_max", self.chpl_mem_max)
        problems.url("kubernetes_url", self.kubernetes_url)
        if self.collect_metrics or self.prometheus_match_label:
            problems.label("prometheus_match_label", self.prometheus_match_label)
        problems.label_value("launcher", self.launcher)
        problems.one_of("log_level", self.log_level, tuple(f"LogLevel.{level}" for level in LOG_LEVELS))
        problems.one_of("image_pull_policy", self.image_pull_policy, PULL_POLICIES)
        problems.count("metrics_polling_interval", self.metrics_polling_interval)
        problems.count("chpl_num_threads_per_locale", self.chpl_num_threads_per_locale)
        problems.account("user", self.user)
        problems.account("group", self.group)
        problems.count("uid", self.uid, most=2**31 - 2)
        problems.count("gid", self.gid, most=2**31 - 2)
        problems.count("ready_timeout", self.ready_timeout)
        problems.raise_if_any("hera-k8s arkouda deploy --help lists flags and variables")

    def parameters(self) -> dict[str, str]:
        """The arguments of the template, by its names, as the texts that Argo passes."""
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
            "mem-track": _switch(self.mem_track),
            "collect-metrics": _switch(self.collect_metrics),
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
    """The instance that is to be deleted. collect_metrics: whether it has a ServiceMonitor, whose kind must exist then.

    Raises `OptionsError` naming every field that does not fit.
    """

    template: ClassVar[str] = "delete-arkouda-on-kubernetes"

    instance_name: str
    kubernetes_url: str = ANYWHERE
    collect_metrics: bool = True

    def __post_init__(self) -> None:
        problems = ValidationErrors("the Arkouda instance")
        problems.service("instance_name", self.instance_name, longest=LONGEST_INSTANCE)
        problems.url("kubernetes_url", self.kubernetes_url)
        problems.raise_if_any("hera-k8s arkouda delete --help lists flags and variables")

    def parameters(self) -> dict[str, str]:
        """The arguments of the template, by its names."""
        return {
            "arkouda-instance-name": self.instance_name,
            "kubernetes-api-url": self.kubernetes_url,
            "collect-metrics": _switch(self.collect_metrics),
        }


@dataclass(frozen=True, kw_only=True)
class ArkoudaExporter:
    """An exporter of metrics for an Arkouda that runs elsewhere, under Slurm for instance.

    server_name, metrics_service_host, metrics_service_port: the Arkouda server and where it offers its metrics.
    polling_interval: seconds between two looks at them.

    Raises `OptionsError` naming every field that does not fit.
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
        problems = ValidationErrors("the exporter")
        problems.service("app_name", self.app_name)
        problems.service("service_name", self.service_name)
        problems.tag("release_version", self.release_version)
        problems.label_value("server_name", self.server_name)
        problems.host("metrics_service_host", self.metrics_service_host)
        problems.count("metrics_service_port", self.metrics_service_port, most=65535)
        problems.count("polling_interval", self.polling_interval)
        problems.label("prometheus_match_label", self.prometheus_match_label)
        problems.label_value("launcher", self.launcher)
        problems.raise_if_any("hera-k8s arkouda exporter deploy --help lists flags and variables")

    def parameters(self) -> dict[str, str]:
        """The arguments of the template, by its names."""
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
    """The exporter that is to be deleted. Raises `OptionsError` naming every field that does not fit."""

    template: ClassVar[str] = "delete-prometheus-arkouda-exporter"

    app_name: str
    service_name: str

    def __post_init__(self) -> None:
        problems = ValidationErrors("the exporter")
        problems.service("app_name", self.app_name)
        problems.service("service_name", self.service_name)
        problems.raise_if_any("hera-k8s arkouda exporter delete --help lists flags and variables")

    def parameters(self) -> dict[str, str]:
        """The arguments of the template, by its names."""
        return {"exporter-app-name": self.app_name, "exporter-service-name": self.service_name}


Subject = ArkoudaDeployment | ArkoudaDeletion | ArkoudaExporter | ArkoudaExporterDeletion
"""What a workflow of ours is about."""


def _switch(value: bool) -> str:
    return "true" if value else "false"
