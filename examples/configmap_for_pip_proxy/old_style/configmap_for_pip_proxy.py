"""A config map that names the proxy, as a script of 0.1 uses it: pip installs a package through that proxy.

From the directory above, where `hera.config` is:

    python old_style/configmap_for_pip_proxy.py
"""

from hera.workflows import ConfigMapEnvFrom, Steps, Workflow, script

from environment import environment
from parser import parser

args = parser().get_parser().parse_args()
environment = environment(args)


@script(image="python:3.12-slim", env_from=[ConfigMapEnvFrom(name=environment.cluster.configmap)])
def install(package: str):
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


with Workflow(generate_name="configmap-for-pip-proxy-", entrypoint="main") as w:
    with Steps(name="main"):
        install(name="install", arguments={"package": args.package})

if __name__ == "__main__":
    w.create()
    print(f"submitted {w.name}")
