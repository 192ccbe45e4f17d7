"""Where chaos begins, without Argo: the Lyapunov exponent of the logistic map, as one Kubernetes Job.

It is positive where neighbouring orbits part. All points of the sweep are one indexed Job: a pod for each of them, at
most twenty at a time, and each finds its own growth rate.

    hera-k8s run --sandbox      # on this machine, no cluster
    hera-k8s run                # on the cluster that hera.config names
"""

from hera_k8s_kube import PersistentVolumeClaim
from hera_k8s_kube.jobs import indexed_job
from hera_k8s_utils import Experiment, Inputs, linspace


def measure(growth_rate: float, steps: int, output: str) -> None:
    """Average how fast neighbouring orbits part, and write OUTPUT/exponent.txt (whole or absent)."""
    import math
    import os

    x, total = 0.3, 0.0
    for step in range(steps):
        x = growth_rate * x * (1 - x)
        if step >= steps // 10:  # until then the orbit settles
            total += math.log(max(abs(growth_rate * (1 - 2 * x)), 1e-12))
    exponent = total / (steps - steps // 10)
    os.makedirs(output, exist_ok=True)
    with open(os.path.join(output, "exponent.part"), "w") as file:
        file.write(f"{exponent:.6f}\n")
    os.replace(os.path.join(output, "exponent.part"), os.path.join(output, "exponent.txt"))
    print(f"r = {growth_rate}: {exponent:+.4f}, {'chaos' if exponent > 0 else 'order'}")


def workflow(environment, inputs, layout):
    """One Job, with an index for each point; one bad point stops no other."""
    return indexed_job(
        environment,
        inputs,
        measure,
        arguments={"steps": inputs.constants["steps"], "output": layout.path},
        parallelism=20,
        retries=2,
        resources={"requests": {"cpu": "100m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
    )


experiment = Experiment(
    name="lyapunov",
    inputs=Inputs(parameters={"growth_rate": linspace(3.4, 4.0, 25)}, constants={"steps": 20_000}),
    image="python:3.12-slim",
    requires=[PersistentVolumeClaim("results", mount_path="/results", access_mode="ReadWriteMany", size="1Gi")],
    workflow=workflow,
)
