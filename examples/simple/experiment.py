"""Print the environment: what the experiment was given here, and what its task finds in the pod.

The first thing to run on a cluster that one does not know.

    hera-k8s run --sandbox      # on this machine, no cluster
    hera-k8s run                # on the cluster that hera.config names
"""

from hera.workflows import Steps, Workflow, script

from hera_k8s_utils import Experiment


def report(namespace: str, image: str, registry: str) -> None:
    """Print what was configured, then what is found. Of variables only the names: values may be secrets."""
    import os
    import platform
    import socket

    print(f"namespace  {namespace}")
    print(f"image      {image}")
    print(f"registry   {registry or '-'}")
    print(f"pod        {socket.gethostname()}")
    print(f"python     {platform.python_version()}")
    print(f"system     {platform.system()} {platform.machine()}")
    print(f"directory  {os.getcwd()}")
    print(f"variables  {', '.join(sorted(os.environ))}")


def workflow(environment, inputs, layout):
    """One task whose arguments are values of the experiment's environment."""
    run_report = script(**environment.task)(report)
    with Workflow(entrypoint="main") as w:
        with Steps(name="main"):
            run_report(
                name="report",
                arguments={
                    "namespace": "{{workflow.namespace}}",  # Argo fills it in
                    "image": environment.image,
                    "registry": environment.registry,
                },
            )
    return w


experiment = Experiment(name="simple", image="python:3.12-slim", workflow=workflow)
