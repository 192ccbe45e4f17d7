"""Options as the fields of settings dataclasses: how they are declared, and what they came to in the end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final

MISSING: Final = dataclasses.MISSING
METADATA: Final = "hera_k8s_utils.option"


@dataclasses.dataclass(frozen=True)
class OptionInfo:
    """What `option` was told, kept in the metadata of the field."""

    help: str
    env: str | None
    aliases: tuple[str, ...]
    short: str | None
    metavar: str | None
    secret: bool
    choices: tuple[str, ...]
    selects: bool


def option(
    default: Any = MISSING,
    *,
    help: str,
    env: str | None = None,
    aliases: Sequence[str] = (),
    short: str | None = None,
    metavar: str | None = None,
    secret: bool = False,
    choices: Sequence[str] | None = None,
    selects: bool = False,
    factory: Callable[[], Any] | None = None,
) -> Any:
    """A field of a settings dataclass that is also a flag, a variable and a key of configuration files.

        @dataclass(frozen=True, kw_only=True)
        class Vault:
            prefix: ClassVar[str] = "vault"
            url: str = option("https://vault.acme.example", help="Vault that mints Kubernetes tokens")

    makes `--vault-url`, `HERA_K8S_VAULT_URL` and `vault_url = ...`. Types: str, int, float, bool (`--x`, `--no-x`),
    Path, any of these or None, and tuple[str, ...] (a flag that may be repeated, a list in a file).

    env: the variable, instead of `HERA_K8S_` and the flag's name.
    aliases: other flags, whole and without dashes in front (`argo_namespace`); keys in files too.
    short: one letter, for `-n`.
    secret: never shown; a warning when it stands on a command line or in a file that others may read.
    selects: setting it asks for the credential provider whose settings hold it.
    factory: makes the default, where that cannot be a constant.
    """
    info = OptionInfo(help, env, tuple(aliases), short, metavar, secret, tuple(choices or ()), selects)
    metadata = {METADATA: info}
    if factory is not None:
        return dataclasses.field(default_factory=factory, metadata=metadata, repr=not secret)
    if default is MISSING:
        return dataclasses.field(metadata=metadata, repr=not secret)
    return dataclasses.field(default=default, metadata=metadata, repr=not secret)
