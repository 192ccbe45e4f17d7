"""Examples of Argo whose outcome may differ on the sandbox, and why that is to be expected."""

from __future__ import annotations

from typing import Final

_CHANCE: Final = "what it does depends on random numbers"
_READ_ONLY: Final = "it writes outside /tmp, where the test kubelet shows Argo's containers this machine, read-only"
_LINKS: Final = "Argo refuses to pack this machine's directories, whose links lead out of them"

LIMITS: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            *("coinflip.yaml", "coinflip-recursive.yaml", "dag-coinflip.yaml", "resubmit.yaml", "scripts-python.yaml"),
            *("retry-backoff.yaml", "retry-container.yaml", "retry-container-to-completion.yaml", "retry-script.yaml"),
            *("retry-on-error.yaml", "retry-with-steps.yaml"),
        ),
        _CHANCE,
    ),
    **dict.fromkeys(("key-only-artifact.yaml", "map-reduce.yaml"), _READ_ONLY),
    **dict.fromkeys(("artifact-disable-archive.yaml", "artifact-passing-subpath.yaml"), _LINKS),
    "cron-backfill.yaml": "it names an account that is not there, which the sandbox does not look for",
    "fibonacci-seq-conditional-param.yaml": "it takes Argo longer than the test waits",
    "intermediate-parameters.yaml": "it runs /argosay, which is a file of an image",
    "parallelism-nested-dag.yaml": "it takes longer than the test waits, so that its order shows",
}
