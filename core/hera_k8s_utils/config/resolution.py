"""Resolution: the effective value of each option, from flags, variables, files, sites and defaults."""

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
from hera_k8s_utils.config.files import ConfigFile, Entry, find_config_files, secret_exposure_warnings
from hera_k8s_utils.config.global_flags import extract_global_flags
from hera_k8s_utils.config.options import (
    MISSING,
    FlagOccurrence,
    OptionSpec,
    OptionType,
    ParsedFlags,
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
    from hera_k8s_utils.config.arguments import OptionParser, SourceSettings

log = logging.getLogger(__name__)

_NEAR: Final = 0.82
"""Similarity at which an unknown key of a file counts as misspelt; files may hold keys of other programs."""
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][\w-]{0,40}$")


# --- the whole -------------------------------------------------------------------------------------------------


def resolve(
    owners: Sequence[SettingsOwner],
    *,
    argv: Sequence[str] | ParsedFlags = (),
    environ: Mapping[str, str] | None = None,
    config: str | Path | None = None,
    keywords: Mapping[str, Any] | None = None,
    sites: Mapping[str, Mapping[str, Any]] | None = None,
    unloaded: Callable[[], Sequence[UnavailablePlugin]] = tuple,
    ignore_unknown: bool = False,
    directory: Path | None = None,
) -> ResolvedOptions:
    """The effective options of the owners: flag, then variable, then file, then site, then default.

    owners: settings classes and who declared them; messages name the first owner of a class.
    argv: flags of these options and `--config FILE`, as words; or a command line that was parsed before, of which only
        the unknown flags are parsed here: they may belong to an experiment that has been loaded since.
    environ: variables; by default those of the process.
    config: a configuration file, as `--config` names it.
    keywords: values by name, as strong as flags.
    sites: for each site, defaults by name.
    unloaded: plugins that are not loaded; called only when something is unknown.
    ignore_unknown: ignore unknown flags and keys, since more options will be known later.
    directory: where `./hera.config` is looked for, by default the working directory.

    Raises `OptionsError` for an unknown flag, a misspelt key, or a value of the wrong type; no message quotes a value.
    Raises `PluginError` when two owners declare the same flag.
    """
    # ConfigArgParse patches argparse when it is imported, and `hera-k8s --help` does without.
    from hera_k8s_utils.config.arguments import OptionParser, unknown_words

    variables = os.environ if environ is None else environ
    specs = all_specs(owners)
    parser = OptionParser(specs)
    flags, named = _flags(parser, argv)
    if not ignore_unknown and flags.unknown:
        raise unknown_words(flags.unknown, parser.flags(), unloaded())
    files = find_config_files(named or config, variables, directory) if specs else []
    read = parser.read_sources(variables, files)
    sources = _Sources(specs, flags.given, dict(keywords or {}), variables, read, dict(sites or {}))
    secrets = sources.secrets()
    register_secrets(secrets)
    for address in sources.addresses():
        remember_address(address)
    if not ignore_unknown:
        sources.report_unknown(unloaded)
    sources.warn_of_exposed_secrets()
    effective = {(spec.owner.settings, spec.field): sources.effective(spec) for spec in specs}
    found = next((file for file in files if file.found), None)
    return ResolvedOptions(effective, tuple(file.shown for file in files), secrets, found)


def _flags(parser: OptionParser, argv: Sequence[str] | ParsedFlags) -> tuple[ParsedFlags, str | None]:
    """The flags of the options, and the file that `--config` names among words that were not parsed before."""
    if isinstance(argv, ParsedFlags):
        more = parser.read(argv.unknown).flags
        return ParsedFlags({**argv.given, **more.given}, more.unknown), None
    common, rest = extract_global_flags(argv)
    return parser.read(rest).flags, common.config


# --- the sources -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sources:
    specs: Sequence[OptionSpec]
    given: Mapping[str, Sequence[FlagOccurrence]] = field(repr=False)
    keywords: Mapping[str, Any] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)
    read: SourceSettings = field(repr=False)
    sites: Mapping[str, Mapping[str, Any]]

    def effective(self, spec: OptionSpec) -> ResolvedOption:
        """The strongest value of an option, or its default."""
        candidates = list(self._candidates(spec))
        if not candidates:
            return ResolvedOption(spec, spec.default, ValueSource(SourcePriority.DEFAULT, _default_origin(spec)))
        if spec.kind is OptionType.LIST and spec.info.mapping:
            return _merged(spec, candidates)
        return ResolvedOption(spec, converted(spec, candidates[0]), candidates[0].origin)

    def secrets(self) -> frozenset[str]:
        """The texts of all secrets in all sources."""
        found: set[str] = set()
        for spec in self.specs:
            if spec.info.secret:
                for candidate in self._candidates(spec):
                    found.update(texts_of(candidate.value))
        return frozenset(text for text in found if text)

    def addresses(self) -> list[str]:
        """The texts of all addresses in all sources."""
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
        variable = next((name for name in spec.env if name in self.read.variables), None)
        if variable is not None:
            yield Candidate(ValueSource(SourcePriority.ENVIRONMENT, variable), self.read.variables[variable])

    def _from_files(self, spec: OptionSpec) -> Iterator[Candidate]:
        for file, keys in self.read.files:
            entries = sorted((each for name in spec.names for each in keys.get(name, ())), key=lambda each: each.line)
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

    # --- errors and warnings -----------------------------------------------------------------------------------

    def report_unknown(self, unloaded: Callable[[], Sequence[UnavailablePlugin]]) -> None:
        """Raise `OptionsError` for unknown keywords and misspelt keys, warn of the rest."""
        known = {name for spec in self.specs for name in spec.names}
        self._report_unknown_keywords(known)
        for file, keys in self.read.files:
            self._report_unknown_file(file, known, unloaded)
            self._warn_of_lines_without_effect(file, keys)
        for site, defaults in self.sites.items():
            self._report_unknown_site(site, defaults, known, unloaded)
        self._report_unknown_variables()

    def _report_unknown_keywords(self, known: set[str]) -> None:
        for name in self.keywords:
            if canonical(name) not in known:
                near = nearest(canonical(name), known)
                raise OptionsError(
                    f"unknown option {name}",
                    hint=f"did you mean {near.replace('-', '_')}?" if near else "hera-k8s config lists the options",
                )

    def _report_unknown_file(
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
                    f"{file.shown}, line {entry.line}: unknown key {entry.key}",
                    hint=f"did you mean {near.replace('-', '_')}?",
                )
            ignored.append(entry)
        if ignored:
            log.warning("%s: unknown keys ignored: %s", file.shown, join_names([_place(entry) for entry in ignored]))

    def _warn_of_lines_without_effect(self, file: ConfigFile, keys: Mapping[str, Sequence[Entry]]) -> None:
        """Warn of ignored lines, and of values that a later line of the same file replaces."""
        for number in file.ignored:
            log.warning("%s, line %d is ignored: it is neither key = value nor a section [name]", file.shown, number)
        for spec in self.specs:
            entries = sorted((each for name in spec.names for each in keys.get(name, ())), key=lambda each: each.line)
            for key, replaced, last in _replaced(spec, entries):
                lines = ("line " if len(replaced) == 1 else "lines ") + join_names(list(map(str, replaced)))
                log.warning("%s, %s: %s has no effect; line %d sets it again", file.shown, lines, key, last)

    def _report_unknown_site(
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
            meant = f"; did you mean {near.replace('-', '_')}?" if near else ""
            log.warning("site %s sets %s, which is not an option%s", site, name, meant)

    def _report_unknown_variables(self) -> None:
        known = {variable: variable for spec in self.specs for variable in spec.env}
        known |= {variable: variable for variable in (DISABLE_VARIABLE, TIMEOUT_VARIABLE, SAFE)}
        guessed = {OptionSpec.prefix + spec.key.upper(): spec.env[0] for spec in self.specs}  # ARGO_NAMESPACE is one
        meant = guessed | known
        for variable in self.environ:
            if variable.startswith(OptionSpec.prefix) and variable not in known:
                near = nearest_key(variable, meant)
                if near is not None:
                    log.warning("%s is set but not used; did you mean %s?", variable, meant[near])

    def warn_of_exposed_secrets(self) -> None:
        """Warn of secrets on the command line, and in files that others may read."""
        secret = [spec for spec in self.specs if spec.info.secret]
        for spec in secret:
            for each in self._from_flags(spec):
                log.warning(
                    "%s: visible to every user in the process list, and kept in the shell history; set %s instead",
                    each.origin.where,
                    spec.env[0],
                )
        for file, _ in self.read.files:
            held = [e.key for e in file.entries if e.value and any(canonical(e.key) in s.names for s in secret)]
            for danger in secret_exposure_warnings(file.path) if held else ():
                log.warning("%s holds %s and %s", file.shown, join_names(held), danger)


def _default_origin(spec: OptionSpec) -> str:
    return "required, not set" if spec.default is MISSING else "default"


def nearest_key(name: str, known: Iterable[str]) -> str | None:
    """The name that was almost certainly meant; None when it may belong to another program."""
    near = nearest(name, known)
    alike = near is not None and difflib.SequenceMatcher(None, name, near).ratio() >= _NEAR
    return near if alike else None


def _place(entry: Entry) -> str:
    # A key that stands alone may be the end of a value that was broken over two lines.
    return entry.key if entry.value is not None and _PLAIN_KEY.match(entry.key) else f"line {entry.line}"


def _replaced(spec: OptionSpec, entries: Sequence[Entry]) -> Iterator[tuple[str, list[int], int]]:
    """What one file sets more than once to different values: the key, the earlier lines, and the line that counts."""
    seen: dict[str, list[tuple[str, int]]] = {}
    for entry in entries:
        if spec.kind is not OptionType.LIST:
            seen.setdefault(entries[-1].key, []).append((str(entry.value), entry.line))
        elif spec.info.mapping:
            for text in texts_of(entry.value):
                seen.setdefault(_name_of(entry.key, text), []).append((text, entry.line))
    for key, values in seen.items():
        earlier = list(dict.fromkeys(line for text, line in values if text != values[-1][0]))
        if earlier:
            yield key, earlier, values[-1][1]


def _name_of(key: str, text: str) -> str:
    """`bind results` of `results=mine`: a value may be a secret, its name is not."""
    name = text.partition("=")[0].strip()
    return f"{key} {name}" if _PLAIN_KEY.match(name) else key


def _joined(entries: Sequence[Entry]) -> tuple[str, ...]:
    texts: list[str] = []
    for entry in entries:
        texts += texts_of(entry.value)
    return tuple(texts)


def _merged(spec: OptionSpec, candidates: Sequence[Candidate]) -> ResolvedOption:
    """The NAME=VALUE entries of all sources: for a NAME the strongest source counts, and within it the last entry."""
    kept: dict[str, tuple[str, ValueSource]] = {}
    for candidate in candidates:
        mine = {text.partition("=")[0].strip(): (text, candidate.origin) for text in converted(spec, candidate)}
        kept = {**kept, **{name: entry for name, entry in mine.items() if name not in kept}}
    origins = tuple(origin for _, origin in kept.values())
    where = ", ".join(dict.fromkeys(origin.where for origin in sorted(origins)))
    strongest = min((origin.rank for origin in origins), default=candidates[0].origin.rank)
    shown = ValueSource(strongest, where or candidates[0].origin.where)
    return ResolvedOption(spec, tuple(text for text, _ in kept.values()), shown, origins)
