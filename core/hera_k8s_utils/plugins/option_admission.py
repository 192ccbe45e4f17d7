"""Options of `./hera.config` that say where secrets go, or which program runs: reported once, or refused.

The file may have come with a repository or an archive. The platform or credential provider that uses such an option
therefore passes it to `admit` first.
"""

from __future__ import annotations

import logging
import shlex
from typing import TYPE_CHECKING, Final

from hera_k8s_utils.config.conversion import texts_of
from hera_k8s_utils.config.options import SourcePriority, canonical
from hera_k8s_utils.errors import CredentialError
from hera_k8s_utils.trust.consequences import Consequence
from hera_k8s_utils.trust.directories import how_to_allow, is_allowed, own_lines
from hera_k8s_utils.trust.git import tracked_by_git
from hera_k8s_utils.trust.user_files import user_directory, write_own

if TYPE_CHECKING:
    from hera_k8s_utils.config.files import ConfigFile
    from hera_k8s_utils.config.options import ResolvedOption
    from hera_k8s_utils.plugins.context import Context

log = logging.getLogger(__name__)

_KNOWN: Final = "known-servers"
"""File, in the user's own directory, of the consequences that were reported."""


def admit(context: Context | None, settings: type, field: str, consequence: Consequence, *, secret: str = "") -> None:
    """Call this before using an option that says where secrets go or which program runs.

    Nothing happens unless `./hera.config` sets the option. A consequence that is new is then reported in one line,
    once, and remembered. Where the file came with a git repository, it is refused with `CredentialError` instead:
    cloned files belong to whoever cloned them.

    context: None for a provider that a program calls by itself.
    settings: the class that declares the option.
    field: the option's field of that class.
    consequence: what the option leads to.
    secret: the secret that is sent; one that the file itself holds may go anywhere.
    """
    file = context.options.found if context is not None else None
    if context is None or file is None or (secret and _states(file, secret)):
        return
    each = context.options.effective[settings, field]
    handed_on = _is_handed_on(file, each)
    if not handed_on and each.origin.where != file.shown:
        return
    if is_allowed(file.path.absolute().parent) or str(consequence) in own_lines(_KNOWN):
        return
    if not handed_on:
        _refuse_repository(file, each, consequence)
    log.warning("%s, which %s names (said once)", consequence, file.shown)
    _remember(str(consequence))


def _is_handed_on(file: ConfigFile, each: ResolvedOption) -> bool:
    """Whether a 0.1 script parsed the file itself and passed the value on: the user named that script, and runs it."""
    if each.origin.rank != SourcePriority.GIVEN or not each.origin.where.endswith("="):
        return False
    stated = [texts_of(entry.value) for entry in file.entries if canonical(entry.key) in each.spec.names]
    return any(str(each.value) in texts for texts in stated)


def _states(file: ConfigFile, secret: str) -> bool:
    return any(secret in text for entry in file.entries for text in texts_of(entry.value))


def _refuse_repository(file: ConfigFile, each: ResolvedOption, consequence: Consequence) -> None:
    if not tracked_by_git(file.path):
        return
    value = shlex.quote(str(each.value))
    raise CredentialError(
        f"{each.spec.key} of {file.shown} is not used",
        found=f"the file is part of a git repository, and with it {consequence.refused} for the first time",
        hint=f"{how_to_allow(file.path)}; or say it yourself: {each.spec.flag} {value}",
    )


def _remember(consequence: str) -> None:
    directory = user_directory()
    if directory is None:
        return
    try:
        write_own(directory / _KNOWN, "".join(f"{line}\n" for line in [*own_lines(_KNOWN), consequence]))
    except OSError as error:
        log.info("%s cannot be written: %s", directory / _KNOWN, error.strerror or error)
