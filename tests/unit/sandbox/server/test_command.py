"""The sandbox as a plugin: `--sandbox`, and the command `hera-k8s sandbox`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import PRIVATE_ROOTS

from hera_k8s_sandbox import plugin
from hera_k8s_sandbox.server import launch
from hera_k8s_sandbox.settings import SandboxSettings
from hera_k8s_utils import NotApplicable
from hera_k8s_utils.redaction import register_secrets


@pytest.fixture
def directory(work: Path) -> Iterator[Path]:
    """The default state directory below an empty working directory; its server is ended after the test."""
    state = work / ".hera-k8s" / "sandbox"
    yield state
    launch.stop(state)


def hera_k8s(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hera_k8s_utils", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_without_the_flag_it_has_nothing_to_offer() -> None:
    for provider in plugin.credential_providers():
        with pytest.raises(NotApplicable, match="--sandbox was not given"):
            provider.load(SandboxSettings(), None)


def test_the_flag_opens_both_platforms_on_one_server_that_is_started(directory: Path) -> None:
    settings = SandboxSettings(sandbox=True, sandbox_dir=Path(".hera-k8s/sandbox"))
    found = {provider.target: provider.load(settings, None) for provider in plugin.credential_providers()}
    assert found["kubernetes"] == found["argo"]
    credential = found["argo"]
    assert credential.server == launch.find(directory).url
    assert (credential.identity, credential.namespace, credential.auto_provision) == ("sandbox-admin", "default", True)
    assert credential.source == "sandbox .hera-k8s/sandbox"
    assert credential.secret not in repr(credential)


def test_declaring_imports_no_server_and_no_client() -> None:
    code = (
        "import sys, hera_k8s_sandbox.plugin as p; list(p.credential_providers()); list(p.commands()); "
        "print([name for name in ('aiohttp', 'kubernetes', 'hera', 'sqlite3', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_the_command_serves_until_interrupted_and_says_how_to_reach_it(directory: Path) -> None:
    command = [sys.executable, "-m", "hera_k8s_utils", "sandbox"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            out = server.stdout.readline()  # it says so when it is ready
            address = launch.find(directory)
            status = json.loads(hera_k8s("sandbox", "--status", "--output", "json").stdout)
            assert (status["running"], status["url"]) == (True, address.url)
            again = hera_k8s("sandbox")
            assert (again.returncode, address.url in again.stderr) == (0, True)
        finally:
            server.send_signal(signal.SIGINT)
        out += server.stdout.read()  # not communicate(), which loses what readline() has read ahead
        err = server.stderr.read()
    assert server.returncode == 0
    assert f"export KUBECONFIG={directory}/kubeconfig" in out
    assert f"ARGO_SERVER={address.url.removeprefix('http://')} ARGO_SECURE=false" in out
    assert "not isolated" in err
    assert status["mounts"] in ("bubblewrap", "unshare", "rewrite")
    assert address.token not in out + err
    assert "Deprecat" not in err + again.stderr


@pytest.mark.needs(PRIVATE_ROOTS)
def test_what_it_prints_can_be_pasted_wherever_its_directory_is(tmp_path: Path) -> None:
    directory = tmp_path / "an été's directory"
    with launch.running(directory) as address:
        said = hera_k8s("sandbox", "--status", "--sandbox-dir", str(directory)).stdout
        exports = [line for line in said.splitlines() if "export" in line]
        script = "\n".join([*exports, 'cat "$KUBECONFIG"', 'printf "%s %s" "$ARGO_SERVER" "$ARGO_TOKEN"'])
        pasted = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, timeout=60, check=True)
    config, end = json.JSONDecoder().raw_decode(pasted.stdout)
    assert config["users"][0]["user"]["token"] == address.token
    assert pasted.stdout[end:].strip() == f"{address.url.removeprefix('http://')} Bearer {address.token}"


def test_how_it_runs_tasks_is_set_by_options(directory: Path) -> None:
    settings = SandboxSettings(sandbox=True, sandbox_mounts="rewrite", sandbox_tasks=1)
    provider = next(iter(plugin.credential_providers()))
    provider.load(settings, None)
    status = json.loads(hera_k8s("sandbox", "--status", "--output", "json").stdout)
    assert status["mounts"] == "rewrite"


def test_the_command_ends_what_runs(directory: Path) -> None:
    launch.ensure_running(directory, lifetime=60)
    stopped = hera_k8s("sandbox", "--stop")
    assert stopped.returncode == 0
    assert stopped.stderr == "✔ ended the sandbox in .hera-k8s/sandbox; its state stays there\n"
    assert launch.find(directory) is None
    status = json.loads(hera_k8s("sandbox", "--status", "--output", "json").stdout)
    assert status == {"running": False, "directory": str(directory)}
    again = hera_k8s("sandbox", "--stop")
    assert (again.returncode, again.stderr) == (0, "no sandbox runs in .hera-k8s/sandbox\n")


def test_its_server_is_given_no_secret_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "tok-5kQ2vX9mLr7WcN4bYh"
    monkeypatch.setenv("ARGO_TOKEN", f"Bearer {secret}")
    monkeypatch.setenv("ARGO_SERVER", f"https://argo.example/bearer/{secret}")
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{secret}@proxy.example:3128")
    register_secrets([secret])
    with launch.running(tmp_path / "state", lifetime=60) as address:
        process = json.loads((address.directory / "server.json").read_text())["pid"]
        given = Path(f"/proc/{process}/environ")
        if not given.exists():
            pytest.skip("needs /proc")
        variables = given.read_text().split("\0")
    assert not [each for each in variables if secret in each]
    assert any(each.startswith("PATH=") for each in variables)
