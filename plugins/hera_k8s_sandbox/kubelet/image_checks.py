"""Whether the sandbox can run the images of an experiment, which is known before anything is submitted."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hera_k8s_sandbox.kubelet.images import SYSTEM_PATH, Images, pull_error
from hera_k8s_utils import CheckResult, Finding, Json, Verdict, fail, warn
from hera_k8s_utils.experiment import ContainerUse, Manifest

_HINT: Final = (
    "map it to commands of this machine: --sandbox-images FILE (end a sandbox that runs without it: "
    "hera-k8s sandbox --stop)"
)


def image_findings(images: Images, manifest: Manifest, *, hint: str = _HINT) -> Iterator[Finding]:
    """One finding for each image that does not run as it is, or runs with other programs than its own."""
    found: dict[str, CheckResult] = {}
    for use in manifest.containers():
        for image in manifest.names(use.template, str(use.container.get("image") or ""), use.template):
            if isinstance(image, str) and image:
                result = _result(images, image, use, hint)
                if result is not None and (image not in found or result.verdict is Verdict.FAILED):
                    found[image] = result
    yield from (Finding(f"image {image}", result) for image, result in found.items())


def _result(images: Images, image: str, use: ContainerUse, hint: str) -> CheckResult | None:
    refused = pull_error(image)
    if refused:
        return fail(refused)
    row = images.find(image)
    words = use.container.get("command") or (row.command if row is not None else ())
    if not words:
        return fail(f"the sandbox does not know it, and template {use.template} has no `command`", hint=hint)
    program = str(words[0])
    if program not in images.commands(image) and not _is_there(program, use.container):
        return fail(f"the sandbox pulls no images, and this machine has no {program}", hint=hint)
    if row is None:
        return warn(f"the sandbox pulls no images: {program} is that of this machine", hint=hint)
    return None


def _is_there(program: str, container: Json) -> bool:
    """Whether a program is on this machine, or may come from a volume or be found by means of the container's own."""
    if "{{" in program or "$(" in program or any(each.get("name") == "PATH" for each in container.get("env") or ()):
        return True
    if "/" in program:
        mounts = [str(each.get("mountPath")) for each in container.get("volumeMounts") or ()]
        return any(Path(program).is_relative_to(mount) for mount in mounts) or os.access(program, os.X_OK)
    return shutil.which(program, path=f"{Path(sys.executable).parent}:{SYSTEM_PATH}") is not None
