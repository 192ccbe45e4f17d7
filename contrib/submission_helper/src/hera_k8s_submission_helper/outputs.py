"""Which command lines have their output already, as the cluster sees it: one Job looks at the claim, and tells."""

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

PATIENCE: Final = 600.0
"""Seconds that the look may take, an image that must be pulled included."""
_FOUND: Final = "complete "
_END: Final = "that is all"
_LOOK: Final = f"""cd "$SUBMISSION_HELPER_DIRECTORY" 2>/dev/null || {{ echo '{_END}'; exit 0; }}
for each in */
do
  test ! -e "$each{COMPLETE}" || echo "{_FOUND}${{each%/}}"
done
echo '{_END}'
"""


@dataclass(frozen=True)
class ExistingOutputs:
    """The numbers of the command lines whose output is there, of so many."""

    numbers: frozenset[int]
    total: int

    @property
    def missing(self) -> list[int]:
        """The numbers of the others."""
        return [number for number in range(self.total) if number not in self.numbers]

    def sentence(self) -> str:
        """`12 of 200 outputs there (6 %), 188 missing`."""
        there = self.total - len(self.missing)
        share = f" ({100 * there // self.total} %)" if self.total else ""
        are, missing = ("is" if self.total == 1 else "are"), len(self.missing)
        return (
            f"{there} of {self.total} outputs {are} there{share}, {missing} {'is' if missing == 1 else 'are'} missing"
        )


def look(jobs: Jobs, maker: JobFactory) -> ExistingOutputs:
    """Ask the claim. Raises `OptionsError` without one, and `HeraK8sError` when the look itself fails."""
    directory = maker.wishes.directory(maker.batch)
    if not directory:
        raise OptionsError("--checkmissing needs a claim", found="--k8s-volume-claim is empty: nothing keeps outputs")
    name = f"{maker.batch.name(0)[:-6][:50].rstrip('-')}-look-{secrets.token_hex(4)}"
    try:
        jobs.submit(_job(maker, name, directory))
        found = jobs.wait(name, timeout=PATIENCE)
        printed = [line.text for line in jobs.logs(name)]
    finally:
        with suppress(PlatformError):  # it deletes itself an hour after its end
            jobs.cancel(name)
    if found.phase != "Succeeded" or _END not in printed:
        raise HeraK8sError(
            f"the outputs of {maker.batch.identifier} could not be looked at",
            found=found.message or (printed[-1] if printed else "the Job that looks printed nothing"),
            hint="nothing was submitted; without --checkmissing every line without a Job is",
        )
    told = [line.removeprefix(_FOUND) for line in printed if line.startswith(_FOUND)]
    return ExistingOutputs(frozenset(int(text) for text in told if text.isdecimal()), len(maker.batch.lines))


def _job(maker: JobFactory, name: str, directory: str) -> Json:
    job = maker.job(0)
    pod = job["spec"]["template"]["spec"]
    main = pod["containers"][0]
    small = {"cpu": "100m", "memory": "64Mi"}
    main.update(
        command=["bash", "-c", escape_dollars(_LOOK)],
        env=[{"name": "SUBMISSION_HELPER_DIRECTORY", "value": escape_dollars(directory)}],
        resources={"requests": small, "limits": {"memory": "256Mi"}},
    )
    labels = {"app": f"{APP}-look", IDENTIFIER: maker.batch.label}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"backoffLimit": 2, "activeDeadlineSeconds": int(PATIENCE), "ttlSecondsAfterFinished": 3600}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {**spec, "template": template},
    }


def make_room(jobs: Jobs, batch: Batch, missing: Collection[int], there: Mapping[str, Job]) -> list[int]:
    """The missing ones that are to be submitted: not those under way. Jobs that are over are deleted for them first."""
    wanted = [n for n in missing if batch.name(n) not in there or there[batch.name(n)].over]
    over = [batch.name(n) for n in wanted if batch.name(n) in there]
    for name in over:
        jobs.cancel(name)
    for name in over:
        jobs.wait_gone(name, timeout=PATIENCE)
    return wanted
