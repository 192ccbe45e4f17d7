"""Keys of the labels and annotations that the framework puts on objects: each is written here and nowhere else."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "hera-k8s-utils/"
"""What all of them begin with."""

# --- every run -------------------------------------------------------------------------------------------------

DIGEST_LABEL: Final = f"{PREFIX}digest"
"""The beginning of the manifest's digest, by which a lost submission is recognised."""
RUN_LABEL: Final = f"{PREFIX}run"
"""The run's id."""
EXPERIMENT_LABEL: Final = f"{PREFIX}experiment"
"""The experiment's name, also on what `hera-k8s provision` creates."""

# --- runs of Jobs ----------------------------------------------------------------------------------------------

JOBS_LABEL: Final = f"{PREFIX}jobs"
"""The run that a Job, its pods and its config maps belong to."""
TASK_LABEL: Final = f"{PREFIX}task"
"""The task that a Job does."""
JOB_COUNT_ANNOTATION: Final = f"{PREFIX}number-of-jobs"
"""How many Jobs the run has, on each of them."""
POINTS_LABEL: Final = f"{PREFIX}points"
"""Label of the config maps that hold points; as an annotation of Jobs, the names of the sweep's parameters."""
POINT_ANNOTATION: Final = f"{PREFIX}point"
"""The arguments of a Job that does one point, as JSON."""
STOPPED_ANNOTATION: Final = f"{PREFIX}stopped"
"""Marks a Job that was stopped by hand, so that its exceeded deadline is not reported as a failure."""

# --- the sandbox -----------------------------------------------------------------------------------------------

LOCAL_PATH_ANNOTATION: Final = f"{PREFIX}local-path"
"""The directory on this machine that holds a claim's contents."""

# --- Kubernetes' own -------------------------------------------------------------------------------------------

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
"""Kubernetes' own label for the tool that manages an object."""
MANAGER: Final = "hera-k8s-utils"
"""The value of `MANAGED_BY`, and the field manager of server-side apply."""
