"""What the classes for 0.1 scripts share: failures that end a script, and servers reached from parsed arguments."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_utils.config.files import FILE_VARIABLE
from hera_k8s_utils.errors import HeraK8sError, NoCredential, PlatformError, ScriptExit
from hera_k8s_utils.offline.phase import HeldRequest, OfflineError, offline_phase
from hera_k8s_utils.sanitize import one_line

if TYPE_CHECKING:
    from hera_k8s_utils.checks.runner import Check, Row
    from hera_k8s_utils.container.container import Connection
    from hera_k8s_utils.plugins.context import Context
    from hera_k8s_utils.plugins.credentials import Credential
    from hera_k8s_utils.results import CheckResult

log = logging.getLogger(__name__)

_PREFIXES: Final = ("argo_", "k8s_")
"""Beginnings of the attributes of parsed arguments that are the framework's: a script's other ones are its own."""
_SCALARS: Final = (str, os.PathLike, bool, int, float)
_FLAGS: Final = ("argo_server", "argo_token", "argo_namespace", "argo_service_account", "k8s_config_file")
_FLAG: Final = re.compile(r"(?<![\w-])--?([a-z][a-z0-9-]*)(?: ([A-Z][A-Z:=]+)\b)?")
_KEYWORD: Final = re.compile(r"^([a-z]\w*)=(?= )")
_LONG: Final = {"n": "argo-namespace", "namespace": "argo-namespace", "service-account": "argo-service-account"}
_COMMAND: Final = re.compile(r"\b(kubectl|hera-k8s|python|chmod|git)\b")
_NEW_FLAG: Final = "--bind"
_TRY: Final = "HERA_K8S_SANDBOX=1 tries the script without a cluster"
_REMEDIES: Final = {
    "argo": f"--argo_server HOST:PORT, or ARGO_SERVER, or argo_server in hera.config, and a token likewise; {_TRY}",
    "kubernetes": f"--k8s_config_file FILE, or KUBECONFIG, or k8s_config_file in hera.config; {_TRY}",
}


@contextmanager
def exiting_on_error() -> Iterator[None]:
    """Turn the framework's errors into `ScriptExit`, without secrets. Warnings go to stderr where nobody logs."""
    from hera_k8s_utils.output.stderr_logging import logging_to_stderr

    try:
        if logging.getLogger().handlers:
            yield
        else:
            with logging_to_stderr():
                yield
    except ScriptExit:
        raise
    except HeraK8sError as error:
        raise as_script_exit(error) from error


def as_script_exit(error: HeraK8sError) -> ScriptExit:
    """An error of the framework's as scripts are told it: no secrets, and flags that scripts have."""
    from hera_k8s_utils.redaction import redact

    wanted, found, hint = _KEYWORD.sub(r"\1", error.wanted), error.found, to_legacy_flags(error.hint)
    if wanted.startswith("--"):
        wanted = to_legacy_flags(wanted)
    if isinstance(error, NoCredential):  # only there what was found is in our own words alone
        found = to_legacy_flags(found)
        hint = _REMEDIES.get(error.wanted.rpartition(" ")[2], hint)
    return ScriptExit(redact(wanted), found=redact(found), hint=redact(hint))


def to_legacy_flags(text: str) -> str:
    """A text whose flags are those that scripts have; of the others, the keys of `hera.config`."""
    clauses = re.split(r"(,|;|\n| or )", text)
    return "".join(each if _COMMAND.search(each) else _FLAG.sub(_as_key, each) for each in clauses)


def _as_key(flag: re.Match[str]) -> str:
    name = _LONG.get(flag.group(1), flag.group(1)).replace("-", "_")
    value = flag.group(2)
    if name in _FLAGS:
        return f"--{name} {value}" if value else f"--{name}"
    return f"{value} as {name} in hera.config" if value else f"{name} in hera.config"


def script_environment() -> Mapping[str, str]:
    """The environment, without an `$ARGOCONFIG` that names no file: versions 0.1 and 0.2 said so and went on."""
    named = os.environ.get(FILE_VARIABLE, "").strip()
    if not named or os.path.lexists(os.path.expanduser(named)):
        return os.environ
    _warn_of_missing_file(named)
    return {name: value for name, value in os.environ.items() if name != FILE_VARIABLE}


@cache  # parser, cluster and server each look for it
def _warn_of_missing_file(named: str) -> None:
    log.warning("$%s ignored: there is no file %s", FILE_VARIABLE, one_line(named))


def given_by(args: Any) -> dict[str, Any]:
    """The options among parsed arguments, as keywords of `connect`; the arguments are left as they are."""
    values = args if isinstance(args, Mapping) else getattr(args, "__dict__", {})
    mine = {name: value for name, value in values.items() if str(name).startswith(_PREFIXES)}
    return {name: value for name, value in mine.items() if isinstance(value, _SCALARS) and value != ""}


@dataclass(frozen=True)
class UnaskedServer:
    """Stands for a server while a script is captured: it has an address and a namespace, and answers nothing.

    platform: `argo` or `kubernetes`.
    namespace: as options say, else `default`.
    """

    platform: str
    namespace: str
    stated: Credential

    @property
    def server(self) -> str:
        """Its address, as far as options name it."""
        return self.stated.server

    @property
    def identity(self) -> str:
        """Unknown, since nobody was asked."""
        return "not asked"

    def core_v1(self) -> Any:
        """The official client, which refuses to read."""
        raise OfflineError(HeldRequest(library="kubernetes", method="GET", path="/api/v1", changes=False))

    def delete_template(self, name: str, *, namespace: str = "") -> None:
        """Record that a workflow template would be deleted."""
        self.delete("argoproj.io/v1alpha1", "workflowtemplates", name, namespace=namespace)

    def delete(self, version: str, resource: str, name: str, *, namespace: str = "") -> None:
        """Record that an object would be deleted."""
        phase = offline_phase()
        assert phase is not None
        path = f"/apis/{version}/namespaces/{namespace or self.namespace}/{resource}/{name}"
        phase.hold(
            HeldRequest(
                library="hera_k8s_utils",
                method="DELETE",
                path=path,
                verb="delete",
                kind={"workflowtemplates": "WorkflowTemplate"}.get(resource, resource),
                namespace=namespace,
            ),
            {},
        )


def _no_credential(server: str) -> Credential:
    from hera_k8s_utils.plugins.credentials import Credential

    return Credential(server=server, source="not asked")


@dataclass(frozen=True)
class ScriptConnection:
    """The Kubernetes cluster and the Argo server that parsed arguments name."""

    connection: Connection

    @classmethod
    def of(cls, args: Any) -> ScriptConnection:
        """Reached from parsed arguments; what they leave open comes from variables and files. Asks no server."""
        from hera_k8s_utils.container.container import connect

        connection = connect(tolerant=True, environ=script_environment(), **given_by(args))
        for problem in connection.container.plugins().problems:
            log.warning("%s", problem)
        return cls(connection)

    @property
    def context(self) -> Context:
        """What declared functions are given."""
        context: Context = self.connection.container.context()
        return context

    def option(self, name: str) -> Any:
        """The effective value of an option, None where it is unset."""
        return self.context.options.by_name(name)

    def credential(self, platform: str) -> Credential:
        """The credential in use for a platform; while a script is captured, one that opens nothing."""
        if offline_phase() is not None:
            return _no_credential(str(self.option(f"{platform}_server") or ""))
        return self.context.platforms.credential(platform)

    def open(self, platform: str) -> Any:
        """The client of a platform; raises `CredentialError` when nothing opens it."""
        if offline_phase() is not None:
            return UnaskedServer(platform, str(self.option("argo_namespace") or "default"), self.credential(platform))
        return self.connection.container.platforms().open(platform, self.context)

    def activate(self, platform: str) -> None:
        """Point the client library of a platform at it, as the platform's plugin declares.

        Not while a script is captured: the command, not the script, decides where its workflow goes.
        """
        if offline_phase() is not None:
            return
        self.connection.container.platforms().activate(platform, self.context)

    def access(self, platform: str) -> Check:
        """A look at whether a platform answers and lets us in; it is opened here, before any thread starts."""
        from hera_k8s_utils.checks.runner import ACCESS, Check

        self.open(platform)
        platforms = self.connection.container.platforms()
        declared = platforms.declared(platform)
        look = declared.probe or (lambda *_: ())
        return Check(ACCESS, platform, partial(look, platforms.settings(declared), self.context))

    def resource(self, kind: str, name: str) -> Check:
        """A look at one named object of a kind that some plugin checks."""
        from hera_k8s_utils.checks.runner import ENVIRONMENT, Check
        from hera_k8s_utils.errors import PluginError
        from hera_k8s_utils.results import Verdict, warn

        checker = next((each for each in self.connection.container.checkers() if each.kind == kind), None)
        if checker is None:
            raise PluginError(f"no plugin checks a {kind}", hint="hera-k8s plugins")
        self.open("kubernetes")
        wanted = checker.requirement(name)
        phase = offline_phase()
        if phase is not None:
            phase.require(wanted)
        settings = self.connection.container.platforms().settings(checker)

        def look() -> CheckResult:
            result: CheckResult = checker.check(settings, self.context, wanted)
            if result.verdict is Verdict.FAILED and kind == "PersistentVolumeClaim" and self._is_pending(name):
                return warn(result.detail, hint=result.hint)
            return result

        return Check(ENVIRONMENT, wanted.title, look)

    def _is_pending(self, claim: str) -> bool:
        """Whether a claim is there and has no volume yet; False where that cannot be told."""
        try:
            found = self.context.kubernetes.get("v1", "persistentvolumeclaims", claim)
        except PlatformError:
            return False
        deleted = (found.get("metadata") or {}).get("deletionTimestamp")
        return not deleted and ((found.get("status") or {}).get("phase") or "Pending") == "Pending"

    def require(self, *checks: Check) -> None:
        """Look at everything at once; raises `ScriptExit` with all that is wrong, warns of what may be.

        While a script is captured, nothing is looked at: the command checks both servers and what the script requires.
        """
        if offline_phase() is not None:
            return
        from hera_k8s_utils.checks.runner import run_checks
        from hera_k8s_utils.config.settings import CoreSettings
        from hera_k8s_utils.redaction import redact
        from hera_k8s_utils.results import Verdict

        core = self.context.options.of(CoreSettings)
        report = run_checks(checks, max_workers=core.concurrency, timeout=core.check_timeout)
        for row in report.of(Verdict.WARNING, Verdict.UNKNOWN):
            log.warning("%s", redact(f"{self._subject(row)}: {row.result.detail}"))
        failures = report.failures()
        if failures:
            wanted, found, hint = self._told(failures)
            raise ScriptExit(redact(wanted), found=redact(found), hint=redact(hint))

    def _told(self, failures: Sequence[Row]) -> tuple[str, str, str]:
        first = failures[0]
        if len(failures) == 1:
            return f"{self._subject(first)} cannot be used", first.result.detail, self._hint(first)
        lines = [f"\n  {self._subject(row)}: {row.result.detail}" for row in failures]
        hints = dict.fromkeys(hint for row in failures if (hint := self._hint(row)))
        return f"{len(failures)} things are not as they must be", "".join(lines), "\n".join(hints)

    def _subject(self, row: Row) -> str:
        """What a line of the report is about, with the address of a server."""
        names = {"argo": "the Argo server", "kubernetes": "the Kubernetes cluster"}
        if row.title not in names:
            return row.title
        return f"{names[row.title]} {getattr(self.open(row.title), 'server', '')}".rstrip()

    def _hint(self, row: Row) -> str:
        """The hint of a check, unless it is a flag that 0.1 scripts do not have."""
        if _NEW_FLAG not in row.result.hint:
            return to_legacy_flags(row.result.hint)
        resource = {"claim": "persistentvolumeclaims", "config": "configmaps"}.get(row.title.partition(" ")[0])
        return f"kubectl -n {self.context.namespace} get {resource}" if resource else ""
