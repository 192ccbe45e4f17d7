"""Experiments whose builder returns Jobs, without a server: what is read, named, required, and what is wrong."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from argo_peer import loaded
from command_line import CommandLine
from hera.workflows import models
from jobs_peer import job
from kubernetes.client import V1Container, V1Job, V1JobSpec, V1ObjectMeta, V1PodSpec, V1PodTemplateSpec

from hera_k8s_kube import ConfigMap, PersistentVolumeClaim, PullSecret, Secret
from hera_k8s_kube.jobs import indexed_job, jobs_of, plain_job
from hera_k8s_kube.jobs.points import lines_of, parsed
from hera_k8s_utils import BuildError, Experiment, Inputs, Manifest, OptionsError, Requirement, build_container
from hera_k8s_utils.checks.lint import lint

Json = dict[str, Any]


def simulate(rate: float, seed: int, name: str, output: str) -> None:
    """A point."""
    print(rate, seed, name, output)


@contextmanager
def container_of(returned: Any, settings: Json | None = None, **fields: Any) -> Iterator[Any]:
    """Of an experiment whose builder returns this, or what a function of the three concerns returns."""
    builder = returned if callable(returned) else lambda environment, inputs, layout: returned
    experiment = Experiment(**{"name": "sweep", "image": "busybox", "workflow": builder, **fields})
    with build_container(experiment, environ={}, run_id="r1", plugins=loaded(), **(settings or {})) as container:
        yield container


def built(returned: Any, settings: Json | None = None, **fields: Any) -> Any:
    with container_of(returned, settings, **fields) as container:
        return container.experiment()


def requirements(returned: Any, **fields: Any) -> list[str]:
    with container_of(returned, **fields) as container:
        return sorted(each.requirement.title for each in container.requirements())


def problems(returned: Any) -> list[str]:
    return [each.result.detail for each in lint(built(returned).manifest) if each.result.verdict.value != "passed"]


def changed(path: str, value: Any, base: Json | None = None) -> Json:
    """A Job with another value at a path such as `spec.template.spec.restartPolicy`; None takes the field away."""
    found = copy.deepcopy(base or job())
    holder: Any = found
    *steps, last = path.split(".")
    for step in steps:
        holder = holder[int(step)] if step.isdecimal() else holder.setdefault(step, {})
    holder.pop(last, None) if value is None else holder.update({last: value})
    return found


def a_list(*items: Json) -> Json:
    return {"apiVersion": "v1", "kind": "List", "items": list(items)}


SWEEP = Inputs(parameters={"rate": [0.5, 2.0], "seed": [1, 2]}, constants={"note": "x"})
SEEDS = Inputs(parameters={"seed": [1, 2]})
CLAIM = PersistentVolumeClaim("results", mount_path="/results")


# --- what a builder may return ---------------------------------------------------------------------------------------


def test_a_job_gets_the_name_and_the_labels_of_its_run() -> None:
    manifest = built(job("anything")).manifest
    assert (manifest.kind, manifest.engine_kind, manifest.name) == ("Job", "Job", "sweep-r1")
    for holder in (manifest.body, manifest.body["spec"]["template"]):
        labels = holder["metadata"]["labels"]
        assert labels["app"] == "try"
        assert labels["hera-k8s-utils/run"] == "r1"
        assert labels["hera-k8s-utils/experiment"] == "sweep"
        assert labels["hera-k8s-utils/jobs"] == "sweep-r1"


def test_a_job_of_the_official_client_is_a_job() -> None:
    container = V1Container(name="main", image="busybox", image_pull_policy="Always")
    pod = V1PodTemplateSpec(spec=V1PodSpec(restart_policy="Never", containers=[container]))
    model = V1Job(metadata=V1ObjectMeta(name="x"), spec=V1JobSpec(backoff_limit=3, template=pod))
    body = built(model).manifest.body
    assert (body["apiVersion"], body["kind"], body["spec"]["backoffLimit"]) == ("batch/v1", "Job", 3)
    assert body["spec"]["template"]["spec"] == {
        "restartPolicy": "Never",
        "containers": [{"name": "main", "image": "busybox", "imagePullPolicy": "Always"}],
    }


@pytest.mark.parametrize("several", [lambda: [job("a"), job("b")], lambda: (job(name) for name in "ab")])
def test_several_jobs_are_one_run(several: Any) -> None:
    manifest = built(lambda *_: several()).manifest
    assert (manifest.kind, manifest.engine_kind, manifest.name) == ("List", "Job", "sweep-r1")
    assert [each["metadata"]["name"] for each in jobs_of(manifest.body)] == ["sweep-r1-a", "sweep-r1-b"]
    assert {each["metadata"]["annotations"]["hera-k8s-utils/number-of-jobs"] for each in jobs_of(manifest.body)} == {
        "2"
    }


def test_a_model_of_hera_is_one_workflow_although_it_can_be_iterated_over() -> None:
    spec = models.WorkflowSpec(entrypoint="main")
    model = models.Workflow(kind="Workflow", metadata=models.ObjectMeta(name="x"), spec=spec)
    assert Manifest.of(model).kind == "Workflow"


def test_names_that_are_too_long_are_cut_and_stay_different() -> None:
    manifest = built([job("a" * 60 + "1"), job("a" * 60 + "2")]).manifest
    names = [each["metadata"]["name"] for each in jobs_of(manifest.body)]
    assert len(set(names)) == 2
    assert max(map(len, names)) <= 63
    assert problems([job("a" * 60 + "1"), job("a" * 60 + "2")]) == []


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ([], "no Job among them"),
        ([job(), {"kind": "Pod", "metadata": {"name": "p"}}], "Pod"),
        ([job(), job()], "the same name"),
        ([job(), "text"], "no workflow was returned"),
        (job(completions="3"), "spec.completions is text, not a number"),
        ([job(), changed("spec.template", [], job("b"))], r"items\[1\].spec.template is a list"),
        (a_list(), "0 objects, and no Job among them"),
        (a_list({"kind": "ConfigMap", "metadata": {"name": "m"}}), "1 objects, and no Job among them"),
        (a_list(job(), {"kind": "Secret", "metadata": {"name": "s"}}), "not supported: Secret"),
        (a_list(job(), {"metadata": {"name": "s"}}), "something without a kind"),
        (a_list(job("x"), job("x")), "the same name: Job x"),
        (a_list(job("x"), job("x-")), "would have the same name: Job sweep-r1-x"),
        ([job("x"), job("x-")], "would have the same name: Job sweep-r1-x"),
        ([job("1"), changed("metadata.name", None)], "would have the same name: Job sweep-r1-1"),
    ],
)
def test_what_is_no_job_is_refused_by_name(returned: Any, said: str) -> None:
    with pytest.raises(BuildError, match=said):
        built(returned)


def test_a_list_that_is_written_as_a_mapping_is_one_run() -> None:
    own = {"kind": "ConfigMap", "metadata": {"name": "mine"}, "data": {}}
    given = {"kind": "List", "items": [own, {k: v for k, v in job("a").items() if k != "apiVersion"}, job("b")]}
    manifest = built(given).manifest
    assert (manifest.kind, manifest.body["apiVersion"], manifest.name) == ("List", "v1", "sweep-r1")
    named = [(each["apiVersion"], each["metadata"]["name"]) for each in manifest.objects]
    assert named == [("v1", "sweep-r1-mine"), ("batch/v1", "sweep-r1-a"), ("batch/v1", "sweep-r1-b")]


def test_config_maps_beside_jobs_are_named_after_the_run_wherever_they_are_mentioned() -> None:
    volume = {
        "name": "a",
        "projected": {"sources": [{"configMap": {"name": "mine"}}, {"configMap": {"name": "other"}}]},
    }
    own = {"kind": "ConfigMap", "metadata": {"name": "mine"}, "data": {}}
    wanted = changed("spec.template.spec.volumes", [volume])
    manifest = built([own, wanted]).manifest
    assert [each["metadata"]["name"] for each in manifest.objects] == ["sweep-r1-mine", "sweep-r1"]
    sources = jobs_of(manifest.body)[0]["spec"]["template"]["spec"]["volumes"][0]["projected"]["sources"]
    assert [each["configMap"]["name"] for each in sources] == ["sweep-r1-mine", "other"]
    assert requirements([own, wanted]) == ["config map other"]


def test_the_digest_tells_other_jobs_from_the_same_ones() -> None:
    same, again, other = built([job("a"), job("b")]), built([job("a"), job("b")]), built([job("a"), job("b", "false")])
    assert same.manifest.digest == again.manifest.digest != other.manifest.digest


def test_configuration_reaches_the_pods() -> None:
    settings = {"service_account": "runner"}
    manifest = built([job("a"), job("b")], settings, requires=[PullSecret("pull")]).manifest
    for each in jobs_of(manifest.body):
        pod = each["spec"]["template"]["spec"]
        assert (pod["serviceAccountName"], pod["imagePullSecrets"]) == ("runner", [{"name": "pull"}])


# --- what it needs ---------------------------------------------------------------------------------------------------


def test_what_the_pods_use_is_required() -> None:
    pod = {
        "restartPolicy": "Never",
        "serviceAccountName": "runner",
        "imagePullSecrets": [{"name": "pull"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}],
        "containers": [
            {
                "name": "main",
                "image": "busybox",
                "envFrom": [{"secretRef": {"name": "salt"}}],
                "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}}],
            }
        ],
    }
    assert requirements(changed("spec.template.spec", pod)) == [
        "account runner",
        "claim data",
        "config map settings",
        "pull secret pull",
        "secret salt",
    ]


def test_the_demand_is_what_runs_at_once() -> None:
    resources = {"requests": {"cpu": "500m"}, "limits": {"memory": "1Gi"}}
    wide = changed("spec.template.spec.containers.0.resources", resources, job(completions=10, parallelism=4))
    demand = built([wide, changed("metadata.name", "b", wide)]).manifest.demand()
    assert (demand.pods, demand.cpu, demand.memory, demand.fan_out) == (8, 4.0, 8 * 2**30, 4)


def test_an_experiment_gives_pods_what_it_requires() -> None:
    requires = [
        PersistentVolumeClaim("results", mount_path="/results", read_only=True, sub_path="a"),
        ConfigMap("settings", mount_path="/etc/settings"),
        Secret("salt", variables={"SALT": "salt"}),
        ConfigMap("more", prefix="X_"),
    ]
    environment = built(job(), {"bind": ["results=big"]}, requires=requires).environment
    pod = environment.pod(command=["true"], env=[{"name": "A", "value": "1"}])
    assert pod == {
        "restartPolicy": "Never",
        "volumes": [
            {"name": "results", "persistentVolumeClaim": {"claimName": "big", "readOnly": True}},
            {"name": "settings", "configMap": {"name": "settings"}},
        ],
        "containers": [
            {
                "name": "main",
                "image": "busybox",
                "volumeMounts": [
                    {"name": "results", "mountPath": "/results", "subPath": "a", "readOnly": True},
                    {"name": "settings", "mountPath": "/etc/settings", "readOnly": True},
                ],
                "env": [
                    {"name": "SALT", "valueFrom": {"secretKeyRef": {"name": "salt", "key": "salt"}}},
                    {"name": "A", "value": "1"},
                ],
                "envFrom": [{"configMapRef": {"name": "more"}, "prefix": "X_"}],
                "command": ["true"],
            }
        ],
    }


def test_a_requirement_that_knows_only_hera_is_refused_by_name() -> None:
    class Licence(PersistentVolumeClaim):
        def task_arguments(self) -> Any:
            return {"env": ["a Hera object"]}

        pod_fields = Requirement.pod_fields

    environment = built(job(), requires=[Licence("licence")]).environment
    with pytest.raises(BuildError, match="claim licence cannot be used by a Job: Licence says only what a Hera"):
        environment.pod()


# --- what is wrong ---------------------------------------------------------------------------------------------------


def test_a_good_job_has_no_problem() -> None:
    assert problems(job()) == []


POD = "spec.template.spec"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (f"{POD}.restartPolicy", None, "no restartPolicy, which means Always"),
        (f"{POD}.restartPolicy", "Always", "restartPolicy Always"),
        (f"{POD}.containers", [], "has no container"),
        (f"{POD}.containers.0.image", None, "has no image"),
        (f"{POD}.containers.0.name", "Main", "a container cannot be called 'Main'"),
        (
            f"{POD}.containers.0.volumeMounts",
            [{"name": "v", "mountPath": "/v"}],
            "mounts v, which is not a volume of its pod",
        ),
        (f"{POD}.containers.0.resources", {"requests": {"cpu": "1 core"}}, "'1 core' is no quantity"),
        (
            f"{POD}.containers.0.resources",
            {"requests": {"cpu": 2}, "limits": {"cpu": "500m"}},
            "requests more cpu than its limit allows",
        ),
        ("metadata.labels", {"a": "b c"}, "label a cannot be 'b c'"),
        ("metadata.labels", {"-a": "b"}, "a label cannot be called '-a'"),
        ("spec.completionMode", "Indexed", "does not say how many indexes"),
        ("spec.completionMode", "indexed", "completionMode cannot be 'indexed'"),
        ("spec.backoffLimit", -1, "backoffLimit cannot be -1"),
        ("spec.backoffLimitPerIndex", 1, "backoffLimitPerIndex needs completionMode: Indexed"),
        ("spec.selector", {}, "names a selector"),
        ("spec.ttlSecondsAfterFinished", 0, "is deleted 0 s after its end"),
        ("metadata.annotations", {"a": "x" * 300_000}, "256 KiB are the most"),
    ],
)
def test_what_kubernetes_would_refuse_is_said_before(path: str, value: Any, said: str) -> None:
    assert any(said in each for each in problems(changed(path, value))), problems(changed(path, value))


def needs_more(rate: float) -> None:
    """It uses a name that no pod has."""
    print(copy.copy(rate))


def test_a_function_that_needs_what_is_around_it_is_named() -> None:
    with container_of(lambda e, i, y: indexed_job(e, i, needs_more), inputs=Inputs(parameters={"rate": [1.0]})) as made:
        found = [each.result.detail for each in lint(made.experiment().manifest)]
    assert found == ["script of Job sweep-r1 uses copy, which is not there in the pod"]


def test_too_many_indexes_are_refused() -> None:
    many = job(completionMode="Indexed", completions=100_001)
    assert problems(many) == ["Job sweep-r1: completions is 100001, 100000 are the most"]


# --- points ----------------------------------------------------------------------------------------------------------


def sweep(environment: Any, inputs: Any, layout: Any) -> Any:
    return indexed_job(environment, inputs, simulate, arguments={"name": "a b", "output": layout.path}, parallelism=3)


def test_an_indexed_job_has_an_index_for_each_point() -> None:
    manifest = built(sweep, inputs=SWEEP, requires=[CLAIM]).manifest
    spec = jobs_of(manifest.body)[0]["spec"]
    assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (4, 3, "Indexed")
    lines = manifest.objects[0]["data"]["00000"].splitlines()
    assert lines[1] == "rate=0.5 seed=2 name='a b' output=/results/sweep/r1/rate=0.5/seed=2"
    assert len(lines) == 4
    assert lint(manifest)[0].result.verdict.value == "passed"


def shell(work: str, directory: Path, *, index: int = 0, inputs: Inputs = SEEDS) -> subprocess.CompletedProcess[str]:
    """What a task for the shell does at its index, its points being the files of a directory."""
    manifest = built(lambda e, i, y: indexed_job(e, i, work), inputs=inputs).manifest
    sh, flags, text = jobs_of(manifest.body)[0]["spec"]["template"]["spec"]["containers"][0]["command"]
    environ = {**os.environ, "HERA_K8S_POINTS": str(directory), "JOB_COMPLETION_INDEX": str(index), "TOKEN": "s3cret"}
    command = [sh, flags, text.replace("$$", "$")]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_a_shell_without_its_point_does_not_work(tmp_path: Path) -> None:
    without_file = shell("echo worked", tmp_path)
    assert (without_file.returncode != 0, without_file.stdout) == (True, "")
    (tmp_path / "00000").write_text("seed=1\n")
    without_line = shell("echo worked", tmp_path, index=1)
    assert (without_line.returncode, without_line.stdout) == (1, "")
    assert without_line.stderr == "index 1 has no point\n"
    assert shell("echo worked $seed", tmp_path).stdout == "worked 1\n"


def test_a_shell_that_is_given_nothing_misses_nothing(tmp_path: Path) -> None:
    done = shell("echo worked", tmp_path, inputs=Inputs())
    assert (done.returncode, done.stdout) == (0, "worked\n")


def test_what_separates_lines_elsewhere_is_part_of_a_point() -> None:
    inputs = Inputs(parameters={"name": ["plain", "a\x0cb", "a\x85b", "a\u2028b"]})
    manifest = built(lambda e, i, y: indexed_job(e, i, "true"), inputs=inputs).manifest
    maps = [each for each in manifest.objects if each["kind"] == "ConfigMap"]
    assert [parsed(line) for line in lines_of(maps)] == [{"name": point["name"]} for point in inputs]


def test_a_hundred_thousand_points_are_one_job() -> None:
    many = Inputs(parameters={"seed": range(100_000)})
    manifest = built(
        lambda e, i, y: indexed_job(e, i, "echo $seed $output", arguments={"output": y.path}),
        inputs=many,
        requires=[CLAIM],
    ).manifest
    maps = [each for each in manifest.objects if each["kind"] == "ConfigMap"]
    assert sum(text.count("\n") for each in maps for text in each["data"].values()) == 100_000
    assert [each.result.verdict.value for each in lint(manifest)] == ["passed"]


@pytest.mark.parametrize(
    ("inputs", "arguments", "said"),
    [
        (Inputs(parameters={"seed": range(100_001)}), {}, "100001 points are too many for one indexed Job"),
        (Inputs(parameters={"a-b": [1]}), {}, "'a-b' cannot be an argument"),
        (Inputs(parameters={"a": ["x\ny"]}), {}, "it contains a line break"),
        (Inputs(parameters={"a": [1]}), {"a": 2}, "a is already a parameter"),
        (Inputs(parameters={"a": [1]}), {"b": object()}, "cannot be passed to a task"),
    ],
)
def test_what_an_index_cannot_be_given_is_refused(inputs: Inputs, arguments: Json, said: str) -> None:
    with pytest.raises(BuildError, match=said):
        built(lambda e, i, y: indexed_job(e, i, "true", arguments=arguments), inputs=inputs)


@pytest.mark.parametrize("build", [plain_job, lambda e, work, **more: indexed_job(e, SEEDS, work, **more)])
@pytest.mark.parametrize("work", ["true", simulate])
def test_further_fields_of_the_container_are_added(build: Any, work: Any) -> None:
    env = [{"name": "HOME", "value": "/scratch"}]
    mounts = [{"name": "scratch", "mountPath": "/scratch"}]
    manifest = built(lambda e, i, y: build(e, work, env=env, volumeMounts=mounts), requires=[CLAIM]).manifest
    container = jobs_of(manifest.body)[0]["spec"]["template"]["spec"]["containers"][0]
    assert container["env"][-1] == env[0]
    places = [mount["mountPath"] for mount in container["volumeMounts"]]
    assert (places[0], places[-1]) == ("/results", "/scratch")

    with pytest.raises(BuildError, match="the command is made from the work\n  -> pass it as `work`"):
        built(lambda e, i, y: build(e, work, command=["true"]))


def tell(**given: object) -> None:
    """Say what it was given."""
    print(given)


GIVEN: Json = {
    "next": lambda point: point["seed"] + 1,
    "half": lambda point: point["seed"] / 2,
    "odd": lambda point: point["seed"] % 2 == 1,
    "text": lambda point: str(point["seed"]),
    "nothing": None,
}


def told_by(manifest: Manifest, **environ: str) -> str:
    """What the first Job's program prints, run here as a pod would run it."""
    _, flag, text = jobs_of(manifest.body)[0]["spec"]["template"]["spec"]["containers"][0]["command"]
    command = [sys.executable, flag, text.replace("$$", "$")]
    return subprocess.run(
        command, env={**os.environ, **environ}, capture_output=True, text=True, timeout=60, check=True
    ).stdout


def test_a_function_is_given_what_functions_of_the_point_return_with_its_type(tmp_path: Path) -> None:
    said = "{'seed': 2, 'word': 'auto', 'next': 3, 'half': 1.0, 'odd': False, 'text': '2', 'nothing': None}\n"
    inputs = Inputs(points=[{"seed": 1, "word": 7}, {"seed": 2, "word": "auto"}])
    alone = built(lambda e, i, y: plain_job(e, tell, point=i[1], arguments=GIVEN), inputs=inputs).manifest
    assert told_by(alone) == said

    indexed = built(lambda e, i, y: indexed_job(e, i, tell, arguments=GIVEN), inputs=inputs).manifest
    (tmp_path / "00000").write_text(indexed.objects[0]["data"]["00000"])
    assert told_by(indexed, HERA_K8S_POINTS=str(tmp_path), JOB_COMPLETION_INDEX="1") == said


def test_a_function_is_not_given_numbers_and_texts_under_one_name() -> None:
    arguments = {"mixed": lambda point: point["seed"] if point["seed"] == 1 else "2"}
    with pytest.raises(BuildError, match=r"mixed cannot be passed .* several types: int, str\n") as caught:
        built(lambda e, i, y: indexed_job(e, i, tell, arguments=arguments), inputs=SEEDS)
    assert caught.value.hint == "use one type per argument of indexed_job"
    built(lambda e, i, y: indexed_job(e, i, "true", arguments=arguments), inputs=SEEDS)


def test_only_plain_functions_are_sent() -> None:
    with pytest.raises(BuildError, match="a plain function"):
        built(lambda e, i, y: plain_job(e, lambda: None, name="x"))


# --- engines ---------------------------------------------------------------------------------------------------------


def test_an_engine_that_runs_no_jobs_says_which_does() -> None:
    with container_of(job(), {"engine": "argo"}) as container, pytest.raises(OptionsError) as caught:
        container.running()
    assert str(caught.value) == "the engine argo runs no Job: it runs Workflow\n  -> --engine jobs, or leave it out"


def test_a_dry_run_needs_no_server(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "experiment.py").write_text(
        "from hera_k8s_utils import Experiment\n"
        "def jobs(environment, inputs, layout):\n"
        "    for name in ('a', 'b'):\n"
        "        spec = {'template': {'spec': environment.pod(command=['true'])}}\n"
        "        yield {'kind': 'Job', 'metadata': {'name': name}, 'spec': spec}\n"
        "experiment = Experiment(name='two', image='busybox', workflow=jobs)\n"
    )
    told = CommandLine(capsys)("run", "--dry-run", "--run-id", "r1")
    assert told.code == 0, told.text
    assert "would submit 2 Jobs of two-r1" in told.out


@pytest.mark.parametrize("name", ["plain", "official"])
def test_a_job_in_a_file_is_an_experiment_when_it_is_named(
    work: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (work / "jobs.py").write_text(
        "from kubernetes.client import V1Container, V1Job, V1JobSpec, V1ObjectMeta, V1PodSpec, V1PodTemplateSpec\n"
        "container = V1Container(name='main', image='busybox')\n"
        "pod = V1PodTemplateSpec(spec=V1PodSpec(restart_policy='Never', containers=[container]))\n"
        "official = V1Job(metadata=V1ObjectMeta(name='x'), spec=V1JobSpec(template=pod))\n"
        "spec = {'restartPolicy': 'Never', 'containers': [{'name': 'main', 'image': 'busybox'}]}\n"
        "plain = {'kind': 'Job', 'metadata': {'name': 'x'}, 'spec': {'template': {'spec': spec}}}\n"
    )
    told = CommandLine(capsys)("run", f"jobs.py:{name}", "--dry-run", "--run-id", "r1")
    assert told.code == 0, told.text
    assert "would submit Job " in told.out
