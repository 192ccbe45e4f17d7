"""A config map that names the proxy: pip installs a package through it.

On many clusters pods reach the world through a proxy only. Here `environment.task` makes the keys of a config map
variables of the task, and pip goes by them.

    hera-k8s run --sandbox local_experiment.py     # on this machine, where local_proxy.py runs as well
    hera-k8s run --bind proxy=vcity-proxy          # on a cluster, where the config map has this name
"""

from hera.workflows import Steps, Workflow, script

from hera_k8s_kube import ConfigMap
from hera_k8s_utils import Experiment, Inputs


def install(package: str) -> None:
    """Install a package with pip, which finds HTTPS_PROXY in the environment, and say what was installed."""
    import importlib.metadata
    import os
    import subprocess
    import sys
    import tempfile
    import urllib.parse

    proxy = urllib.parse.urlsplit(os.environ["HTTPS_PROXY"])
    print(f"HTTPS_PROXY names {proxy.hostname}:{proxy.port}", flush=True)  # without the password that it may hold
    directory = tempfile.mkdtemp()  # so that it works without the right to write where Python is installed
    pip = [sys.executable, "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check"]
    subprocess.run([*pip, "--target", directory, package], check=True)
    for found in importlib.metadata.distributions(path=[directory]):
        print(f"installed {found.metadata['Name']} {found.version}")


def workflow(environment, inputs, layout):
    """One task; `environment.task` brings it the keys of the config map as variables."""
    run_install = script(**environment.task)(install)
    with Workflow(entrypoint="main") as w:
        with Steps(name="main"):
            run_install(name="install", arguments={"package": inputs.constants["package"]})
    return w


experiment = Experiment(
    name="configmap-for-pip-proxy",
    inputs=Inputs(constants={"package": "tabulate"}),
    image="python:3.12-slim",
    requires=[ConfigMap("proxy", keys=["HTTPS_PROXY"])],
    workflow=workflow,
)
