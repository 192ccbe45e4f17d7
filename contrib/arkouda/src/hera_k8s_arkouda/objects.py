"""The objects of an Arkouda instance and of an exporter, as manifests over the parameters of their templates."""

from __future__ import annotations

from typing import Any, Final

from hera_k8s_arkouda import launch
from hera_k8s_arkouda.yaml_text import bare, number, parameter

Json = dict[str, Any]

LAUNCH_ANNOTATION: Final = "hera-k8s-arkouda/launch-script"
"""Of pods: which version of its launch script a pod started with; another version makes it anew."""
SCRIPTS: Final = "/opt/arkouda"
SSH_KEYS: Final = "/home/ubuntu/ssh-keys"
EXPORTER_PORT: Final = 5080

_RBAC: Final = "rbac.authorization.k8s.io"
_INSTANCE: Final = parameter("arkouda-instance-name")
_SERVER_IMAGE: Final = f"bearsrus/arkouda-udp-server:{parameter('arkouda-release-version')}"


def named(suffix: str = "") -> str:
    """The name of an object of the instance: `I-locale`."""
    return f"{_INSTANCE}-{suffix}" if suffix else _INSTANCE


def _object(api_version: str, kind: str, name: str, labels: Json | None = None, **rest: Any) -> Json:
    metadata: Json = {"name": name, "labels": labels} if labels else {"name": name}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


# --- rights ------------------------------------------------------------------------------------------------------

POD_RULES: Final = (
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "watch", "list"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "watch", "list"]},
)
SERVICE_RULES: Final = (
    {
        "apiGroups": [""],
        "resources": ["services", "endpoints"],
        "verbs": ["get", "watch", "list", "create", "delete", "update"],
    },
)
MONITOR_RULES: Final = (
    {
        "apiGroups": ["monitoring.coreos.com"],
        "resources": ["servicemonitors"],
        "verbs": ["get", "watch", "list", "create", "delete", "update"],
    },
)
GRANTED: Final = (*POD_RULES, *SERVICE_RULES, *MONITOR_RULES)
"""What the instance's own account is given, and who gives it must have."""


def role(suffix: str, rules: tuple[Json, ...]) -> Json:
    """A role of the instance's account."""
    return _object(f"{_RBAC}/v1", "Role", named(suffix), rules=[dict(rule) for rule in rules])


def role_binding(suffix: str) -> Json:
    """The binding of a role to the instance's account."""
    subject = {
        "kind": "ServiceAccount",
        "name": parameter("arkouda-serviceaccount-name"),
        "namespace": "{{workflow.namespace}}",
    }
    reference = {"apiGroup": _RBAC, "kind": "Role", "name": named(suffix)}
    return _object(f"{_RBAC}/v1", "RoleBinding", named(f"{suffix}-binding"), subjects=[subject], roleRef=reference)


# --- launch scripts ----------------------------------------------------------------------------------------------


def launch_script(suffix: str, program: str) -> Json:
    """The config map of a launch script, under the key `script`."""
    name = named(f"{suffix}-launch-script")
    return _object("v1", "ConfigMap", name, {"name": name}, data={"script": launch.source(program)})


def _script_volume(suffix: str, program: str) -> tuple[Json, Json]:
    """The volume of a launch script, and its mount as the one file."""
    name = f"arkouda-{suffix}-launch-script"
    items = [{"key": "script", "path": program}]
    volume = {"name": name, "configMap": {"name": named(f"{suffix}-launch-script"), "items": items}}
    return volume, {"name": name, "mountPath": f"{SCRIPTS}/{program}", "subPath": program}


_SSH_VOLUME: Final = {"name": "ssh", "secret": {"secretName": parameter("arkouda-ssh-secret")}}
_SSH_MOUNT: Final = {"name": "ssh", "mountPath": SSH_KEYS}


def _as_whom() -> list[Json]:
    """The variables by which launch scripts know as whom Arkouda runs."""
    return [
        {"name": f"ARKOUDA_{word.upper()}", "value": parameter(f"arkouda-{word}")}
        for word in ("user", "uid", "group", "gid")
    ]


def _pod_ip(*names: str) -> list[Json]:
    return [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}} for name in names]


def _values(**values: str) -> list[Json]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _resources() -> Json:
    amounts = {"cpu": parameter("num-cpu-cores"), "memory": parameter("memory")}
    return {"limits": dict(amounts), "requests": dict(amounts)}


# --- locales -----------------------------------------------------------------------------------------------------


def locale_deployment() -> Json:
    """The locales: pods that the server reaches by ssh."""
    labels = {"app": named("locale")}
    volume, mount = _script_volume("locale", launch.LOCALE)
    container = {
        "name": "arkouda-udp-locale",
        "image": _SERVER_IMAGE,
        "imagePullPolicy": parameter("image-pull-policy"),
        "command": ["bash", f"{SCRIPTS}/{launch.LOCALE}"],
        "ports": [{"containerPort": 22}],
        "resources": _resources(),
        "readinessProbe": {
            "exec": {"command": ["bash", "-c", 'test -e "${TMPDIR:-/tmp}/arkouda-locale-ready"']},
            "periodSeconds": 2,
        },
        "volumeMounts": [dict(_SSH_MOUNT), mount],
        "env": [
            *_pod_ip("MY_IP"),
            *_values(
                NUM_LOCALES=parameter("arkouda-number-of-locales"),
                MEMTRACK=parameter("mem-track"),
                CHPL_RT_NUM_THREADS_PER_LOCALE=parameter("chpl-num-threads-per-locale"),
            ),
            *_as_whom(),
        ],
    }
    template = {
        "metadata": {"labels": dict(labels), "annotations": {LAUNCH_ANNOTATION: launch.digest(launch.LOCALE)}},
        "spec": {"containers": [container], "volumes": [dict(_SSH_VOLUME), volume]},
    }
    spec = {
        "replicas": number("arkouda-number-of-locales"),
        "selector": {"matchLabels": dict(labels)},
        "template": template,
    }
    return _object("apps/v1", "Deployment", named("locale"), labels, spec=spec)


def headless_service(suffix: str) -> Json:
    """A service without an address, which only names pods."""
    spec = {"clusterIP": "None", "selector": {"app": named(suffix)}}
    return _object("v1", "Service", named(f"{suffix}-headless"), spec=spec)


def ssh_service(suffix: str) -> Json:
    """A service for ssh."""
    spec = {"type": "ClusterIP", "ports": [{"port": 22}], "selector": {"app": named(suffix)}}
    return _object("v1", "Service", named(f"{suffix}-ssh"), spec=spec)


# --- the server --------------------------------------------------------------------------------------------------


def server_pod() -> Json:
    """The server, and the exporter of its metrics beside it."""
    volume, mount = _script_volume("server", launch.SERVER)
    exporter = {
        "name": "arkouda-metrics-exporter",
        "image": f"bearsrus/prometheus-arkouda-exporter:{parameter('arkouda-release-version')}",
        "imagePullPolicy": parameter("image-pull-policy"),
        "ports": [{"containerPort": EXPORTER_PORT}],
        "env": _values(
            EXPORT_PORT=str(EXPORTER_PORT),
            POLLING_INTERVAL_SECONDS=parameter("metrics-polling-interval-seconds"),
            ARKOUDA_SERVER_NAME=named("metrics"),
            ARKOUDA_METRICS_SERVICE_HOST=named("metrics"),
            ARKOUDA_METRICS_SERVICE_PORT="5556",
        ),
    }
    server = {
        "name": "arkouda-udp-server",
        "image": _SERVER_IMAGE,
        "imagePullPolicy": parameter("image-pull-policy"),
        "command": ["bash", f"{SCRIPTS}/{launch.SERVER}"],
        "ports": [{"containerPort": port} for port in (5555, 5556, 22)],
        "resources": _resources(),
        "volumeMounts": [{"name": "sa", "mountPath": "/opt/sa"}, dict(_SSH_MOUNT), mount],
        "env": _server_environment(),
    }
    token = {"name": "sa", "secret": {"secretName": parameter("arkouda-serviceaccount-token-name")}}
    annotations = {LAUNCH_ANNOTATION: launch.digest(launch.SERVER)}
    spec = {"containers": [exporter, server], "volumes": [token, dict(_SSH_VOLUME), volume]}
    body = _object("v1", "Pod", named("server"), {"app": named("server")}, spec=spec)
    body["metadata"]["annotations"] = annotations
    return body


def _server_environment() -> list[Json]:
    return [
        *_pod_ip("MY_IP", "GASNET_MASTERIP", "SSH_SERVERS"),
        *_values(
            NUMLOCALES=parameter("arkouda-total-number-of-locales"),
            AUTHENTICATE="false",
            VERBOSE="true",
            MEMTRACK=parameter("mem-track"),
            CHPL_RT_NUM_THREADS_PER_LOCALE=parameter("chpl-num-threads-per-locale"),
            GASNET_SUPERNODE_MAXSIZE="1",
            K8S_HOST=parameter("kubernetes-api-url"),
            NAMESPACE=parameter("arkouda-namespace"),
            APP_NAME=named("locale"),
            ARKOUDA_SERVER_NAME=named(),
            ARKOUDA_CLIENT_MODE="API",
            POD_METHOD="GET_POD_IPS",
            EXTERNAL_SERVICE_NAME=named(),
            EXTERNAL_SERVICE_PORT="5555",
            EXTERNAL_SERVICE_TARGET_PORT="5555",
            LOG_LEVEL=parameter("arkouda-log-level"),
            COLLECT_METRICS=parameter("collect-metrics"),
            METRICS_SERVICE_NAME=named("metrics"),
            METRICS_SERVICE_PORT="5556",
            METRICS_SERVICE_TARGET_PORT="5556",
            CHPL_MEM_MAX=parameter("chpl-mem-max"),
        ),
        *_as_whom(),
    ]


# --- metrics -----------------------------------------------------------------------------------------------------

_LABEL: Final = 'sprig.splitList(":", workflow.parameters["prometheus-match-label"])'


def _match_label() -> Json:
    """The label that `key: value` stands for: read when the workflow runs, each half quoted as a text of its own."""
    key, value = (bare(f"{{{{=toJson(sprig.trim({_LABEL}[{half}]))}}}}") for half in (0, 1))
    return {key: value}


def metrics_service() -> Json:
    """The service of the exporter beside the server."""
    labels = {
        "instance": named("metrics-exporter"),
        "arkouda_instance": named("server"),
        "launcher": parameter("launcher"),
    }
    return _exporter_service(named("metrics-exporter"), labels, named("server"))


def service_monitor() -> Json:
    """What makes Prometheus look at the instance's metrics."""
    labels = {"arkouda_instance": named("server"), "launcher": parameter("launcher"), **_match_label()}
    interval = parameter("metrics-polling-interval-seconds")
    return _monitor(named("servicemonitor"), labels, interval, named("metrics-exporter"))


def _exporter_service(name: str, labels: Json, app: str) -> Json:
    ports = [{"name": "http", "port": EXPORTER_PORT, "targetPort": EXPORTER_PORT}]
    return _object("v1", "Service", name, labels, spec={"type": "ClusterIP", "ports": ports, "selector": {"app": app}})


def _monitor(name: str, labels: Json, interval: str, instance: str) -> Json:
    spec = {
        "endpoints": [{"port": "http", "interval": f"{interval}s", "path": "/metrics"}],
        "selector": {"matchLabels": {"instance": instance}},
        "targetLabels": ["arkouda_instance", "launcher"],
    }
    return _object("monitoring.coreos.com/v1", "ServiceMonitor", name, labels, spec=spec)


# --- the exporter of an Arkouda elsewhere --------------------------------------------------------------------------

_APP: Final = parameter("exporter-app-name")
_SERVICE: Final = parameter("exporter-service-name")


def exporter_deployment() -> Json:
    """The exporter by itself."""
    labels = {"app": _APP}
    amounts = {"cpu": "2000m", "memory": "2048Mi"}
    container = {
        "name": "arkouda-metrics-exporter",
        "image": f"bearsrus/prometheus-arkouda-exporter:{parameter('exporter-release-version')}",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", "from arkouda_metrics_exporter import metrics; metrics.main()"],
        "ports": [{"containerPort": EXPORTER_PORT}],
        "resources": {"limits": dict(amounts), "requests": dict(amounts)},
        "env": _values(
            EXPORT_PORT=str(EXPORTER_PORT),
            ARKOUDA_SERVER_NAME=parameter("arkouda-server-name"),
            POLLING_INTERVAL_SECONDS=parameter("exporter-polling-interval"),
            ARKOUDA_METRICS_SERVICE_HOST=parameter("arkouda-metrics-service-host"),
            ARKOUDA_METRICS_SERVICE_PORT=parameter("arkouda-metrics-service-port"),
        ),
        "livenessProbe": {
            "httpGet": {"path": "/metrics", "port": EXPORTER_PORT},
            "initialDelaySeconds": 30,
            "periodSeconds": 30,
        },
    }
    template = {"metadata": {"labels": dict(labels)}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": dict(labels)}, "template": template}
    return _object("apps/v1", "Deployment", _APP, labels, spec=spec)


def exporter_service() -> Json:
    """The exporter's service."""
    labels = {
        "instance": _SERVICE,
        "arkouda_instance": parameter("arkouda-server-name"),
        "launcher": parameter("arkouda-launcher"),
    }
    return _exporter_service(_SERVICE, labels, _APP)


def exporter_monitor() -> Json:
    """What makes Prometheus look at the exporter."""
    labels = {
        "arkouda_instance": parameter("arkouda-server-name"),
        "launcher": parameter("arkouda-launcher"),
        **_match_label(),
    }
    return _monitor(f"{_SERVICE}-servicemonitor", labels, parameter("exporter-polling-interval"), _SERVICE)
