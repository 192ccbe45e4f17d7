"""Hello world: one container, one line.

The least that can be run: no parameters, no claim, no code of ours in the container.

    hera-k8s run --sandbox      # on this machine, no cluster
    hera-k8s run                # on the cluster that hera.config names
"""

from hera.workflows import Container, Workflow

from hera_k8s_utils import Experiment


def workflow(environment, inputs, layout):
    """A container that is started with a command; no code of ours goes into it."""
    with Workflow(entrypoint="hello") as w:
        Container(name="hello", command=["echo"], args=["hello world"], **environment.task)
    return w


experiment = Experiment(name="hello-world-container", image="busybox:1.37", workflow=workflow)
