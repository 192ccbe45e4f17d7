"""Examples of Argo that differ on the sandbox: those that may (`LIMITS`), and those that should not (`OPEN`)."""

from __future__ import annotations

from typing import Final

_CHANCE: Final = "what it does depends on random numbers"
_READ_ONLY: Final = "it writes outside /tmp, where the test kubelet shows Argo's containers this machine, read-only"
_SLOW: Final = "it may take longer than the test waits"
_LINKS: Final = "Argo refuses to pack this machine's directories, whose links lead out of them"

LIMITS: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            *("coinflip.yaml", "coinflip-recursive.yaml", "dag-coinflip.yaml", "resubmit.yaml", "scripts-python.yaml"),
            *("retry-backoff.yaml", "retry-container.yaml", "retry-container-to-completion.yaml", "retry-script.yaml"),
            *("retry-on-error.yaml", "retry-with-steps.yaml", "workflow-template/retry-with-steps.yaml"),
        ),
        _CHANCE,
    ),
    **dict.fromkeys(("key-only-artifact.yaml", "map-reduce.yaml"), _READ_ONLY),
    **dict.fromkeys(("artifact-disable-archive.yaml", "artifact-passing-subpath.yaml"), _LINKS),
    **dict.fromkeys(
        (
            *("fibonacci-seq-conditional-param.yaml", "parallelism-nested-dag.yaml", "parallelism-nested.yaml"),
            *("parallelism-template-limit.yaml", "loops-param-result.yaml"),
        ),
        _SLOW,
    ),
    "cron-backfill.yaml": "it names an account that is not there, which the sandbox does not look for",
    "intermediate-parameters.yaml": "it runs /argosay, which is a file of an image",
}

_MESSAGE: Final = "the executor's exit code 64 and its message"
_CODE: Final = "{{steps.X.exitCode}} of a step that failed is not replaced"
_DEADLINE: Final = "the message of a pod whose deadline has passed"

OPEN: Final[dict[str, str]] = {
    "conditional-artifacts.yaml": _MESSAGE,
    "conditionals-complex.yaml": "chance, or a condition of several lines",
    "container-set-template/workspace-workflow.yaml": "outputs on a volume of a container set are not found",
    "cron-backfill.yaml#2": "a format of withSequence with text around the number is rejected",
    "custom-metrics.yaml": "chance, or the script's program",
    "dag-conditional-artifacts.yaml": _MESSAGE,
    "dag-task-level-timeout.yaml": _DEADLINE,
    "exit-code-output-variable.yaml": _CODE,
    "exit-handler-with-artifacts.yaml": "a reference to an artifact that is not there: Error, not Failed",
    "expression-destructure-json-complex.yaml": "a filter in a JSON path is not evaluated",
    "k8s-resource-log-selector.yaml": _MESSAGE,
    "loops-arbitrary-sequential-steps.yaml": "a group of steps that has failed early stays Running",
    "loops-param-argument.yaml": "the name of a step with items replaces the numbered name",
    "node-selector.yaml": "node selectors are ignored",
    "resource-flags.yaml": _MESSAGE,
    "retry-conditional.yaml": "tags in the expression of a retry strategy are rejected",
    "scripts-bash.yaml": "exit code 126",
    "step-level-timeout.yaml": _DEADLINE,
    "synchronization-tmpl-level.yaml": "the message of a semaphore whose ConfigMap is not there",
    "synchronization-wf-level.yaml": "the message of a semaphore whose ConfigMap is not there",
    "timeouts-workflow.yaml": _DEADLINE,
    "withsequence-nested-result.yaml": "nodes that Argo does not make",
}
"""What is to be fixed in the sandbox; an entry goes with its fix."""
