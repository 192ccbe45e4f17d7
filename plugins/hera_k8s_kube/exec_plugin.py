"""Exec plugins: commands that a kubeconfig runs to obtain a credential.

The official client (37.0) logs the failure of such a command and continues without a credential; here it is an error.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from hera_k8s_kube.known_secrets import remember_answer
from hera_k8s_utils import CredentialError, Json
from hera_k8s_utils.reading import LARGEST_AUTHORITIES, MIB, parse_json, read_file, run_command
from hera_k8s_utils.redaction import environment_for_children, redact_words

_GROUP: Final = "client.authentication.k8s.io/"
_LARGEST: Final = MIB
"""Bytes that a command may print."""
_TAIL: Final = 400
"""Characters of a command's last words that a message holds."""


def run_plugin(spec: Json, cluster: Json, directory: Path, *, timeout: float) -> Json:
    """The status that the command answers: `token`, or `clientCertificateData` and `clientKeyData`.

    spec: the user's `exec` entry.
    cluster: the cluster's entry, passed to commands that request it.
    directory: the kubeconfig's directory; a command with a path is relative to it.
    timeout: seconds.

    Raises `CredentialError`; the output, which holds the credential, is in no message.
    """
    command = _command(spec, directory)
    mode = spec.get("interactiveMode") or "IfAvailable"
    interactive = mode != "Never" and _has_terminal()
    if mode == "Always" and not interactive:
        raise _failed(spec, "it is interactive, and there is no terminal")
    try:
        done = run_command(
            command,
            env=_environment(spec, cluster, interactive=interactive),
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if interactive else subprocess.PIPE,  # a prompt must be seen
            timeout=timeout,
            most=_LARGEST,
        )
    except FileNotFoundError:
        raise _failed(spec, "command not found", str(spec.get("installHint") or "")) from None
    except subprocess.TimeoutExpired:
        raise _failed(spec, f"no answer within {timeout:g} s", "wait longer: --k8s-exec-timeout SECONDS") from None
    except (OSError, ValueError) as error:
        raise _failed(spec, getattr(error, "strerror", None) or type(error).__name__) from None
    if done.returncode != 0:
        _remember(done.stdout)
        said = redact_words(" ".join((done.stderr or b"").decode("utf-8", "replace").split()))[-_TAIL:]
        raise _failed(spec, f"exit status {done.returncode}" + (f": {said}" if said else ""))
    return _status(spec, done.stdout)


def _command(spec: Json, directory: Path) -> list[str]:
    name, arguments = spec.get("command"), spec.get("args") or []
    if not isinstance(name, str) or not name:
        raise CredentialError("the kubeconfig's exec plugin cannot be run", found="it has no command")
    if not isinstance(arguments, list):
        raise _failed(spec, "its args are not a list")
    has_path = "/" in name or os.sep in name
    return [str(directory / name) if has_path else name, *map(_word, arguments)]


def _environment(spec: Json, cluster: Json, *, interactive: bool) -> dict[str, str]:
    asked: Json = {"interactive": interactive}
    if spec.get("provideClusterInfo"):
        asked["cluster"] = _cluster_info(spec, cluster)
    info = {"apiVersion": spec.get("apiVersion"), "kind": "ExecCredential", "spec": asked}
    variables = [each for each in spec.get("env") or () if isinstance(each, dict) and each.get("name")]
    added = {str(each["name"]): _word(each.get("value")) for each in variables}
    return {**environment_for_children(os.environ, proxies=True), **added, "KUBERNETES_EXEC_INFO": json.dumps(info)}


def _word(value: Any) -> str:
    """A value of YAML as the text that kubectl makes of it: nothing is the empty text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


_CLUSTER_FIELDS: Final = (
    "tls-server-name",
    "insecure-skip-tls-verify",
    "certificate-authority-data",
    "proxy-url",
    "disable-compression",
)


def _cluster_info(spec: Json, cluster: Json) -> Json:
    """The fields of `ExecCredential.spec.cluster`, as client-go fills them in: an authority is always data."""
    info: Json = {"server": cluster.get("server")}
    info |= {key: cluster[key] for key in _CLUSTER_FIELDS if cluster.get(key)}
    file = cluster.get("certificate-authority")
    if file and "certificate-authority-data" not in info:
        try:
            content = read_file(str(file), most=LARGEST_AUTHORITIES)
        except OSError as error:
            found = f"the certificate authority {file} cannot be read: {(error.strerror or 'an error').lower()}"
            raise _failed(spec, found, "is the path right, and may you read it?") from None
        info["certificate-authority-data"] = base64.b64encode(content).decode()
    for extension in cluster.get("extensions") or ():
        if isinstance(extension, dict) and extension.get("name") == f"{_GROUP}exec":
            info["config"] = extension.get("extension")
    return info


def _remember(output: bytes) -> None:
    """A command that fails may have written its answer all the same, and repeat it among its errors."""
    try:
        answer = parse_json(output)
    except ValueError:
        return
    status = answer.get("status") if isinstance(answer, dict) else None
    if isinstance(status, dict):
        remember_answer(status)


def _status(spec: Json, output: bytes) -> Json:
    try:
        answer = parse_json(output)
    except ValueError:
        raise _failed(spec, "its output is not JSON") from None
    if not isinstance(answer, dict) or answer.get("kind") != "ExecCredential":
        raise _failed(spec, "its output is not an ExecCredential")
    if answer.get("apiVersion") != spec.get("apiVersion"):
        raise _failed(
            spec, f"its apiVersion is {answer.get('apiVersion')}, the kubeconfig's is {spec.get('apiVersion')}"
        )
    status = answer.get("status")
    if not isinstance(status, dict):
        raise _failed(spec, "its output has no status")
    has_certificate = status.get("clientCertificateData") and status.get("clientKeyData")
    remember_answer(status)
    if not status.get("token") and not has_certificate:
        raise _failed(spec, "its output has neither a token nor a certificate with its key")
    return status


def _has_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr is not None and sys.stderr.isatty()


def _failed(spec: Json, found: str, hint: str = "") -> CredentialError:
    command = Path(str(spec.get("command"))).name
    return CredentialError(
        f"the kubeconfig's exec plugin {command} failed",
        found=found,
        hint=hint or f"run {command} by hand, or log in to your cluster again",
    )
