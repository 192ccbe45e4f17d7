"""The Job of a command line: its pod, its resources, its deadline, its output."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hera_k8s_kube.jobs import escape_dollars
from hera_k8s_submission_helper.command_lines import Batch
from hera_k8s_utils import Environment, Json, OptionsError

APP: Final = "submission-helper"
IDENTIFIER: Final = "identifier"
"""The label that names the batch."""
NUMBER: Final = "submission-helper/number"
AT_ONCE: Final = "submission-helper/max-concurrent"
"""Annotation: how many jobs of the batch may run at a time; 0 for no limit."""
DIGEST: Final = "hera-k8s-utils/digest"
COMPLETE: Final = ".complete"
"""The file in a job's output directory that says that its command ended well."""
BACKOFF: Final = 3
_DAY: Final = 24 * 3600

SCRIPT: Final = f"""if test -n "$SUBMISSION_HELPER_OUTPUT"
then
  mkdir -p "$SUBMISSION_HELPER_OUTPUT" 2>/dev/null
  rm -f "$SUBMISSION_HELPER_OUTPUT/{COMPLETE}" || {{
    echo "submission-helper: $SUBMISSION_HELPER_OUTPUT/{COMPLETE} of an earlier run cannot be removed:" \
      "--checkmissing would call the output complete, so nothing was run" >&2
    exit 1
  }}
fi
(
eval "$SUBMISSION_HELPER_COMMAND"
)
status=$?
if test $status -eq 0 && test -n "$SUBMISSION_HELPER_OUTPUT"
then
  {{ : > "$SUBMISSION_HELPER_OUTPUT/{COMPLETE}"; }} 2>/dev/null ||
    echo "submission-helper: $SUBMISSION_HELPER_OUTPUT cannot be written: --checkmissing will call it missing" >&2
fi
exit $status
"""
"""What `bash -cl` runs: the command line, and a note that it ended well; that of an earlier run goes first."""


@dataclass(frozen=True)
class JobOptions:
    """What each job may use.

    ncores: cores. memory: MB. minutes: of all its tries, 24 hours when it is not positive. retries: after the first.
    at_once: jobs that may run at a time; 0 for no limit. output: directory on the claim, below the mount path.
    root: where the claim is mounted; empty for none.
    """

    ncores: int = 1
    memory: int = 4000
    minutes: float = -1
    retries: int = BACKOFF
    at_once: int = 0
    output: str = "batchOutput"
    root: str = ""

    def __post_init__(self) -> None:
        """Raise `OptionsError` for what no pod can have."""
        for flag, value in (("--ncores", self.ncores), ("--memory", self.memory)):
            if value < 1:
                raise OptionsError(f"{flag} {value} cannot be used", found="at least 1 is wanted")
        if self.retries < 0:
            raise OptionsError(f"--retries {self.retries} cannot be used", found="0 or more is wanted")
        if ".." in self.output.split("/") or not self.output.strip("/"):
            raise OptionsError(f"--output {self.output!r} cannot be used", found="a directory on the claim is wanted")

    @property
    def deadline(self) -> int:
        """Seconds that a job may take."""
        return max(1, round(self.minutes * 60)) if self.minutes > 0 else _DAY

    def directory(self, batch: Batch) -> str:
        """The directory in the pod below which each job of a batch has its own; empty without a claim."""
        return f"{self.root}/{self.output.strip('/')}/{batch.label}" if self.root else ""


def selector(identifier_label: str = "") -> str:
    """Which Jobs are ours, or those of one batch."""
    return f"app={APP},{IDENTIFIER}={identifier_label}" if identifier_label else f"app={APP}"


@dataclass(frozen=True)
class JobFactory:
    """Makes the Jobs of a batch from one that went through the framework, which completed and amended it."""

    batch: Batch
    wishes: JobOptions
    pod: Json = field(repr=False)

    def job(self, number: int) -> Json:
        """The Job of one command line; suspended where only so many may run at a time."""
        labels = {"app": APP, IDENTIFIER: self.batch.label}
        pod = copy.deepcopy(self.pod)
        main = pod["containers"][0]
        main["command"] = ["bash", "-cl", escape_dollars(SCRIPT)]
        directory = self.wishes.directory(self.batch)
        variables = {
            "SUBMISSION_HELPER_COMMAND": self.batch.lines[number],
            "SUBMISSION_HELPER_NAME": self.batch.name(number),
            "SUBMISSION_HELPER_OUTPUT": f"{directory}/{number:05d}" if directory else "",
        }
        kept = [each for each in main.get("env") or () if each["name"] not in variables]
        main["env"] = [*kept, *({"name": name, "value": escape_dollars(text)} for name, text in variables.items())]
        annotations = {NUMBER: str(number), AT_ONCE: str(self.wishes.at_once)}
        spec: Json = {
            "backoffLimit": self.wishes.retries,
            "activeDeadlineSeconds": self.wishes.deadline,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }
        digest = _digest(spec, self.batch.name(number))
        metadata = {"name": self.batch.name(number), "labels": {**labels, DIGEST: digest}, "annotations": annotations}
        if self.wishes.at_once:
            spec["suspend"] = True
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def pod_of(environment: Environment, wishes: JobOptions) -> Json:
    """The pod that every job of a batch has, but for its command line."""
    amount = {"cpu": str(wishes.ncores), "memory": f"{wishes.memory}M"}
    pod: Json = environment.pod(
        command=["bash", "-cl", "true"],
        imagePullPolicy="Always",
        resources={"requests": dict(amount), "limits": dict(amount)},
    )
    return pod


def _digest(spec: Mapping[str, Any], name: str) -> str:
    """What tells this Job from another under its name; how many run at a time does not."""
    text = json.dumps({"name": name, "spec": spec}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:40]
