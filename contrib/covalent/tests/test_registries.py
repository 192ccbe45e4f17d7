"""Pull secrets: made of the credentials files that the first plugin took, and of Docker's."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("covalent", reason="needs Covalent: nox -s 'contrib(covalent)'")
pytest.importorskip("covalent_kubernetes_plugin", reason="needs hera-k8s-covalent: nox -s 'contrib(covalent)'")

from covalent_kubernetes_plugin.registries import docker_config

from hera_k8s_utils import OptionsError

TOML = 'username = "me"\npassword = "sesame"\n'


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(content: Any) -> str:
        (tmp_path / "credentials").write_text(content if isinstance(content, str) else json.dumps(content))
        return str(tmp_path / "credentials")

    return write


def test_no_file_is_no_pull_secret() -> None:
    assert docker_config("", "registry.example", "") is None


def test_username_and_password_are_for_the_registry(file: Any) -> None:
    made = docker_config(file(TOML), "https://registry.example", "")
    assert made is not None
    login = made["auths"]["registry.example"]
    assert base64.b64decode(login["auth"]) == b"me:sesame"


def test_of_dockers_file_only_the_registrys_login_is_taken(file: Any) -> None:
    auths = {"https://one.example/": {"auth": "b25lOjE="}, "two.example": {"auth": "dHdvOjI="}}
    made = docker_config(file({"auths": auths}), "one.example", "")
    assert made == {"auths": {"https://one.example/": {"auth": "b25lOjE="}}}
    assert docker_config(file({"auths": auths}), "localhost", "") == {"auths": auths}


@pytest.mark.parametrize(
    ("content", "registry", "said"),
    [
        (TOML, "localhost", "no registry that it is for"),
        ("username = 'me'", "registry.example", "neither username and password nor auths"),
        ("= nothing", "registry.example", "neither TOML nor JSON"),
        ({"auths": {"one.example": {"auth": "x"}}}, "two.example", "no login of two.example"),
        ({"auths": {"one.example": {}}, "credsStore": "pass"}, "one.example", "in a credential helper cannot be read"),
        ({"auths": []}, "one.example", "its auths are no table"),
    ],
)
def test_a_file_that_holds_no_login_is_told(file: Any, content: Any, registry: str, said: str) -> None:
    with pytest.raises(OptionsError, match=said) as told:
        docker_config(file(content), registry, "")
    assert "sesame" not in str(told.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="no such file"):
        docker_config(str(tmp_path / "absent"), "registry.example", "")


def test_ecr_gives_its_login_for_aws_credentials(file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    moto = pytest.importorskip("moto", reason="needs moto: nox -s 'contrib(covalent)'")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    registry = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
    credentials = file("[default]\naws_access_key_id = a\naws_secret_access_key = s\n")
    with moto.mock_aws(config={"core": {"mock_credentials": False}}):
        made = docker_config(credentials, registry, "us-east-1")
    assert made is not None
    assert made["auths"][registry]["username"] == "AWS"
    assert made["auths"][registry]["password"]


def test_a_pod_pulls_with_the_login_and_the_secret_goes_with_the_job(
    dispatcher: Any, executor: Any, each_cluster: Any, file: Any, nothing_left: Any
) -> None:
    """Looked at while the image cannot be pulled."""
    credentials = file(TOML)

    async def look() -> Any:
        wanted = executor(
            base_image="unknown.invalid/x:1", registry="unknown.invalid", registry_credentials_file=credentials
        )
        running = asyncio.create_task(dispatcher.run(wanted, pow, 2, 2))
        name = f"/apis/batch/v1/namespaces/{each_cluster.namespace}/jobs/job-{dispatcher.dispatch_id}-0"
        job = await asyncio.to_thread(each_cluster.kube.until, name, lambda found: bool(found))
        (named,) = job["spec"]["template"]["spec"]["imagePullSecrets"]
        owned = f"{{ns}}/secrets/{named['name']}"
        secret = await asyncio.to_thread(
            each_cluster.kube.until, owned, lambda found: "ownerReferences" in found["metadata"]
        )
        await asyncio.gather(running, return_exceptions=True)
        return job, secret

    job, secret = asyncio.run(look())
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    assert "unknown.invalid" in json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))["auths"]
    (owner,) = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Job", job["metadata"]["uid"])
