"""What users export, type or write into hera.config reaches the templates' parameters, and what is wrong is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from arkouda_contract import DEPLOYMENT, EXPORTER
from arkouda_support import README_VARIABLES, Command
from hera_k8s_arkouda import ArkoudaDeployment, ArkoudaExporter
from hera_k8s_arkouda.cron import check_schedule, check_timezone
from hera_k8s_arkouda.fields import is_quantity, is_url, label_pair
from hypothesis import given
from hypothesis import strategies as st

from hera_k8s_utils import OptionsError

Rendered = Callable[..., dict[str, str]]


@pytest.fixture
def rendered(arkouda: Command) -> Rendered:
    """The arguments of the workflow that some words and variables render."""

    def render(*words: str, part: str = "deploy", **variables: str) -> dict[str, str]:
        told = arkouda("render", part, *words, variables=variables)
        assert told.code == 0, told.err
        body = yaml.safe_load(told.out)
        return {each["name"]: each["value"] for each in body["spec"]["arguments"]["parameters"]}

    return render


def test_the_variables_of_the_shell_scripts_are_read(rendered: Rendered) -> None:
    found = rendered(**README_VARIABLES)
    expected = {
        "arkouda-serviceaccount-name": "arkouda-on-k8s",
        "arkouda-serviceaccount-token-name": "arkouda-on-k8s",
        "arkouda-release-version": "v2024.04.19",
        "arkouda-instance-name": "arkouda-on-k8s",
        "arkouda-ssh-secret": "arkouda-ssh",
        "arkouda-number-of-locales": "2",
        "arkouda-total-number-of-locales": "3",
        "kubernetes-api-url": "https://localhost:6443",
        "arkouda-namespace": "arkouda",
        "metrics-polling-interval-seconds": "15",
        "prometheus-match-label": "release: kube-stack",
        "launcher": "kubernetes",
        "num-cpu-cores": "2000m",
        "memory": "2048Mi",
        "chpl-mem-max": "1000000000",
        "chpl-num-threads-per-locale": "2",
        "image-pull-policy": "IfNotPresent",
    }
    assert found.items() >= expected.items()


@pytest.mark.parametrize(
    ("variable", "value", "parameter"),
    [
        ("ARKOUDA_IMAGE_POLICY", "Always", "image-pull-policy"),
        ("ARKOUDA_IMAGE_PULL_POLICY", "Never", "image-pull-policy"),
        ("NUMBER_OF_LOCALES", "5", "arkouda-number-of-locales"),
        ("TOTAL_NUMBER_OF_LOCALES", "2", "arkouda-total-number-of-locales"),
        ("ARKOUDA_MEM_TRACK", "false", "mem-track"),
        ("ARKOUDA_COLLECT_METRICS", "false", "collect-metrics"),
        ("ARKOUDA_USER", "bearsrus", "arkouda-user"),
        ("ARKOUDA_UID", "1009", "arkouda-uid"),
        ("ARKOUDA_GROUP", "bearsrus-arkouda-users", "arkouda-group"),
        ("ARKOUDA_GID", "1019", "arkouda-gid"),
        ("ARKOUDA_LOG_LEVEL", "LogLevel.ERROR", "arkouda-log-level"),
    ],
)
def test_each_spelling_of_a_variable_is_read(rendered: Rendered, variable: str, value: str, parameter: str) -> None:
    others = {
        name: said
        for name, said in README_VARIABLES.items()
        if name not in ("ARKOUDA_IMAGE_POLICY", f"ARKOUDA_{variable}") and not name.endswith("TOTAL_NUMBER_OF_LOCALES")
    }
    assert rendered(**{**others, variable: value})[parameter] == value


def test_the_exporter_is_told_its_own_interval_version_and_namespace(rendered: Rendered, arkouda: Command) -> None:
    variables = {
        **README_VARIABLES,
        "ARKOUDA_EXPORTER_POLLING_INTERVAL": "41",
        "ARKOUDA_EXPORTER_VERSION": "v2024.03.18",
        "ARKOUDA_METRICS_SERVICE_PORT": "5557",
        "ARKOUDA_LAUNCHER": "slurm",
    }
    found = rendered(part="exporter-deploy", **variables)
    assert found == {
        "exporter-release-version": "v2024.03.18",
        "exporter-app-name": "arkouda-on-k8s-exporter",
        "exporter-service-name": "arkouda-on-k8s-exporter",
        "exporter-polling-interval": "41",
        "prometheus-match-label": "release: kube-stack",
        "arkouda-launcher": "slurm",
        "arkouda-server-name": "arkouda-on-k8s",
        "arkouda-metrics-service-host": "arkouda-on-k8s-metrics",
        "arkouda-metrics-service-port": "5557",
    }


def test_a_flag_beats_a_variable_and_a_variable_beats_a_file(rendered: Rendered, work: Path) -> None:
    written = 'arkouda_memory = 1Gi\narkouda_prometheus_match_label = "team: physics"\nchpl = 1\n'
    (work / "hera.config").write_text(written.replace("chpl = 1\n", ""), encoding="utf-8")
    variables = {k: v for k, v in README_VARIABLES.items() if k != "ARKOUDA_PROMETHEUS_MATCH_LABEL"}
    assert rendered(**variables)["prometheus-match-label"] == "team: physics"
    assert rendered(**variables)["memory"] == "2048Mi"
    assert rendered("--arkouda-memory", "3Gi", **variables)["memory"] == "3Gi"


def test_what_is_missing_is_named_all_at_once_by_its_flags(arkouda: Command) -> None:
    told = arkouda("render", "deploy", "--arkouda-namespace", "here")
    assert told.code == 2
    for flag in ("--arkouda-instance-name", "--arkouda-version", "--arkouda-ssh-secret", "--arkouda-chpl-mem-max"):
        assert flag in told.err
    assert "ARKOUDA_" in told.err


def test_without_a_namespace_nothing_is_rendered_that_needs_one(arkouda: Command) -> None:
    variables = {k: v for k, v in README_VARIABLES.items() if k != "ARKOUDA_NAMESPACE"}
    told = arkouda("render", "deploy", variables=variables)
    assert told.code == 2
    assert "ARKOUDA_NAMESPACE" in told.err


def test_two_namespaces_on_one_command_line_contradict_each_other(arkouda: Command) -> None:
    told = arkouda("render", "deploy", "-n", "one", "--arkouda-namespace", "two", variables=README_VARIABLES)
    assert told.code == 2
    assert "two different namespaces are given" in told.err
    alone = arkouda("render", "deploy", "-n", "one", variables=README_VARIABLES)
    assert "value: one\n" in alone.out, "a flag beats the variable ARKOUDA_NAMESPACE"


@pytest.mark.parametrize("parts", [[], ["rbac"], ["templates", "rbac"]])
def test_a_binding_is_not_rendered_without_its_namespace(arkouda: Command, parts: list[str]) -> None:
    """Its subject must name one, and an API server refuses an empty one."""
    told = arkouda("render", *parts)
    assert (told.code, told.out) == (2, "")
    assert "no namespace is given" in told.err
    assert "--arkouda-namespace" in told.err


def test_templates_are_rendered_without_any_option(arkouda: Command) -> None:
    told = arkouda("render", "templates")
    assert told.code == 0, told.err
    bodies = list(yaml.safe_load_all(told.out))
    assert [body["kind"] for body in bodies] == ["WorkflowTemplate"] * 4
    assert not any("namespace" in body["metadata"] for body in bodies)


def test_the_installation_is_rendered_in_the_namespace_that_is_said(arkouda: Command) -> None:
    told = arkouda("render", "--arkouda-namespace", "here")
    assert told.code == 0, told.err
    bodies = list(yaml.safe_load_all(told.out))
    assert {body["metadata"]["namespace"] for body in bodies} == {"here"}
    (binding,) = [body for body in bodies if body["kind"] == "RoleBinding"]
    assert [subject["namespace"] for subject in binding["subjects"]] == ["here"]
    kinds = [(body["kind"], body["metadata"]["name"]) for body in bodies]
    assert kinds == [
        ("ServiceAccount", "arkouda-workflows-service-account"),
        ("Role", "arkouda-workflows"),
        ("RoleBinding", "arkouda-workflows"),
        ("WorkflowTemplate", "deploy-arkouda-on-kubernetes"),
        ("WorkflowTemplate", "delete-arkouda-on-kubernetes"),
        ("WorkflowTemplate", "deploy-prometheus-arkouda-exporter"),
        ("WorkflowTemplate", "delete-prometheus-arkouda-exporter"),
    ]


def test_schedules_are_rendered_with_the_account_that_is_named(arkouda: Command) -> None:
    told = arkouda("render", "schedule", "--service-account", "runner", "--output", "json", variables=README_VARIABLES)
    made = json.loads(told.out)
    assert [body["kind"] for body in made] == ["CronWorkflow", "CronWorkflow"]
    assert {body["spec"]["workflowSpec"]["serviceAccountName"] for body in made} == {"runner"}


# --- values ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("instance_name", "Arkouda"),
        ("instance_name", "1st"),
        ("instance_name", "a" * 43),
        ("release_version", "v1 2"),
        ("namespace", "a.b"),
        ("serviceaccount_name", "a_b"),
        ("ssh_secret", ""),
        ("number_of_locales", 0),
        ("total_number_of_locales", 4),
        ("cpu_cores", "two"),
        ("cpu_cores", "0"),
        ("memory", "2048MiB"),
        ("chpl_mem_max", -1),
        ("kubernetes_url", "localhost:6443"),
        ("kubernetes_url", "https://user:word@host"),
        ("prometheus_match_label", "release"),
        ("prometheus_match_label", "a: b: c"),
        ("prometheus_match_label", "release: kube\n    evil: yes"),
        ("launcher", "a b"),
        ("log_level", "LogLevel.LOUD"),
        ("image_pull_policy", "Sometimes"),
        ("user", "root; id"),
        ("uid", 0),
        ("gid", True),
        ("ready_timeout", 0),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_name(field: str, value: Any) -> None:
    with pytest.raises(OptionsError, match=field):
        replace(DEPLOYMENT, **{"total_number_of_locales": None, field: value})


def test_all_that_does_not_fit_is_told_at_once() -> None:
    with pytest.raises(OptionsError) as refused:
        replace(DEPLOYMENT, memory="much", cpu_cores="many", user="ROOT")
    assert all(word in str(refused.value) for word in ("memory", "cpu_cores", "user"))


def test_the_server_is_counted_as_a_locale_when_nobody_counts() -> None:
    assert (
        replace(DEPLOYMENT, number_of_locales=7, total_number_of_locales=None).parameters()[
            "arkouda-total-number-of-locales"
        ]
        == "8"
    )


def test_a_label_is_needed_only_where_metrics_are_collected() -> None:
    assert replace(DEPLOYMENT, collect_metrics=False, prometheus_match_label="").parameters()["prometheus-match-label"]
    with pytest.raises(OptionsError, match="prometheus_match_label"):
        replace(DEPLOYMENT, prometheus_match_label="")


def test_records_are_frozen() -> None:
    for record in (DEPLOYMENT, EXPORTER):
        with pytest.raises(AttributeError):
            record.launcher = "other"  # type: ignore[misc]


@pytest.mark.parametrize("port", [0, 65536])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(OptionsError, match="metrics_service_port"):
        replace(EXPORTER, metrics_service_port=port)


_WORD = st.from_regex(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,20}[A-Za-z0-9])?", fullmatch=True)


@given(key=_WORD, value=_WORD, blanks=st.sampled_from(["", " ", "  "]))
def test_a_label_is_read_whatever_blanks_are_in_it(key: str, value: str, blanks: str) -> None:
    assert label_pair(f"{blanks}{key}{blanks}:{blanks}{value}{blanks}") == (key, value)


@given(st.text())
def test_no_text_passes_for_a_label_that_yaml_would_read_otherwise(text: str) -> None:
    found = label_pair(text)
    if found is not None:
        assert yaml.safe_load(f'"{found[0]}": "{found[1]}"') == dict([found])
        assert not any(sign in "".join(found) for sign in "\"'\n{}\\")


@given(st.text())
def test_reading_any_text_as_a_value_never_breaks(text: str) -> None:
    assert is_url(text) in (True, False)
    assert is_quantity(text) in (True, False)


# --- times -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", ["0 06 * * *", "*/15 8-18 * * 1-5", "0 0 1 jan,jul *", "@daily", "5 4 * * sun"])
def test_a_right_schedule_is_taken_without_a_word(schedule: str) -> None:
    assert check_schedule(schedule) == ""


@pytest.mark.parametrize("schedule", ["* 07 * * *", "* 17 * * *", "*/1 * * * *"])
def test_a_schedule_that_happens_each_minute_is_warned_of(schedule: str) -> None:
    assert "each minute" in check_schedule(schedule)


@pytest.mark.parametrize(
    "schedule", ["", "06 * * *", "60 * * * *", "0 24 * * *", "0 0 0 * *", "0 0 * foo *", "5-1 * * * *", "*/0 * * * *"]
)
def test_a_wrong_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(OptionsError, match="is not a schedule"):
        check_schedule(schedule)


def test_a_time_zone_must_exist() -> None:
    check_timezone("America/New_York")
    with pytest.raises(OptionsError, match="unknown time zone"):
        check_timezone("America/Springfield_Nowhere")


def test_a_deployment_and_an_exporter_are_all_that_a_user_needs_to_import() -> None:
    assert ArkoudaDeployment.template == "deploy-arkouda-on-kubernetes"
    assert ArkoudaExporter.template == "deploy-prometheus-arkouda-exporter"
