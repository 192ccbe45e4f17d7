"""Labels of the objects that the framework creates and submits."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "hera-k8s-utils/"
"""Prefix of the framework's own labels."""
EXPERIMENT_LABEL: Final = f"{PREFIX}experiment"
"""The name of the experiment."""
RUN_LABEL: Final = f"{PREFIX}run"
"""The id of the run."""
DIGEST_LABEL: Final = f"{PREFIX}digest"
"""The beginning of the manifest's digest, by which a lost submission is recognised."""

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
"""Kubernetes' own label for the tool that manages an object."""
MANAGER: Final = "hera-k8s-utils"
"""The value of `MANAGED_BY`, and the field manager of server-side apply."""
