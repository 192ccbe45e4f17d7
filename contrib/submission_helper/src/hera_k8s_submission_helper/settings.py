"""The options of the pods; they may be set in `hera.config`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from hera_k8s_utils import OptionsError, option

DEFAULT_IMAGE: Final = "debian:stable-slim"
"""An image with bash and the usual tools."""
DEFAULT_SECRET: Final = "sh-k8s-registry-secret"  # noqa: S105 - a name
_HOST: Final = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?"
_PART: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE: Final = re.compile(
    rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@[a-z0-9]+:[0-9a-fA-F]{{32,}})?"
)
"""An image reference, by the OCI distribution specification."""
_WITHOUT_BASH: Final = re.compile(r"(^|/)(busybox|alpine|scratch|pause|distroless)\b|/distroless/")


@dataclass(frozen=True, kw_only=True)
class PodSettings:
    """Options of the pods that run command lines.

    image: image with bash.
    registry_secret: pull secret; the default one is used only if it exists; empty: none.
    volume_claim: claim mounted in every pod; empty: none.
    mount_path: where the claim is mounted.
    """

    prefix: ClassVar[str] = "k8s"

    image: str = option(DEFAULT_IMAGE, help="image that runs the command lines; it must have bash", metavar="IMAGE")
    registry_secret: str = option(
        DEFAULT_SECRET,
        help="pull secret of the image; the default one is used only if it exists; '' for none",
        metavar="NAME",
    )
    volume_claim: str = option("ntuples-claim", help="claim mounted in every pod; '' for none", metavar="NAME")
    mount_path: str = option("/ntuples", help="where the claim is mounted", metavar="PATH")

    def __post_init__(self) -> None:
        """Raise `OptionsError` for invalid values."""
        if not _IMAGE.fullmatch(self.image):
            raise OptionsError(
                f"--k8s-image {self.image!r} is not an image",
                found="the form is [HOST[:PORT]/]NAME[:TAG][@DIGEST], the name in lower-case letters",
                hint="--k8s-image registry.example/group/image:tag",
            )
        if self.volume_claim and (not self.mount_path.startswith("/") or set(self.mount_path) <= {"/"}):
            raise OptionsError(
                f"--k8s-mount-path {self.mount_path!r} cannot be used",
                found="it must be an absolute path below /",
                hint="--k8s-mount-path /ntuples",
            )
        if ":" in self.mount_path or ".." in self.mount_path.split("/"):
            raise OptionsError(
                f"--k8s-mount-path {self.mount_path!r} cannot be used", found="it contains a colon or .."
            )

    @property
    def root(self) -> str:
        """Where the claim is mounted, without a trailing slash."""
        return self.mount_path.rstrip("/")

    @property
    def lacks_bash(self) -> bool:
        """Whether the image is known to have no bash."""
        return _WITHOUT_BASH.search(self.image.partition("@")[0]) is not None
