"""The options: flags, environment variables and configuration keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hera_k8s_arkouda.deployment import ArkoudaDeletion, ArkoudaDeployment, ArkoudaExporter, ArkoudaExporterDeletion
from hera_k8s_utils import OptionsError, option


@dataclass(frozen=True, kw_only=True)
class ArkoudaSettings:
    """An Arkouda instance on Kubernetes. Where the earlier scripts used two names for one variable, both are read."""

    prefix: ClassVar[str] = "arkouda"

    namespace: str | None = option(None, help="namespace of Arkouda", env="ARKOUDA_NAMESPACE", metavar="NAME")
    instance_name: str | None = option(
        None, help="name of the instance; its objects are named after it", env="ARKOUDA_INSTANCE_NAME", metavar="NAME"
    )
    version: str | None = option(
        None, help="release of Arkouda: tag of the images", env="ARKOUDA_VERSION", metavar="TAG"
    )
    serviceaccount_name: str | None = option(
        None,
        help="service account that Arkouda registers its services with",
        env="ARKOUDA_SERVICEACCOUNT_NAME",
        metavar="NAME",
    )
    serviceaccount_token_name: str = option(
        "arkouda-serviceaccount-token",
        help="Secret with the token of that account",
        env="ARKOUDA_SERVICEACCOUNT_TOKEN_NAME",
        metavar="NAME",
    )
    ssh_secret: str | None = option(
        None, help="Secret with the keys id_rsa and id_rsa.pub", env="ARKOUDA_SSH_SECRET", metavar="NAME"
    )
    number_of_locales: int | None = option(
        None,
        help="number of locale pods, without the server",
        env=("ARKOUDA_NUMBER_OF_LOCALES", "NUMBER_OF_LOCALES"),
        metavar="N",
    )
    total_number_of_locales: int | None = option(
        None,
        help="number of locales, with the server; default: one more than the locale pods",
        env=("ARKOUDA_TOTAL_NUMBER_OF_LOCALES", "TOTAL_NUMBER_OF_LOCALES"),
        metavar="N",
    )
    cpu_cores: str | None = option(None, help="CPU of each pod", env="ARKOUDA_CPU_CORES", metavar="QUANTITY")
    memory: str | None = option(None, help="memory of each pod", env="ARKOUDA_MEMORY", metavar="QUANTITY")
    chpl_mem_max: int | None = option(
        None, help="bytes that a locale may use for its arrays", env="CHPL_MEM_MAX", metavar="BYTES"
    )
    chpl_num_threads_per_locale: int = option(
        2, help="threads of each locale", env="CHPL_NUM_THREADS_PER_LOCALE", metavar="N"
    )
    kubernetes_url: str = option(
        "",
        help="URL of the Kubernetes API for pods; default: https://kubernetes.default.svc, or the sandbox's",
        env="KUBERNETES_URL",
        metavar="URL",
    )
    image_pull_policy: str = option(
        "IfNotPresent",
        help="when images are pulled",
        env=("ARKOUDA_IMAGE_PULL_POLICY", "ARKOUDA_IMAGE_POLICY"),
        choices=("Always", "IfNotPresent", "Never"),
    )
    log_level: str = option(
        "LogLevel.DEBUG", help="log level of the server: LogLevel.INFO, ...", env="ARKOUDA_LOG_LEVEL", metavar="LEVEL"
    )
    mem_track: bool = option(True, help="whether the server tracks its memory", env="ARKOUDA_MEM_TRACK")
    collect_metrics: bool = option(
        True, help="whether metrics are offered to Prometheus", env="ARKOUDA_COLLECT_METRICS"
    )
    metrics_polling_interval: int = option(
        30,
        help="seconds between two readings of the metrics",
        env="ARKOUDA_METRICS_POLLING_INTERVAL",
        metavar="SECONDS",
    )
    prometheus_match_label: str = option(
        "",
        help='label that Prometheus selects monitors by: "key: value"',
        env="ARKOUDA_PROMETHEUS_MATCH_LABEL",
        metavar="LABEL",
    )
    launcher: str | None = option(
        None,
        help="launcher of Arkouda, a label of its metrics; default: kubernetes, for an exporter slurm",
        env="ARKOUDA_LAUNCHER",
        metavar="NAME",
    )
    user: str = option("ubuntu", help="user that Arkouda runs as", env="ARKOUDA_USER", metavar="NAME")
    uid: int = option(1000, help="UID of that user", env="ARKOUDA_UID", metavar="N")
    group: str = option("ubuntu", help="group of that user", env="ARKOUDA_GROUP", metavar="NAME")
    gid: int = option(1000, help="GID of that group", env="ARKOUDA_GID", metavar="N")
    ready_timeout: int = option(
        600, help="seconds until all locales must be ready", env="ARKOUDA_READY_TIMEOUT", metavar="SECONDS"
    )

    # --- exporter only ---

    exporter_namespace: str | None = option(
        None, help="namespace of the exporter; default: Arkouda's", env="ARKOUDA_EXPORTER_NAMESPACE", metavar="NAME"
    )
    exporter_app_name: str | None = option(
        None, help="name of the exporter's deployment", env="ARKOUDA_EXPORTER_APP_NAME", metavar="NAME"
    )
    exporter_service_name: str | None = option(
        None, help="name of the exporter's service", env="ARKOUDA_EXPORTER_SERVICE_NAME", metavar="NAME"
    )
    exporter_version: str | None = option(
        None, help="tag of the exporter's image; default: Arkouda's", env="ARKOUDA_EXPORTER_VERSION", metavar="TAG"
    )
    exporter_polling_interval: int = option(
        15,
        help="seconds between two readings by the exporter",
        env="ARKOUDA_EXPORTER_POLLING_INTERVAL",
        metavar="SECONDS",
    )
    server_name: str | None = option(
        None, help="the Arkouda server to export", env="ARKOUDA_SERVER_NAME", metavar="NAME"
    )
    metrics_service_host: str | None = option(
        None, help="host of its metrics", env="ARKOUDA_METRICS_SERVICE_HOST", metavar="HOST"
    )
    metrics_service_port: int = option(
        5556, help="port of its metrics", env="ARKOUDA_METRICS_SERVICE_PORT", metavar="PORT"
    )

    def deployment(self, namespace: str, url: str) -> ArkoudaDeployment:
        """The instance.

        namespace: namespace of the instance.
        url: URL of the Kubernetes API for pods.
        """
        self._require(
            instance_name=self.instance_name,
            version=self.version,
            serviceaccount_name=self.serviceaccount_name,
            ssh_secret=self.ssh_secret,
            number_of_locales=self.number_of_locales,
            cpu_cores=self.cpu_cores,
            memory=self.memory,
            chpl_mem_max=self.chpl_mem_max,
            prometheus_match_label=self.prometheus_match_label if self.collect_metrics else "unused",
        )
        return ArkoudaDeployment(
            instance_name=self.instance_name or "",
            release_version=self.version or "",
            namespace=namespace,
            serviceaccount_name=self.serviceaccount_name or "",
            serviceaccount_token_name=self.serviceaccount_token_name,
            ssh_secret=self.ssh_secret or "",
            number_of_locales=self.number_of_locales or 0,
            total_number_of_locales=self.total_number_of_locales,
            cpu_cores=self.cpu_cores or "",
            memory=self.memory or "",
            chpl_mem_max=self.chpl_mem_max or 0,
            kubernetes_url=url,
            prometheus_match_label=self.prometheus_match_label,
            launcher=self.launcher or "kubernetes",
            log_level=self.log_level,
            image_pull_policy=self.image_pull_policy,
            mem_track=self.mem_track,
            collect_metrics=self.collect_metrics,
            metrics_polling_interval=self.metrics_polling_interval,
            chpl_num_threads_per_locale=self.chpl_num_threads_per_locale,
            user=self.user,
            uid=self.uid,
            group=self.group,
            gid=self.gid,
            ready_timeout=self.ready_timeout,
        )

    def deletion(self, url: str) -> ArkoudaDeletion:
        """The instance to delete."""
        self._require(instance_name=self.instance_name)
        return ArkoudaDeletion(
            instance_name=self.instance_name or "", kubernetes_url=url, collect_metrics=self.collect_metrics
        )

    def exporter(self) -> ArkoudaExporter:
        """The exporter."""
        self._require(
            exporter_app_name=self.exporter_app_name,
            exporter_service_name=self.exporter_service_name,
            version=self.exporter_version or self.version,
            server_name=self.server_name,
            metrics_service_host=self.metrics_service_host,
            prometheus_match_label=self.prometheus_match_label,
        )
        return ArkoudaExporter(
            app_name=self.exporter_app_name or "",
            service_name=self.exporter_service_name or "",
            release_version=self.exporter_version or self.version or "",
            server_name=self.server_name or "",
            metrics_service_host=self.metrics_service_host or "",
            metrics_service_port=self.metrics_service_port,
            prometheus_match_label=self.prometheus_match_label,
            polling_interval=self.exporter_polling_interval,
            launcher=self.launcher or "slurm",
        )

    def exporter_deletion(self) -> ArkoudaExporterDeletion:
        """The exporter to delete."""
        self._require(exporter_app_name=self.exporter_app_name, exporter_service_name=self.exporter_service_name)
        return ArkoudaExporterDeletion(
            app_name=self.exporter_app_name or "", service_name=self.exporter_service_name or ""
        )

    def _require(self, **values: object) -> None:
        """Raise `OptionsError` naming every option that is missing, with its flag."""
        missing = [f"--arkouda-{name.replace('_', '-')}" for name, value in values.items() if value in (None, "")]
        if missing:
            raise OptionsError(
                "required options are missing",
                found=", ".join(missing),
                hint="set flags, variables (ARKOUDA_..., see --help) or keys of hera.config",
            )
