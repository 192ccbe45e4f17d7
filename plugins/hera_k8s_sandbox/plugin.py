"""The sandbox as a plugin: `--sandbox` opens both platforms on it, `hera-k8s sandbox` keeps one running."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hera_k8s_sandbox.server.command import COMMAND
from hera_k8s_sandbox.settings import SandboxSettings
from hera_k8s_utils import (
    Command,
    Context,
    Credential,
    CredentialError,
    CredentialProvider,
    Finding,
    NotApplicable,
    hookimpl,
    warn,
)

if TYPE_CHECKING:
    from hera_k8s_sandbox.server.launch import Address

UNTIL_IDLE: Final = 600.0  # seconds without use after which a server that `--sandbox` started exits
IDENTITY: Final = "sandbox-admin"


def credential(settings: SandboxSettings, context: Context) -> Credential:
    """The administrator of the sandbox, which is started when it does not run."""
    if not settings.sandbox:
        raise NotApplicable("--sandbox was not given")
    address = _running(settings)
    return Credential(
        server=address.url,
        secret=address.token,
        identity=IDENTITY,
        namespace="default",
        source=f"sandbox {settings.sandbox_dir}",
        auto_provision=True,
    )


def inspecting_credential(settings: SandboxSettings, context: Context) -> Credential:
    """The same, which also finds images that the sandbox cannot run."""
    return replace(credential(settings, context), inspect=partial(_inspect, settings.sandbox_dir))


def _inspect(directory: Path, context: Context) -> Iterator[Finding]:
    """What the running server would make of the experiment's images. directory: its state."""
    from hera_k8s_sandbox.kubelet.image_checks import image_findings
    from hera_k8s_sandbox.server.launch import LaunchError, find

    address = find(directory.resolve())
    if context.experiment is None or address is None:
        return
    try:
        yield from image_findings(address.assess_images, context.experiment.manifest)
    except LaunchError as error:
        yield Finding("images", warn(f"they are not checked: {error}", hint="hera-k8s sandbox --stop"))


@hookimpl
def credential_providers() -> Iterator[CredentialProvider]:
    """One for each platform: a single server is both."""
    for target, load in (("kubernetes", inspecting_credential), ("argo", credential)):
        yield CredentialProvider(name="sandbox", target=target, load=load, settings=SandboxSettings)


@hookimpl
def commands() -> Iterator[Command]:
    """`hera-k8s sandbox`."""
    yield COMMAND


def _running(settings: SandboxSettings) -> Address:
    from hera_k8s_sandbox.server.launch import LaunchError, ensure_running

    if os.name != "posix":
        raise CredentialError(
            "the sandbox cannot be started", found=f"it needs Linux or macOS, this is {os.name}", hint="set KUBECONFIG"
        )
    try:
        return ensure_running(
            settings.sandbox_dir,
            until_idle=UNTIL_IDLE,
            concurrency=settings.sandbox_tasks,
            images=settings.sandbox_images.resolve() if settings.sandbox_images else None,
            runner=settings.sandbox_mounts,
        )
    except (LaunchError, OSError) as error:
        raise CredentialError(
            "the sandbox cannot be started", found=str(error), hint="hera-k8s sandbox --sandbox-dir DIR"
        ) from error
