"""Does a task see what the config map holds?

python -m hera_k8s_utils.examples.configmap_for_pip_proxy.print_config_map
"""

from hera.workflows import ConfigMapEnvFrom, Steps, Workflow, script

from hera_k8s_utils.examples.configmap_for_pip_proxy.environment import environment
from hera_k8s_utils.examples.configmap_for_pip_proxy.parser import parser


@script(image="python:3.12-slim", env_from=[ConfigMapEnvFrom(name="{{inputs.parameters.config_map_name}}")])
def assert_configmap_environment(config_map_name: str) -> None:
    """Print where the proxy is, without the password that its address may hold; fail if nothing names one."""
    import os
    import urllib.parse

    if "HTTPS_PROXY" not in os.environ:
        raise SystemExit(f"the config map {config_map_name} has no key HTTPS_PROXY")
    proxy = urllib.parse.urlsplit(os.environ["HTTPS_PROXY"])
    print(f"HTTPS_PROXY of {config_map_name}: {proxy.hostname}:{proxy.port}")


def main() -> None:
    """Check the servers and the config map, and submit the workflow."""
    found = environment(parser().parse_args())
    with Workflow(generate_name="print-config-map-", entrypoint="main") as w:
        with Steps(name="main"):
            assert_configmap_environment(name="print", arguments={"config_map_name": found.cluster.configmap})
    w.create()
    print(f"submitted {w.name}")


if __name__ == "__main__":
    main()
