"""Running one workflow of the corpus on a server, to its end or as far as it comes by itself."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any, Final

from cluster_access import Access, Kube, wait_until
from corpus_comparison import FINAL, waits_for_someone
from corpus_documents import KINDS, Document, referenced
from real_argo import RealArgo

Json = dict[str, Any]

PATIENCE: Final = 90.0  # seconds for one workflow
_PAUSE: Final = 0.3  # seconds between two looks
_RULES: Final = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"


def run(access: Access, namespace: str, document: Document, examples: Path, argo: RealArgo | None) -> Json:
    """The workflow as it is in the end, in a namespace of its own; `{"rejected": MESSAGE}` when it is not accepted."""
    kube = Kube(access, namespace)
    kube.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    try:
        wait_until(lambda: kube.find("{ns}/serviceaccounts/default") is not None, "the default account")
        _prepare(kube, examples, argo)
        return _to_the_end(kube, document)
    finally:
        kube.delete(f"/api/v1/namespaces/{namespace}")


def _prepare(kube: Kube, examples: Path, argo: RealArgo | None) -> None:
    if argo is not None:
        argo.prepare(kube)
    roles = f"{_RBAC}/namespaces/{kube.namespace}"
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "anything"}
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": kube.namespace}
    kube.create(f"{roles}/roles", {"metadata": {"name": role["name"]}, "rules": _RULES})
    kube.create(f"{roles}/rolebindings", {"metadata": {"name": "anything"}, "subjects": [subject], "roleRef": role})
    for body in referenced(examples):
        body = copy.deepcopy(body)
        body["metadata"].pop("namespace", None)
        path = KINDS[body["kind"]].format(namespace=kube.namespace, ns="{ns}")
        answer = kube.send("POST", path, body)
        assert answer.ok or answer.status_code in (400, 409, 422), answer.text


def _to_the_end(kube: Kube, document: Document) -> Json:
    body = copy.deepcopy(document.body)
    meta = body["metadata"]
    meta.pop("namespace", None)
    prefix = meta.pop("generateName", "")
    meta.setdefault("name", f"{prefix}1" if prefix else "example")
    base = f"/apis/argoproj.io/v1alpha1/namespaces/{kube.namespace}/workflows"
    answer = kube.send("POST", base, body)
    if not answer.ok:
        return {"rejected": str(answer.json().get("message", ""))}
    ends_at = time.monotonic() + PATIENCE
    while True:
        found = kube.find(f"{base}/{meta['name']}")
        if found is None:  # removed by its own strategy
            return {"rejected": "gone"}
        status = found.get("status") or {}
        if status.get("phase") in FINAL or waits_for_someone(found) or time.monotonic() > ends_at:
            return found
        time.sleep(_PAUSE)
