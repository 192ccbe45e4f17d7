"""Do tasks see the claim where it is mounted?

python -m hera_k8s_utils.examples.volumes.check_volume_claim_and_mount_point
"""

from hera.workflows import ExistingVolume, Parameter, Steps, Workflow, script

from hera_k8s_utils.examples.volumes.environment import environment
from hera_k8s_utils.examples.volumes.parser import parser

MOUNTED = ExistingVolume(
    name="storage",
    claim_name="{{inputs.parameters.claim_name}}",
    mount_path="{{inputs.parameters.mount_path}}",
)


@script(
    image="python:3.12-slim",
    inputs=[Parameter(name="claim_name"), Parameter(name="mount_path")],
    volumes=[MOUNTED],
)
def list_persistent_volume_files(claim_name: str, mount_path: str) -> None:
    """Print which files are on the claim; fail if it is not mounted."""
    import os

    if not os.path.isdir(mount_path):
        raise SystemExit(f"{claim_name} is not mounted: there is no directory {mount_path}")
    names = sorted(os.listdir(mount_path))
    print(f"{claim_name}, mounted at {mount_path}, holds {', '.join(names) or 'no files'}")


def main() -> None:
    """Check the servers and the claim, and submit the workflow."""
    volume = environment(parser().parse_args()).persisted_volume
    with Workflow(generate_name="check-volume-claim-and-mount-point-", entrypoint="main") as w:
        with Steps(name="main"):
            list_persistent_volume_files(name="list", arguments=vars(volume))
    w.create()
    print(f"submitted {w.name}")


if __name__ == "__main__":
    main()
