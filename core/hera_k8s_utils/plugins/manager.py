"""The plugin manager: finds plugins through entry points, loads and validates each, and names those that fail."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from types import ModuleType
from typing import Any, Final, Generic, TypeVar

import pluggy

from hera_k8s_utils._moved import renamed
from hera_k8s_utils.config.environment_variables import DISABLE_VARIABLE, TIMEOUT_VARIABLE
from hera_k8s_utils.errors import HeraK8sError, PluginError, attribute_errors_to, join_names
from hera_k8s_utils.experiment.workload_kinds import loading_a_plugin, register_kinds
from hera_k8s_utils.names import nearest
from hera_k8s_utils.offline.guards import RequestGuard
from hera_k8s_utils.offline.phase import ForeignCode, offline
from hera_k8s_utils.plugins import hookspecs
from hera_k8s_utils.plugins.hookspecs import HOOK_API, PROJECT
from hera_k8s_utils.plugins.records import (
    Command,
    CredentialProvider,
    ExecutionEngine,
    LifecycleEvent,
    Platform,
    ResourceChecker,
    Site,
    WorkloadKind,
)
from hera_k8s_utils.plugins.return_types import with_return_types
from hera_k8s_utils.sweep.path_encoder import LayoutStrategy

T = TypeVar("T")
log = logging.getLogger(__name__)

RECORDS: Final[Mapping[str, type]] = {
    "credential_providers": CredentialProvider,
    "platforms": Platform,
    "resource_checkers": ResourceChecker,
    "layout_strategies": LayoutStrategy,
    "execution_engines": ExecutionEngine,
    "workload_kinds": WorkloadKind,
    "commands": Command,
    "sites": Site,
    "request_guards": RequestGuard,
}
"""The hooks that declare, and the type of record that each returns."""

_CALLBACKS: Final = ("configure_container", "on_event")
LOAD_TIMEOUT: Final = 10.0
"""Seconds that one plugin may take to be imported, and as many to declare."""


@dataclass(frozen=True)
class Registration(Generic[T]):
    """A record, and the plugin that declared it.

    record: what the hook returned.
    plugin: name of the plugin.
    distribution: its `name version`.
    """

    record: T
    plugin: str
    distribution: str


@renamed(blame="display_name")
@dataclass(frozen=True)
class PluginInfo:
    """A plugin as `hera-k8s plugins` lists it.

    name: of its entry point.
    distribution: its `name version`.
    module: what the entry point names.
    state: `loaded`, `disabled`, `broken`, `refused` or `declares nothing`.
    reason: why it is not loaded.
    declares: names of records by hook, of every hook that it implements; none for hooks that return no records.
    """

    name: str
    distribution: str
    module: str
    state: str
    reason: str = ""
    declares: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def display_name(self) -> str:
        """How a message names it: `acme (acme-hera-k8s 1.2)`."""
        return f"{self.name} ({self.distribution})"


class _Refused(Exception):
    """This plugin cannot be used, for a reason that is not its code failing."""


class ThirdPartyPluginError(Exception):
    """A command of a third-party plugin failed unexpectedly; the argument names the plugin, the cause is why."""


@dataclass(frozen=True)
class _Candidate:
    name: str
    module: str
    distribution: str
    load: Callable[[], Any]

    @property
    def own(self) -> bool:
        return is_builtin(self.distribution)


@renamed(tell="notify")
class PluginManager:
    """The plugins of this interpreter, and what they declare."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._infos: list[PluginInfo] = []
        self._declared: dict[str, list[Registration[Any]]] = {hook: [] for hook in RECORDS}
        self._clashes: list[str] = []
        self._observers_failed: set[tuple[str, str]] = set()

    @classmethod
    def load(
        cls,
        *,
        disabled: Iterable[str] = (),
        strict: bool = False,
        environ: Mapping[str, str] = os.environ,
        extra: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> PluginManager:
        """Load every plugin that is installed and not disabled.

        disabled: names to leave out, besides those in `HERA_K8S_DISABLE_PLUGINS` (separated by commas).
        strict: raise `PluginError` for the first that cannot be used, rather than skip it.
        extra: modules or objects by name that count as plugins without being installed.
        timeout: seconds for each plugin; without it `HERA_K8S_PLUGIN_TIMEOUT`, else 10.
        """
        timeout = _load_timeout(environ) if timeout is None else timeout
        plugins = cls()
        off = {*disabled, *_split(environ.get(DISABLE_VARIABLE, ""))}
        found = [*_installed(), *_given(extra or {})]
        for candidate in _without_clashes(found, plugins):
            plugins._register(candidate, off, timeout)
        plugins._warn_of_unknown(off, [candidate.name for candidate in found])
        plugins._drop_repeated()
        register_kinds(map(_attributed_kind, plugins.all("workload_kinds")))
        if strict and plugins.problems:
            raise PluginError("a plugin cannot be used", found=plugins.problems[0], hint="hera-k8s plugins")
        return plugins

    # --- queries ---------------------------------------------------------------------------------------

    def all(self, hook: str) -> list[Registration[Any]]:
        """What was declared through a hook, those of the same name once, in a stable order."""
        return list(self._declared[hook])

    def records(self, hook: str, kind: type[T]) -> list[T]:
        """The records of a hook alone; `kind` is their type."""
        return [declared.record for declared in self._declared[hook] if isinstance(declared.record, kind)]

    def named(self, hook: str, name: str) -> Any:
        """One record by its name; raises `PluginError` with the nearest name, and with what failed to load."""
        for declared in self._declared[hook]:
            if record_name(declared.record) == name:
                return declared.record
        names = [record_name(declared.record) for declared in self._declared[hook]]
        near = nearest(name, names)
        what = hook.rstrip("s").replace("_", " ").replace("strategie", "strategy")
        broken = f"; not loaded: {join_names([i.display_name for i in self._unusable()])}" if self._unusable() else ""
        raise PluginError(
            f"no {what} is called {name}",
            found=f"there are: {join_names(sorted(names)) or 'none'}{broken}",
            hint=f"did you mean {near}?" if near else "hera-k8s plugins",
        )

    def settings(self) -> list[Registration[type]]:
        """Every settings class, once for each plugin that declares it."""
        classes: dict[tuple[type, str], Registration[type]] = {}
        for declarations in self._declared.values():
            for declared in declarations:
                settings = getattr(declared.record, "settings", None)
                if settings is not None:
                    key = (settings, declared.plugin)
                    classes.setdefault(key, Registration(settings, declared.plugin, declared.distribution))
        return list(classes.values())

    def listing(self) -> list[PluginInfo]:
        """Every plugin that was found, also those not loaded, by name."""
        return sorted(self._infos, key=lambda info: (info.name, info.distribution))

    @property
    def problems(self) -> list[str]:
        """One sentence for each thing that could not be used."""
        sentences = {
            "broken": "plugin {} failed while loading: {}",
            "refused": "plugin {} was refused: {}",
            "declares nothing": "plugin {} declares nothing: {}",
        }
        said = [sentences[i.state].format(i.display_name, i.reason) for i in self.listing() if i.state in sentences]
        return said + self.clashes

    @property
    def clashes(self) -> list[str]:
        """One sentence for each name that two plugins declare."""
        return list(self._clashes)

    def configure(self, container: Any) -> None:
        """Let plugins override providers of the container."""
        guards = self.records("request_guards", RequestGuard)
        for name, caller in self._callers("configure_container"):
            try:
                with offline(ForeignCode(f"plugin {name}", "while it configures the container"), guards):
                    caller(container=container)
            except (HeraK8sError, KeyboardInterrupt):
                raise
            except BaseException as error:
                raise PluginError(
                    f"plugin {name} failed while configuring the container",
                    found=f"{type(error).__name__}: {error}",
                    hint=f"--no-plugin {name}",
                ) from error

    def notify(self, name: str, **data: Any) -> None:
        """Notify the observers of an event; what they raise is logged."""
        event = LifecycleEvent(name, data)
        for plugin, caller in self._callers("on_event"):
            try:
                caller(event=event)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # SystemExit too: an observer does not end the run
                self._report_observer(plugin, name, error)

    def _report_observer(self, plugin: str, event: str, error: BaseException) -> None:
        """Log why an observer failed: an error that comes again, such as at each update, once."""
        why = f"{type(error).__name__}: {error}".rstrip(": ")
        level = logging.DEBUG if (plugin, why) in self._observers_failed else logging.WARNING
        self._observers_failed.add((plugin, why))
        details = log.isEnabledFor(logging.DEBUG)
        log.log(level, "plugin %s failed on the event %s: %s", plugin, event, why, exc_info=details)

    # --- loading -----------------------------------------------------------------------------------------------

    def _register(self, found: _Candidate, off: set[str], timeout: float) -> None:
        info = PluginInfo(found.name, found.distribution, found.module, "loaded")
        if found.name in off:
            self._infos.append(replace(info, state="disabled", reason="by --no-plugin or HERA_K8S_DISABLE_PLUGINS"))
            return
        try:
            declared = self._load(found, timeout)
        except _Refused as refusal:
            self._infos.append(replace(info, state="refused", reason=str(refusal)))
        except BaseException as error:
            log.debug("plugin %s failed while loading", info.display_name, exc_info=True)
            if isinstance(error, KeyboardInterrupt):
                raise
            self._infos.append(replace(info, state="broken", reason=f"{type(error).__name__}: {error}"))
        else:
            self._accept(info, declared)
            return
        if self._manager.has_plugin(found.name):
            self._manager.unregister(name=found.name)

    def _accept(self, info: PluginInfo, declared: dict[str, list[Any]]) -> None:
        for hook, records in declared.items():
            own = is_builtin(info.distribution)
            kept = [record if own else with_return_types(record, info.display_name) for record in records]
            self._declared[hook] += [Registration(record, info.name, info.distribution) for record in kept]
        names = {
            hook: [record_name(record) for record in declared.get(hook, ())]
            for hook in (*RECORDS, *_CALLBACKS)
            if self._implements(info.name, hook)
        }
        if not names:
            info = replace(info, state="declares nothing", reason="no function of it is marked with @hookimpl")
        elif not any(names.values()) and names.keys().isdisjoint(_CALLBACKS):
            info = replace(info, state="declares nothing", reason=f"it returned nothing from {join_names(list(names))}")
        self._infos.append(replace(info, declares=names))

    def _load(self, found: _Candidate, timeout: float) -> dict[str, list[Any]]:
        """Only the plugin's own code runs in another thread: what ends too late must not be registered then."""
        plugin = _within(timeout, found.load)
        _refuse_other_api(plugin)
        self._manager.register(plugin, name=found.name)
        self._refuse_unknown_hooks(plugin)
        return _within(timeout, partial(self._declare, found.name))

    def _declare(self, plugin: str) -> dict[str, list[Any]]:
        return {hook: self._collect(plugin, hook, kind) for hook, kind in RECORDS.items()}

    def _refuse_unknown_hooks(self, plugin: Any) -> None:
        for caller in self._manager.get_hookcallers(plugin) or ():
            if not caller.has_spec():
                near = nearest(caller.name, [*RECORDS, *_CALLBACKS])
                raise _Refused(f"there is no hook {caller.name}" + (f"; did you mean {near}?" if near else ""))

    def _collect(self, plugin: str, hook: str, kind: type) -> list[Any]:
        records: list[Any] = []
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            if implementation.plugin_name == plugin:
                records += _listed(implementation.function(), hook, kind)
        for record in records:
            if not isinstance(record, kind):
                raise _Refused(f"{hook} returned a {type(record).__name__}, not a {kind.__name__}")
        return records

    def _implements(self, plugin: str, hook: str) -> bool:
        return any(impl.plugin_name == plugin for impl in getattr(self._manager.hook, hook).get_hookimpls())

    def _callers(self, hook: str) -> list[tuple[str, Any]]:
        implementations = reversed(getattr(self._manager.hook, hook).get_hookimpls())
        every = [impl.plugin for impl in getattr(self._manager.hook, hook).get_hookimpls()]
        return [
            (
                impl.plugin_name,
                self._manager.subset_hook_caller(hook, [p for p in every if p is not impl.plugin]),
            )
            for impl in implementations
        ]

    def _drop_repeated(self) -> None:
        for hook, declared in self._declared.items():
            kept: dict[str, Registration[Any]] = {}
            for each in sorted(declared, key=_precedence):
                name = record_name(each.record)
                if name not in kept:
                    kept[name] = each
                    continue
                self._clashes.append(
                    f"{hook}: {name} is declared by {kept[name].plugin} ({kept[name].distribution}) and by "
                    f"{each.plugin} ({each.distribution}); the first one is used"
                )
            self._declared[hook] = list(kept.values())

    def _warn_of_unknown(self, off: set[str], names: Sequence[str]) -> None:
        for name in sorted(off.difference(names)):
            near = nearest(name, names)
            log.warning("no plugin is called %s%s", name, f"; did you mean {near}?" if near else "")

    def _unusable(self) -> list[PluginInfo]:
        return [info for info in self.listing() if info.state != "loaded"]


def _listed(returned: Any, hook: str, kind: type) -> list[Any]:
    """What a hook returned, as a list; nothing at all is no record."""
    if returned is None:
        return []
    if not isinstance(returned, Iterable) or isinstance(returned, str):
        raise _Refused(f"{hook} returned a {type(returned).__name__}; it must yield {kind.__name__} records")
    return list(returned)


def record_name(record: Any) -> str:
    """What a record is called: its name, a checker's kind; a credential provider's includes its platform."""
    if isinstance(record, CredentialProvider):
        return f"{record.target}={record.name}"
    return str(getattr(record, "name", None) or getattr(record, "kind", ""))


def _attributed(whose: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, whose errors name `whose`; what it yields becomes a list, so that no error comes later."""

    def call(*arguments: Any) -> Any:
        with attribute_errors_to(whose):
            result = function(*arguments)
            return list(result) if isinstance(result, Iterator) else result

    return call


def _attributed_kind(declared: Registration[WorkloadKind]) -> WorkloadKind:
    """A kind; the functions of a third party's name its plugin when they fail."""
    kind = declared.record
    if is_builtin(declared.distribution):
        return kind
    whose = f"workload kind {kind.name} of plugin {declared.plugin} ({declared.distribution})"
    values = {each.name: getattr(kind, each.name) for each in fields(kind)}
    functions: dict[str, Any] = {name: _attributed(whose, value) for name, value in values.items() if callable(value)}
    return replace(kind, **functions)


def is_builtin(distribution: str) -> bool:
    """Whether `name version` is this distribution, rather than a third-party one."""
    return distribution.partition(" ")[0].replace("_", "-").lower() == "hera-k8s-utils"


def _precedence(declared: Registration[Any]) -> tuple[bool, int, str, str]:
    return (
        not is_builtin(declared.distribution),
        -int(getattr(declared.record, "priority", 0)),
        declared.plugin,
        record_name(declared.record),
    )


def _refuse_other_api(plugin: Any) -> None:
    stated = getattr(plugin, "hera_k8s_hook_api", HOOK_API)
    try:
        major = int(stated[0])
    except (TypeError, ValueError, IndexError, KeyError):
        raise _Refused("hera_k8s_hook_api is not a pair of numbers such as (1, 0)") from None
    if major != HOOK_API[0]:
        raise _Refused(f"it was built for version {major} of the hooks, this is version {HOOK_API[0]}")


def _within(timeout: float, work: Callable[[], T]) -> T:
    """Do the work in a daemon thread: one that hangs is left behind and does not keep the program alive."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            with loading_a_plugin():
                outcome.append(work())
        except BaseException as error:  # handed on to the caller's thread
            failure.append(error)

    thread = threading.Thread(target=run, name="plugin", daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        raise TimeoutError(f"still loading after {timeout:g} s")
    if failure:
        raise failure[0]
    return outcome[0]


def _installed() -> list[_Candidate]:
    found = [_of_entry_point(entry) for entry in importlib.metadata.entry_points(group=PROJECT)]
    return sorted(found, key=lambda each: (not each.own, each.name, each.distribution))


def _of_entry_point(entry: importlib.metadata.EntryPoint) -> _Candidate:
    dist = entry.dist
    distribution = f"{dist.name} {dist.version}" if dist is not None else "unknown distribution"
    return _Candidate(entry.name, entry.value, distribution, entry.load)


def _given(extra: Mapping[str, Any]) -> list[_Candidate]:
    return [
        _Candidate(name, _module_of(plugin), "given by the program", partial(_same, plugin))
        for name, plugin in extra.items()
    ]


def _same(plugin: Any) -> Any:
    return plugin


def _module_of(plugin: Any) -> str:
    return plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__qualname__


def _without_clashes(found: Sequence[_Candidate], plugins: PluginManager) -> list[_Candidate]:
    """Of plugins with one name, the built-in one is kept; of two third-party plugins neither is."""
    usable = []
    for candidate in found:
        rivals = [other for other in found if other.name == candidate.name and other is not candidate]
        if not rivals or (candidate.own and not any(rival.own for rival in rivals)):
            usable.append(candidate)
            continue
        theirs = join_names([rival.distribution for rival in rivals])
        reason = f"{theirs} has a plugin of the same name; uninstall one of them"
        plugins._infos.append(PluginInfo(candidate.name, candidate.distribution, candidate.module, "refused", reason))
    return usable


def _load_timeout(environ: Mapping[str, str]) -> float:
    stated = environ.get(TIMEOUT_VARIABLE, "")
    try:
        return float(stated) if stated else LOAD_TIMEOUT
    except ValueError:
        raise PluginError(f"{TIMEOUT_VARIABLE} is not a number of seconds", hint="unset it, or say 10") from None


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]
