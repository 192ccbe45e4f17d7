"""A claim, mounted, as a script of 0.1 does it: one task leaves a file on it, another one finds the file there.

From the directory above, where `hera.config` is:

    python old_style/volumes.py
"""

from hera.workflows import DAG, ExistingVolume, Workflow, script

from environment import environment
from parser import parser

args = parser().get_parser().parse_args()
environment = environment(args)
volume = ExistingVolume(
    name="storage",
    claim_name=environment.persisted_volume.claim_name,
    mount_path=environment.persisted_volume.mount_path,
)


@script(image="python:3.12-slim", volumes=[volume])
def write(results: str):
    """Leave a note in RESULTS, which lies on the claim."""
    import os

    os.makedirs(results, exist_ok=True)
    with open(os.path.join(results, "note.txt"), "w") as file:
        file.write("written by one task\n")
    print(f"wrote {file.name}")


@script(image="python:3.12-slim", volumes=[volume])
def read(mount_path: str, results: str):
    """Print how much room the claim has, and what the other task left there."""
    import os
    import shutil

    room = shutil.disk_usage(mount_path)
    print(f"{mount_path} holds {room.total / 2**30:.1f} GiB, {room.free / 2**30:.1f} GiB of them free")
    for name in sorted(os.listdir(results)):
        with open(os.path.join(results, name)) as file:
            print(f"{name}: {file.read().strip()}")


mount_path = environment.persisted_volume.mount_path
results = f"{mount_path}/{{{{workflow.name}}}}"  # Argo fills it in: a directory of this run alone
with Workflow(generate_name="volumes-", entrypoint="main") as w:
    with DAG(name="main"):
        written = write(name="write", arguments={"results": results})
        found = read(name="read", arguments={"mount_path": mount_path, "results": results})
        written >> found

if __name__ == "__main__":
    w.create()
    print(f"submitted {w.name}")
