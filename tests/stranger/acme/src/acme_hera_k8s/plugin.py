"""The site ACME: a quota to check, a vault that gives tokens, a layout by group, and defaults for everyone."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from hera_k8s_utils import (
    CheckResult,
    Context,
    Credential,
    CredentialProvider,
    LayoutStrategy,
    NotApplicable,
    Requirement,
    ResourceChecker,
    Site,
    fail,
    hookimpl,
    ok,
    option,
)

hera_k8s_hook_api = (1, 0)


@dataclass(frozen=True)
class Quota(Requirement):
    """Room for some pods, as the group's config map `quota` says."""

    kind: ClassVar[str] = "Quota"
    word: ClassVar[str] = "quota"
    role: str = "team"
    pods: int = field(default=1, kw_only=True)


@dataclass(frozen=True, kw_only=True)
class Limits:
    prefix: ClassVar[str] = "acme"
    reserve: int = option(0, help="pods to leave to others")


def check_quota(settings: Limits, context: Context, wanted: Quota) -> CheckResult:
    left = int(context.kubernetes.get("v1", "configmaps", "quota")["data"]["pods"]) - settings.reserve
    if left < wanted.pods:
        return fail(f"{left} pods left, {wanted.pods} wanted", hint="ask the ACME help desk")
    return ok(f"{left} pods left")


@dataclass(frozen=True, kw_only=True)
class Vault:
    prefix: ClassVar[str] = "acme"
    server: str = option("", help="address of the cluster")
    token_file: str = option("", help="file that the vault's agent keeps a token in", selects=True)


def token_from_vault(settings: Vault, context: Context) -> Credential:
    if not settings.token_file:
        raise NotApplicable("no --acme-token-file")
    token = Path(settings.token_file).read_text().strip()
    return Credential(secret=token, server=settings.server, namespace="default", source="vault")


class ByGroup:
    """Directories under the group's name, then one for each point."""

    def __init__(self, inputs):
        self._points = {f"acme/{number}": point for number, point in enumerate(inputs)}
        self._names = {point: path for path, point in self._points.items()}

    def encode(self, point):
        return self._names[point]

    def decode(self, path):
        return dict(self._points[path])


def add_toleration(manifest, context):
    return manifest.with_spec({"tolerations": [{"key": "acme", "operator": "Exists"}]})


@hookimpl
def resource_checkers():
    yield ResourceChecker(kind="Quota", requirement=Quota, check=check_quota, settings=Limits)


@hookimpl
def credential_providers():
    yield CredentialProvider(name="acme-vault", target="kubernetes", load=token_from_vault, settings=Vault, priority=60)


@hookimpl
def layout_strategies():
    yield LayoutStrategy(name="by-group", build=lambda settings, inputs, argument: ByGroup(inputs))


@hookimpl
def sites():
    yield Site(name="acme", requires=[Quota()], amend=add_toleration, defaults={"registry": "harbor.acme.example"})


@hookimpl
def on_event(event):
    if "ACME_EVENTS" in os.environ:
        with open(os.environ["ACME_EVENTS"], "a") as file:
            file.write(event.name + "\n")
