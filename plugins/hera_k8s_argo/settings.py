"""The options of the Argo server, under the names that Argo's own command line gives them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hera_k8s_argo.address import Address, parse_address
from hera_k8s_utils import option


@dataclass(frozen=True, kw_only=True)
class ArgoSettings:
    """The Argo server's address, and how to authenticate."""

    prefix: ClassVar[str] = "argo"

    server: str = option(
        "", help="Argo server: HOST:PORT or a full URL", env="ARGO_SERVER", metavar="ADDRESS", address=True
    )
    token: str = option(
        "",
        help="token for the Argo server, with or without `Bearer`",
        env="ARGO_TOKEN",
        metavar="TOKEN",
        secret=True,
        selects_provider=True,
    )
    token_file: Path | None = option(
        None,
        help="file that holds the token; read again when the token is refused",
        metavar="FILE",
        selects_provider=True,
    )
    anonymous: bool = option(
        False, help="send no token: the server uses its own account (auth mode `server`)", selects_provider=True
    )
    secure: bool = option(True, help="use TLS when the address has no http:// or https://", env="ARGO_SECURE")
    base_href: str = option("", help="base path of the server", env="ARGO_BASE_HREF", metavar="/PATH")
    insecure_skip_verify: bool = option(
        False, help="do not verify the server's certificate", env="ARGO_INSECURE_SKIP_VERIFY"
    )
    instanceid: str = option("", help="instance of the workflow controller to use", env="ARGO_INSTANCEID", metavar="ID")

    @property
    def address(self) -> Address | None:
        """The server's address, None when none is named; raises `OptionsError` when it cannot be one."""
        if not self.server.strip():
            return None
        return parse_address(self.server, secure=self.secure, base_href=self.base_href)
