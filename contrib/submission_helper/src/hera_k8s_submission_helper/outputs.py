"""Which command lines already have output: a short Job lists the claim."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from hera_k8s_kube.jobs import Job, Jobs, escape_dollars
from hera_k8s_submission_helper.command_lines import Batch
from hera_k8s_submission_helper.manifests import APP, COMPLETE, IDENTIFIER, JobFactory
from hera_k8s_utils import HeraK8sError, Json, OptionsError, PlatformError

TIMEOUT: Final = 600.0
"""Seconds for that Job, including pulling its image."""
_COMPLETE_PREFIX: Final = "complete "
_END_LINE: Final = "that is all"
_LIST_SCRIPT: Final = f"""cd "$SUBMISSION_HELPER_DIRECTORY" 2>/dev/null || {{ echo '{_END_LINE}'; exit 0; }}
for each in */
do
  test ! -e "$each{COMPLETE}" || echo "{_COMPLETE_PREFIX}${{each%/}}"
done
echo '{_END_LINE}'
"""


@dataclass(frozen=True)
class ExistingOutputs:
    """The command lines whose output exists.

    numbers: their numbers.
    total: number of all command lines.
    """

    numbers: frozenset[int]
    total: int

    @property
    def missing(self) -> list[int]:
        """The numbers of the other lines."""
        return [number for number in range(self.total) if number not in self.numbers]

    def describe(self) -> str:
        """`12 of 200 outputs exist (6 %), 188 are missing`."""
        existing = self.total - len(self.missing)
        share = f" ({100 * existing // self.total} %)" if self.total else ""
        exist, missing = ("exists" if self.total == 1 else "exist"), len(self.missing)
        return f"{existing} of {self.total} outputs {exist}{share}, {missing} {'is' if missing == 1 else 'are'} missing"


def find_existing(jobs: Jobs, factory: JobFactory) -> ExistingOutputs:
    """List the outputs on the claim. Raises `OptionsError` without a claim, and `HeraK8sError` if the Job fails."""
    directory = factory.options.directory(factory.batch)
    if not directory:
        raise OptionsError(
            "--checkmissing needs a claim", found="--k8s-volume-claim is empty, so outputs are not stored"
        )
    name = f"{factory.batch.name(0)[:-6][:50].rstrip('-')}-look-{secrets.token_hex(4)}"
    try:
        jobs.submit(_job(factory, name, directory))
        job = jobs.wait(name, timeout=TIMEOUT)
        printed = [line.text for line in jobs.logs(name)]
    finally:
        with suppress(PlatformError):  # its TTL of an hour removes it
            jobs.cancel(name)
    if job.phase != "Succeeded" or _END_LINE not in printed:
        raise HeraK8sError(
            f"the outputs of {factory.batch.identifier} could not be listed",
            found=job.message or (printed[-1] if printed else "the Job that lists them printed nothing"),
            hint="nothing was submitted; without --checkmissing, every line without a Job is submitted",
        )
    numbers = [line.removeprefix(_COMPLETE_PREFIX) for line in printed if line.startswith(_COMPLETE_PREFIX)]
    return ExistingOutputs(frozenset(int(text) for text in numbers if text.isdecimal()), len(factory.batch.lines))


def _job(factory: JobFactory, name: str, directory: str) -> Json:
    job = factory.job(0)
    pod = job["spec"]["template"]["spec"]
    main = pod["containers"][0]
    small = {"cpu": "100m", "memory": "64Mi"}
    main.update(
        command=["bash", "-c", escape_dollars(_LIST_SCRIPT)],
        env=[{"name": "SUBMISSION_HELPER_DIRECTORY", "value": escape_dollars(directory)}],
        resources={"requests": small, "limits": {"memory": "256Mi"}},
    )
    labels = {"app": f"{APP}-look", IDENTIFIER: factory.batch.label}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"backoffLimit": 2, "activeDeadlineSeconds": int(TIMEOUT), "ttlSecondsAfterFinished": 3600}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {**spec, "template": template},
    }


def clear_finished(jobs: Jobs, batch: Batch, missing: Collection[int], existing: Mapping[str, Job]) -> list[int]:
    """The missing lines to submit, without those that are running. Their finished jobs are deleted first."""
    to_submit = [n for n in missing if batch.name(n) not in existing or existing[batch.name(n)].over]
    finished = [batch.name(n) for n in to_submit if batch.name(n) in existing]
    for name in finished:
        jobs.cancel(name)
    for name in finished:
        jobs.wait_gone(name, timeout=TIMEOUT)
    return to_submit
