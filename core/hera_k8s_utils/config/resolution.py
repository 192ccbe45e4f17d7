"""From flags, variables, files and sites to the one effective value of each option, and where it came from."""

from __future__ import annotations

import difflib
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_utils.config.conversion import Candidate, converted, texts_of
from hera_k8s_utils.config.declared import UnavailablePlugin, all_specs
from hera_k8s_utils.config.environment_variables import DISABLE_VARIABLE, TIMEOUT_VARIABLE
from hera_k8s_utils.config.files import ConfigFile, Entry, read_config_files, secret_exposure_warnings
from hera_k8s_utils.config.options import (
    MISSING,
    FlagOccurrence,
    OptionSpec,
    OptionType,
    ResolvedOption,
    ResolvedOptions,
    SettingsOwner,
    SourcePriority,
    ValueSource,
    canonical,
)
from hera_k8s_utils.errors import OptionsError, join_names
from hera_k8s_utils.names import nearest
from hera_k8s_utils.redaction import register_secrets, remember_address
from hera_k8s_utils.trust.directories import SAFE

if TYPE_CHECKING:
    pass

log = logging.getLogger(__name__)

_NEAR: Final = 0.82
"""Likeness from which on an unknown key of a file is taken for a misspelt one; files may hold keys of others."""
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][\w-]{0,40}$")


# --- the whole -------------------------------------------------------------------------------------------------


def resolve(
    owners: Sequence[SettingsOwner],
    *,
    argv: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    config: str | Path | None = None,
    keywords: Mapping[str, Any] | None = None,
    sites: Mapping[str, Mapping[str, Any]] | None = None,
    unloaded: Callable[[], Sequence[UnavailablePlugin]] = tuple,
    tolerant: bool = False,
    directory: Path | None = None,
) -> ResolvedOptions:
    """The effective options of the owners: flag, then variable, then file, then site, then default.

    owners: settings classes and who declared them; the first owner of a class is the one that is named.
    argv: flags of these options, with `--config FILE`. environ: by default the process's own.
    config: a configuration file, as `--config` names it. keywords: values by name, as strong as flags.
    sites: defaults by name, for each site. unloaded: asked only when something is unknown.
    tolerant: say nothing of unknown flags and keys, since more options will be known later.
    directory: where `./hera.config` is looked for, by default the working directory.

    Raises `OptionsError` for an unknown flag, a near miss of a key, or a value of the wrong type; never with a value
    in its message. Raises `PluginError` when two owners declare the same flag.
    """
    variables = os.environ if environ is None else environ
    specs = all_specs(owners)
    given, config = _command_line(specs, argv, config, unloaded, tolerant)
    files = read_config_files(config, variables, directory) if specs else []
    sources = _Sources(specs, given, dict(keywords or {}), variables, files, dict(sites or {}))
    secrets = sources.secrets()
    register_secrets(secrets)
    for address in sources.addresses():
        remember_address(address)
    if not tolerant:
        sources.refuse_unknown(unloaded)
    sources.warn_of_exposed_secrets()
    effective = {(spec.owner.settings, spec.field): sources.effective(spec) for spec in specs}
    found = next((file for file in files if file.found), None)
    return ResolvedOptions(effective, tuple(file.shown for file in files), secrets, found)


# --- the command line ------------------------------------------------------------------------------------------


def _command_line(
    specs: Sequence[OptionSpec],
    argv: Sequence[str],
    config: str | Path | None,
    unloaded: Callable[[], Sequence[UnavailablePlugin]],
    tolerant: bool,
) -> tuple[Mapping[str, Sequence[FlagOccurrence]], str | Path | None]:
    if not argv:
        return {}, config
    from hera_k8s_utils.config.arguments import (  # ConfigArgParse patches argparse: only now
        option_parser,
        unknown_words,
    )
    from hera_k8s_utils.config.global_flags import extract_global_flags

    common, rest = extract_global_flags(argv)
    parser = option_parser(specs)
    line = parser.read(rest)
    if not tolerant and line.unknown:
        raise unknown_words(line.unknown, parser.flags(), unloaded())
    return line.given, common.config or config


# --- the sources -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sources:
    specs: Sequence[OptionSpec]
    given: Mapping[str, Sequence[FlagOccurrence]] = field(repr=False)
    keywords: Mapping[str, Any] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)
    files: Sequence[ConfigFile] = field(repr=False)
    sites: Mapping[str, Mapping[str, Any]]

    def effective(self, spec: OptionSpec) -> ResolvedOption:
        """The strongest value of an option, or its default."""
        candidates = list(self._candidates(spec))
        if not candidates:
            return ResolvedOption(spec, spec.default, ValueSource(SourcePriority.DEFAULT, _default_origin(spec)))
        if spec.kind is OptionType.LIST and spec.info.keyed:
            return _merged(spec, candidates)
        return ResolvedOption(spec, converted(spec, candidates[0]), candidates[0].origin)

    def secrets(self) -> frozenset[str]:
        """Every text that any source offers for a secret."""
        found: set[str] = set()
        for spec in self.specs:
            if spec.info.secret:
                for candidate in self._candidates(spec):
                    found.update(texts_of(candidate.value))
        return frozenset(text for text in found if text)

    def addresses(self) -> list[str]:
        """Every text that any source offers for an address."""
        specs = [spec for spec in self.specs if spec.info.address]
        return [text for spec in specs for each in self._candidates(spec) for text in texts_of(each.value)]

    def _candidates(self, spec: OptionSpec) -> Iterator[Candidate]:
        yield from self._from_keywords(spec)
        yield from self._from_flags(spec)
        yield from self._from_environment(spec)
        yield from self._from_files(spec)
        yield from self._from_sites(spec)

    def _from_keywords(self, spec: OptionSpec) -> Iterator[Candidate]:
        for name, value in self.keywords.items():
            if canonical(name) in spec.names and value is not None:
                yield Candidate(ValueSource(SourcePriority.GIVEN, f"{name}="), value)

    def _from_flags(self, spec: OptionSpec) -> Iterator[Candidate]:
        typed = sorted((each for flag in spec.flags for each in self.given.get(flag, ())), key=lambda g: g.position)
        if not typed:
            return
        value = tuple(each.value for each in typed) if spec.kind is OptionType.LIST else typed[-1].value
        yield Candidate(ValueSource(SourcePriority.GIVEN, typed[-1].flag), value)

    def _from_environment(self, spec: OptionSpec) -> Iterator[Candidate]:
        for variable in spec.env:
            if self.environ.get(variable):  # an empty variable is an unset one, as for kubectl
                yield Candidate(ValueSource(SourcePriority.ENVIRONMENT, variable), self.environ[variable])
                return

    def _from_files(self, spec: OptionSpec) -> Iterator[Candidate]:
        for file in self.files:
            entries = [entry for entry in file.entries if canonical(entry.key) in spec.names]
            if not entries:
                continue
            last = entries[-1]
            value = _joined(entries) if spec.kind is OptionType.LIST else last.value
            yield Candidate(
                ValueSource(SourcePriority.FILE, file.shown), value, f"{file.shown}, line {last.line}: {last.key}"
            )

    def _from_sites(self, spec: OptionSpec) -> Iterator[Candidate]:
        for site, defaults in self.sites.items():
            for name, value in defaults.items():
                if canonical(name) in spec.names and value is not None:
                    yield Candidate(ValueSource(SourcePriority.SITE, f"site {site}"), value)

    # --- what is wrong with them -------------------------------------------------------------------------------

    def refuse_unknown(self, unloaded: Callable[[], Sequence[UnavailablePlugin]]) -> None:
        """Refuse unknown keywords and near misses of keys, warn of the rest."""
        known = {name for spec in self.specs for name in spec.names}
        self._refuse_keywords(known)
        for file in self.files:
            self._judge_file(file, known, unloaded)
        for site, defaults in self.sites.items():
            self._judge_site(site, defaults, known, unloaded)
        self._judge_variables()

    def _refuse_keywords(self, known: set[str]) -> None:
        for name in self.keywords:
            if canonical(name) not in known:
                near = nearest(canonical(name), known)
                raise OptionsError(
                    f"no option is called {name}",
                    hint=f"did you mean {near.replace('-', '_')}?" if near else "hera-k8s config lists the options",
                )

    def _judge_file(
        self, file: ConfigFile, known: set[str], unloaded: Callable[[], Sequence[UnavailablePlugin]]
    ) -> None:
        strange = [entry for entry in file.entries if canonical(entry.key) not in known]
        ignored = []
        for entry in strange:
            name = canonical(entry.key)
            owner = next((each for each in unloaded() if each.has(name)), None)
            if owner is not None:
                log.warning(
                    "%s, line %d: %s belongs to plugin %s, which is %s",
                    file.shown,
                    entry.line,
                    entry.key,
                    owner.display_name,
                    owner.state,
                )
                continue
            near = nearest_key(name, known)
            if near is not None:
                raise OptionsError(
                    f"{file.shown}, line {entry.line}: no option is called {entry.key}",
                    hint=f"did you mean {near.replace('-', '_')}?",
                )
            ignored.append(entry)
        if ignored:
            log.warning("%s: nothing here knows %s", file.shown, join_names([_place(entry) for entry in ignored]))

    def _judge_site(
        self,
        site: str,
        defaults: Mapping[str, Any],
        known: set[str],
        unloaded: Callable[[], Sequence[UnavailablePlugin]],
    ) -> None:
        for name in defaults:
            wanted = canonical(name)
            if wanted in known or any(each.has(wanted) for each in unloaded()):
                continue
            near = nearest(wanted, known)
            meant = f"; did it mean {near.replace('-', '_')}?" if near else ""
            log.warning("site %s sets %s, which no option is called%s", site, name, meant)

    def _judge_variables(self) -> None:
        known = {variable: variable for spec in self.specs for variable in spec.env}
        known |= {variable: variable for variable in (DISABLE_VARIABLE, TIMEOUT_VARIABLE, SAFE)}
        guessed = {OptionSpec.prefix + spec.key.upper(): spec.env[0] for spec in self.specs}  # ARGO_NAMESPACE is one
        meant = guessed | known
        for variable in self.environ:
            if variable.startswith(OptionSpec.prefix) and variable not in known:
                near = nearest_key(variable, meant)
                if near is not None:
                    log.warning("%s is set, which nothing reads; did you mean %s?", variable, meant[near])

    def warn_of_exposed_secrets(self) -> None:
        """Warn of secrets on the command line, and in files that others may read."""
        secret = [spec for spec in self.specs if spec.info.secret]
        for spec in secret:
            for each in self._from_flags(spec):
                log.warning(
                    "%s: everybody on this machine can read it in the list of processes, and it stays in the history "
                    "of the shell; set %s instead",
                    each.origin.where,
                    spec.env[0],
                )
        for file in self.files:
            held = [e.key for e in file.entries if e.value and any(canonical(e.key) in s.names for s in secret)]
            for danger in secret_exposure_warnings(file.path) if held else ():
                log.warning("%s holds %s and %s", file.shown, join_names(held), danger)


def _default_origin(spec: OptionSpec) -> str:
    return "required, not set" if spec.default is MISSING else "default"


def nearest_key(name: str, known: Iterable[str]) -> str | None:
    """The name that was almost certainly meant; None when it may as well be somebody else's."""
    near = nearest(name, known)
    alike = near is not None and difflib.SequenceMatcher(None, name, near).ratio() >= _NEAR
    return near if alike else None


def _place(entry: Entry) -> str:
    # A key that stands alone may be the end of a value that was broken over two lines.
    return entry.key if entry.value is not None and _PLAIN_KEY.match(entry.key) else f"line {entry.line}"


def _joined(entries: Sequence[Entry]) -> tuple[str, ...]:
    texts: list[str] = []
    for entry in entries:
        texts += texts_of(entry.value)
    return tuple(texts)


def _merged(spec: OptionSpec, candidates: Sequence[Candidate]) -> ResolvedOption:
    """NAME=VALUE entries of all sources; for a NAME the strongest source counts, in one source the last entry."""
    kept: dict[str, tuple[str, ValueSource]] = {}
    for candidate in candidates:
        mine = {text.partition("=")[0].strip(): (text, candidate.origin) for text in converted(spec, candidate)}
        kept = {**kept, **{name: entry for name, entry in mine.items() if name not in kept}}
    origins = tuple(origin for _, origin in kept.values())
    where = ", ".join(dict.fromkeys(origin.where for origin in sorted(origins)))
    strongest = min((origin.rank for origin in origins), default=candidates[0].origin.rank)
    shown = ValueSource(strongest, where or candidates[0].origin.where)
    return ResolvedOption(spec, tuple(text for text, _ in kept.values()), shown, origins)
