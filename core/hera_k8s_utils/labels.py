"""Labels that the framework puts on what it submits."""

from __future__ import annotations

from typing import Final

DIGEST_LABEL: Final = "hera-k8s-utils/digest"
