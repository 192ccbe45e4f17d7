"""What is not the sandbox's own stays on this disk, whatever names and paths a manifest holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dialogue import until
from sandbox_api import Api, claim, config_map
from sandbox_workflows import Workflows, container, nodes, workflow

from hera_k8s_sandbox.foundation.trash import Trash
from hera_k8s_sandbox.server.app import Options, open_state

CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
VOLUMES = "/api/v1/persistentvolumes"


@pytest.fixture
def api(sandbox: Any) -> Api:
    return Api(sandbox.url, sandbox.token)


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A directory that the sandbox has nothing to do with."""
    directory = tmp_path / "precious"
    directory.mkdir()
    (directory / "thesis.tex").write_text("years of work")
    return directory


def gone(api: Api, path: str) -> None:
    """Delete, and wait until everything that follows from it is done."""
    assert api.send("DELETE", path).ok
    api.create("/api/v1/namespaces/default/configmaps", config_map(f"after-{path.rpartition('/')[2]}"))


def test_a_volume_that_somebody_wrote_keeps_its_directory(api: Api, precious: Path) -> None:
    volume = {
        "metadata": {"name": "mine"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Delete",
            "local": {"path": str(precious)},
        },
    }
    api.create(VOLUMES, volume)
    static = claim("static", "")
    static["spec"]["volumeName"] = "mine"
    api.create(CLAIMS, static)
    gone(api, f"{CLAIMS}/static")
    assert (precious / "thesis.tex").read_text() == "years of work"
    assert api.get(f"{VOLUMES}/mine")


def test_a_deleted_claim_takes_its_own_directory_along(api: Api, sandbox: Any) -> None:
    api.create(CLAIMS, claim("own"))
    assert api.get(f"{CLAIMS}/own")["status"]["phase"] == "Bound"  # by then its controller has looked at it
    directory = sandbox.directory / "claims" / "default" / "own"
    assert directory.is_dir()
    gone(api, f"{CLAIMS}/own")
    assert not directory.exists()


def test_what_is_thrown_away_is_gone_at_once_and_its_files_soon(tmp_path: Path) -> None:
    directory = tmp_path / "claims" / "large"
    (directory / "deep").mkdir(parents=True)
    (directory / "deep" / "file").write_text("data")
    (directory / "link").symlink_to(tmp_path)
    trash = Trash(tmp_path / "trash")
    trash.throw_away(directory)
    assert not directory.exists()
    directory.mkdir()
    (directory / "new").write_text("another claim of that name")
    until(lambda: not any((tmp_path / "trash").iterdir()), "the trash is empty")
    assert (directory / "new").exists()


def test_what_is_not_there_can_be_thrown_away(tmp_path: Path) -> None:
    Trash(tmp_path / "trash").throw_away(tmp_path / "never-bound")
    assert not any((tmp_path / "trash").iterdir())


def test_what_one_server_had_no_time_to_remove_the_next_one_does(tmp_path: Path, precious: Path) -> None:
    left = tmp_path / "state" / "trash" / "left"
    left.mkdir(parents=True)
    (left / "file").write_text("data")
    (left.parent / "link").symlink_to(precious)
    open_state(Options(directory=tmp_path / "state")).store.close()
    until(lambda: not any(left.parent.iterdir()), "the trash is empty")
    assert (precious / "thesis.tex").exists()


@pytest.mark.parametrize("name", ["{precious}", "../../../..", ".", "a/b"])
def test_a_volume_is_called_by_a_name_and_not_by_a_path(api: Api, precious: Path, name: str) -> None:
    flows = Workflows(api)
    called = name.format(precious=precious)
    mount = {"volumeMounts": [{"name": called, "mountPath": "/config"}]}
    volumes = [{"name": called, "configMap": {"name": "none", "optional": True}}]
    found = flows.run(workflow(container("main", container=mount), volumes=volumes))
    (node,) = nodes(found).values()
    assert node["phase"] == "Error"
    assert "spec.volumes[0].name" in node["message"]
    assert (precious / "thesis.tex").exists()


def test_two_volumes_of_a_pod_have_two_names(api: Api) -> None:
    pod = {
        "metadata": {"name": "twice"},
        "spec": {
            "containers": [{"name": "main", "image": "busybox"}],
            "volumes": [{"name": "v", "emptyDir": {}}, {"name": "v", "emptyDir": {}}],
        },
    }
    answer = api.send("POST", "/api/v1/namespaces/default/pods", pod)
    assert answer.status_code == 422
    assert 'spec.volumes[1].name: Duplicate value: "v"' in answer.json()["message"]
