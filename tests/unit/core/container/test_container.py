"""The container as scripts and notebooks use it: offline first, then the sandbox, the same file throughout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from dependency_injector import providers

from hera_k8s_sandbox.server.launch import write_kubeconfig
from hera_k8s_utils import (
    BuildError,
    ChecksFailed,
    CredentialError,
    Experiment,
    Inputs,
    OptionsError,
    PluginError,
    Requirement,
    ResourceChecker,
    build_container,
    connect,
    ok,
    option,
)

pytestmark = pytest.mark.usefixtures("work")  # runs are recorded in the working directory


@pytest.fixture
def example(repository: Path) -> str:
    return str(repository / "examples" / "logistic_map" / "experiment.py")


def tasks(manifest) -> dict:
    dag = next(t["dag"] for t in manifest.body["spec"]["templates"] if "dag" in t)
    return {task["name"]: task for task in dag["tasks"]}


def test_everything_before_the_report_works_without_a_cluster(example: str, work: Path) -> None:
    with build_container(example, run_id="one") as container:
        built = container.experiment()
        assert len(built.inputs) == 152
        assert built.layout.root == "/results/logistic-map/one"
        assert built.name == "logistic-map-one"
        assert {w.requirement.role for w in container.requirements()} >= {"results", "settings", "salt"}
    assert list(work.iterdir()) == []


def test_one_task_definition_serves_the_whole_sweep(example: str, work: Path) -> None:
    with build_container(example, run_id="one") as container:
        simulate = tasks(container.manifest())["simulate"]
    assert len(simulate["withItems"]) == 152
    arguments = {p["name"]: p["value"] for p in simulate["arguments"]["parameters"]}
    path = "/results/logistic-map/one/growth_rate={{item.growth_rate}}/seed={{item.seed}}"
    assert arguments["output"] == path


def test_roles_are_bound_images_completed_and_accounts_set_by_configuration_alone(example: str, work: Path) -> None:
    (work / "hera.config").write_text(
        "bind = [results=vcity-rwx, salt=my-salt, unused=elsewhere]\nregistry = harbor.example/lab\n"
        "argo_service_account = runner\n"
    )
    with build_container(example) as container:
        spec = container.manifest().body["spec"]
    assert spec["serviceAccountName"] == "runner"
    simulate = next(t for t in spec["templates"] if t["name"] == "simulate")
    assert simulate["script"]["image"] == "harbor.example/lab/python:3.12-slim"
    assert simulate["volumes"][0]["persistentVolumeClaim"]["claimName"] == "vcity-rwx"
    sources = [next(iter(entry.values()))["name"] for entry in simulate["script"]["envFrom"]]
    assert sources == ["settings", "my-salt"]


def test_a_binding_of_an_unknown_role_is_answered_with_the_nearest(example: str, work: Path) -> None:
    with (
        build_container(example, argv=["--bind", "resluts=x"]) as container,
        pytest.raises(OptionsError, match="did you mean results"),
    ):
        container.manifest()


def test_the_seeds_option_binds_the_only_claim(example: str, work: Path) -> None:
    with build_container(example, environ={"KUBEVOLUMECLAIMNAME": "from-the-seed"}) as container:
        assert container.environment()["results"].name == "from-the-seed"


def test_values_are_set_for_one_run_without_touching_the_file(example: str, work: Path) -> None:
    with build_container(example, set=("seed=7,8,9", "growth_rate=3.5")) as container:
        points = [dict(point) for point in container.inputs()]
    assert points == [{"growth_rate": 3.5, "seed": seed} for seed in (7, 8, 9)]


def test_points_come_from_a_file(example: str, work: Path) -> None:
    (work / "points.csv").write_text("growth_rate,seed\n2.5,1\n3.25,4\n")
    with build_container(example, points="points.csv") as container:
        assert [tuple(point.values()) for point in container.inputs()] == [(2.5, 1), (3.25, 4)]


@dataclass(frozen=True, kw_only=True)
class Mine:
    prefix = ""
    my_parameter: int = option(3, help="how many")


def test_an_experiment_declares_options_of_its_own(work: Path) -> None:
    seen = []

    def workflow(environment, inputs, layout):
        seen.append(environment.options.my_parameter)
        return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {}, "spec": {}}

    experiment = Experiment(name="mine", workflow=workflow, options=Mine)
    with build_container(experiment, argv=["--my_parameter", "10"]) as container:
        container.manifest()
    with build_container(experiment) as container:
        container.manifest()
    assert seen == [10, 3]


def test_a_builder_that_raises_is_told_with_its_line(work: Path) -> None:
    (work / "experiment.py").write_text(
        "from hera_k8s_utils import Experiment\ndef workflow(e, i, l):\n    return 1 / 0\n"
        "experiment = Experiment(name='x', workflow=workflow)\n"
    )
    with build_container("experiment.py") as container, pytest.raises(BuildError) as caught:
        container.manifest()
    assert "line 3: ZeroDivisionError" in caught.value.found


def test_future_annotations_are_hinted_at_when_hera_stumbles(work: Path) -> None:
    (work / "experiment.py").write_text(
        "from __future__ import annotations\nfrom hera.workflows import Workflow, script\n"
        "from hera_k8s_utils import Experiment\n"
        "def workflow(e, i, l):\n    raise TypeError('issubclass() arg 1 must be a class')\n"
        "experiment = Experiment(name='x', workflow=workflow)\n"
    )
    with build_container("experiment.py") as container, pytest.raises(BuildError, match="__future__"):
        container.manifest()


@pytest.mark.parametrize("returned", [None, 3, "text", {"no": "kind"}])
def test_a_builder_that_returns_no_workflow_is_refused(work: Path, returned: object) -> None:
    experiment = Experiment(name="x", workflow=lambda *_: returned)
    with build_container(experiment) as container, pytest.raises(BuildError):
        container.manifest()


def test_a_requirement_that_no_plugin_checks_is_named(work: Path) -> None:
    class Telescope(Requirement):
        pass

    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {}, "spec": {}}
    experiment = Experiment(name="x", workflow=lambda *_: body, requires=[Telescope("big")])
    with build_container(experiment) as container, pytest.raises(Exception, match="no plugin checks Telescope"):
        container.requirements()


def test_with_nothing_configured_the_error_says_what_was_tried(example: str, work: Path) -> None:
    with build_container(example) as container, pytest.raises(CredentialError) as caught:
        container.report()
    assert caught.value.exit_code == 4
    assert "--sandbox" in caught.value.hint


def test_an_unknown_option_is_refused_with_the_nearest_name_and_no_value(example: str) -> None:
    with pytest.raises(OptionsError) as caught, build_container(example, argv=["--argo-tokn", "hush"]):
        pass
    assert "argo-token" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_provider_can_be_overridden(example: str, work: Path) -> None:
    with build_container(example) as container:
        container.inputs.override(providers.Object(Inputs(parameters={"growth_rate": [3.0], "seed": [1]})))
        assert len(tasks(container.manifest())["simulate"]["withItems"]) == 1


def test_the_same_file_is_checked_and_run_on_a_sandbox(example: str, work: Path, sandbox) -> None:
    small = {"set": ("growth_rate=2.5,3.2", "seed=1"), "sandbox_dir": str(sandbox.directory), "sandbox": True}
    with build_container(example, run_id="small", **small) as container:
        with pytest.raises(ChecksFailed) as caught:
            container.report().raise_if_failed()
        for missing in ("claim results", "config map settings", "secret salt"):
            assert missing in str(caught.value)
        kubernetes = container.context().kubernetes
        for wanted in container.requirements():
            if wanted.checker is not None and wanted.checker.provision is not None:
                body = wanted.checker.provision(None, container.context(), wanted.requirement)
                plural = {
                    "ConfigMap": "configmaps",
                    "Secret": "secrets",
                    "PersistentVolumeClaim": "persistentvolumeclaims",
                }
                if body:
                    kubernetes.apply(body["apiVersion"], plural[body["kind"]], body["metadata"]["name"], body)
        container.report().raise_if_failed()
        submission = container.engine().submit(container.experiment())
        again = container.engine().submit(container.experiment())
        assert (again.uid, again.existed) == (submission.uid, True)
        *_, last = container.engine().follow(submission.name)
    assert last.phase == "Succeeded"


def test_the_report_says_whence_credentials_come_and_who_was_passed_over(example: str, work: Path, sandbox) -> None:
    kubeconfig = write_kubeconfig(work, sandbox)
    options = {"argo_server": sandbox.url, "argo_anonymous": True, "k8s_config_file": str(kubeconfig)}
    with build_container(example, environ={}, **options) as container:
        lines = {line["platform"]: line for line in container.report().identities}
    assert lines["kubernetes"]["source"] == "kubeconfig, context sandbox"
    assert lines["kubernetes"]["passed_over"] == ""
    assert lines["argo"]["passed_over"] == "argo-token: --argo-anonymous: send no token"
    assert sandbox.token not in str(lines)


def test_a_connection_lives_without_a_with_block(example: str, work: Path) -> None:
    connection = connect(example, run_id="one")
    assert connection.experiment().run_id == "one"
    connection.close()


@pytest.mark.parametrize("wrong", ["argo", "argo=", "=argo-token", "argo=typo", "argoo=argo-token"])
def test_a_wrong_choice_of_credentials_is_told_before_anything_is_built(work: Path, wrong: str) -> None:
    built = []
    with pytest.raises(OptionsError, match="--credentials"), build_container(credentials=[wrong]):
        built.append(wrong)
    assert not built
    with pytest.raises(OptionsError) as caught:
        connect(credentials=[wrong])
    assert "seed" not in str(caught.value)


def test_what_a_container_was_asked_for_shows_no_secret(work: Path) -> None:
    environ = {"ARGO_TOKEN": "hush-environ"}
    with build_container(argv=["--argo-token", "hush-argv"], environ=environ, argo_token="hush-keyword") as container:
        assert "hush" not in repr(container.request())
        assert "hush" not in repr(container.settings())


def test_a_checker_whose_code_breaks_while_it_reads_the_workflow_is_named(example: str, work: Path) -> None:
    def broken(manifest: object) -> list[Requirement]:
        raise KeyError("spec")

    checker = ResourceChecker(kind="Quota", requirement=Requirement, check=lambda *_: ok(""), references=broken)
    with build_container(example) as container:
        container.checkers.override(providers.Object([checker]))
        with pytest.raises(PluginError, match="the checker of Quota failed: KeyError"):
            container.requirements()
