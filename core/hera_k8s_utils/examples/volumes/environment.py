"""What this example needs of a cluster: a claim, and where tasks see it."""

from __future__ import annotations

from argparse import Namespace

from hera_k8s_utils import Struct, num_exp_environment


class environment(num_exp_environment):
    """Asserts that the servers can be used and the claim is there; `persisted_volume` says which and where."""

    def __init__(self, args: Namespace, verbose: bool = False) -> None:
        super().__init__(args, verbose)
        self.k8s.assert_volume_claim(args.k8s_volume_claim_name)
        self.persisted_volume: Struct = Struct(
            claim_name=args.k8s_volume_claim_name, mount_path="/within-container-mount-point"
        )
