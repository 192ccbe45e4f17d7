"""Does pip get through the proxy that the config map names?

python -m hera_k8s_utils.examples.configmap_for_pip_proxy.use_configmap_for_pip
"""

from hera.workflows import ConfigMapEnvFrom, Steps, Workflow, script

from hera_k8s_utils.examples.configmap_for_pip_proxy.environment import environment
from hera_k8s_utils.examples.configmap_for_pip_proxy.parser import parser
from hera_k8s_utils.examples.configmap_for_pip_proxy.print_config_map import assert_configmap_environment


@script(image="python:3.12-slim", env_from=[ConfigMapEnvFrom(name="{{inputs.parameters.config_map_name}}")])
def list_mounted_partitions(config_map_name: str) -> None:
    """Install psutil with pip, and list the file systems of the pod with it."""
    import subprocess
    import sys
    import tempfile

    directory = tempfile.mkdtemp()  # so that it works without the right to write where Python is installed
    pip = [sys.executable, "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check"]
    subprocess.run([*pip, "--target", directory, "psutil"], check=True)
    sys.path.insert(0, directory)
    import psutil  # type: ignore[import-untyped,import-not-found,unused-ignore]

    for partition in psutil.disk_partitions(all=True):
        print(f"{partition.mountpoint}: {partition.fstype}")


def main() -> None:
    """Check the servers and the config map, and submit the workflow."""
    found = environment(parser().parse_args())
    name = {"config_map_name": found.cluster.configmap}
    with Workflow(generate_name="config-map-for-pip-proxy-", entrypoint="main") as w:
        with Steps(name="main"):
            assert_configmap_environment(name="print", arguments=name)
            list_mounted_partitions(name="install", arguments=name)
    w.create()
    print(f"submitted {w.name}")


if __name__ == "__main__":
    main()
