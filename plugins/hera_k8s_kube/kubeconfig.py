"""Kubeconfig files: found, merged as kubectl merges them, and the one context that is used."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hera_k8s_utils import CredentialError, HeraK8sError, Json, NotApplicable, join_names, nearest
from hera_k8s_utils._moved import forward
from hera_k8s_utils.paths import expand_path, expand_paths, home_directory
from hera_k8s_utils.reading import FileRefused, TooComplex, parse_yaml, read_text
from hera_k8s_utils.trust import write_own

log = logging.getLogger(__name__)

_GET_AGAIN: Final = "ask the cluster's administrators for a new one"
_LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a kubeconfig; a larger file is something else."""
_KINDS: Final = {"clusters": "cluster", "contexts": "context", "users": "user"}
FILES: Final = {"cluster": ("certificate-authority",), "user": ("client-certificate", "client-key", "tokenFile")}
"""Keys that hold a path, relative to the file they stand in."""


@dataclass(frozen=True)
class Entry:
    """A cluster, a context or a user, and the file that it stands in."""

    body: Json = field(repr=False)
    file: Path


@dataclass(frozen=True)
class Kubeconfig:
    """Several files as one. current: the context that is used when none is named."""

    files: Sequence[Path]
    current: str
    entries: Mapping[str, Mapping[str, Entry]] = field(repr=False)

    @property
    def named(self) -> str:
        """The files as a message names them."""
        return join_names([str(file) for file in self.files])


@dataclass(frozen=True)
class SelectedContext:
    """The selected context and the entries that it refers to.

    name: name of the context.
    namespace: its namespace; empty when it has none.
    cluster: its cluster.
    user: its user; None for anonymous access.
    user_name: name of the user; empty when it has none.
    source: where the credential comes from, for messages.
    """

    name: str
    namespace: str
    cluster: Entry
    user: Entry | None
    user_name: str
    source: str


def find_files(stated: str, *, asked: bool) -> list[Path]:
    """The files to read.

    stated: the option, perhaps a list. asked: a context was named, so that there must be a file.
    Raises `NotApplicable` when there is none, `CredentialError` when one that was asked for is missing.
    """
    if not stated.strip():
        default = _kubectls_directory() / "config"
        if not default.exists() and asked:
            raise CredentialError(
                "a context is configured, but there is no kubeconfig",
                found="KUBECONFIG is not set, and ~/.kube/config does not exist",
                hint="--k8s-config-file FILE",
            )
        if not default.exists():
            raise NotApplicable("no kubeconfig file: KUBECONFIG is not set, and ~/.kube/config does not exist")
        return [default]
    paths = [path for path in expand_paths(stated) if not _is_nothing(path)]
    if not paths:
        raise NotApplicable(f"the kubeconfig is {os.devnull}, which means no kubeconfig")
    present = [path for path in paths if path.exists()]  # as kubectl does, a list may name files that are not there
    if present:
        return present
    missing = join_names([str(path) for path in paths])
    raise CredentialError(
        f"cannot read the kubeconfig {missing}",
        found="no such file",
        hint="set --k8s-config-file or KUBECONFIG; KUBECONFIG=/dev/null means no kubeconfig",
    )


def is_kubectls(file: Path) -> bool:
    """Whether a file lies in `~/.kube`."""
    return _kubectls_directory().resolve() in file.resolve().parents


def _kubectls_directory() -> Path:
    return (home_directory() or Path("/")) / ".kube"  # kubectl looks below the root if there is no home


def _is_nothing(path: Path) -> bool:
    return str(path) in ("/dev/null", os.devnull)


def read(files: Sequence[Path]) -> Kubeconfig:
    """The files merged: of two entries with one name, and of two current contexts, the first counts."""
    entries: dict[str, dict[str, Entry]] = {kind: {} for kind in _KINDS}
    current = ""
    for file in files:
        body = _load(file)
        stated = body.get("current-context")
        current = current or (stated if isinstance(stated, str) else "")
        for kind, key in _KINDS.items():
            for name, entry in _named(body.get(kind), key, file):
                entries[kind].setdefault(name, Entry(entry, file))
    config = Kubeconfig(tuple(files), current, entries)
    if not entries["contexts"]:
        raise _unusable(config, "it is empty" if _is_empty(files) else "it has no contexts")
    return config


def _is_empty(files: Sequence[Path]) -> bool:
    return not any(_text(file).strip() for file in files)


def _load(file: Path) -> Json:
    import yaml

    try:
        documents = parse_yaml(_text(file))
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that there is not, a number too long
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise CredentialError(
            f"cannot read the kubeconfig {file}",
            found=str(error) if isinstance(error, TooComplex) else f"it is not YAML{where}",
            hint=_GET_AGAIN,
        ) from None  # the error quotes the file, which holds secrets
    if len(documents) > 1:
        raise CredentialError(
            f"cannot read the kubeconfig {file}", found="it contains more than one document", hint=_GET_AGAIN
        )
    body = documents[0] if documents else None
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise CredentialError(
            f"cannot read the kubeconfig {file}", found="it is not a kubeconfig: not a mapping", hint=_GET_AGAIN
        )
    return body


def _text(file: Path) -> str:
    try:
        return read_text(file, most=_LARGEST, pipe=True)
    except FileRefused as error:
        found, hint = error.strerror or "", _GET_AGAIN
    except OSError as error:
        found, hint = (error.strerror or type(error).__name__).lower(), "is the path right, and may you read it?"
    raise CredentialError(f"cannot read the kubeconfig {file}", found=found, hint=hint)


def _named(listing: Any, key: str, file: Path) -> list[tuple[str, Json]]:
    """Names and bodies of a list of clusters, contexts or users."""
    if listing is None:
        return []
    if not isinstance(listing, list):
        raise CredentialError(f"cannot use the kubeconfig {file}", found=f"its {key}s are not a list")
    found = []
    for item in listing:
        body = item.get(key) if isinstance(item, dict) else None
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or not isinstance(body, (dict, type(None))):
            raise CredentialError(f"cannot use the kubeconfig {file}", found=f"a {key} in it has no name or no body")
        found.append((name, body or {}))
    return found


def select_context(config: Kubeconfig, wanted: str) -> SelectedContext:
    """The context that is named, or else the current one. Raises `CredentialError` when it is not there or is cut."""
    contexts = config.entries["contexts"]
    name = wanted or config.current
    if not name:
        raise _unusable(config, f"it has no current context; available: {join_names(sorted(contexts))}")
    if name not in contexts:
        near = nearest(name, contexts)
        raise CredentialError(
            f"the kubeconfig {config.named} has no context {name}",
            found=f"available: {join_names(sorted(contexts))}",
            hint=f"--k8s-context {near or sorted(contexts)[0]}",
        )
    context = contexts[name].body
    cluster = _pointed_at(config, "clusters", context, name)
    if cluster is None:
        raise _unusable(config, f"its context {name} has no cluster")
    if not isinstance(cluster.body.get("server"), str) or not cluster.body["server"]:
        raise _unusable(config, f"the cluster of its context {name} has no server")
    return SelectedContext(
        name=name,
        namespace=str(context.get("namespace") or ""),
        cluster=_absolute(cluster, "cluster"),
        user=_absolute(user, "user") if (user := _pointed_at(config, "users", context, name)) else None,
        user_name=str(context.get("user") or ""),
        source=f"kubeconfig, context {name}",
    )


def _pointed_at(config: Kubeconfig, kind: str, context: Json, name: str) -> Entry | None:
    key = _KINDS[kind]
    pointed = context.get(key)
    if not pointed:
        return None
    if pointed not in config.entries[kind]:
        raise _unusable(config, f"its context {name} refers to the {key} {pointed}, which does not exist")
    return config.entries[kind][pointed]


def _absolute(entry: Entry, key: str) -> Entry:
    """The entry with its paths made absolute: they are relative to the file that holds them."""
    body = dict(entry.body)
    for each in FILES[key]:
        if isinstance(body.get(each), str) and body[each]:
            body[each] = str(expand_path(body[each], directory=entry.file.absolute().parent))
    return Entry(body, entry.file)


def keep_settings(file: Path, user: str, settings: Json) -> None:
    """Write new settings of a user's auth provider into the kubeconfig, as kubectl does. Logs a warning if it cannot.

    Comments in the file are lost, as with kubectl.
    """
    import yaml

    try:
        with _locked(file):
            body = _load(file)
            for name, entry in _named(body.get("users"), "user", file):
                if name == user:
                    entry["auth-provider"]["config"].update(settings)
            write_own(file.resolve(), yaml.safe_dump(body, sort_keys=False))
    except (HeraK8sError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        log.warning("the new token is not kept in %s (%s): you may have to log in again", file, (why or "").lower())


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """While it lasts, no kubectl changes the file: kubectl makes the same lock."""
    if not file.is_file():
        raise FileNotFoundError(errno.ENOENT, "it is not a regular file", str(file))
    lock = f"{file}.lock"
    os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        yield
    finally:
        os.unlink(lock)


def _unusable(config: Kubeconfig, found: str) -> CredentialError:
    contexts = sorted(config.entries["contexts"])
    hint = f"--k8s-context {contexts[0]}" if contexts else _GET_AGAIN
    return CredentialError(f"cannot use the kubeconfig {config.named}", found=found, hint=hint)


globals()["__getattr__"] = forward(__name__)  # old names; not as a `def`, or type checkers would accept any name
