"""Platforms: opened once, closed in reverse order, and each credential asked for once, by the name of who has it."""

from __future__ import annotations

import threading

import pytest

from hera_k8s_utils import (
    Context,
    Credential,
    CredentialError,
    CredentialProvider,
    NoCredential,
    NotApplicable,
    Platform,
    PluginError,
)
from hera_k8s_utils.config.options import SettingsOwner
from hera_k8s_utils.config.resolution import resolve
from hera_k8s_utils.config.settings import CoreSettings
from hera_k8s_utils.plugins.clients import PlatformKey
from hera_k8s_utils.plugins.platforms import PlatformRegistry


def made(providers: list[CredentialProvider], platforms: list[Platform] | None = None) -> Context:
    options = resolve([SettingsOwner(CoreSettings)], environ={})
    named = platforms or [Platform(name=name, open=lambda *_: object()) for name in ("kubernetes", "argo")]
    return Context(options, PlatformRegistry(named, providers, options))


def provider(load, *, name: str = "acme", target: str = "kubernetes") -> CredentialProvider:
    return CredentialProvider(name=name, target=target, load=load)


def test_a_platform_without_a_credential_asks_its_providers_once_and_says_each_once() -> None:
    asked = []

    def nothing(settings: None, context: Context) -> Credential:
        asked.append(1)
        raise NotApplicable("no badge was shown")

    context = made([provider(nothing)])
    assert [context.namespace, context.namespace] == ["default", "default"]
    with pytest.raises(NoCredential) as caught:
        _ = context.kubernetes
    assert str(caught.value).count("no badge was shown") == 1
    assert len(asked) == 1
    assert len(context.registry.trace) == 1


def test_a_provider_that_asks_for_its_own_platform_is_told_of_the_circle() -> None:
    context = made([provider(lambda settings, context: Credential(namespace=context.namespace))])
    with pytest.raises(CredentialError) as caught:
        _ = context.kubernetes
    assert "kubernetes -> kubernetes" in str(caught.value)


def test_credentials_that_need_each_other_are_named() -> None:
    context = made(
        [
            provider(lambda settings, context: Credential(secret=context.argo.token), target="kubernetes"),
            provider(lambda settings, context: Credential(secret=context.namespace), target="argo"),
        ]
    )
    with pytest.raises(CredentialError) as caught:
        _ = context.kubernetes
    assert "kubernetes -> argo -> kubernetes" in str(caught.value)


def test_a_platform_whose_code_breaks_is_named() -> None:
    def broken(*_: object) -> object:
        raise KeyError("gateway")

    context = made([provider(lambda *_: Credential())], [Platform(name="kubernetes", open=broken)])
    with pytest.raises(PluginError, match="platform kubernetes failed: KeyError: 'gateway'"):
        _ = context.kubernetes


def test_platforms_are_closed_the_last_first() -> None:
    closed: list[str] = []
    platforms = [
        Platform(name="base", open=lambda *_: "base client", close=closed.append),
        Platform(name="upper", open=lambda *_: "upper client", close=closed.append, needs=["base"]),
    ]
    context = made([provider(lambda *_: Credential(), target=name) for name in ("base", "upper")], platforms)
    assert context.platforms[PlatformKey[str]("upper")] == "upper client"
    context.registry.close()
    assert closed == ["upper client", "base client"]


def test_a_provider_that_hangs_does_not_keep_the_rest_from_being_closed() -> None:
    hanging, release, closed = threading.Event(), threading.Event(), threading.Event()

    def hang(settings: None, context: Context) -> Credential:
        hanging.set()
        release.wait(60)
        raise NotApplicable("given up")

    platforms = [
        Platform(name="good", open=lambda *_: "client", close=lambda _: closed.set()),
        Platform(name="bad", open=lambda *_: "client"),
    ]
    context = made([provider(lambda *_: Credential(), target="good"), provider(hang, target="bad")], platforms)
    _ = context.platforms[PlatformKey[str]("good")]

    def give_up() -> None:
        with pytest.raises(NoCredential):
            context.platforms.credential("bad")

    thread = threading.Thread(target=give_up, daemon=True)
    thread.start()
    assert hanging.wait(30)
    closing = threading.Thread(target=context.registry.close, daemon=True)
    closing.start()
    try:
        assert closed.wait(30)
        closing.join(30)
        assert not closing.is_alive()
    finally:
        release.set()
        thread.join(30)


def test_a_platform_that_replaces_another_keeps_its_activation_unless_it_declares_its_own() -> None:
    activated: list[str] = []
    argo = Platform(name="argo", open=lambda *_: object(), activate=lambda *_: activated.append("argo"))
    gateway = Platform(name="acme", open=lambda *_: object(), replaces="argo")
    own = Platform(name="acme", open=lambda *_: object(), replaces="argo", activate=lambda *_: activated.append("acme"))
    for platforms in ([argo], [argo, gateway], [argo, own]):
        context = made([], platforms)
        context.registry.activate("argo", context)
    assert activated == ["argo", "argo", "acme"]
