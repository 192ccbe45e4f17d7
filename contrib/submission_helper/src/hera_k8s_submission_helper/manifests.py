"""The Job of a command line: pod, resources, deadline and output."""

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
"""Label with the batch."""
NUMBER: Final = "submission-helper/number"
MAX_CONCURRENT: Final = "submission-helper/max-concurrent"
"""Annotation with the number of concurrent jobs of the batch; 0: no limit."""
DIGEST: Final = "hera-k8s-utils/digest"
COMPLETE: Final = ".complete"
"""The file in a job's output directory that marks success."""
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
"""The script for `bash -cl`: remove the mark of an earlier run, run the command line, mark its success."""


@dataclass(frozen=True)
class JobOptions:
    """Options of each job.

    ncores: CPU cores, requested and limited.
    memory: MB, requested and limited.
    minutes: time limit, all tries together; 24 hours if not positive.
    retries: retries of a failed job.
    max_concurrent: jobs that may run at a time; 0: no limit.
    output: directory on the claim, below the mount path.
    root: where the claim is mounted; empty: no claim.
    """

    ncores: int = 1
    memory: int = 4000
    minutes: float = -1
    retries: int = BACKOFF
    max_concurrent: int = 0
    output: str = "batchOutput"
    root: str = ""

    def __post_init__(self) -> None:
        """Raise `OptionsError` for invalid values."""
        for flag, value in (("--ncores", self.ncores), ("--memory", self.memory)):
            if value < 1:
                raise OptionsError(f"{flag} {value} cannot be used", found="it must be at least 1")
        if self.retries < 0:
            raise OptionsError(f"--retries {self.retries} cannot be used", found="it must be at least 0")
        if ".." in self.output.split("/") or not self.output.strip("/"):
            raise OptionsError(f"--output {self.output!r} cannot be used", found="it must be a directory on the claim")

    @property
    def deadline(self) -> int:
        """The time limit in seconds."""
        return max(1, round(self.minutes * 60)) if self.minutes > 0 else _DAY

    def directory(self, batch: Batch) -> str:
        """The output directory of a batch in the pod; empty without a claim."""
        return f"{self.root}/{self.output.strip('/')}/{batch.label}" if self.root else ""


def selector(identifier_label: str = "") -> str:
    """The label selector of all Jobs of this plugin, or of one batch."""
    return f"app={APP},{IDENTIFIER}={identifier_label}" if identifier_label else f"app={APP}"


@dataclass(frozen=True)
class JobFactory:
    """Creates the Jobs of a batch.

    batch: the command lines.
    options: options of each job.
    pod: pod template that the framework has completed and sites have amended.
    """

    batch: Batch
    options: JobOptions
    pod: Json = field(repr=False)

    def job(self, number: int) -> Json:
        """The Job of a command line; suspended if the number of concurrent jobs is limited."""
        labels = {"app": APP, IDENTIFIER: self.batch.label}
        pod = copy.deepcopy(self.pod)
        main = pod["containers"][0]
        main["command"] = ["bash", "-cl", escape_dollars(SCRIPT)]
        directory = self.options.directory(self.batch)
        variables = {
            "SUBMISSION_HELPER_COMMAND": self.batch.lines[number],
            "SUBMISSION_HELPER_NAME": self.batch.name(number),
            "SUBMISSION_HELPER_OUTPUT": f"{directory}/{number:05d}" if directory else "",
        }
        others = [each for each in main.get("env") or () if each["name"] not in variables]
        main["env"] = [*others, *({"name": name, "value": escape_dollars(text)} for name, text in variables.items())]
        annotations = {NUMBER: str(number), MAX_CONCURRENT: str(self.options.max_concurrent)}
        spec: Json = {
            "backoffLimit": self.options.retries,
            "activeDeadlineSeconds": self.options.deadline,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }
        digest = _digest(spec, self.batch.name(number))
        metadata = {"name": self.batch.name(number), "labels": {**labels, DIGEST: digest}, "annotations": annotations}
        if self.options.max_concurrent:
            spec["suspend"] = True
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def pod_of(environment: Environment, options: JobOptions) -> Json:
    """The pod of every job of a batch, without its command line."""
    amount = {"cpu": str(options.ncores), "memory": f"{options.memory}M"}
    pod: Json = environment.pod(
        command=["bash", "-cl", "true"],
        imagePullPolicy="Always",
        resources={"requests": dict(amount), "limits": dict(amount)},
    )
    return pod


def _digest(spec: Mapping[str, Any], name: str) -> str:
    """A digest of the Job's name and spec, without the limit on concurrent jobs."""
    text = json.dumps({"name": name, "spec": spec}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:40]
