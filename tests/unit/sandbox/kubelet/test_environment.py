"""What a task of the sandbox finds: volumes at their paths, environment, commands; and for what it waits."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from machine import MOUNTS
from sandbox_api import Api, claim, config_map, make_namespace
from sandbox_workflows import Workflows, container, dag, nodes, task, workflow


@pytest.fixture(scope="module", params=MOUNTS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from hera_k8s_sandbox.server.launch import running

    with running(tmp_path_factory.mktemp("sandbox"), runner=request.param) as address:
        yield address, request.param


@pytest.fixture
def flows(served: Any) -> Workflows:
    """The Argo API in a namespace of the test's own."""
    api = Api(served[0].url, served[0].token)
    return Workflows(api, make_namespace(api, f"t-{uuid.uuid4().hex[:12]}").rpartition("/")[2])


@pytest.fixture
def space(flows: Workflows) -> str:
    return f"/api/v1/namespaces/{flows.namespace}"


def mounted(name: str, source: dict[str, Any], path: str, **more: Any) -> dict[str, Any]:
    """The container's and the workflow's part of one volume."""
    return {
        "container": {"volumeMounts": [{"name": name, "mountPath": path, **more}]},
        "volumes": [{"name": name, **source}],
    }


def on_volume(command: str, name: str, source: dict[str, Any], path: str, **more: Any) -> dict[str, Any]:
    parts = mounted(name, source, path, **more)
    return workflow(container("main", command, container=parts["container"]), volumes=parts["volumes"])


RESULTS = {"persistentVolumeClaim": {"claimName": "results"}}


def said(flows: Workflows, manifest: dict[str, Any]) -> list[str]:
    found = flows.run(manifest)
    lines = flows.log(found["metadata"]["name"])
    assert found["status"]["phase"] == "Succeeded", (found["status"], lines)
    return lines


# Volumes


@pytest.mark.parametrize("path", ["/results", "/mnt/of/its/own", "/etc/made/up"])
def test_a_claim_is_a_directory_that_stays(flows: Workflows, space: str, served: Any, path: str) -> None:
    flows.api.create(f"{space}/persistentvolumeclaims", claim("results"))
    said(flows, on_volume(f"mkdir -p {path}/a=1 && echo hello > {path}/a=1/x", "v", RESULTS, path))
    assert said(flows, on_volume(f"cat {path}/a=1/x", "v", RESULTS, path)) == ["hello"]
    kept = served[0].directory / "claims" / flows.namespace / "results" / "a=1" / "x"
    assert kept.read_text() == "hello\n"


def test_a_directory_may_be_called_as_one_likes(served: Any, tmp_path: Path) -> None:
    """Or is refused by name: a shell would write to another place than the path of the claim."""
    from hera_k8s_sandbox.server.launch import LaunchError, running

    directory = tmp_path / "le répertoire d'été 雪"
    if served[1] == "rewrite":
        with pytest.raises(LaunchError, match="blanks and quotes") as refused, running(directory, runner="rewrite"):
            pass
        assert "Traceback" not in str(refused.value)
        return
    with running(directory, runner=served[1]) as address:
        flows = Workflows(Api(address.url, address.token))
        flows.api.create("/api/v1/namespaces/default/persistentvolumeclaims", claim("results"))
        assert said(flows, on_volume("echo 1 > /results/a && cat /results/a", "v", RESULTS, "/results")) == ["1"]
        assert (directory / "claims/default/results/a").read_text() == "1\n"


def test_part_of_a_claim(flows: Workflows, space: str, served: Any) -> None:
    flows.api.create(f"{space}/persistentvolumeclaims", claim("results"))
    said(flows, on_volume("echo x > /data/x", "v", RESULTS, "/data", subPath="deep/down"))
    assert (served[0].directory / "claims" / flows.namespace / "results/deep/down/x").read_text() == "x\n"


def test_a_script_finds_its_volume(flows: Workflows, space: str) -> None:
    flows.api.create(f"{space}/persistentvolumeclaims", claim("results"))
    template = {
        "name": "main",
        "inputs": {"parameters": [{"name": "output"}]},
        "script": {
            "image": "python:3.12-slim",
            "command": ["python"],
            "source": "import os\nos.makedirs('{{inputs.parameters.output}}')\nprint(os.listdir(os.environ['ROOT']))\n",
            "volumeMounts": [{"name": "v", "mountPath": "/results"}],
            "env": [{"name": "ROOT", "value": "/results/run"}],
        },
    }
    arguments = {"parameters": [{"name": "output", "value": "/results/run/x=1.5"}]}
    manifest = workflow(template, arguments=arguments, volumes=[{"name": "v", **RESULTS}])
    assert said(flows, manifest) == ["['x=1.5']"]


def test_config_maps_and_secrets_as_files(flows: Workflows, space: str) -> None:
    flows.api.create(f"{space}/configmaps", config_map("settings", a="1", b="2"))
    flows.api.create(f"{space}/secrets", {"metadata": {"name": "salt"}, "stringData": {"SALT": "pepper"}})
    whole = on_volume("cd /settings && echo $(ls) $(cat a b)", "v", {"configMap": {"name": "settings"}}, "/settings")
    assert said(flows, whole) == ["a b 12"]
    items = {"configMap": {"name": "settings", "items": [{"key": "b", "path": "sub/c"}]}}
    assert said(flows, on_volume("cat /settings/sub/c;", "v", items, "/settings")) == ["2"]
    secret = on_volume("cat /salt/SALT;", "v", {"secret": {"secretName": "salt"}}, "/salt")
    assert said(flows, secret) == ["pepper"]


def test_an_empty_directory_is_the_pods_own(flows: Workflows) -> None:
    manifest = on_volume("ls /scratch; echo x > /scratch/x; cat /scratch/x", "v", {"emptyDir": {}}, "/scratch")
    assert said(flows, manifest) == ["x"]
    assert said(flows, manifest) == ["x"]


def test_tmp_is_the_pods_own(flows: Workflows) -> None:
    manifest = workflow(
        container("main", "test -e /tmp/written && echo there; echo x > /tmp/written; cat /tmp/written")
    )
    assert said(flows, manifest) == ["x"]
    assert said(flows, manifest) == ["x"]


def test_this_machine_is_seen_but_not_written(flows: Workflows, served: Any) -> None:
    if served[1] == "rewrite":
        pytest.skip("paths are rewritten: nothing keeps a task from writing elsewhere")
    command = "touch /usr/written 2>/dev/null && echo wrote; ls -A {} 2>/dev/null | wc -l; ls -d /proc/[1-9]* | wc -l"
    hidden, processes = said(flows, workflow(container("main", command.format(served[0].directory))))
    assert hidden == "0"
    assert int(processes) < 9, "those of the task, and not this machine's"


def test_the_pod_says_how_it_saw_its_mounts(flows: Workflows, space: str, served: Any) -> None:
    name = flows.run(workflow(container()))["metadata"]["name"]
    annotations = flows.api.get(f"{space}/pods/{name}")["metadata"]["annotations"]
    assert annotations["hera-k8s-utils/sandbox-mounts"] == served[1]


# Environment and commands


def test_the_environment_is_clean_and_holds_what_is_asked_for(
    flows: Workflows, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flows.api.create(f"{space}/configmaps", config_map("settings", A="1", B="2"))
    flows.api.create(f"{space}/secrets", {"metadata": {"name": "salt"}, "stringData": {"SALT": "pepper"}})
    env = [
        {"name": "PLAIN", "value": "p$(A)"},
        {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "B"}}},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "salt", "key": "SALT"}}},
        {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "MAYBE", "valueFrom": {"configMapKeyRef": {"name": "gone", "key": "x", "optional": True}}},
    ]
    sources = [{"configMapRef": {"name": "settings"}}, {"prefix": "S_", "secretRef": {"name": "salt"}}]
    main = container("main", "env", container={"env": env, "envFrom": sources})
    lines = set(said(flows, workflow(main)))
    wanted = {"A=1", "B=2", "PLAIN=p1", "KEY=2", "SECRET=pepper", "S_SALT=pepper", f"NAMESPACE={flows.namespace}"}
    assert wanted <= lines
    names = {line.partition("=")[0] for line in lines}
    allowed = {"PATH", "HOME", "TMPDIR", "LANG", "HOSTNAME", "PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}
    assert {name for name in names if not name.startswith("ARGO_")} <= allowed | {
        line.partition("=")[0] for line in wanted
    }


def test_python_is_the_interpreter_of_the_sandbox(flows: Workflows) -> None:
    import sys

    for program in ("python", "python3", "sh"):
        line = "import sys; print(sys.executable, sys.argv[1:])"
        command = [program, "-c", line, "a b"] if program != "sh" else ["sh", "-c", f'python -c "{line}" "a b"']
        assert said(flows, workflow(container("main", *command))) == [f"{sys.executable} ['a b']"]


def test_arguments_are_the_command_of_an_image_that_has_no_entrypoint(flows: Workflows) -> None:
    """As of the published `python`, which says `CMD ["python3"]`."""
    main = {"name": "main", "container": {"image": "python:3.12-slim", "args": ["python3", "-c", "print(6 * 7)"]}}
    assert said(flows, workflow(main)) == ["42"]


def test_an_image_of_the_table_runs_its_own_command(flows: Workflows) -> None:
    main = {"name": "main", "container": {"image": "hello-world"}}
    (line,) = said(flows, workflow(main))
    assert line.startswith("Hello from Docker!")


def test_the_working_directory(flows: Workflows) -> None:
    assert said(flows, workflow(container("main", "pwd", container={"workingDir": "/usr/bin"}))) == ["/usr/bin"]


def test_what_a_task_leaves_running_is_ended(flows: Workflows, space: str) -> None:
    flows.api.create(f"{space}/persistentvolumeclaims", claim("results"))
    command = "(while true; do date +%s%N > /data/beat; sleep 0.05; done) & sleep 0.2;"
    said(flows, on_volume(command, "v", RESULTS, "/data"))
    look = on_volume('a=$(cat /data/beat); sleep 0.3; test "$a" = "$(cat /data/beat)"', "v", RESULTS, "/data")
    assert said(flows, look) == []


# Waiting


def pending(flows: Workflows, manifest: dict[str, Any]) -> tuple[str, str]:
    """Submit, wait until the pod tells why it is pending; the name and the reason."""
    name = flows.submit(manifest)

    def told(found: dict[str, Any]) -> Any:
        return found.get("status", {}).get("nodes", {}).get(name, {}).get("message")

    node = flows.until(name, told)["status"]["nodes"][name]
    assert node["phase"] == "Pending"
    return name, node["message"]


def wants(kind: str) -> dict[str, Any]:
    if kind == "claim":
        return on_volume("true", "v", RESULTS, "/data")
    key = "configMapKeyRef" if "config map" in kind else "secretKeyRef"
    source = {"valueFrom": {key: {"name": "x", "key": "K"}}}
    return workflow(container("main", "true", container={"env": [{"name": "K", **source}]}))


UNSCHEDULABLE = (
    'Unschedulable: 0/1 nodes are available: persistentvolumeclaim "results" not found. preemption: 0/1 nodes are '
    "available: 1 Preemption is not helpful for scheduling."
)


@pytest.mark.parametrize(
    ("kind", "message", "path", "obj"),
    [
        ("claim", UNSCHEDULABLE, "persistentvolumeclaims", claim("results")),
        ("config map", 'CreateContainerConfigError: configmap "x" not found', "configmaps", config_map("x", K="v")),
        (
            "secret",
            'CreateContainerConfigError: secret "x" not found',
            "secrets",
            {"metadata": {"name": "x"}, "stringData": {"K": "v"}},
        ),
    ],
)
def test_a_pod_waits_for_what_is_missing_and_starts_when_it_comes(
    flows: Workflows, space: str, kind: str, message: str, path: str, obj: dict[str, Any]
) -> None:
    name, told = pending(flows, wants(kind))
    assert told == message
    flows.api.create(f"{space}/{path}", obj)
    found = flows.finish(name)
    assert found["status"]["phase"] == "Succeeded"
    assert "message" not in found["status"]["nodes"][name]


def test_a_missing_key_is_named(flows: Workflows, space: str) -> None:
    flows.api.create(f"{space}/configmaps", config_map("x", other="1"))
    flows.api.create(f"{space}/secrets", {"metadata": {"name": "x"}, "stringData": {"other": "1"}})
    where = f"{flows.namespace}/x"
    _, told = pending(flows, wants("config map"))
    assert told == f"CreateContainerConfigError: couldn't find key K in ConfigMap {where}"
    name, told = pending(flows, wants("secret"))
    assert told == f"CreateContainerConfigError: couldn't find key K in Secret {where}"
    flows.api.patch(f"{space}/secrets/x", {"stringData": {"K": "v"}})
    assert flows.finish(name)["status"]["phase"] == "Succeeded"


def test_a_missing_volume_source_is_told_by_an_event(flows: Workflows, space: str) -> None:
    name, told = pending(flows, on_volume("true", "v", {"configMap": {"name": "gone"}}, "/x"))
    assert told == "ContainerCreating"
    events = flows.api.get(f"{space}/events?fieldSelector=involvedObject.name%3D{name}%2CinvolvedObject.kind%3DPod")
    assert [(one["reason"], one["message"]) for one in events["items"]] == [
        ("FailedMount", 'MountVolume.SetUp failed for volume "v" : configmap "gone" not found')
    ]
    log = flows.api.send("GET", f"{space}/pods/{name}/log")
    assert log.status_code == 400
    assert log.json()["message"] == f'container "main" in pod "{name}" is waiting to start: ContainerCreating'


@pytest.mark.parametrize("image", ["unknown.invalid/team/image:1", "python:does-not-exist"])
def test_an_image_that_cannot_be_pulled(flows: Workflows, image: str) -> None:
    _, told = pending(flows, workflow(container("main", "true", container={"image": image})))
    assert told.startswith(f'ImagePullBackOff: Back-off pulling image "{image}"')


def test_a_missing_account_is_an_error_of_the_task(flows: Workflows) -> None:
    found = flows.run(workflow(dag(task("a", "easy")), container("easy"), serviceAccountName="nobody"))
    node = nodes(found)["a"]
    assert (found["status"]["phase"], node["phase"]) == ("Error", "Error")
    assert node["message"].endswith(
        f'is forbidden: error looking up service account {flows.namespace}/nobody: serviceaccount "nobody" not found'
    )


def test_a_missing_pull_secret_is_only_a_warning(flows: Workflows, space: str) -> None:
    found = flows.run(workflow(container(), imagePullSecrets=[{"name": "gone"}]))
    assert found["status"]["phase"] == "Succeeded"
    reasons = {one["reason"] for one in flows.api.get(f"{space}/events")["items"]}
    assert "FailedToRetrieveImagePullSecret" in reasons


MISSING = "wait: Error (exit code 1): open {}: no such file or directory"


def output_of(path: str, command: str = "true") -> dict[str, Any]:
    """A workflow with a claim that has one output, from a path."""
    parts = mounted("v", RESULTS, "/results")
    outputs = {"parameters": [{"name": "x", "valueFrom": {"path": path}}]}
    main = container("main", "sh", "-c", command, container=parts["container"], outputs=outputs)
    return workflow(main, volumes=parts["volumes"])


@pytest.mark.parametrize("path", ["/results/../../../admin.token", "/tmp/../../../../admin.token"])
def test_an_output_is_no_way_to_the_sandboxs_own_files(flows: Workflows, space: str, served: Any, path: str) -> None:
    flows.api.create(f"{space}/persistentvolumeclaims", claim("results"))
    found = flows.run(output_of(path))
    assert found["status"]["phase"] == "Error"
    assert served[0].token not in str(found["status"])


def test_an_output_that_leads_by_a_link_to_another_claim_is_not_there(flows: Workflows, space: str) -> None:
    for name in ("results", "others"):
        flows.api.create(f"{space}/persistentvolumeclaims", claim(name))
    theirs = {"persistentVolumeClaim": {"claimName": "others"}}
    said(flows, on_volume("echo secret > /data/x", "v", theirs, "/data"))
    (node,) = nodes(flows.run(output_of("/results/x", "ln -s ../others/x /results/x"))).values()
    assert (node["phase"], node["message"]) == ("Error", MISSING.format("/results/x"))
    (node,) = nodes(flows.run(output_of("/results/z", "echo own > /results/y; ln -s y /results/z"))).values()
    assert node["outputs"]["parameters"][0]["value"] == "own"
