"""Properties of all children, for every spec."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from frappe_operator.api.kinds import ALL
from frappe_operator.kube.kinds import SECRET
from frappe_operator.kube.names import RETAINED_LABEL
from frappe_operator.kube.objects import Manifest
from tests.unit.components.conftest import CANARY, GOLDEN, World, build
from tests.unit.components.restricted import broken

LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
GIVEN_BY_USERS = {"tides", "key-one", "key-two", "deploy-key"}
"""Secrets that the inputs refer to and that users create."""


def containers(template: Manifest) -> list[Manifest]:
    spec = template["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def sources(template: Manifest) -> Iterator[Manifest]:
    """What the volumes of a pod have their content from. A projected Secret is named as other volumes name theirs."""
    for volume in template["spec"].get("volumes", []):
        for each in volume.get("projected", {}).get("sources", [volume]):
            secret = each.get("secret")
            yield {**each, "secret": {"secretName": secret.get("name"), **secret}} if secret else each


def test_every_pod_passes_the_restricted_profile(world: World) -> None:
    assert {name: found for name, template in world.workloads() if (found := list(broken(template["spec"])))} == {}


@pytest.mark.parametrize(
    "harm",
    [
        {"hostNetwork": True},
        {"volumes": [{"name": "x", "hostPath": {"path": "/"}}]},
        {"securityContext": {}},
        {"containers": [{"name": "x"}]},
    ],
)
def test_the_profile_is_one_that_can_be_broken(harm: dict[str, Any]) -> None:
    fine = {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "x",
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    }
    assert list(broken(fine)) == []
    assert list(broken({**fine, **harm})) != []


def test_no_password_is_anywhere_but_in_a_secret(world: World) -> None:
    for each in world.manifests:
        if each["kind"] != SECRET.kind:
            assert CANARY not in json.dumps(each), each["metadata"]["name"]
        else:
            assert CANARY not in json.dumps(each["metadata"])
    assert any(CANARY in json.dumps(each) for each in world.of("Secret"))


def test_no_container_gets_a_secret_by_its_environment(world: World) -> None:
    for name, template in world.workloads():
        for container in containers(template):
            assert "envFrom" not in container, name
            assert all("value" in variable for variable in container.get("env", [])), name


def test_no_pod_has_a_token_of_the_api(world: World) -> None:
    for name, template in world.workloads():
        assert template["spec"]["automountServiceAccountToken"] is False, name
        assert "serviceAccountName" not in template["spec"], name


def test_every_pod_has_the_pull_secrets() -> None:
    world = build(GOLDEN / "sizes" / "input.yaml")
    pulled = {name: template["spec"].get("imagePullSecrets") for name, template in world.workloads()}
    assert len(pulled) > 10
    assert {name for name, secrets in pulled.items() if secrets != [{"name": "key-one"}, {"name": "key-two"}]} == set()


def test_every_container_says_what_runs_in_it_and_how_much_it_may_take(world: World) -> None:
    for name, template in world.workloads():
        for container in containers(template):
            assert container["command"], name
            assert container["image"], name
            assert container["resources"], (name, container["name"])
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name


def test_every_volume_is_mounted_and_every_mount_has_its_volume(world: World) -> None:
    for name, template in world.workloads():
        owner = next(each for each in world.of("Deployment", "StatefulSet", "Job") if each["metadata"]["name"] == name)
        claims = [claim["metadata"]["name"] for claim in owner["spec"].get("volumeClaimTemplates", [])]
        volumes = [volume["name"] for volume in template["spec"].get("volumes", [])] + claims
        mounts = {mount["name"] for container in containers(template) for mount in container["volumeMounts"]}
        assert len(volumes) == len(set(volumes)), name
        assert set(volumes) == mounts, name
        for container in containers(template):
            paths = [mount["mountPath"] for mount in container["volumeMounts"]]
            assert len(paths) == len(set(paths)), name


def test_what_pods_refer_to_is_among_the_children_or_the_users(world: World) -> None:
    made = {(each["kind"], each["metadata"]["name"]) for each in world.manifests}
    for name, template in world.workloads():
        for source in sources(template):
            for kind, field, key in (
                ("ConfigMap", "configMap", "name"),
                ("Secret", "secret", "secretName"),
                ("PersistentVolumeClaim", "persistentVolumeClaim", "claimName"),
            ):
                if field in source and source[field][key] not in GIVEN_BY_USERS and "optional" not in source[field]:
                    assert (kind, source[field][key]) in made, name


def test_keys_of_secrets_that_are_mounted_exist(world: World) -> None:
    data = {each["metadata"]["name"]: set(each["stringData"]) for each in world.of("Secret")}
    for name, template in world.workloads():
        for source in sources(template):
            secret = source.get("secret", {})
            if secret.get("secretName") in data:
                assert {item["key"] for item in secret.get("items", [])} <= data[secret["secretName"]], name


def test_selectors_find_their_own_pods_and_no_others(world: World) -> None:
    templates = list(world.workloads())
    for each in world.of("Deployment", "StatefulSet"):
        wanted = each["spec"]["selector"]["matchLabels"].items()
        found = [name for name, template in templates if wanted <= template["metadata"]["labels"].items()]
        assert found == [each["metadata"]["name"]]
    for each in world.of("Service"):
        wanted = each["spec"]["selector"].items()
        found = [name for name, template in templates if wanted <= template["metadata"]["labels"].items()]
        assert len(found) == 1, each["metadata"]["name"]


def test_services_name_ports_that_their_pods_have(world: World) -> None:
    for each in world.of("Service"):
        wanted = each["spec"]["selector"].items()
        template = next(t for _, t in world.workloads() if wanted <= t["metadata"]["labels"].items())
        ports = {port["name"] for container in containers(template) for port in container.get("ports", [])}
        assert {port["targetPort"] for port in each["spec"]["ports"]} <= ports


def test_names_and_labels_are_as_short_as_they_must_be(world: World) -> None:
    for each in world.manifests:
        name = each["metadata"]["name"]
        # A StatefulSet's name with a revision behind it becomes a label value.
        assert len(name) <= (52 if each["kind"] == "StatefulSet" else 63), name
        for value in each["metadata"]["labels"].values():
            assert len(value) <= 63
            assert LABEL_VALUE.fullmatch(value), value


def test_no_two_children_are_the_same_object(world: World) -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in world.manifests]
    assert len(names) == len(set(names))


def test_children_are_of_kinds_the_operator_knows_and_in_their_owners_namespace(world: World) -> None:
    for each in world.manifests:
        assert (each["apiVersion"], each["kind"]) in ALL
        assert each["metadata"]["namespace"] == "harbour"


def test_jobs_are_never_taken_away_and_two_pods_of_one_never_run_at_once(world: World) -> None:
    for each in world.of("Job"):
        spec = each["spec"]
        assert "ttlSecondsAfterFinished" not in spec
        assert "activeDeadlineSeconds" not in spec
        assert (spec["parallelism"], spec["podReplacementPolicy"]) == (1, "Failed")
        assert spec["template"]["spec"]["restartPolicy"] == "OnFailure"


def test_what_holds_data_belongs_to_nobody_whose_end_could_take_it_along(world: World) -> None:
    kept = {
        each["metadata"]["name"]: each["metadata"]["labels"].get(RETAINED_LABEL)
        for each in world.of("Secret", "PersistentVolumeClaim")
    }
    for name, label in kept.items():
        holds = name.endswith(("-files", "-admin", "-db-connection", "-mariadb-root", "-db-root"))
        assert (label == "true") == holds, name


def test_the_same_decision_renders_the_same_bytes(world: World) -> None:
    assert yaml.safe_dump(build(GOLDEN / world.name / "input.yaml").manifests) == yaml.safe_dump(world.manifests)
