"""Kubeconfigs of others: what they hold, and what they lead to, is read within limits."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import kubeconfig, write_kubeconfig

from hera_k8s_kube.credentials import from_kubeconfig
from hera_k8s_kube.settings import KubeSettings
from hera_k8s_utils import CredentialError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="devices and pipes with names are those of POSIX systems")


def refused(path: str, **options: Any) -> str:
    """What is said of a kubeconfig that cannot be used."""
    with pytest.raises(CredentialError) as caught:
        from_kubeconfig(KubeSettings(config_file=path, **options), None)  # type: ignore[arg-type]
    return str(caught.value)


def with_user(tmp_path: Path, user: dict[str, Any], **cluster: Any) -> str:
    body = kubeconfig("https://127.0.0.1:6443", user)
    body["clusters"][0]["cluster"].update(cluster)
    return write_kubeconfig(tmp_path / "config", body)


def plugin(tmp_path: Path, program: str) -> str:
    spec = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": ["-c", program]}
    return with_user(tmp_path, {"exec": spec | {"interactiveMode": "Never"}})


LAUGHS = "\n".join(["a0: &a0 [1]", *[f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]])
MERGES = LAUGHS.replace("[1]", "{x: 1}").replace(" [*", " {<<: [*").replace("]\n", "]}\n") + "}"


@pytest.mark.parametrize(
    ("text", "words"),
    [(LAUGHS, "aliases replaced"), (MERGES, "aliases replaced"), ("{a: " * 200 + "}" * 200, "nested in more than 128")],
    ids=["aliases", "merges", "depth"],
)
def test_a_kubeconfig_that_is_too_complex_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    assert words in refused(str(path))


def test_a_date_that_there_is_not_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("made: 2026-13-45\n")
    assert "it is not YAML" in refused(str(path))


@pytest.mark.parametrize("key", ["tokenFile", "client-certificate", "client-key"])
def test_a_file_of_the_user_that_is_a_device_is_named(tmp_path: Path, key: str) -> None:
    said = refused(with_user(tmp_path, {key: "/dev/zero"}))
    assert "/dev/zero: it is not a regular file" in said


def test_an_authority_that_is_a_pipe_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ca.pem")
    said = refused(with_user(tmp_path, {"token": "abc"}, **{"certificate-authority": "ca.pem"}))
    assert "ca.pem: it is not a regular file" in said


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_an_exec_plugin_that_prints_without_an_end_is_named(tmp_path: Path, stream: str) -> None:
    said = refused(plugin(tmp_path, f"import sys\nwhile True: print('x' * 4096, file=sys.{stream})"), exec_timeout=60)
    assert "it printed more than 1 MiB" in said


def test_an_exec_plugin_with_deep_output_is_named(tmp_path: Path) -> None:
    assert "not JSON" in refused(plugin(tmp_path, "print('[' * 100_000)"))
    assert "exit status 3" in refused(plugin(tmp_path, "print('[' * 100_000); raise SystemExit(3)"))


def test_the_child_of_an_exec_plugin_that_keeps_its_output_open_is_not_waited_for(tmp_path: Path) -> None:
    program = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(20)'])"
    assert "no answer within 2 s" in refused(plugin(tmp_path, program), exec_timeout=2)


def test_a_token_with_deep_claims_is_taken_as_it_is(tmp_path: Path) -> None:
    claims = base64.urlsafe_b64encode(b"[" * 100_000).decode().rstrip("=")
    path = with_user(tmp_path, {"token": f"e30.{claims}.x"})
    found = from_kubeconfig(KubeSettings(config_file=path), None)  # type: ignore[arg-type]
    assert found.identity == "jane"
