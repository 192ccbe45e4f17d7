"""What tasks leave and are given are files of their own: no link, name or pipe leads the server astray."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from machine import MOUNTS
from sandbox_api import Api, claim
from sandbox_pods import LOOP, Pods
from sandbox_pods import container as pod_container
from sandbox_workflows import Workflows, container, nodes, workflow

from hera_k8s_sandbox.foundation.labels import NODE_ID, TEMPLATE_ANNOTATION
from hera_k8s_sandbox.server.launch import running

SHARED: dict[str, Any] = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}


@pytest.fixture(scope="module", params=MOUNTS)
def sandbox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A sandbox in which tasks see their mounts in one way or the other."""
    with running(tmp_path_factory.mktemp("sandbox"), lifetime=600, runner=request.param) as address:
        yield address


@pytest.fixture
def pods(sandbox: Any) -> Iterator[Pods]:
    found = Pods(Api(sandbox.url, sandbox.token))
    yield found
    found.remove()


@pytest.fixture
def flows(sandbox: Any) -> Workflows:
    return Workflows(Api(sandbox.url, sandbox.token))


def with_template(**template: Any) -> dict[str, Any]:
    """The metadata of a pod that says of itself what it likes."""
    return {
        "name": f"p-{uuid.uuid4().hex[:8]}",
        "annotations": {NODE_ID: "none", TEMPLATE_ANNOTATION: json.dumps({"name": "main", **template})},
    }


def given(path: str, **more: Any) -> dict[str, Any]:
    """A template's part that has one input artifact."""
    return {"inputs": {"artifacts": [{"name": "in", "path": path, **({"raw": {"data": "given\n"}} | more)}]}}


def left(path: str, **more: Any) -> dict[str, Any]:
    """A template's part that has one output artifact."""
    return {"outputs": {"artifacts": [{"name": "out", "path": path, **more}]}}


class Volume:
    """A claim of the namespace `default`, seen from outside."""

    def __init__(self, flows: Workflows, sandbox: Any) -> None:
        self._flows = flows
        self.name = f"c-{uuid.uuid4().hex[:8]}"
        flows.api.create("/api/v1/namespaces/default/persistentvolumeclaims", claim(self.name))
        self.run("touch /data/made")
        self.directory = Path(sandbox.directory) / "claims" / "default" / self.name
        assert (self.directory / "made").exists()

    def run(self, command: str, *, read_only: bool = False, **more: Any) -> dict[str, Any]:
        """A workflow with one task that has the claim at /data."""
        mount = {"name": "v", "mountPath": "/data", "readOnly": read_only}
        template = container("main", f"{command} ;", container={"volumeMounts": [mount]}, **more)
        source = {"name": "v", "persistentVolumeClaim": {"claimName": self.name}}
        return self._flows.run(workflow(template, volumes=[source]))


@pytest.fixture
def volume(flows: Workflows, sandbox: Any) -> Volume:
    return Volume(flows, sandbox)


# Inputs


def test_the_name_of_an_input_is_no_path(pods: Pods, tmp_path: Path) -> None:
    one = {"name": str(tmp_path / "elsewhere"), "path": "/srv/in.txt", "raw": {"data": "given\n"}}
    meta = with_template(inputs={"artifacts": [one]})
    pod = pods.run(pod_container("cat /srv/in.txt"), metadata=meta)
    assert pod["status"]["phase"] == "Succeeded", pod["status"]
    assert pods.log(pod["metadata"]["name"]) == ["given"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/", "..", "/srv/.."])
def test_an_input_needs_a_path_that_names_something(pods: Pods, path: str) -> None:
    pod = pods.run(pod_container("true"), metadata=with_template(**given(path)))
    assert pod["status"]["phase"] == "Failed"
    assert f"the path {path!r} of an input artifact names no file or directory" in pod["status"]["message"]


def test_an_input_is_not_written_where_a_link_on_a_volume_leads(volume: Volume, tmp_path: Path) -> None:
    (volume.directory / "link").symlink_to(tmp_path)
    found = volume.run("cat /data/link/x", **given("/data/link/x"))
    assert found["status"]["phase"] in ("Failed", "Error")
    assert "leads out of /data by a link" in str(nodes(found))
    assert list(tmp_path.iterdir()) == []


def test_an_input_may_go_through_a_link_that_stays_on_its_volume(volume: Volume) -> None:
    (volume.directory / "one").mkdir()
    (volume.directory / "link").symlink_to("one")
    assert volume.run("cat /data/one/x", **given("/data/link/x"))["status"]["phase"] == "Succeeded"
    assert (volume.directory / "one" / "x").read_text() == "given\n"


def test_links_below_an_input_are_replaced(volume: Volume, flows: Workflows, tmp_path: Path) -> None:
    key = {"s3": {"key": f"trees/{volume.name}.tgz"}}
    tree = "mkdir -p /tmp/tree/sub; echo new > /tmp/tree/sub/x; echo new > /tmp/tree/y"
    made = flows.run(workflow(container("main", f"{tree} ;", **left("/tmp/tree", **key))))
    assert made["status"]["phase"] == "Succeeded", nodes(made)
    (tmp_path / "y").write_text("old\n")
    (volume.directory / "tree").mkdir()
    (volume.directory / "tree" / "sub").symlink_to(tmp_path)
    (volume.directory / "tree" / "y").symlink_to(tmp_path / "y")
    found = volume.run("cat /data/tree/sub/x /data/tree/y", **given("/data/tree", raw=None, **key))
    assert flows.log(found["metadata"]["name"]) == ["new", "new"]
    assert [one.name for one in tmp_path.iterdir()] == ["y"]
    assert (tmp_path / "y").read_text() == "old\n"


def test_an_input_is_not_written_onto_a_read_only_mount(volume: Volume) -> None:
    found = volume.run("cat /data/x", read_only=True, **given("/data/x"))
    assert found["status"]["phase"] in ("Failed", "Error")
    assert "/data is read-only" in str(nodes(found))
    assert not (volume.directory / "x").exists()


# Outputs


def written_out(path: Path) -> str:
    """A path that a shell puts together, so that nothing rewrites it."""
    return str(path).replace("/", "''/", 1).replace("/tmp", "/tm''p")


def test_a_zip_holds_nothing_that_a_link_leads_to(flows: Workflows, sandbox: Any) -> None:
    token = Path(sandbox.directory) / "admin.token"
    assert token.read_text().strip() == sandbox.token
    script = f"mkdir /tmp/d; echo in > /tmp/d/x.txt; ln -s {written_out(token)} /tmp/d/token"
    found = flows.run(workflow(container("main", f"{script} ;", **left("/tmp/d", archive={"zip": {}}))))
    name = found["metadata"]["name"]
    packed = flows.api.send("GET", f"/artifacts/default/{name}/{nodes(found)[name]['id']}/out")
    assert zipfile.ZipFile(io.BytesIO(packed.content)).namelist() == ["d/x.txt"]


def test_a_zip_takes_files_of_any_age(flows: Workflows) -> None:
    script = "echo old > /tmp/out.txt; touch -d 1970-01-02 /tmp/out.txt"
    found = flows.run(workflow(container("main", f"{script} ;", **left("/tmp/out.txt", archive={"zip": {}}))))
    assert found["status"]["phase"] == "Succeeded", nodes(found)


@pytest.mark.parametrize(
    ("words", "template"),
    [
        ("leads out of the repository", {"archiveLogs": True, "keyPrefix": "../../elsewhere"}),
        ("could not run this pod", {"outputs": {"artifacts": [{"path": "/tmp/left"}]}}),
    ],
)
def test_no_container_goes_on_when_outputs_cannot_be_kept(pods: Pods, words: str, template: dict[str, Any]) -> None:
    side = pod_container(f"trap 'echo asked; exit 0' TERM; touch /shared/up; {LOOP}", "side", **SHARED)
    main = pod_container("until [ -e /shared/up ]; do sleep 0.02; done; echo x > /tmp/left", **SHARED)
    volumes = [{"name": "shared", "emptyDir": {}}]
    pod = pods.run(main, side, metadata=with_template(**template), volumes=volumes)
    assert pod["status"]["phase"] == "Failed"
    assert words in str(pod["status"])
    assert pods.log(pod["metadata"]["name"], "container=side") == ["asked"]


@pytest.mark.parametrize(
    ("words", "script"),
    [
        ("not a regular file", "mkfifo /tmp/p"),
        ("not a regular file", "ln -s /dev/zero /tmp/p"),
        ("larger than 1048576 bytes", "head -c 1048577 /dev/zero > /tmp/p"),
    ],
    ids=["pipe", "device", "large"],
)
def test_a_parameter_is_a_file_of_some_size(flows: Workflows, words: str, script: str) -> None:
    outputs = {"parameters": [{"name": "x", "valueFrom": {"path": "/tmp/p"}}]}
    found = flows.run(workflow(container("main", f"{script} ;", outputs=outputs)))
    assert found["status"]["phase"] == "Error"
    assert f"open /tmp/p: {words}" in found["status"]["message"]


def test_the_server_s_own_environment_is_nobody_s_output(flows: Workflows) -> None:
    """A link to it is one to the task's own as long as the task follows it."""
    script = "ln -s /proc/self/environ /tmp/p"
    outputs = {"parameters": [{"name": "x", "valueFrom": {"path": "/tmp/p"}}]}
    found = flows.run(workflow(container("main", f"{script} ;", outputs=outputs)))
    assert found["status"]["phase"] == "Error", nodes(found)
    assert "PATH=" not in str(found["status"])
    found = flows.run(workflow(container("main", f"{script} ;", **left("/tmp/p"))))
    assert found["status"]["phase"] == "Error", nodes(found)


@pytest.mark.parametrize("script", ["mkfifo /tmp/p", "ln -s /dev/zero /tmp/p"], ids=["pipe", "device"])
@pytest.mark.parametrize("archive", ["tar", "zip", "none"])
def test_an_artifact_is_a_file_or_a_directory(flows: Workflows, script: str, archive: str) -> None:
    found = flows.run(workflow(container("main", f"{script} ;", **left("/tmp/p", archive={archive: {}}))))
    assert found["status"]["phase"] == "Error"
    assert "failed to save artifact out: p: neither a file nor a directory" in found["status"]["message"]


@pytest.mark.parametrize("archive", ["tar", "zip", "none"])
def test_a_pipe_in_a_directory_is_left_out(flows: Workflows, archive: str) -> None:
    key = {"s3": {"key": f"pipes/{uuid.uuid4().hex}"}, "archive": {archive: {}}}
    script = "mkdir /tmp/d; echo in > /tmp/d/x.txt; mkfifo /tmp/d/pipe"
    found = flows.run(workflow(container("main", f"{script} ;", **left("/tmp/d", **key))))
    assert found["status"]["phase"] == "Succeeded", nodes(found)
    listed = flows.run(workflow(container("main", "ls /srv/d ;", **given("/srv/d", raw=None, **key))))
    assert flows.log(listed["metadata"]["name"]) == ["x.txt"]
