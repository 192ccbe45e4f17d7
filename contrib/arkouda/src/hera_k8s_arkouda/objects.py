"""The manifests of an Arkouda instance and of an exporter, with the parameters of their templates."""

from __future__ import annotations

from typing import Any, Final

from hera_k8s_arkouda import launch
from hera_k8s_arkouda.argo_yaml import number, parameter, unquoted
from hera_k8s_utils import Json

LAUNCH_ANNOTATION: Final = "hera-k8s-arkouda/launch-script"
"""Annotation of pods: digest of the launch script; a changed script replaces the pod."""
SCRIPTS: Final = "/opt/arkouda"
SSH_KEYS: Final = "/home/ubuntu/ssh-keys"
EXPORTER_PORT: Final = 5080

_RBAC: Final = "rbac.authorization.k8s.io"
_INSTANCE: Final = parameter("arkouda-instance-name")
_SERVER_IMAGE: Final = f"bearsrus/arkouda-udp-server:{parameter('arkouda-release-version')}"


def object_name(suffix: str = "") -> str:
    """The name of an object of the instance: `I-locale`."""
    return f"{_INSTANCE}-{suffix}" if suffix else _INSTANCE


def _object(api_version: str, kind: str, name: str, labels: Json | None = None, **rest: Any) -> Json:
    metadata: Json = {"name": name, "labels": labels} if labels else {"name": name}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


# --- RBAC --------------------------------------------------------------------------------------------------------

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
GRANTED_RULES: Final = (*POD_RULES, *SERVICE_RULES, *MONITOR_RULES)
"""The permissions of the instance's account; the workflows' account needs them to grant them."""


def role(suffix: str, rules: tuple[Json, ...]) -> Json:
    """A role of the instance's account."""
    return _object(f"{_RBAC}/v1", "Role", object_name(suffix), rules=[dict(rule) for rule in rules])


def role_binding(suffix: str) -> Json:
    """The binding of a role to the instance's account."""
    subject = {
        "kind": "ServiceAccount",
        "name": parameter("arkouda-serviceaccount-name"),
        "namespace": "{{workflow.namespace}}",
    }
    reference = {"apiGroup": _RBAC, "kind": "Role", "name": object_name(suffix)}
    return _object(
        f"{_RBAC}/v1", "RoleBinding", object_name(f"{suffix}-binding"), subjects=[subject], roleRef=reference
    )


# --- launch scripts ----------------------------------------------------------------------------------------------


def launch_script(suffix: str, program: str) -> Json:
    """The ConfigMap with a launch script under the key `script`."""
    name = object_name(f"{suffix}-launch-script")
    return _object("v1", "ConfigMap", name, {"name": name}, data={"script": launch.source(program)})


def _script_volume(suffix: str, program: str) -> tuple[Json, Json]:
    """The volume of a launch script, and its mount as a single file."""
    name = f"arkouda-{suffix}-launch-script"
    items = [{"key": "script", "path": program}]
    volume = {"name": name, "configMap": {"name": object_name(f"{suffix}-launch-script"), "items": items}}
    return volume, {"name": name, "mountPath": f"{SCRIPTS}/{program}", "subPath": program}


_SSH_VOLUME: Final = {"name": "ssh", "secret": {"secretName": parameter("arkouda-ssh-secret")}}
_SSH_MOUNT: Final = {"name": "ssh", "mountPath": SSH_KEYS}


def _user_environment() -> list[Json]:
    """The variables that tell launch scripts which user Arkouda runs as."""
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
    """The locales: pods that the server connects to by ssh."""
    labels = {"app": object_name("locale")}
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
            *_user_environment(),
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
    return _object("apps/v1", "Deployment", object_name("locale"), labels, spec=spec)


def headless_service(suffix: str) -> Json:
    """A headless service, which gives pods DNS names."""
    spec = {"clusterIP": "None", "selector": {"app": object_name(suffix)}}
    return _object("v1", "Service", object_name(f"{suffix}-headless"), spec=spec)


def ssh_service(suffix: str) -> Json:
    """A service for ssh."""
    spec = {"type": "ClusterIP", "ports": [{"port": 22}], "selector": {"app": object_name(suffix)}}
    return _object("v1", "Service", object_name(f"{suffix}-ssh"), spec=spec)


# --- the server --------------------------------------------------------------------------------------------------


def server_pod() -> Json:
    """The server, with the exporter of its metrics as a second container."""
    volume, mount = _script_volume("server", launch.SERVER)
    exporter = {
        "name": "arkouda-metrics-exporter",
        "image": f"bearsrus/prometheus-arkouda-exporter:{parameter('arkouda-release-version')}",
        "imagePullPolicy": parameter("image-pull-policy"),
        "ports": [{"containerPort": EXPORTER_PORT}],
        "env": _values(
            EXPORT_PORT=str(EXPORTER_PORT),
            POLLING_INTERVAL_SECONDS=parameter("metrics-polling-interval-seconds"),
            ARKOUDA_SERVER_NAME=object_name("metrics"),
            ARKOUDA_METRICS_SERVICE_HOST=object_name("metrics"),
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
    body = _object("v1", "Pod", object_name("server"), {"app": object_name("server")}, spec=spec)
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
            APP_NAME=object_name("locale"),
            ARKOUDA_SERVER_NAME=object_name(),
            ARKOUDA_CLIENT_MODE="API",
            POD_METHOD="GET_POD_IPS",
            EXTERNAL_SERVICE_NAME=object_name(),
            EXTERNAL_SERVICE_PORT="5555",
            EXTERNAL_SERVICE_TARGET_PORT="5555",
            LOG_LEVEL=parameter("arkouda-log-level"),
            COLLECT_METRICS=parameter("collect-metrics"),
            METRICS_SERVICE_NAME=object_name("metrics"),
            METRICS_SERVICE_PORT="5556",
            METRICS_SERVICE_TARGET_PORT="5556",
            CHPL_MEM_MAX=parameter("chpl-mem-max"),
        ),
        *_user_environment(),
    ]


# --- metrics -----------------------------------------------------------------------------------------------------

_LABEL: Final = 'sprig.splitList(":", workflow.parameters["prometheus-match-label"])'


def _match_label() -> Json:
    """The label of the parameter `key: value`, split when the workflow runs; both parts are quoted."""
    key, value = (unquoted(f"{{{{=toJson(sprig.trim({_LABEL}[{half}]))}}}}") for half in (0, 1))
    return {key: value}


def metrics_service() -> Json:
    """The service of the exporter in the server's pod."""
    labels = {
        "instance": object_name("metrics-exporter"),
        "arkouda_instance": object_name("server"),
        "launcher": parameter("launcher"),
    }
    return _exporter_service(object_name("metrics-exporter"), labels, object_name("server"))


def service_monitor() -> Json:
    """The ServiceMonitor of the instance's metrics."""
    labels = {"arkouda_instance": object_name("server"), "launcher": parameter("launcher"), **_match_label()}
    interval = parameter("metrics-polling-interval-seconds")
    return _monitor(object_name("servicemonitor"), labels, interval, object_name("metrics-exporter"))


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


# --- the exporter of an external Arkouda ---------------------------------------------------------------------------

_APP: Final = parameter("exporter-app-name")
_SERVICE: Final = parameter("exporter-service-name")


def exporter_deployment() -> Json:
    """The Deployment of the exporter."""
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
    """The service of the exporter."""
    labels = {
        "instance": _SERVICE,
        "arkouda_instance": parameter("arkouda-server-name"),
        "launcher": parameter("arkouda-launcher"),
    }
    return _exporter_service(_SERVICE, labels, _APP)


def exporter_monitor() -> Json:
    """The ServiceMonitor of the exporter."""
    labels = {
        "arkouda_instance": parameter("arkouda-server-name"),
        "launcher": parameter("arkouda-launcher"),
        **_match_label(),
    }
    return _monitor(f"{_SERVICE}-servicemonitor", labels, parameter("exporter-polling-interval"), _SERVICE)
