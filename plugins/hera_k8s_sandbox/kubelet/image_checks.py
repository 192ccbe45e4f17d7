"""Whether the sandbox can run the images of an experiment, which is known before anything is submitted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from hera_k8s_sandbox.kubelet.images import HINT, pull_error
from hera_k8s_sandbox.kubelet.mounts import SCRIPT
from hera_k8s_utils import CheckResult, Finding, Json, Verdict, fail, warn
from hera_k8s_utils.experiment import ContainerUse, Manifest

_HINT: Final = "map it with --sandbox-images FILE, after hera-k8s sandbox --stop"


def image_findings(assess: Callable[[list[Json]], list[Json]], manifest: Manifest) -> Iterator[Finding]:
    """One finding for each image that does not run as it is, or runs with other programs than its own.

    assess: the running server's answer about containers, see `server.image_routes`.
    """
    asked = [
        (use.template, _container(use, image))
        for use in manifest.containers()
        for image in manifest.names(use.template, str(use.container.get("image") or ""), use.template)
        if isinstance(image, str) and image
    ]
    found: dict[str, CheckResult] = {}
    answers = assess([container for _, container in asked]) if asked else ()
    for (template, container), answer in zip(asked, answers, strict=True):
        image, result = container["image"], _result(template, container, answer)
        if result is not None and (image not in found or result.verdict is Verdict.FAILED):
            found[image] = result
    yield from (Finding(f"image {image}", result) for image, result in found.items())


def _container(use: ContainerUse, image: str) -> Json:
    """What the server needs of a container; values of variables, which may be secret, stay here."""
    words = {field: [str(each) for each in use.container.get(field) or ()] for field in ("command", "args")}
    mounts = [str(mount.get("mountPath") or "/") for mount in use.container.get("volumeMounts") or ()]
    if use.kind == "script":
        words["args"].append(SCRIPT)
        mounts.append(SCRIPT)
    return {
        "image": image,
        **words,
        "workingDir": str(use.container.get("workingDir") or ""),
        "volumeMounts": [{"mountPath": mount} for mount in mounts],
        "env": [{"name": str(each.get("name") or "")} for each in use.container.get("env") or ()],
    }


def _result(template: str, container: Json, answer: Json) -> CheckResult | None:
    if answer["problem"]:
        problem = answer["problem"].removesuffix(f" ({HINT})")
        return fail(f"template {template}: {problem}", hint="" if pull_error(container["image"]) else _HINT)
    if not answer["known"]:
        program = next(iter(container["command"]), "the program")
        return warn(f"the sandbox pulls no images: {program} is that of this machine", hint=_HINT)
    return None
