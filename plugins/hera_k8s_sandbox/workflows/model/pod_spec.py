"""Pods: the Pod object in which a template runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from hera_k8s_sandbox.foundation.labels import COMPLETED_LABEL, NODE_ID, NODE_NAME, TEMPLATE_ANNOTATION, WORKFLOW_LABEL
from hera_k8s_sandbox.foundation.reading import read_yaml
from hera_k8s_sandbox.schema.patches import strategic_merge
from hera_k8s_sandbox.workflows.language.substitution import substitute
from hera_k8s_utils._types import Json

SCRIPT_PATH: Final = "/argo/staging/script"
MAIN: Final = "main"
EXECUTOR_IMAGE: Final = "quay.io/argoproj/argoexec:v4.1.2"

_POD_FIELDS: Final = (
    "nodeSelector",
    "tolerations",
    "affinity",
    "securityContext",
    "automountServiceAccountToken",
    "schedulerName",
    "hostAliases",
)
_WORKFLOW_POD_FIELDS: Final = ("imagePullSecrets", "hostNetwork", "dnsPolicy", "dnsConfig")
_TAGGED: Final = (*_POD_FIELDS, *_WORKFLOW_POD_FIELDS, "podMetadata", "podSpecPatch", "serviceAccountName", "volumes")


class PodSpecError(ValueError):
    """The pod cannot be made: a podSpecPatch cannot be read, or a volume is not there."""


def build_pod(
    workflow: Json, template: Json, *, name: str, node: Json, with_result: bool, values: Mapping[str, str]
) -> Json:
    """The pod of a node.

    template: with its tags replaced; with_result: its standard output is an output; values: what tags of the
    workflow's own fields stand for. Raises PodSpecError.
    """
    meta, spec = workflow["metadata"], workflow["spec"]
    made = (workflow.get("status") or {}).get("persistentVolumeClaims") or ()
    if made:
        spec = spec | {"volumes": [*(spec.get("volumes") or ()), *made]}
    spec = spec | substitute({field: spec[field] for field in _TAGGED if spec.get(field)}, values)
    mains = _main_containers(template, node, with_result=with_result)
    containers = [*mains, *(_beside(one, mains) for one in template.get("sidecars") or ())]
    init = [_beside(one, mains) for one in template.get("initContainers") or ()]
    pod_spec: Json = {"restartPolicy": "Never", **({"initContainers": init} if init else {}), "containers": containers}
    volumes = _volumes(spec, template, [*init, *containers])
    if volumes:
        pod_spec["volumes"] = volumes
    pod_spec["serviceAccountName"] = account_of(spec, template)
    for field in _POD_FIELDS:
        value = template.get(field, spec.get(field))
        if value not in (None, {}, [], ""):
            pod_spec[field] = value
    for field in _WORKFLOW_POD_FIELDS:
        if spec.get(field):
            pod_spec[field] = spec[field]
    if template.get("activeDeadlineSeconds") not in (None, ""):
        pod_spec["activeDeadlineSeconds"] = int(template["activeDeadlineSeconds"])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": meta["namespace"],
            "labels": _own(spec, template, "labels") | {COMPLETED_LABEL: "false", WORKFLOW_LABEL: meta["name"]},
            "annotations": _own(spec, template, "annotations")
            | {
                "kubectl.kubernetes.io/default-container": mains[0]["name"],
                NODE_ID: node["id"],
                NODE_NAME: node["name"],
                TEMPLATE_ANNOTATION: json.dumps(
                    _for_runner(
                        template, workflow=meta["name"], pod=name, archives_logs=_archives_logs(spec, template)
                    ),
                    separators=(",", ":"),
                    ensure_ascii=False,
                ),
            },
            "ownerReferences": [owner_reference(workflow)],
        },
        "spec": _patched(pod_spec, (spec.get("podSpecPatch"), template.get("podSpecPatch"))),
    }


def owner_reference(workflow: Json) -> Json:
    """The owner reference of objects that a workflow creates."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "name": workflow["metadata"]["name"],
        "uid": workflow["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _patched(pod_spec: Json, patches: tuple[str | None, ...]) -> Json:
    import yaml

    for text in patches:
        if not text:
            continue
        try:
            documents = read_yaml(text)
        except (ValueError, yaml.YAMLError) as error:
            raise PodSpecError(f"Failed to merge the workflow PodSpecPatch: {error}") from None
        patch = documents[0] if len(documents) == 1 else None
        if not isinstance(patch, dict):
            raise PodSpecError("Failed to merge the workflow PodSpecPatch: it is no object")
        pod_spec = strategic_merge({"spec": pod_spec}, {"spec": patch})["spec"]
    return pod_spec


def account_of(spec: Json, template: Json) -> str:
    """The service account that a template's pods run as."""
    return str(template.get("serviceAccountName") or spec.get("serviceAccountName") or "default")


def _main_containers(template: Json, node: Json, *, with_result: bool) -> list[Json]:
    """The container of a template, or those of its set."""
    together = template.get("containerSet")
    if together is None:
        source = template.get("script") or template.get("container") or _executor(template)
        return [_main_container(template, {**source, "name": MAIN}, node, with_result=with_result)]
    shared = together.get("volumeMounts") or []
    made = []
    for one in together["containers"]:
        source = {key: value for key, value in one.items() if key != "dependencies"}
        if shared:
            source["volumeMounts"] = [*(one.get("volumeMounts") or ()), *shared]
        made.append(_main_container(template, source, node, with_result=with_result and one["name"] == MAIN))
    return made


def _beside(container: Json, mains: list[Json]) -> Json:
    """A sidecar or init container, with the volumes of the main one where it mirrors them."""
    made = {key: value for key, value in container.items() if key != "mirrorVolumeMounts"}
    if container.get("mirrorVolumeMounts"):
        mirrored = [mount for main in mains for mount in main.get("volumeMounts") or ()]
        own = container.get("volumeMounts") or []
        made["volumeMounts"] = [*own, *(mount for mount in mirrored if mount not in own)]
    return made


def _main_container(template: Json, source: Json, node: Json, *, with_result: bool) -> Json:
    container = {key: value for key, value in source.items() if key != "source"}
    if "script" in template:
        container["args"] = [*(source.get("args") or ()), SCRIPT_PATH]
    own = [
        {"name": "ARGO_CONTAINER_NAME", "value": source["name"]},
        {"name": "ARGO_NODE_ID", "value": node["id"]},
        {"name": "ARGO_INCLUDE_SCRIPT_OUTPUT", "value": "true" if with_result else "false"},
    ]
    container["env"] = [*(source.get("env") or ()), *own]
    return container


def _executor(template: Json) -> Json:
    return {"image": EXECUTOR_IMAGE, "command": ["argoexec", "resource", template["resource"]["action"]]}


def _volumes(spec: Json, template: Json, containers: list[Json]) -> list[Json]:
    known = {volume["name"]: volume for volume in [*(spec.get("volumes") or ()), *(template.get("volumes") or ())]}
    mounts = [mount for container in containers for mount in container.get("volumeMounts") or ()]
    wanted = dict.fromkeys(mount["name"] for mount in mounts)
    for name in wanted:
        if name not in known:  # it came from a parameter
            raise PodSpecError(f"volume '{name}' not found in workflow spec")
    return [known[name] for name in wanted]


def _own(spec: Json, template: Json, field: str) -> Json:
    of_workflow = (spec.get("podMetadata") or {}).get(field) or {}
    of_template = (template.get("metadata") or {}).get(field) or {}
    return {**of_workflow, **of_template}


def _archives_logs(spec: Json, template: Json) -> bool:
    """Whether what a pod writes is kept as an artifact."""
    own = (template.get("archiveLocation") or {}).get("archiveLogs")
    return bool(spec.get("archiveLogs") if own is None else own)


def _for_runner(template: Json, *, workflow: str, pod: str, archives_logs: bool) -> Json:
    kept: Json = {"name": template["name"], "keyPrefix": f"{workflow}/{pod}"}
    if (template.get("inputs") or {}).get("artifacts"):
        kept["inputs"] = {"artifacts": template["inputs"]["artifacts"]}
    if archives_logs:
        kept["archiveLogs"] = True
    if template.get("outputs"):
        kept["outputs"] = template["outputs"]
    if "script" in template:
        kept["script"] = {"source": template["script"].get("source", "")}
    if "resource" in template:
        kept["resource"] = template["resource"]
    if "containerSet" in template:
        kept["graph"] = {one["name"]: one.get("dependencies") or [] for one in template["containerSet"]["containers"]}
    if template.get("daemon"):
        kept["daemon"] = True
    return kept
