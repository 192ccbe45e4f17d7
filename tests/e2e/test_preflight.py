"""Before anything runs: checks, provisioning, rendering, and what an account with the least rights is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster_access import Kube, access_of, wait_until
from command_line import Told

from clusters import ClusterSpace, provision

Json = dict[str, Any]
Hera = Callable[..., Told]
KUBERNETES = ("--engine", "kubernetes")
NAMED = ("results", "settings", "salt")


def allowed(group: str, *resources: str, verbs: tuple[str, ...] = ("get",)) -> Json:
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}


WORKFLOWS = allowed("argoproj.io", "workflows", verbs=("create", "get", "watch"))


def test_what_is_missing_is_named_provisioned_and_then_found(
    each_cluster: ClusterSpace, hera: Callable[..., Hera], trial: Path
) -> None:
    at = hera(each_cluster)
    before = at("check", *KUBERNETES)
    assert before.code == 5
    for word in ("claim results", "config map settings", "secret salt"):
        assert word in before.text, before.text
    assert each_cluster.namespace in before.text
    provision(each_cluster, at)
    assert each_cluster.kube.get("{ns}/configmaps/settings")["data"] == {"STEPS": "3"}
    assert set(each_cluster.kube.get("{ns}/secrets/salt")["data"]) == {"SALT"}
    after = at("check", *KUBERNETES)
    assert after.code == 0, after.text
    again = at("provision", "--yes")
    assert again.code == 0, again.text


def test_declared_data_is_compared_and_updated(
    each_cluster: ClusterSpace, hera: Callable[..., Hera], trial: Path
) -> None:
    at = hera(each_cluster)
    provision(each_cluster, at)
    salt = each_cluster.kube.get("{ns}/secrets/salt")["data"]
    trial.write_text(trial.read_text().replace('"STEPS": "3"', '"STEPS": "5"'))
    before = at("check", *KUBERNETES)
    assert before.code == 5
    assert 'STEPS is "3", declared "5"' in before.text
    updated = at("provision", "--yes")
    assert updated.code == 0, updated.text
    assert each_cluster.kube.get("{ns}/configmaps/settings")["data"] == {"STEPS": "5"}
    assert each_cluster.kube.get("{ns}/secrets/salt")["data"] == salt, "generated values stay"
    assert at("check", *KUBERNETES).code == 0


def test_an_experiment_is_rendered_as_the_server_will_keep_it(
    each_cluster: ClusterSpace, hera: Callable[..., Hera], trial: Path
) -> None:
    told = hera(each_cluster)("render", "--run-id", "r1", *KUBERNETES, "--output", "json")
    assert told.code == 0, told.text
    manifest = json.loads(told.out)
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{each_cluster.namespace}/workflows"
    kept = each_cluster.kube.create(f"{path}?dryRun=All", manifest)
    assert kept["spec"] == manifest["spec"]
    assert each_cluster.kube.find(f"{path}/{kept['metadata']['name']}") is None


def test_a_dry_run_submits_nothing(each_cluster: ClusterSpace, hera: Callable[..., Hera], trial: Path) -> None:
    assert hera(each_cluster)("run", "--dry-run", *KUBERNETES).code == 0
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{each_cluster.namespace}/workflows"
    assert each_cluster.kube.get(path)["items"] == []
    assert [each_cluster.kube.find(f"{{ns}}/configmaps/{name}") for name in NAMED] == [None, None, None]


def test_the_least_rights_are_enough_for_the_checks(
    each_cluster: ClusterSpace, hera: Callable[..., Hera], trial: Path
) -> None:
    provision(each_cluster, hera(each_cluster))
    named = allowed("", "configmaps", "secrets", "persistentvolumeclaims") | {"resourceNames": list(NAMED)}
    config = each_cluster.account("researcher", [WORKFLOWS, named])
    told = hera(config)("check", *KUBERNETES)
    assert told.code == 0, told.text
    assert f"system:serviceaccount:{each_cluster.namespace}:researcher" in told.text


def test_what_an_account_may_not_see_is_unknown_and_what_it_may_not_do_fails(
    each_cluster: ClusterSpace, hera: Callable[..., Hera], trial: Path
) -> None:
    provision(each_cluster, hera(each_cluster))
    no_creation = allowed("argoproj.io", "workflows", verbs=("get",))
    config = each_cluster.account("visitor", [no_creation, allowed("", "configmaps")])
    told = hera(config)("check", *KUBERNETES)
    assert told.code == 5, told.text
    assert "create" in told.text
    assert "workflows" in told.text
    lines = {word: line for line in told.text.splitlines() for word in NAMED if f" {word} " in line}
    assert lines["settings"].lstrip().startswith("✔"), told.text
    assert lines["salt"].lstrip().startswith("?"), told.text


def test_an_account_without_rights_submits_nothing(
    each_cluster: ClusterSpace, hera: Callable[..., Hera], trial: Path
) -> None:
    told = hera(each_cluster.account("nobody", []))("run", "--run-id", "r1", *KUBERNETES)
    assert told.code == 5, told.text
    assert "Nothing was submitted" in told.text
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{each_cluster.namespace}/workflows"
    assert each_cluster.kube.get(path)["items"] == []


def test_a_token_that_no_server_knows_is_told_from_a_right_that_lacks(
    each_cluster: ClusterSpace, hera: Callable[..., Hera], trial: Path
) -> None:
    config = each_cluster.account("gone", [WORKFLOWS])
    each_cluster.kube.delete("{ns}/serviceaccounts/gone")
    asks = Kube(access_of(config), each_cluster.namespace)
    wait_until(lambda: asks.send("GET", "{ns}/pods").status_code == 401, "the token to end")
    told = hera(config)("check", *KUBERNETES)
    assert told.code == 5, told.text
    assert "Unauthorized (401)" in told.text
    assert told.text.count("not looked at: see Access") >= len(NAMED)
