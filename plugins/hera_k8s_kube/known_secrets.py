"""The secrets of a kubeconfig's user and of an exec plugin's answer, remembered before anything can go wrong."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hera_k8s_utils.redaction import register_secrets

_NAME: Final = re.compile(r"(?i)token|secret|password|passwd|credential|(?:api|access|private|signing)[_-]?key")
"""Names of variables and of settings whose values are secrets."""
_FLAG: Final = re.compile(r"(?i)--?[a-z-]*(?:token|secret|password|key)(?:=(.+))?")


def remember_user(user: Mapping[str, Any]) -> None:
    """Redact the secrets of a kubeconfig's user from now on: its token, password, key, provider and exec plugin."""
    name, password = str(user.get("username") or ""), str(user.get("password") or "")
    register_secrets([str(user.get("token") or ""), password])
    if name and password:
        register_secrets([f"{name}:{password}"])  # as a header of basic authentication holds them, in base64
    remember_key(str(user.get("client-key-data") or ""))
    provider = user.get("auth-provider")
    settings = provider.get("config") if isinstance(provider, dict) else None
    if isinstance(settings, dict):
        register_secrets(str(value) for key, value in settings.items() if value and _NAME.search(str(key)))
    if isinstance(user.get("exec"), dict):
        register_secrets(_secrets_of_plugin(user["exec"]))


def remember_answer(status: Mapping[str, Any]) -> None:
    """Redact the token and the key that an exec plugin gave from now on."""
    register_secrets([str(status.get("token") or "")])
    remember_key(str(status.get("clientKeyData") or ""))


def remember_key(text: str) -> None:
    """Redact a private key from now on, in PEM form or as the base64 of it that a kubeconfig holds."""
    register_secrets([text])
    try:
        register_secrets([base64.b64decode(text, validate=True).decode()])
    except ValueError:
        return


def _secrets_of_plugin(spec: Mapping[str, Any]) -> Iterator[str]:
    for each in spec.get("env") or ():
        if isinstance(each, dict) and each.get("value") and _NAME.search(str(each.get("name"))):
            yield str(each["value"])
    arguments = spec.get("args")
    words = [str(word) for word in arguments] if isinstance(arguments, list) else []
    for word, following in zip(words, [*words, ""][1:], strict=True):
        flag = _FLAG.fullmatch(word)
        if flag is not None:
            yield flag[1] or following
