"""The templates and workflows: the contract of names, parameters, objects and order, and what lint says of them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from arkouda_contract import DEPLOYMENT, SUBJECTS, environment, objects, tasks, waits_for
from hera_k8s_arkouda.templates import template_bodies
from hera_k8s_arkouda.workflows import cron_workflow, workflow

from hera_k8s_utils import Manifest, Verdict
from hera_k8s_utils.checks.lint import lint

Json = dict[str, Any]


@pytest.fixture(scope="module")
def templates() -> dict[str, Json]:
    return template_bodies()


@pytest.fixture
def deploy(templates: dict[str, Json]) -> Json:
    return templates["deploy-arkouda-on-kubernetes"]


@pytest.fixture
def delete(templates: dict[str, Json]) -> Json:
    return templates["delete-arkouda-on-kubernetes"]


def parameters(template: Json) -> dict[str, Any]:
    return {each["name"]: each.get("value") for each in template["spec"]["arguments"]["parameters"]}


def test_there_are_four_templates_with_their_entry_points(templates: dict[str, Json]) -> None:
    assert {name: body["spec"]["entrypoint"] for name, body in templates.items()} == {
        "deploy-arkouda-on-kubernetes": "deploy-arkouda-on-kubernetes",
        "delete-arkouda-on-kubernetes": "delete-arkouda-on-kubernetes",
        "deploy-prometheus-arkouda-exporter": "launch-prometheus-arkouda-exporter",
        "delete-prometheus-arkouda-exporter": "delete-prometheus-arkouda-exporter",
    }
    exporter = templates["deploy-prometheus-arkouda-exporter"]["spec"]
    assert exporter["serviceAccountName"] == "arkouda-workflows-service-account"
    assert exporter["podGC"] == {"strategy": "OnWorkflowSuccess"}


def test_parameters_and_defaults_are_those_of_old(templates: dict[str, Json]) -> None:
    added = {"locale-ready-timeout-seconds": "600"}
    assert parameters(templates["deploy-arkouda-on-kubernetes"]) == added | {
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
    }
    assert parameters(templates["delete-arkouda-on-kubernetes"]) == {
        "arkouda-instance-name": None,
        "kubernetes-api-url": None,
        "collect-metrics": "true",
    }
    assert list(parameters(templates["deploy-prometheus-arkouda-exporter"])) == [
        "exporter-release-version",
        "exporter-app-name",
        "exporter-service-name",
        "exporter-polling-interval",
        "prometheus-match-label",
        "arkouda-launcher",
        "arkouda-server-name",
        "arkouda-metrics-service-host",
        "arkouda-metrics-service-port",
    ]
    assert list(parameters(templates["delete-prometheus-arkouda-exporter"])) == [
        "exporter-app-name",
        "exporter-service-name",
    ]


def test_tasks_make_the_objects_of_the_contract(deploy: Json) -> None:
    made = {name: (body["kind"], body["metadata"]["name"]) for name, body in objects(deploy).items()}
    assert made == {
        "create-pod-role": ("Role", "ark-pod"),
        "create-pod-role-binding": ("RoleBinding", "ark-pod-binding"),
        "create-service-role": ("Role", "ark-service"),
        "create-service-role-binding": ("RoleBinding", "ark-service-binding"),
        "create-servicemonitor-role": ("Role", "ark-servicemonitor"),
        "create-servicemonitor-role-binding": ("RoleBinding", "ark-servicemonitor-binding"),
        "create-locale-launch-script-config-map": ("ConfigMap", "ark-locale-launch-script"),
        "deploy-arkouda-locale": ("Deployment", "ark-locale"),
        "create-locale-headless-service": ("Service", "ark-locale-headless"),
        "create-locale-ssh-service": ("Service", "ark-locale-ssh"),
        "create-server-launch-script-config-map": ("ConfigMap", "ark-server-launch-script"),
        "create-server-headless-service": ("Service", "ark-server-headless"),
        "create-server-ssh-service": ("Service", "ark-server-ssh"),
        "deploy-arkouda-server": ("Pod", "ark-server"),
        "create-metrics-exporter-service": ("Service", "ark-metrics-exporter"),
        "create-servicemonitor": ("ServiceMonitor", "ark-servicemonitor"),
    }
    assert set(tasks(deploy)) == {*made, "verify-locale-deployment"}


def test_tasks_wait_for_what_they_need(deploy: Json) -> None:
    waits = waits_for(deploy)
    for role in ("pod", "service", "servicemonitor"):
        assert waits[f"create-{role}-role-binding"] == {f"create-{role}-role"}
    assert waits["deploy-arkouda-locale"] == {"create-locale-launch-script-config-map"}
    assert {"deploy-arkouda-locale", "create-pod-role-binding"} == waits["verify-locale-deployment"]
    for task in (
        "create-server-launch-script-config-map",
        "create-server-headless-service",
        "create-server-ssh-service",
    ):
        assert waits[task] == {"deploy-arkouda-locale"}
    assert waits["deploy-arkouda-server"] == {
        "verify-locale-deployment",
        "create-locale-ssh-service",
        "create-locale-headless-service",
        "create-server-launch-script-config-map",  # these three were missing, so that the server might come first
        "create-pod-role-binding",
        "create-service-role-binding",
    }
    assert waits["create-servicemonitor"] == {
        "create-servicemonitor-role-binding",
        "deploy-arkouda-server",
        "create-metrics-exporter-service",
    }


def test_the_locale_deployment_is_that_of_old(deploy: Json) -> None:
    body = objects(deploy)["deploy-arkouda-locale"]
    labels = {"app": "ark-locale"}
    assert body["metadata"]["labels"] == body["spec"]["selector"]["matchLabels"] == labels
    assert body["spec"]["template"]["metadata"]["labels"] == labels
    assert body["spec"]["replicas"] == 2
    (container,) = body["spec"]["template"]["spec"]["containers"]
    assert (container["name"], container["image"], container["imagePullPolicy"]) == (
        "arkouda-udp-locale",
        "bearsrus/arkouda-udp-server:v2024.04.19",
        "Always",
    )
    assert container["command"] == ["bash", "/opt/arkouda/start-arkouda-locale.sh"]
    assert container["ports"] == [{"containerPort": 22}]
    amounts = {"cpu": "50m", "memory": "32Mi"}
    assert container["resources"] == {"requests": amounts, "limits": amounts}
    of_old = {
        "MY_IP": "status.podIP",
        "NUM_LOCALES": "2",
        "MEMTRACK": "false",
        "CHPL_RT_NUM_THREADS_PER_LOCALE": "4",
    }
    assert environment(container).items() >= of_old.items()
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert set(mounts) == {"/home/ubuntu/ssh-keys", "/opt/arkouda/start-arkouda-locale.sh"}
    assert mounts["/opt/arkouda/start-arkouda-locale.sh"]["subPath"] == "start-arkouda-locale.sh"
    volumes = {volume["name"]: volume for volume in body["spec"]["template"]["spec"]["volumes"]}
    assert volumes["ssh"]["secret"]["secretName"] == "arkouda-ssh"
    script = volumes["arkouda-locale-launch-script"]["configMap"]
    assert script == {
        "name": "ark-locale-launch-script",
        "items": [{"key": "script", "path": "start-arkouda-locale.sh"}],
    }


def test_the_server_pod_is_that_of_old(deploy: Json) -> None:
    body = objects(deploy)["deploy-arkouda-server"]
    assert body["metadata"]["labels"] == {"app": "ark-server"}
    exporter, server = body["spec"]["containers"]
    assert (exporter["name"], exporter["image"]) == (
        "arkouda-metrics-exporter",
        "bearsrus/prometheus-arkouda-exporter:v2024.04.19",
    )
    assert exporter["ports"] == [{"containerPort": 5080}]
    assert environment(exporter) == {
        "EXPORT_PORT": "5080",
        "POLLING_INTERVAL_SECONDS": "17",
        "ARKOUDA_SERVER_NAME": "ark-metrics",
        "ARKOUDA_METRICS_SERVICE_HOST": "ark-metrics",
        "ARKOUDA_METRICS_SERVICE_PORT": "5556",
    }
    assert (server["name"], server["image"]) == ("arkouda-udp-server", "bearsrus/arkouda-udp-server:v2024.04.19")
    assert server["command"] == ["bash", "/opt/arkouda/start-arkouda-server.sh"]
    assert [port["containerPort"] for port in server["ports"]] == [5555, 5556, 22]
    assert server["resources"]["requests"] == server["resources"]["limits"] == {"cpu": "50m", "memory": "32Mi"}
    of_old = {
        "MY_IP": "status.podIP",
        "GASNET_MASTERIP": "status.podIP",
        "SSH_SERVERS": "status.podIP",
        "NUMLOCALES": "3",
        "AUTHENTICATE": "false",
        "VERBOSE": "true",
        "MEMTRACK": "false",
        "CHPL_RT_NUM_THREADS_PER_LOCALE": "4",
        "GASNET_SUPERNODE_MAXSIZE": "1",
        "K8S_HOST": "https://k8s.example:6443",
        "NAMESPACE": "arkouda",
        "APP_NAME": "ark-locale",
        "ARKOUDA_SERVER_NAME": "ark",
        "ARKOUDA_CLIENT_MODE": "API",
        "POD_METHOD": "GET_POD_IPS",
        "EXTERNAL_SERVICE_NAME": "ark",
        "EXTERNAL_SERVICE_PORT": "5555",
        "EXTERNAL_SERVICE_TARGET_PORT": "5555",
        "LOG_LEVEL": "LogLevel.DEBUG",
        "COLLECT_METRICS": "true",
        "METRICS_SERVICE_NAME": "ark-metrics",
        "METRICS_SERVICE_PORT": "5556",
        "METRICS_SERVICE_TARGET_PORT": "5556",
    }
    assert environment(server).items() >= of_old.items()
    mounts = {mount["mountPath"]: mount["name"] for mount in server["volumeMounts"]}
    assert set(mounts) == {"/opt/sa", "/home/ubuntu/ssh-keys", "/opt/arkouda/start-arkouda-server.sh"}
    volumes = {volume["name"]: volume for volume in body["spec"]["volumes"]}
    assert volumes[mounts["/opt/sa"]]["secret"]["secretName"] == "ark-token", "not the account's name"


def test_services_and_the_monitor_are_those_of_old(deploy: Json) -> None:
    made = objects(deploy)
    for part in ("locale", "server"):
        assert made[f"create-{part}-headless-service"]["spec"] == {
            "clusterIP": "None",
            "selector": {"app": f"ark-{part}"},
        }
        ssh = made[f"create-{part}-ssh-service"]["spec"]
        assert (ssh["ports"], ssh["selector"]) == ([{"port": 22}], {"app": f"ark-{part}"})
    metrics = made["create-metrics-exporter-service"]
    assert metrics["metadata"]["labels"]["instance"] == "ark-metrics-exporter"
    assert metrics["spec"]["ports"] == [{"name": "http", "port": 5080, "targetPort": 5080}]
    monitor = made["create-servicemonitor"]
    labels = {"arkouda_instance": "ark-server", "launcher": "kubernetes", "release": "kube-stack"}
    assert monitor["metadata"]["labels"] == labels
    assert monitor["spec"] == {
        "endpoints": [{"port": "http", "interval": "17s", "path": "/metrics"}],
        "selector": {"matchLabels": {"instance": "ark-metrics-exporter"}},
        "targetLabels": ["arkouda_instance", "launcher"],
    }
    copied = set(monitor["spec"]["targetLabels"])
    assert copied <= metrics["metadata"]["labels"].keys(), "Prometheus copies them from the service"


def test_each_role_names_a_resource_in_its_own_group(deploy: Json) -> None:
    made = objects(deploy)
    granted = {
        (group, resource)
        for body in made.values()
        if body["kind"] == "Role"
        for rule in body["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert granted == {
        ("", "pods"),
        ("apps", "deployments"),
        ("", "services"),
        ("", "endpoints"),
        ("monitoring.coreos.com", "servicemonitors"),
    }
    for body in made.values():
        if body["kind"] == "RoleBinding":
            subject = {"kind": "ServiceAccount", "name": "ark-account", "namespace": "arkouda"}
            assert body["subjects"] == [subject], "an API server wants the namespace"


def test_deletion_names_whatever_deployment_makes_and_what_the_server_registers(deploy: Json, delete: Json) -> None:
    made = {(body["kind"], body["metadata"]["name"]) for body in objects(deploy).values()}
    deleted = {(body["kind"], body["metadata"]["name"]) for body in objects(delete).values()}
    assert deleted == made | {("Service", "ark"), ("Service", "ark-metrics")}


@pytest.mark.parametrize("name", ["delete-arkouda-on-kubernetes", "delete-prometheus-arkouda-exporter"])
def test_deletions_wait_for_nothing_and_take_absence_for_success(templates: dict[str, Json], name: str) -> None:
    template = templates[name]
    assert all(not waits for waits in waits_for(template).values())
    resources = [each["resource"] for each in template["spec"]["templates"] if "resource" in each]
    assert {(each["action"], tuple(each["flags"])) for each in resources} == {("delete", ("--ignore-not-found",))}
    entry = next(each for each in template["spec"]["templates"] if "dag" in each)
    assert entry["dag"]["failFast"] is False, "what can be deleted is, whatever the others come to"


def test_deployment_applies_so_that_it_may_be_repeated(templates: dict[str, Json]) -> None:
    for name in ("deploy-arkouda-on-kubernetes", "deploy-prometheus-arkouda-exporter"):
        actions = {each["resource"]["action"] for each in templates[name]["spec"]["templates"] if "resource" in each}
        assert actions == {"apply"}


def test_without_metrics_there_is_no_monitor_to_make_or_delete(deploy: Json, delete: Json) -> None:
    condition = "{{workflow.parameters.collect-metrics}} == true"
    assert [name for name, task in tasks(deploy).items() if task.get("when") == condition] == ["create-servicemonitor"]
    deleting = [name for name, task in tasks(delete).items() if task.get("when") == condition]
    assert deleting == ["delete-metrics-exporter-servicemonitor"]


def test_the_exporter_is_that_of_old(templates: dict[str, Json]) -> None:
    made = objects(templates["deploy-prometheus-arkouda-exporter"])
    deployment, service, monitor = made.values()
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert deployment["metadata"]["name"] == "slurm-exporter"
    assert container["image"] == "bearsrus/prometheus-arkouda-exporter:v2024.03.18"
    assert container["command"] == ["python", "-c", "from arkouda_metrics_exporter import metrics; metrics.main()"]
    assert (
        container["resources"]["requests"] == container["resources"]["limits"] == {"cpu": "2000m", "memory": "2048Mi"}
    )
    assert container["livenessProbe"] == {
        "httpGet": {"path": "/metrics", "port": 5080},
        "initialDelaySeconds": 30,
        "periodSeconds": 30,
    }
    assert environment(container) == {
        "EXPORT_PORT": "5080",
        "ARKOUDA_SERVER_NAME": "ark-on-slurm",
        "POLLING_INTERVAL_SECONDS": "23",
        "ARKOUDA_METRICS_SERVICE_HOST": "arkouda-metrics.arkouda",
        "ARKOUDA_METRICS_SERVICE_PORT": "5557",
    }
    assert service["metadata"]["labels"]["instance"] == service["metadata"]["name"] == "slurm-exporter-service"
    assert service["spec"]["ports"][0]["name"] == "http"
    assert monitor["metadata"]["name"] == "slurm-exporter-service-servicemonitor"
    assert monitor["metadata"]["labels"]["release"] == "kube-stack"
    assert monitor["spec"]["endpoints"][0]["interval"] == "23s"
    assert monitor["spec"]["selector"]["matchLabels"] == {"instance": "slurm-exporter-service"}
    removed = objects(templates["delete-prometheus-arkouda-exporter"])
    assert [body["metadata"]["name"] for body in removed.values()] == [b["metadata"]["name"] for b in made.values()]


@pytest.mark.parametrize("label", ["release: kube-stack", "release:kube-stack", "acme.example/team:  a.b_c  "])
def test_any_spelling_of_the_match_label_stays_one_label(deploy: Json, label: str) -> None:
    key, _, value = (part.strip() for part in label.partition(":"))
    monitor = objects(deploy, {"prometheus-match-label": label})["create-servicemonitor"]
    assert monitor["metadata"]["labels"][key] == value
    assert len(monitor["metadata"]["labels"]) == 3


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.template)
def test_a_workflow_gives_its_template_exactly_its_parameters(templates: dict[str, Json], subject: Any) -> None:
    body = Manifest.of(workflow(subject)).body
    assert body["metadata"]["generateName"] == f"{subject.template}-"
    spec = body["spec"]
    assert spec["serviceAccountName"] == "arkouda-workflows-service-account"
    assert spec["podGC"] == {"strategy": "OnWorkflowSuccess"}
    assert spec["workflowTemplateRef"] == {"name": subject.template}
    given = {each["name"]: each["value"] for each in spec["arguments"]["parameters"]}
    assert given.keys() == parameters(templates[subject.template]).keys()
    assert all(isinstance(value, str) and value for value in given.values())


def test_cron_workflows_have_the_times_and_the_history_of_old() -> None:
    for subject, schedule in ((DEPLOYMENT, "0 06 * * *"), (SUBJECTS[1], "0 18 * * *")):
        body = Manifest.of(cron_workflow(subject)).body  # type: ignore[arg-type]
        spec = body["spec"]
        assert body["metadata"]["name"] == subject.template
        assert (spec["schedules"], spec["timezone"]) == ([schedule], "America/New_York")
        assert (spec["startingDeadlineSeconds"], spec["concurrencyPolicy"]) == (0, "Replace")
        assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (4, 4)
        assert spec["workflowSpec"]["workflowTemplateRef"] == {"name": subject.template}


def test_lint_finds_nothing_in_templates_and_workflows(templates: dict[str, Json]) -> None:
    made = [workflow(subject) for subject in SUBJECTS]
    for body in (*templates.values(), *made, cron_workflow(DEPLOYMENT)):
        findings = lint(Manifest.of(body))
        assert [f for f in findings if f.result.verdict is not Verdict.PASSED] == []


def test_manifests_survive_being_read_and_written_again(templates: dict[str, Json]) -> None:
    for body in templates.values():
        text = Manifest.of(body).to_yaml()
        assert yaml.safe_load(text) == body


UPSTREAM = {
    "deploy-arkouda-on-kubernetes": """
        create-locale-launch-script-config-map deploy-arkouda-locale create-locale-headless-service
        create-locale-ssh-service create-pod-role create-pod-role-binding create-service-role
        create-service-role-binding create-servicemonitor-role create-servicemonitor-role-binding
        create-server-launch-script-config-map create-server-headless-service create-server-ssh-service
        deploy-arkouda-server create-metrics-exporter-service create-servicemonitor""",
    "delete-arkouda-on-kubernetes": """
        delete-arkouda-locale delete-locale-headless-service delete-locale-ssh-service delete-arkouda-server
        delete-server-headless-service delete-server-ssh-service delete-arkouda-service
        delete-arkouda-metrics-service delete-arkouda-server-launch-script delete-pod-role delete-pod-role-binding
        delete-service-role delete-service-role-binding delete-servicemonitor-role
        delete-servicemonitor-role-binding delete-metrics-exporter-service
        delete-metrics-exporter-servicemonitor""",
    "deploy-prometheus-arkouda-exporter": """
        prometheus-arkouda-exporter create-prometheus-arkouda-exporter-service
        create-prometheus-arkouda-servicemonitor""",
    "delete-prometheus-arkouda-exporter": """
        delete-prometheus-arkouda-exporter delete-prometheus-arkouda-exporter-service
        delete-prometheus-arkouda-exporter-servicemonitor""",
}
"""The tasks of Bears-R-Us/arkouda-contrib, arkouda_workflows, at 762189d, 1944a2a, 9bf9497 and 7f859e6."""


@pytest.mark.parametrize("name", UPSTREAM)
def test_tasks_keep_the_names_of_the_yaml_files(name: str) -> None:
    missing = set(UPSTREAM[name].split()) - set(tasks(template_bodies()[name]))
    assert not missing


def test_the_log_level_is_what_the_shell_scripts_passed() -> None:
    from hera_k8s_arkouda.settings import ArkoudaSettings

    assert DEPLOYMENT.log_level == ArkoudaSettings().log_level == "LogLevel.DEBUG"
