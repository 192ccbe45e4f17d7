"""Namespaces, storage classes, definitions of custom kinds, and Argo's workflow templates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hera_k8s_kube.lookups import find, is_deleting, kubectl_command, missing_result
from hera_k8s_kube.requirements import CustomResourceDefinition, Namespace, StorageClass, WorkflowTemplate
from hera_k8s_utils import CheckResult, Context, ErrorKind, Json, PlatformError, fail, join_names, ok, warn
from hera_k8s_utils.experiment import Manifest, Unresolved

_ARGO: Final = "argoproj.io/v1alpha1"
_STORAGE: Final = "storage.k8s.io/v1"
_SANDBOX_CLASS: Final = "standard"
_REPLACES_OTHERS: Final = "hera-k8s-utils/replaces-other-classes"
_DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"


def check_namespace(settings: None, context: Context, wanted: Namespace) -> CheckResult:
    """Read the one named namespace."""
    found = find(context, "v1", "namespaces", wanted.name, scope="cluster")
    if found is None:
        return fail(f"{wanted.label}not found", hint=f"kubectl create namespace {wanted.name}    or  -n NAME")
    phase = (found.get("status") or {}).get("phase") or "Active"
    if is_deleting(found) or phase != "Active":
        return fail(f"{wanted.label}{phase}: nothing can be created in it", hint="use another namespace: -n NAME")
    return ok(f"{wanted.label}Active")


def check_storage_class(settings: None, context: Context, wanted: StorageClass) -> CheckResult:
    """Read the one named class."""
    found = find(context, _STORAGE, "storageclasses", wanted.name, scope="cluster")
    if found is None and _is_replaced(context):
        return warn(f"{wanted.label}not found; {_SANDBOX_CLASS} is used in its place")
    if found is None:
        return fail(f"{wanted.label}not found", hint=f"kubectl get storageclass    or  --bind {wanted.role}=NAME")
    annotations = (found.get("metadata") or {}).get("annotations") or {}
    default = ", the default" if annotations.get(_DEFAULT_CLASS) == "true" else ""
    return ok(f"{wanted.label}{found.get('volumeBindingMode') or 'Immediate'}{default}")


def usable_class(context: Context, name: str) -> str:
    """The class that a new claim names: the sandbox's own in place of one that is not there, else the same."""
    try:
        is_missing = find(context, _STORAGE, "storageclasses", name, scope="cluster") is None
        return _SANDBOX_CLASS if is_missing and _is_replaced(context) else name
    except PlatformError as error:
        if error.kind is not ErrorKind.FORBIDDEN:
            raise
        return name


def _is_replaced(context: Context) -> bool:
    """Whether an experiment may name classes of other clusters, as in the embedded sandbox."""
    found = find(context, _STORAGE, "storageclasses", _SANDBOX_CLASS, scope="cluster") or {}
    return ((found.get("metadata") or {}).get("annotations") or {}).get(_REPLACES_OTHERS) == "true"


def check_definition(settings: None, context: Context, wanted: CustomResourceDefinition) -> CheckResult:
    """Read the one named definition."""
    api, resource = "apiextensions.k8s.io/v1", "customresourcedefinitions"
    found = find(context, api, resource, wanted.name, scope="cluster")
    if found is None:
        return fail(f"{wanted.label}not found", hint="its operator is not installed: ask the cluster's administrators")
    served = [v.get("name") for v in (found.get("spec") or {}).get("versions") or () if v.get("served")]
    if wanted.version and wanted.version not in served:
        return fail(f"{wanted.label}serves {join_names(served) or 'no version'}, needs {wanted.version}")
    if not _established(found):
        return warn(f"{wanted.label}is not established yet", hint=f"kubectl describe crd {wanted.name}")
    return ok(f"{wanted.label}serves {join_names(served)}")


def _established(found: Json) -> bool:
    conditions = (found.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Established" and each.get("status") == "True" for each in conditions)


def check_workflow_template(settings: None, context: Context, wanted: WorkflowTemplate) -> CheckResult:
    """Read the one named template, and look for the parts of it that are used."""
    resource = "clusterworkflowtemplates" if wanted.cluster else "workflowtemplates"
    found = find(context, _ARGO, resource, wanted.name, scope="cluster" if wanted.cluster else "namespace")
    if found is None:
        verb = "cluster-template" if wanted.cluster else f"template -n {context.kubernetes.namespace}"
        return missing_result(context, wanted, otherwise=f"argo {verb} create FILE")
    names = {template.get("name") for template in (found.get("spec") or {}).get("templates") or ()}
    missing = sorted(set(wanted.templates) - names)
    if missing:
        get = kubectl_command(context, f"get {resource} {wanted.name} -o yaml")
        return fail(f"{wanted.subject}has no template {join_names(missing)}", hint=get)
    return ok(f"{wanted.label}{len(names)} templates" if len(names) != 1 else f"{wanted.label}1 template")


def referenced_workflow_templates(manifest: Manifest) -> Iterable[WorkflowTemplate | Unresolved]:
    """The workflow templates that the workflow uses, whole or in part."""
    for reference in manifest.template_references():
        for name in manifest.names(reference.scope, reference.text, reference.where):
            if isinstance(name, Unresolved):
                yield name
                continue
            used = (reference.template,) if reference.template and "{{" not in reference.template else ()
            yield WorkflowTemplate(name, templates=used, cluster=reference.cluster, where=reference.where)


def referenced_storage_classes(manifest: Manifest) -> Iterable[StorageClass | Unresolved]:
    """The storage classes of the claims that the workflow makes for itself."""
    for claim in manifest.spec.get("volumeClaimTemplates") or ():
        name = (claim.get("spec") or {}).get("storageClassName")
        for found in manifest.names("", str(name), "volumeClaimTemplates") if name else ():
            yield found if isinstance(found, Unresolved) else StorageClass(found, where="volumeClaimTemplates")
