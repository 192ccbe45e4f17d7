"""Waits until every locale of the deployment is ready; after the deadline, names those that are not, and fails.

Runs in the server's image with nothing but Python's standard library, as the account and with the address that the
server itself will use: what is wrong with either shows here, before the server starts. Variables: K8S_HOST, NAMESPACE,
APP_NAME (name of the deployment, and label of its pods), LOCALES, TIMEOUT_SECONDS, SA_DIRECTORY (token and ca.crt).
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

PAUSE = 2.0
FATAL = (401, 403)
MOST = 64 * 1024 * 1024  # bytes of an answer
PATIENCE = 15.0  # seconds until a refusal counts: the API server learns of new rights a moment after they were given


class Refused(Exception):
    """The API server will not answer us, now or later."""


def read(path: str) -> dict[str, Any] | None:
    """One answer of the Kubernetes API as plain data; None when the server could not be asked, or found nothing."""
    directory, address = os.environ["SA_DIRECTORY"], os.environ["K8S_HOST"].rstrip("/")
    with open(os.path.join(directory, "token"), encoding="ascii") as file:
        token = file.read().strip()
    authority = os.path.join(directory, "ca.crt")
    trust = None
    if address.startswith("https"):
        trust = ssl.create_default_context(cafile=authority if os.path.exists(authority) else None)
    request = urllib.request.Request(address + path, headers={"Authorization": "Bearer " + token})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30, context=trust) as answer:  # noqa: S310
            content = answer.read(MOST + 1)
        if len(content) > MOST:
            raise ValueError(f"the answer is larger than {MOST} bytes")
        found: dict[str, Any] = json.loads(content)
        return found
    except urllib.error.HTTPError as error:
        if error.code in FATAL:
            said = error.read(2000).decode("utf-8", "replace")
            raise Refused(f"{address} answered {error.code}: {said}") from None
        print(f"{address} answered {error.code}", flush=True)
    except (OSError, ValueError, RecursionError) as error:
        print(f"{address}: {error}", flush=True)
    return None


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether a pod is ready and is to stay."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    ready = any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


def trouble(pod: dict[str, Any]) -> str:
    """Why a pod is not ready, in a few words."""
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or []:
        waiting = (container.get("state") or {}).get("waiting")
        if waiting:
            return " ".join(filter(None, (waiting.get("reason"), waiting.get("message"))))
    for condition in status.get("conditions") or []:
        if condition.get("status") == "False" and condition.get("message"):
            return str(condition["message"])
    return str(status.get("phase") or "unknown")


def rolled_out(deployment: dict[str, Any], locales: int) -> bool:
    """Whether the deployment is at its last version, with no pod of an earlier one."""
    status = deployment.get("status") or {}
    current = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return current and all(status.get(key) == locales for key in ("replicas", "updatedReplicas", "readyReplicas"))


def main() -> int:
    """The exit code."""
    namespace, app = os.environ["NAMESPACE"], os.environ["APP_NAME"]
    locales, timeout = int(os.environ["LOCALES"]), float(os.environ["TIMEOUT_SECONDS"])
    selector = urllib.parse.quote("app=" + app)
    began, told = time.monotonic(), None
    pods: list[dict[str, Any]] = []
    while True:
        deployment = listed = None
        try:
            deployment = read(f"/apis/apps/v1/namespaces/{namespace}/deployments/{app}")
            listed = read(f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}")
        except Refused:
            if time.monotonic() - began >= min(PATIENCE, timeout):
                raise
        pods = pods if listed is None else listed["items"]
        ready = sum(is_ready(pod) for pod in pods)
        if deployment is not None and rolled_out(deployment, locales) and ready >= locales:
            print(f"{locales} of {locales} locales are ready", flush=True)
            return 0
        if ready != told:
            print(f"{ready} of {locales} locales are ready", flush=True)
            told = ready
        left = began + timeout - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(PAUSE, left))
    print(f"after {timeout:g} seconds {ready} of {locales} locales are ready", file=sys.stderr)
    for pod in pods:
        if not is_ready(pod):
            print(f"not ready: {pod['metadata']['name']}: {trouble(pod)}", file=sys.stderr)
    if len(pods) < locales:
        print(f"not there: {locales - len(pods)} of {locales} pods", file=sys.stderr)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Refused as refused:
        sys.exit(f"the locales cannot be looked at: {refused}")
