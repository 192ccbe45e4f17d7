"""SOCKS proxies: used with the package for them, refused with its name without it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer, reply
from socks_proxy import SocksProxy

from hera_k8s_utils import HttpClient, NetworkSettings, OptionsError, PlatformError, build_container
from hera_k8s_utils.network import require_proxy

needs_socks = pytest.mark.skipif(importlib.util.find_spec("socks") is None, reason="PySocks is not installed")


def kubeconfig(directory: Path, server: str, proxy: str = "") -> Path:
    cluster = {"server": server, "proxy-url": proxy} if proxy else {"server": server}
    body: dict[str, Any] = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "c"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
    }
    path = directory / "config"
    path.write_text(json.dumps(body))
    return path


@needs_socks
def test_a_kubeconfig_s_socks_proxy_resolves_names_as_for_kubectl(tmp_path: Path) -> None:
    with FaultServer() as server, SocksProxy() as proxy:
        server.on("GET", "/version", reply(200, {"gitVersion": "v1"}))
        path = kubeconfig(tmp_path, f"http://cluster.invalid:{server.port}", f"socks5://{proxy.address}")
        with build_container(environ={"KUBECONFIG": str(path)}) as container:
            assert container.context().kubernetes.version() == {"gitVersion": "v1"}
        assert proxy.asked == ["cluster.invalid"]


@needs_socks
def test_all_proxy_may_name_a_socks_proxy() -> None:
    with FaultServer() as server, SocksProxy() as proxy:
        server.on("GET", "/x", reply(200, {"a": 1}))
        environ = {"ALL_PROXY": f"socks5h://{proxy.address}"}
        client = HttpClient(f"http://argo.invalid:{server.port}", NetworkSettings(), environ=environ)
        assert client.get("x").json() == {"a": 1}
        assert proxy.asked == ["argo.invalid"]


@needs_socks
def test_a_socks_proxy_that_is_down_is_named() -> None:
    client = HttpClient("http://argo.invalid", NetworkSettings(http_retries=0), proxy="socks5h://127.0.0.1:9")
    with pytest.raises(PlatformError, match=r"the proxy socks5h://127.0.0.1:9 did not connect to it"):
        client.get("x")


def test_without_its_package_a_socks_proxy_is_refused_with_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "experiment.py").write_text(
        "from hera.workflows import Container, Workflow\n"
        "with Workflow(name='hello', entrypoint='main') as w:\n"
        "    Container(name='main', image='busybox', command=['true'])\n"
    )
    path = kubeconfig(tmp_path, "https://cluster.example", "socks5://user:pa55word@127.0.0.1:1080")
    program = (
        "import importlib.util, sys\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'socks' else find(name, *rest)\n"
        "from hera_k8s_cli.main import main\n"
        f"sys.exit(main(['check', '--k8s-config-file', {str(path)!r}, 'experiment.py']))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    said = done.stdout + done.stderr
    assert "SOCKS needs the package PySocks" in said
    assert "pip install 'hera-k8s-utils[socks]'" in said
    assert "pa55word" not in said
    assert done.returncode != 0


@pytest.mark.parametrize("proxy", ["socks://127.0.0.1:1080", "ftp://proxy.example"])
def test_what_is_no_proxy_is_refused_with_the_schemes_that_there_are(proxy: str) -> None:
    with pytest.raises(OptionsError, match="is not the scheme of a proxy") as caught:
        require_proxy(proxy)
    assert "socks5h://" in caught.value.hint


@pytest.mark.parametrize("proxy", ["", "http://proxy.example:3128", "HTTPS://proxy.example"])
def test_other_proxies_need_no_package(proxy: str) -> None:
    require_proxy(proxy)
