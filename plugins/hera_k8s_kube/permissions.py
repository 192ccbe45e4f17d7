"""Service accounts and permissions: what the user, and the pods of a workflow, may do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from hera_k8s_kube.lookups import find, is_deleting, kubectl_command, missing_result
from hera_k8s_kube.pod_usage import used_pods
from hera_k8s_kube.requirements import Permission, Rule, ServiceAccount
from hera_k8s_utils import CheckResult, Context, ErrorKind, Json, PlatformError, fail, ok, unknown
from hera_k8s_utils.checks import plural
from hera_k8s_utils.experiment import Manifest, ObjectReference, Unresolved

_REVIEWS: Final = "authorization.k8s.io/v1"
_VERBS: Final = {
    "get": ("get",),
    "create": ("create",),
    "apply": ("get", "create", "patch"),
    "replace": ("get", "update"),
    "patch": ("patch",),
    "delete": ("delete",),
}
"""What each action of a `resource` template must be allowed."""


def check_service_account(settings: None, context: Context, wanted: ServiceAccount) -> CheckResult:
    """Read the one named account, and check its permissions where the caller may."""
    found = find(context, "v1", "serviceaccounts", wanted.name)
    if found is None:
        by_hand = kubectl_command(context, f"create serviceaccount {wanted.name}")
        return missing_result(context, wanted, otherwise=by_hand)
    if is_deleting(found):
        return fail(f"{wanted.label}is being deleted", hint="use another: --service-account NAME")
    return _allowed(context, wanted.rules, wanted.name, wanted.label)


def check_permission(settings: None, context: Context, wanted: Permission) -> CheckResult:
    """Ask the server whether it would permit this, without doing it."""
    return _allowed(context, (wanted.rule,), wanted.account, "", wanted.only)


def _allowed(context: Context, rules: Iterable[Rule], account: str, label: str, name: str = "") -> CheckResult:
    """account: the account whose permissions are checked; empty: the caller's own."""
    rules = tuple(rules)
    denied: list[Rule] = []
    try:
        for rule in rules:
            verbs = tuple(verb for verb in rule.verbs if not _may(context, account, rule, verb, name))
            denied.extend([Rule(rule.resource, verbs)] if verbs else [])
    except PlatformError as error:
        if error.kind is not ErrorKind.FORBIDDEN:
            raise
        asked = " and ".join(f"{_words(rule)}" for rule in rules)
        return unknown(f"{label}cannot check permission to {asked} (403)", hint=_ask(context, account, rules[0]))
    if denied:
        said = "; ".join(_words(rule) for rule in denied)
        return fail(f"{label}may not {said}", hint=_grant(context, account, denied[0]))
    return ok(f"{label}may {' and '.join(map(_words, rules))}" if rules else f"{label}there")


def _words(rule: Rule) -> str:
    return f"{', '.join(rule.verbs)} {rule.plural}{f'/{rule.subresource}' if rule.subresource else ''}"


def _may(context: Context, account: str, rule: Rule, verb: str, name: str) -> bool:
    attributes = {
        "namespace": context.kubernetes.namespace,
        "verb": verb,
        "group": rule.group,
        "resource": rule.plural,
        "subresource": rule.subresource,
        "name": name,
    }
    spec: Json = {"resourceAttributes": {key: value for key, value in attributes.items() if value}}
    if not account:
        return _review(context, "selfsubjectaccessreviews", "SelfSubjectAccessReview", spec)
    spec.update(user=_user(context, account), groups=_groups(context))
    try:  # the role `admin` of a namespace may ask this one
        return _review(context, "localsubjectaccessreviews", "LocalSubjectAccessReview", spec)
    except PlatformError as error:
        if error.kind is not ErrorKind.FORBIDDEN:
            raise
    return _review(context, "subjectaccessreviews", "SubjectAccessReview", spec)


def _review(context: Context, resource: str, kind: str, spec: Json) -> bool:
    body: Json = {"apiVersion": _REVIEWS, "kind": kind, "spec": spec}
    if kind.startswith("Local"):
        body["metadata"] = {"namespace": context.kubernetes.namespace}
        answer = context.kubernetes.create(_REVIEWS, resource, body)
    else:
        answer = context.kubernetes.create(_REVIEWS, resource, body, scope="cluster")
    return bool((answer.get("status") or {}).get("allowed"))


def _user(context: Context, account: str) -> str:
    return f"system:serviceaccount:{context.kubernetes.namespace}:{account}"


def _groups(context: Context) -> list[str]:
    mine = f"system:serviceaccounts:{context.kubernetes.namespace}"
    return ["system:serviceaccounts", mine, "system:authenticated"]


def _ask(context: Context, account: str, rule: Rule) -> str:
    as_whom = f" --as {_user(context, account)}" if account else ""
    return kubectl_command(context, f"auth can-i {rule.verbs[0]} {rule.resource}{as_whom}")


def _grant(context: Context, account: str, rule: Rule) -> str:
    verbs = ",".join(rule.verbs)
    role = f"{account or 'mine'}-{rule.plural}"
    create = kubectl_command(context, f"create role {role} --verb={verbs} --resource={rule.resource}")
    if not account:
        return f"ask an administrator: {create}"
    subject = f"--serviceaccount={context.kubernetes.namespace}:{account}"
    return f"{create} && {kubectl_command(context, f'create rolebinding {role} --role={role} {subject}')}"


# --- what a workflow uses ----------------------------------------------------------------------------------------


def referenced_accounts(manifest: Manifest) -> Iterator[ServiceAccount | Unresolved]:
    """The accounts that pods run as; `default` where the workflow names none."""
    named = list(manifest.service_accounts())
    report_apart = {reference.scope for reference in named if reference.where.endswith(", executor")}
    for reference in named:
        reports = reference.where.endswith(", executor") or reference.scope not in report_apart
        yield from _accounts(manifest, reference, reports=reports)
    if manifest.kind in ("Workflow", "CronWorkflow") and not any(r.scope == "" for r in named):
        whole = manifest.spec.get("workflowTemplateRef")  # that template may name the account
        if not whole:
            yield ServiceAccount("default", where="the workflow (default account)")
    for pod in used_pods(manifest):
        if pod.account:
            reference = ObjectReference(pod.account, pod.scope, pod.where)
            yield from _accounts(manifest, reference, reports=False)


def _accounts(
    manifest: Manifest, reference: ObjectReference, *, reports: bool
) -> Iterator[ServiceAccount | Unresolved]:
    for name in manifest.names(reference.scope, reference.text, reference.where):
        if isinstance(name, Unresolved):
            yield name
        else:
            yield ServiceAccount(name, where=reference.where, runs_workflows=reports)


def referenced_permissions(manifest: Manifest) -> Iterator[Permission | Unresolved]:
    """Permissions that accounts of `resource` templates need: these act on the cluster as the pod's account."""
    by_scope = {r.scope: r for r in manifest.service_accounts() if not r.where.endswith(", executor")}
    for part in manifest.resources():
        verbs = _VERBS.get(part.action)
        if verbs is None or not part.kind or "{{" in part.kind or "{{" in part.namespace:
            continue
        account = by_scope.get(part.template) or by_scope.get("") or ObjectReference("default", "", "the workflow")
        group = part.api_version.rpartition("/")[0]
        resource = f"{plural(part.kind)}.{group}" if group else plural(part.kind)
        where = f"template {part.template}"
        for name in manifest.names(account.scope, account.text, account.where):
            if isinstance(name, Unresolved):
                yield name
            else:
                yield Permission(resource, verbs=verbs, account=name, where=where)
