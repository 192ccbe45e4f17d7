"""The rights of the workflows' account: enough for every task, nothing besides, and no cross-product."""

from __future__ import annotations

from typing import Any

from arkouda_contract import objects, tasks
from hera_k8s_arkouda.permissions import account_objects, in_namespace, rules
from hera_k8s_arkouda.templates import template_bodies

Json = dict[str, Any]


def granted() -> set[tuple[str, str, str]]:
    """Every (group, resource, verb) of the role."""
    return {
        (group, resource, verb)
        for rule in rules()
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def wanted() -> set[tuple[str, str, str]]:
    """What the tasks do with kubectl, worked out from the templates anew, and what the roles they make hold."""
    found = {("argoproj.io", "workflowtaskresults", verb) for verb in ("create", "patch")}
    for body in template_bodies().values():
        by_name = {each["name"]: each for each in body["spec"]["templates"]}
        for task, obj in objects(body).items():
            resource = by_name[tasks(body)[task]["template"]]["resource"]
            verbs = {"apply": {"get", "create", "patch"}, "delete": {"get", "delete", "list", "watch"}}
            done = verbs[resource["action"]] | ({"delete"} if "--force" in resource.get("flags", ()) else set())
            group = obj["apiVersion"].rpartition("/")[0]
            found |= {(group, f"{obj['kind'].lower()}s", verb) for verb in done}
            for rule in obj.get("rules", ()):
                found |= {(g, r, v) for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]}
    return found


def test_the_role_is_just_enough() -> None:
    assert granted() == wanted()


def test_each_rule_is_about_one_group() -> None:
    assert all(len(rule["apiGroups"]) == 1 for rule in rules())


def test_what_no_task_touches_is_not_granted() -> None:
    resources = {resource for _, resource, _ in granted()}
    assert not resources & {"jobs", "events", "daemonsets", "secrets", "serviceaccounts"}
    assert all(verb != "*" for _, _, verb in granted())


def test_account_role_and_binding_have_the_names_of_old() -> None:
    account, role, binding = account_objects()
    assert account["metadata"]["name"] == "arkouda-workflows-service-account"
    assert role["metadata"]["name"] == binding["metadata"]["name"] == "arkouda-workflows"
    assert binding["roleRef"]["name"] == "arkouda-workflows"
    placed = in_namespace(binding, "vcity")
    assert placed["subjects"] == [
        {"kind": "ServiceAccount", "name": "arkouda-workflows-service-account", "namespace": "vcity"}
    ]
