"""Options: how fields of settings dataclasses declare them, and their effective values."""

from __future__ import annotations

import dataclasses
import types
import typing
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, TypeVar

from hera_k8s_utils.errors import HeraK8sError, OptionsError, PluginError
from hera_k8s_utils.redaction import REDACTED, redact, shown_address

if TYPE_CHECKING:
    from hera_k8s_utils.config.files import ConfigFile

S = TypeVar("S")

MISSING: Final = dataclasses.MISSING
_METADATA: Final = "hera_k8s_utils.option"


# --- declaring -------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class OptionInfo:
    """The arguments of `option`, kept in the metadata of the field; see there."""

    help: str
    env: tuple[str, ...]
    aliases: tuple[str, ...]
    short: str
    metavar: str
    secret: bool
    choices: tuple[str, ...]
    selects_provider: bool
    mapping: bool
    address: bool


def option(
    default: Any = MISSING,
    *,
    help: str,
    env: str | Sequence[str] | None = None,
    aliases: Sequence[str] = (),
    short: str | None = None,
    metavar: str | None = None,
    secret: bool = False,
    choices: Sequence[str] | None = None,
    selects_provider: bool = False,
    mapping: bool = False,
    address: bool = False,
    factory: Callable[[], Any] | None = None,
    selects: bool | None = None,
    keyed: bool | None = None,
) -> Any:
    """Declare a field of a settings dataclass that is also a flag, a variable and a key of configuration files.

        @dataclass(frozen=True, kw_only=True)
        class Vault:
            prefix: ClassVar[str] = "vault"
            url: str = option("https://vault.acme.example", help="Vault that mints Kubernetes tokens")

    makes `--vault-url`, `HERA_K8S_VAULT_URL` and `vault_url = ...`. Types: str, int, float, bool (`--x`, `--no-x`),
    Path, any of these or None, and tuple[str, ...] (a flag that may be repeated, a list in a file). A class without
    `prefix` gets the name of its plugin, the options of an experiment get none.

    default: its value when no source sets it; without one, a value is required.
    help: one line for `--help`.
    env: the variable, or several of which the first that is set counts; by default `HERA_K8S_` and the flag's name.
    aliases: other flags, whole and without dashes in front (`argo_namespace`); they are keys in files too.
    short: one letter, for `-n`.
    metavar: how `--help` shows the value, by default the field's name in capitals.
    secret: never shown; there is a warning when it is on a command line or in a file that others can read.
    choices: the only values that are accepted.
    selects_provider: setting it selects the credential provider whose settings hold it.
    mapping: the entries of a list are NAME=VALUE; all sources are merged, and for each NAME the strongest counts.
    address: a server's address; secrets in it, such as `/bearer/TOKEN`, are never shown.
    factory: makes the default, where that cannot be a constant.
    selects, keyed: the names of `selects_provider` and `mapping` until version 0.3.
    """
    if selects is not None or keyed is not None:
        new = "selects_provider" if selects is not None else "mapping"
        old = "selects" if selects is not None else "keyed"
        warnings.warn(f"option({old}=) is now {new}=; {old}= works until version 0.3", DeprecationWarning, stacklevel=2)
    variables = (env,) if isinstance(env, str) else tuple(env or ())
    info = OptionInfo(
        help=help,
        env=variables,
        aliases=tuple(aliases),
        short=(short or "").lstrip("-"),
        metavar=metavar or "",
        secret=secret,
        choices=tuple(choices or ()),
        selects_provider=bool(selects_provider or selects),
        mapping=bool(mapping or keyed),
        address=address,
    )
    metadata = {_METADATA: info}
    shown = not (secret or address)
    if factory is not None:
        return dataclasses.field(default_factory=factory, metadata=metadata, repr=shown)
    if default is MISSING:
        return dataclasses.field(metadata=metadata, repr=shown)
    return dataclasses.field(default=default, metadata=metadata, repr=shown)


@dataclasses.dataclass(frozen=True)
class SettingsOwner:
    """Who declared a settings class.

    settings: the class.
    plugin: the name of the plugin; empty for the framework and for an experiment.
    distribution: name and version of the plugin's distribution: `acme-hera-k8s 1.2`.
    command: the only command whose flags these are; empty for flags of every command.
    title: the name of an owner that is no plugin, for messages and the help.
    """

    settings: type
    plugin: str = ""
    distribution: str = ""
    command: str = ""
    title: str = ""

    @property
    def display_name(self) -> str:
        """The owner's name in messages."""
        if not self.plugin:
            return self.title or "hera-k8s-utils"
        return f"plugin {self.plugin} ({self.distribution})" if self.distribution else f"plugin {self.plugin}"


class OptionType(str, Enum):
    """The types that an option can have."""

    TEXT = "text"
    WHOLE = "whole number"
    NUMBER = "number"
    SWITCH = "yes or no"
    PATH = "path"
    LIST = "list"


_KINDS: Final[Mapping[Any, OptionType]] = {
    str: OptionType.TEXT,
    int: OptionType.WHOLE,
    float: OptionType.NUMBER,
    bool: OptionType.SWITCH,
    Path: OptionType.PATH,
    tuple[str, ...]: OptionType.LIST,
}


@dataclasses.dataclass(frozen=True)
class OptionSpec:
    """One declared option.

    prefix: how a variable without a name of its own begins.
    owner: who declared it.
    field: the name of its field.
    info: the arguments of `option`.
    kind: its type.
    optional: whether its value can be None.
    names: its names without dashes in front, words joined by dashes; the first is shown.
    env: its variables, the strongest first.
    default: its default; `MISSING` when a value is required.
    """

    prefix: ClassVar[str] = "HERA_K8S_"

    owner: SettingsOwner
    field: str
    info: OptionInfo
    kind: OptionType
    optional: bool
    names: tuple[str, ...]
    env: tuple[str, ...]
    default: Any

    @property
    def name(self) -> str:
        """The flag without its dashes: `argo-server`."""
        return self.names[0]

    @property
    def flag(self) -> str:
        """The flag: `--argo-server`."""
        return f"--{self.name}"

    @property
    def flags(self) -> list[str]:
        """All its flags, including the short one and those that turn it off."""
        long = [f"--{name}" for name in self.names]
        negative = [f"--no-{name}" for name in self.names] if self.kind is OptionType.SWITCH else []
        short = [f"-{self.info.short}"] if self.info.short else []
        return [*short, *long, *negative]

    @property
    def key(self) -> str:
        """The key in a configuration file: `argo_server`."""
        return self.name.replace("-", "_")


def canonical(name: str) -> str:
    """A flag, a key or an attribute in the spelling in which names are compared: `_` is `-`."""
    return name.strip().lstrip("-_").replace("_", "-")


def specs_of(owner: SettingsOwner) -> list[OptionSpec]:
    """The options of a settings class. Raises `PluginError` when it is none."""
    settings = owner.settings
    if not (isinstance(settings, type) and dataclasses.is_dataclass(settings)):
        raise PluginError(f"the settings of {owner.display_name} are not a dataclass", found=repr(settings))
    try:
        hints = typing.get_type_hints(settings)
    except Exception as error:
        raise PluginError(
            f"the settings {settings.__name__} of {owner.display_name} cannot be read",
            found=f"{type(error).__name__}: {error}",
            hint="types of options must be importable from the module of the class",
        ) from error
    declared = [field for field in dataclasses.fields(settings) if _METADATA in field.metadata]
    return [_spec(owner, field, hints[field.name]) for field in declared]


def _spec(owner: SettingsOwner, field: dataclasses.Field[Any], hint: Any) -> OptionSpec:
    info: OptionInfo = field.metadata[_METADATA]
    kind, optional = _kind(owner, field.name, hint)
    prefix = getattr(owner.settings, "prefix", owner.plugin)
    name = canonical(f"{prefix}-{field.name}")
    aliases = [canonical(alias) for alias in info.aliases]
    return OptionSpec(
        owner=owner,
        field=field.name,
        info=info,
        kind=kind,
        optional=optional,
        names=tuple(dict.fromkeys([name, *aliases])),
        env=info.env or (OptionSpec.prefix + name.replace("-", "_").upper(),),
        default=field.default if field.default_factory is MISSING else field.default_factory(),
    )


def _kind(owner: SettingsOwner, field: str, hint: Any) -> tuple[OptionType, bool]:
    optional = False
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        members = [each for each in typing.get_args(hint) if each is not type(None)]
        optional = len(members) < len(typing.get_args(hint))
        hint = members[0] if len(members) == 1 else hint
    if hint not in _KINDS:
        raise PluginError(
            f"option {field} of {owner.display_name} has a type that no flag can have",
            found=str(hint),
            hint="str, int, float, bool, Path, any of these or None, or tuple[str, ...]",
        )
    return _KINDS[hint], optional


# --- effective values -------------------------------------------------------------------------------------------


class SourcePriority(IntEnum):
    """The sources of values, the strongest first.

    GIVEN: a flag, or a keyword of `build_container`.
    ENVIRONMENT: an environment variable.
    FILE: a configuration file.
    SITE: a default of a site's plugin.
    DEFAULT: the default of the option.
    UNSET: no source at all; of options that select a credential provider.
    """

    GIVEN = 0
    ENVIRONMENT = 1
    FILE = 2
    SITE = 3
    DEFAULT = 4
    UNSET = 9


class ValueSource(NamedTuple):
    """Where a value came from.

    rank: a number of `SourcePriority`; 0 is the strongest.
    where: the flag, the variable or the file: `--argo-server`, `ARGO_SERVER`, `./hera.config`.
    """

    rank: int
    where: str


@dataclasses.dataclass(frozen=True)
class ResolvedOption:
    """The effective value of one option.

    spec: the option.
    value: `MISSING` when it is required and not set.
    origin: where the value came from.
    origins: where each entry of a merged list came from; empty for other values.
    """

    spec: OptionSpec
    value: Any = dataclasses.field(repr=False)
    origin: ValueSource
    origins: tuple[ValueSource, ...] = ()


@dataclasses.dataclass(frozen=True)
class OptionRow:
    """An option as `hera-k8s config` shows it.

    name: its flag without the dashes.
    value: plain data: text, number, bool, None or a list of texts; `<redacted>` for a secret.
    origin: where the value came from.
    owner: who declared it.
    help: its line of `--help`.
    variables: its environment variables, the strongest first.
    secret: whether it is a secret.
    """

    name: str
    value: Any
    origin: ValueSource
    owner: str
    help: str
    variables: Sequence[str]
    secret: bool


@dataclasses.dataclass(frozen=True)
class ResolvedOptions:
    """The effective values of all declared options.

    effective: by settings class and field.
    files: the configuration files that were read, the strongest first.
    secrets: every secret of any source, including overridden ones.
    found: `./hera.config`, where it exists and was not named.
    """

    effective: Mapping[tuple[type, str], ResolvedOption] = dataclasses.field(repr=False)
    files: Sequence[str] = ()
    secrets: frozenset[str] = dataclasses.field(default=frozenset(), repr=False)
    found: ConfigFile | None = dataclasses.field(default=None, repr=False)
    _made: dict[type, Any] = dataclasses.field(default_factory=dict, init=False, repr=False, compare=False)

    def of(self, settings: type[S]) -> S:
        """An instance of a settings class with its effective values.

        Raises `PluginError` when the class is not declared, `OptionsError` when a required option is not set or the
        class itself rejects a value.
        """
        if settings not in self._made:
            self._made[settings] = self._make(settings)
        made: S = self._made[settings]
        return made

    def origin(self, settings: type, field: str) -> ValueSource:
        """Where the value of an option came from."""
        return self._found(settings, field).origin

    def entries(self, settings: type, field: str) -> list[tuple[str, ValueSource]]:
        """The entries of a list, and where each came from."""
        found = self._found(settings, field)
        origins = found.origins or (found.origin,) * len(found.value)
        return list(zip(found.value, origins, strict=True))

    def selected(self, settings: type | None) -> int:
        """The strongest rank among options of a class that select its provider and are set; `UNSET` if none is."""
        ranks = [
            each.origin.rank
            for each in self._of_class(settings)
            if each.spec.info.selects_provider
            and each.origin.rank <= SourcePriority.FILE
            and each.value not in (None, "", ())
        ]
        return min(ranks, default=int(SourcePriority.UNSET))

    def by_name(self, name: str) -> Any | None:
        """The value of an option by any of its names; None when it is not set or not declared."""
        wanted = canonical(name)
        for each in self.effective.values():
            if wanted in each.spec.names:
                return None if each.value is MISSING else each.value
        return None

    def rows(self) -> list[OptionRow]:
        """Every option, in the order of declaration."""
        return [_row(each) for each in self.effective.values()]

    def _of_class(self, settings: type | None) -> list[ResolvedOption]:
        return [each for (cls, _), each in self.effective.items() if cls is settings]

    def _found(self, settings: type, field: str) -> ResolvedOption:
        try:
            return self.effective[settings, field]
        except KeyError:
            raise _undeclared(f"{settings.__name__}.{field}") from None

    def _make(self, settings: type[S]) -> S:
        mine = self._of_class(settings)
        if not mine and not (dataclasses.is_dataclass(settings) and not _has_options(settings)):
            raise _undeclared(settings.__name__)
        for each in mine:
            if each.value is MISSING:
                raise _required(each.spec)
        try:
            return settings(**{each.spec.field: each.value for each in mine})
        except HeraK8sError:
            raise
        except (ValueError, TypeError) as error:
            blame = mine[0].spec.owner.display_name if mine else settings.__name__
            hidden = any(each.spec.info.secret for each in mine)
            raise OptionsError(
                f"the options of {blame} cannot be used",
                found=type(error).__name__ if hidden else str(error),
                hint="hera-k8s config",
            ) from error


def _has_options(settings: type) -> bool:
    return any(_METADATA in field.metadata for field in dataclasses.fields(settings))


def _undeclared(name: str) -> PluginError:
    return PluginError(
        f"the settings {name} are not declared",
        hint="pass the class as settings= of a record, or as options= of the Experiment",
    )


def _required(spec: OptionSpec) -> OptionsError:
    return OptionsError(
        f"{spec.flag} is required by {spec.owner.display_name}",
        found=f"no flag, no {' or '.join(spec.env)}, no {spec.key} in a configuration file",
        hint=f"{spec.flag} {spec.info.metavar or spec.field.upper()}",
    )


def _row(each: ResolvedOption) -> OptionRow:
    spec = each.spec
    return OptionRow(
        name=spec.name,
        value=_shown(each),
        origin=each.origin,
        owner=spec.owner.display_name,
        help=spec.info.help,
        variables=spec.env,
        secret=spec.info.secret,
    )


def _shown(each: ResolvedOption) -> Any:
    if each.value is MISSING or each.value is None:
        return None
    if each.spec.info.secret:
        return REDACTED if each.value not in ("", ()) else ""
    if each.spec.info.address:
        return shown_address(str(each.value))
    if isinstance(each.value, tuple):
        return [redact(text) for text in each.value]
    return redact(str(each.value)) if isinstance(each.value, (str, Path)) else each.value


@dataclass(frozen=True)
class FlagOccurrence:
    """One flag of an option on a command line.

    flag: as the option declares it: `--argo-server`.
    value: its value as text; `true` or `false` of a switch.
    position: counted from 0 among the flags of options.
    word: flag and value as one word of a command line.
    """

    flag: str
    value: str = field(repr=False)
    position: int
    word: str = field(default="", repr=False)


@dataclass(frozen=True)
class ParsedFlags:
    """The flags of options on a command line that was parsed.

    given: the occurrences of each flag.
    unknown: flags of no declared option, each followed by the word that may be its value. They may belong to an
        experiment that is not loaded yet, and are parsed again once it is.
    """

    given: Mapping[str, Sequence[FlagOccurrence]] = field(default_factory=dict, repr=False)
    unknown: Sequence[str] = field(default=(), repr=False)

    @property
    def argv(self) -> list[str]:
        """The same flags as a command line."""
        typed = sorted((each for many in self.given.values() for each in many), key=lambda each: each.position)
        return [*(each.word for each in typed), *self.unknown]
