"""A claim, mounted: one task leaves a file on it, another one finds the file there.

The experiment calls the claim `storage`; what it is called on a cluster is said when it is run.

    hera-k8s run --sandbox                                  # on this machine, no cluster
    hera-k8s run --bind storage=vcity-pvc                   # on a cluster, where the claim has this name
"""

from hera.workflows import DAG, Workflow, script

from hera_k8s_kube import PersistentVolumeClaim
from hera_k8s_utils import Experiment


def write(results: str) -> None:
    """Leave a note in RESULTS, which lies on the claim."""
    import os

    os.makedirs(results, exist_ok=True)
    with open(os.path.join(results, "note.txt"), "w") as file:
        file.write("written by one task\n")
    print(f"wrote {file.name}")


def read(mount_path: str, results: str) -> None:
    """Print how much room the claim has, and what the other task left there."""
    import os
    import shutil

    room = shutil.disk_usage(mount_path)
    print(f"{mount_path} holds {room.total / 2**30:.1f} GiB, {room.free / 2**30:.1f} GiB of them free")
    for name in sorted(os.listdir(results)):
        with open(os.path.join(results, name)) as file:
            print(f"{name}: {file.read().strip()}")


def workflow(environment, inputs, layout):
    """Two pods, one after the other, that share nothing but the claim."""
    claim = environment["storage"]
    run_write = script(**environment.task)(write)
    run_read = script(**environment.task)(read)
    with Workflow(entrypoint="main") as w:
        with DAG(name="main"):
            written = run_write(name="write", arguments={"results": layout.root})
            found = run_read(name="read", arguments={"mount_path": claim.mount_path, "results": layout.root})
            written >> found
    return w


experiment = Experiment(
    name="volumes",
    image="python:3.12-slim",
    requires=[PersistentVolumeClaim("storage", mount_path="/storage", size="1Gi")],
    workflow=workflow,
)
