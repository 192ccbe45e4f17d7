"""Executor: the process of a resource template's pod; its input is one directory, nothing on its command line.

The directory holds `task.json`: `url`, `token`, `namespace`, `resource` (the template's), `outputs` (its parameters)
and `owner` (a reference to the workflow, or null). What it finds goes to `outputs.json`; why it fails, to the file that
TERMINATION_LOG names and its standard error, with status 64 as Argo's executor does.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Final

from hera_k8s_sandbox.foundation.jsonpath import JsonPathError, jq_output, kubectl_output
from hera_k8s_sandbox.foundation.reading import read_yaml
from hera_k8s_sandbox.workflows.executor.kubectl.actions import ActionFailed, perform
from hera_k8s_sandbox.workflows.executor.kubectl.client import Client, Refused
from hera_k8s_sandbox.workflows.executor.kubectl.conditions import ConditionFailed, is_met, parse_condition
from hera_k8s_sandbox.workflows.executor.kubectl.flags import read_flags
from hera_k8s_utils._types import Json

FAILED: Final = 64  # what argoexec exits with
_PAUSE: Final = 0.5  # seconds between two checks; Argo waits five


def main(directory: str) -> int:
    """Execute `task.json`; the exit status."""
    place = Path(directory)
    task = json.loads((place / "task.json").read_text(encoding="utf-8"))
    try:
        outputs = _execute(task)
    except (ActionFailed, ConditionFailed, JsonPathError, Refused, ValueError) as error:
        _leave(str(error))
        return FAILED
    (place / "outputs.json").write_text(json.dumps(outputs), encoding="utf-8")
    return 0


def _execute(task: Json) -> Json:
    resource = task["resource"]
    documents = _documents(resource.get("manifest") or "", task.get("owner"))
    flags = read_flags(resource.get("flags") or ())
    if not documents and not flags.words:
        raise ActionFailed("Must provide at least one of flags or manifest.")
    client = Client(task["url"], task["token"], task["namespace"])
    found = perform(client, resource["action"], documents, flags, resource.get("mergeStrategy") or "strategic")
    for one in found:
        print(f"{one['kind']}/{one['metadata']['name']} {resource['action']}", flush=True)
    latest = found[-1] if found else None
    if latest is not None:
        latest = _await(client, latest, resource)
    return {"parameters": [_output(one, latest) if one.get("valueFrom") else one for one in task["outputs"]]}


def _documents(manifest: str, owner: Json | None) -> list[Any]:
    import yaml

    try:
        loaded = [one for one in read_yaml(manifest) if one is not None]
    except (ValueError, yaml.YAMLError) as error:
        raise ActionFailed(f'error: error parsing "/tmp/manifest.yaml": {error}') from None
    documents = [item for one in loaded for item in _listed(one)]
    for one in documents:
        if owner is not None and isinstance(one, dict):
            meta = one.setdefault("metadata", {})
            meta["ownerReferences"] = [*(meta.get("ownerReferences") or ()), owner]
    return documents


def _listed(document: Any) -> list[Any]:
    if isinstance(document, dict) and document.get("kind") == "List":
        return list(document.get("items") or ())
    return [document]


def _await(client: Client, resource: Json, template: Json) -> Json:
    """The resource once it is what the template waits for. Raises ConditionFailed, ActionFailed."""
    success = parse_condition("success", template.get("successCondition") or "")
    failure = parse_condition("fail", template.get("failureCondition") or "")
    if success is None and failure is None:
        return resource
    where = f"{client.place_of(resource)}/{resource['metadata']['name']}"
    while True:
        try:
            resource = client.send("GET", where)
        except Refused as refused:
            if refused.reason != "NotFound":
                raise
            message = "The resource has been deleted while its status was still being checked. Will not be retried"
            raise ActionFailed(f"{message}: {refused}") from None
        if is_met(resource, success, failure):
            return resource
        time.sleep(_PAUSE)


def _output(declared: Json, resource: Json | None) -> Json:
    source = declared["valueFrom"]
    if resource is None:
        return declared | {"value": str(source.get("default") or "")}
    try:
        if source.get("jsonPath"):
            value = kubectl_output(source["jsonPath"], resource)
        else:
            value = jq_output(source["jqFilter"], resource).removesuffix("\n")
    except JsonPathError:
        if source.get("default") is None:
            raise
        value = str(source["default"])
    return declared | {"value": value}


def _leave(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
    Path(os.environ["TERMINATION_LOG"]).write_text(message[:4096], encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
