"""The permissions that `rbac` prints."""

from collections.abc import Iterator
from typing import Any

import yaml

from frappe_operator.cli.rbac import controllers, manifests
from frappe_operator.kube.objects import Manifest
from tests.unit.cli.conftest import Run


def granted(objects: list[Manifest]) -> Iterator[tuple[str, str, str]]:
    """Group, resource and verb of every permission."""
    for role in objects:
        for rule in role.get("rules", []):
            yield from (
                (group, resource, verb)
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                for verb in rule["verbs"]
            )


def kinds(objects: list[Manifest]) -> list[str]:
    return [each["kind"] for each in objects]


def test_there_are_no_wildcards_and_no_permissions_that_grant_others() -> None:
    rights = set(granted(manifests("harbour")))
    assert not any("*" in right for right in rights)
    assert not {verb for _, _, verb in rights} & {"escalate", "bind", "impersonate", "deletecollection"}
    resources = {resource for _, resource, _ in rights}
    assert not resources & {"pods/exec", "pods/attach", "pods/portforward", "nodes", "roles", "clusterroles"}
    assert ("", "secrets", "patch") not in rights, "a Secret that exists is never changed"
    assert ("batch", "jobs", "patch") not in rights, "a Job that exists is never changed"


def test_whatever_is_watched_may_be_listed_and_watched() -> None:
    rights = set(granted(manifests("harbour")))
    for controller in controllers():
        for kind in (controller.kind, *(watch.kind for watch in controller.watches)):
            assert {(kind.group, kind.plural, verb) for verb in ("list", "watch")} <= rights


def test_the_status_of_our_own_kinds_may_be_patched_but_the_objects_not_created_or_deleted() -> None:
    rights = {right for right in granted(manifests("harbour")) if right[0] == "vyogo.tech"}
    for plural in ("frappebenches", "frappesites"):
        assert {verb for _, resource, verb in rights if resource == plural} == {"get", "list", "watch", "patch"}
        assert ("vyogo.tech", f"{plural}/status", "patch") in rights
        assert ("vyogo.tech", f"{plural}/finalizers", "update") in rights


def test_the_lease_is_in_the_operators_own_namespace_only() -> None:
    objects = manifests("harbour")
    holders = [role for role in objects if any("leases" in rule["resources"] for rule in role.get("rules", []))]
    assert [(role["kind"], role["metadata"]["namespace"]) for role in holders] == [("Role", "harbour")]


def test_one_account_is_bound_to_every_role() -> None:
    for objects in (manifests("harbour"), manifests("harbour", ["a", "b"])):
        roles = {
            (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
            for each in objects
            if "rules" in each
        }
        bindings = [each for each in objects if "roleRef" in each]
        assert {
            (each["roleRef"]["kind"], each["metadata"].get("namespace"), each["roleRef"]["name"]) for each in bindings
        } == roles
        for each in bindings:
            assert each["subjects"] == [{"kind": "ServiceAccount", "name": "frappe-operator", "namespace": "harbour"}]


def test_with_watched_namespaces_there_is_no_cluster_role() -> None:
    objects = manifests("harbour", ["a", "b"])
    assert not {"ClusterRole", "ClusterRoleBinding"} & set(kinds(objects))
    assert {each["metadata"]["namespace"] for each in objects} == {"harbour", "a", "b"}
    assert not any(resource == "storageclasses" for _, resource, _ in granted(objects))
    everywhere = {right for right in granted(manifests("harbour")) if right[1] != "storageclasses"}
    assert set(granted(objects)) == everywhere


def test_the_command_prints_them(run: Run) -> None:
    code, printed = run("rbac", "--namespace", "harbour", "--watch-namespace", "a", "--watch-namespace", "b")
    objects: list[Any] = list(yaml.safe_load_all(printed))
    assert code == 0
    assert objects == manifests("harbour", ["a", "b"])
