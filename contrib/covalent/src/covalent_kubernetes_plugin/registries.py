"""Pull secrets: the login of an image's registry from a credentials file."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hera_k8s_utils import MIB, OptionsError, expand_path, parse_json, read_text

Json = dict[str, Any]


def docker_config(credentials_file: str, registry: str, region: str) -> Json | None:
    """The content of a pull secret; None without a file. May request a login of ECR from AWS.

    credentials_file: TOML with `username` and `password`, Docker's `config.json`, or for ECR an AWS credentials file.
    registry: registry of the image.
    region: region of ECR.

    Raises `OptionsError` for an unusable file.
    """
    if not credentials_file:
        return None
    path = expand_path(credentials_file)
    host = registry.partition("://")[2] or registry
    if host.endswith(".amazonaws.com"):
        return _auths(host, *_login_of_ecr(path, region))
    content = _content(path)
    if "auths" in content:
        return _of_docker(content, host, path)
    if not isinstance(content.get("username"), str) or not isinstance(content.get("password"), str):
        raise _unusable(path, "it holds neither username and password nor auths")
    if host in ("", "localhost"):
        raise OptionsError(
            "registry_credentials_file is set, and no registry that it is for",
            found=f"registry = {registry!r}",
            hint='registry = "registry.example.org"',
        )
    return _auths(host, content["username"], content["password"])


def _auths(host: str, username: str, password: str) -> Json:
    both = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
    return {"auths": {host: {"username": username, "password": password, "auth": both}}}


def _of_docker(content: Mapping[str, Any], host: str, path: Path) -> Json:
    """Of Docker's file the login of the one registry; all of them where none is named."""
    auths = content["auths"]
    if not isinstance(auths, dict) or not all(isinstance(each, dict) for each in auths.values()):
        raise _unusable(path, "its auths are no table")
    if host in ("", "localhost"):
        kept = auths
    else:
        kept = {name: auths[name] for name in auths if (name.partition("://")[2] or name).rstrip("/") == host}
    if not any(each.get("auth") or each.get("username") or each.get("identitytoken") for each in kept.values()):
        helper = " (logins in a credential helper cannot be read)" if content.get("credsStore") else ""
        raise _unusable(path, f"it holds no login of {host or 'any registry'}{helper}")
    return {"auths": kept}


def _content(path: Path) -> Mapping[str, Any]:
    import toml

    try:
        text = read_text(path, most=MIB)
    except OSError as error:
        raise _unusable(path, (error.strerror or str(error)).lower()) from None
    try:
        content: Any = parse_json(text) if text.lstrip().startswith("{") else toml.loads(text)
    except (ValueError, IndexError):  # toml raises the latter for some texts
        raise _unusable(path, "it is neither TOML nor JSON") from None
    if not isinstance(content, dict):
        raise _unusable(path, "it does not contain a table")
    return content


def _login_of_ecr(path: Path, region: str) -> tuple[str, str]:
    """A login from AWS, valid for twelve hours, which is enough to pull the image."""
    import botocore.exceptions
    import botocore.session

    if not path.is_file():
        raise _unusable(path, "no such file")
    session = botocore.session.Session()
    session.set_config_variable("credentials_file", str(path))
    try:
        client = session.create_client("ecr", region_name=region or None)
        (given,) = client.get_authorization_token()["authorizationData"]
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise OptionsError(
            "AWS provides no login of the registry",
            found=f"{type(error).__name__}: {error}",
            hint="region, and the credentials in registry_credentials_file",
        ) from None
    username, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
    return username, password


def _unusable(path: Path, found: str) -> OptionsError:
    return OptionsError(f"registry_credentials_file {path} cannot be used", found=found)
