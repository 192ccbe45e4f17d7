"""The options that say how a command line runs on this cluster; they may stand in `hera.config`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from hera_k8s_utils import OptionsError, option

DEFAULT_IMAGE: Final = "debian:stable-slim"
"""An image with bash, and with the usual tools beside it."""
DEFAULT_SECRET: Final = "sh-k8s-registry-secret"  # noqa: S105 - a name
_HOST: Final = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?"
_PART: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE: Final = re.compile(
    rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@[a-z0-9]+:[0-9a-fA-F]{{32,}})?"
)
"""An image's reference, as the distribution specification writes it."""
_WITHOUT_BASH: Final = re.compile(r"(^|/)(busybox|alpine|scratch|pause|distroless)\b|/distroless/")


@dataclass(frozen=True, kw_only=True)
class PodSettings:
    """Where command lines run: the image, what it is pulled with, the claim and its place."""

    prefix: ClassVar[str] = "k8s"

    image: str = option(DEFAULT_IMAGE, help="image that the command lines run in; it must have bash", metavar="IMAGE")
    registry_secret: str = option(
        DEFAULT_SECRET,
        help="secret that the image is pulled with; the default one only where it is there, '' for none",
        metavar="NAME",
    )
    volume_claim: str = option("ntuples-claim", help="claim that is mounted in every pod, '' for none", metavar="NAME")
    mount_path: str = option("/ntuples", help="where the claim is mounted", metavar="PATH")

    def __post_init__(self) -> None:
        """Raise `OptionsError` for what no pod could have."""
        if not _IMAGE.fullmatch(self.image):
            raise OptionsError(
                f"--k8s-image {self.image!r} is no image",
                found="its form is [HOST[:PORT]/]NAME[:TAG][@DIGEST], the name in lower-case letters",
                hint="--k8s-image registry.example/group/image:tag",
            )
        if self.volume_claim and (not self.mount_path.startswith("/") or set(self.mount_path) <= {"/"}):
            raise OptionsError(
                f"--k8s-mount-path {self.mount_path!r} cannot be used",
                found="an absolute path below the root is wanted",
                hint="--k8s-mount-path /ntuples",
            )
        if ":" in self.mount_path or ".." in self.mount_path.split("/"):
            raise OptionsError(
                f"--k8s-mount-path {self.mount_path!r} cannot be used", found="it holds a colon or two dots"
            )

    @property
    def root(self) -> str:
        """Where the claim is mounted, without a slash at the end."""
        return self.mount_path.rstrip("/")

    @property
    def lacks_bash(self) -> bool:
        """Whether the image is known to have no bash."""
        return _WITHOUT_BASH.search(self.image.partition("@")[0]) is not None
