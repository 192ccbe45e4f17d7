"""What is not the sandbox's own stays on this disk, whatever names and paths a manifest holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sandbox_api import Api, claim, config_map
from sandbox_workflows import Workflows, container, nodes, workflow

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
