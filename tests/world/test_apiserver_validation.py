"""Defaults, quantities, immutable fields and refused objects: the same in the fake API server and in the real one."""

from collections.abc import Callable

import pytest

from frappe_operator.kube.kinds import SERVICE
from frappe_operator.kube.objects import Manifest
from tests.world.either_server import Server, config_map, deployment, job, pod_of


def claim(size: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "files"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "none-such",
            "resources": {"requests": {"storage": size}},
        },
    }


async def test_two_controllers_are_one_too_many(server: Server) -> None:
    # Owners that exist: the real garbage collector is about.
    uids = {number: (await server.applied(config_map(f"o{number}")))["metadata"]["uid"] for number in (1, 2)}

    def owner(number: int) -> Manifest:
        return {"apiVersion": "v1", "kind": "ConfigMap", "name": f"o{number}", "uid": uids[number], "controller": True}

    await server.applied(config_map(metadata={"ownerReferences": [owner(1)]}))
    code, status = await server.apply(config_map(metadata={"ownerReferences": [owner(2)]}), "them")
    assert (code, status["reason"]) == (422, "Invalid")
    assert "Only one reference can have Controller set to true" in status["message"]
    after = await server.applied(config_map(metadata={"ownerReferences": [owner(2)]}))
    assert [each["name"] for each in after["metadata"]["ownerReferences"]] == ["o2"]


async def test_quantities_have_one_form(server: Server) -> None:
    asked = {"cpu": "1000m", "memory": "0.5Gi", "ephemeral-storage": "1024Mi"}
    made = await server.applied(deployment({"name": "web", "image": "web:1", "resources": {"limits": asked}}))
    resources = pod_of(made)["containers"][0]["resources"]
    assert resources["limits"] == {"cpu": "1", "memory": "512Mi", "ephemeral-storage": "1Gi"}


async def test_resources_are_rounded_up_to_thousandths(server: Server) -> None:
    asked = {"cpu": "1.5m", "memory": "0.1Ki", "ephemeral-storage": "1.0001Ki"}
    made = await server.applied(deployment({"name": "web", "image": "web:1", "resources": {"limits": asked}}))
    resources = pod_of(made)["containers"][0]["resources"]
    assert resources["limits"] == {"cpu": "2m", "memory": "102400m", "ephemeral-storage": "1024103m"}


async def test_requests_are_taken_from_limits_in_pods_only(server: Server) -> None:
    limited = {"name": "web", "image": "web:1", "resources": {"limits": {"memory": "1Gi"}, "requests": {"cpu": "1"}}}
    made = await server.applied(deployment(limited))
    assert pod_of(made)["containers"][0]["resources"] == limited["resources"]
    alone = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [limited]}}
    _, pod = await server.create(alone)
    assert pod["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}


async def test_empty_fields_are_not_kept(server: Server) -> None:
    web = {"name": "web", "image": "web:1", "env": [{"name": "A", "value": ""}], "args": [], "securityContext": {}}
    mount = {"name": "tmp", "mountPath": "/tmp", "readOnly": False, "subPath": ""}
    web |= {"volumeMounts": [mount]}
    made = deployment(web)
    pod_of(made)["volumes"] = [{"name": "tmp", "emptyDir": {}}]
    pod_of(made)["nodeSelector"] = {}
    pod = pod_of(await server.applied(made))
    container = pod["containers"][0]
    assert container["env"] == [{"name": "A"}]
    assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    assert container["securityContext"] == {}
    assert "args" not in container
    assert "nodeSelector" not in pod
    assert pod["volumes"] == [{"name": "tmp", "emptyDir": {}}]


async def test_text_in_a_secret_becomes_data(server: Server) -> None:
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}}
    _, made = await server.create({**head, "stringData": {"password": "pear"}})
    assert made["data"] == {"password": "cGVhcg=="}
    assert made["type"] == "Opaque"
    assert "stringData" not in made


async def test_a_job_does_not_change(server: Server) -> None:
    await server.applied(job())
    code, status = await server.apply(job("two:1"))
    assert (code, status["reason"]) == (422, "Invalid")
    assert "field is immutable" in status["message"]


async def test_a_selector_does_not_change(server: Server) -> None:
    await server.applied(deployment())
    other = deployment(selector={"matchLabels": {"app": "back"}})
    other["spec"]["template"]["metadata"]["labels"] = {"app": "back"}
    code, status = await server.apply(other)
    assert (code, status["reason"]) == (422, "Invalid")
    assert "spec.selector" in status["message"]


async def test_a_claim_does_not_shrink(server: Server) -> None:
    await server.applied(claim("2Gi"))
    assert (await server.apply(claim("2048Mi")))[0] == 200
    code, status = await server.apply(claim("1Gi"))
    assert (code, status["reason"]) == (422, "Invalid")


@pytest.mark.parametrize(
    "metadata",
    [{"labels": {"a": "x" * 64}}, {"labels": {"a": "-x"}}, {"labels": {"/a": "x"}}, {"finalizers": ["plain"]}],
)
async def test_bad_metadata_is_refused(server: Server, metadata: Manifest) -> None:
    code, status = await server.apply(config_map(metadata=metadata))
    assert (code, status["reason"]) == (422, "Invalid")


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "dot.", "x" * 254])
async def test_a_bad_name_is_refused(server: Server, name: str) -> None:
    assert (await server.apply(config_map(name)))[0] == 422


def break_image(obj: Manifest) -> None:
    pod_of(obj)["containers"][0]["image"] = ""


def break_mount(obj: Manifest) -> None:
    pod_of(obj)["containers"][0]["volumeMounts"] = [{"name": "absent", "mountPath": "/x"}]


def break_request(obj: Manifest) -> None:
    pod_of(obj)["containers"][0]["resources"] = {"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}


def break_labels(obj: Manifest) -> None:
    obj["spec"]["template"]["metadata"]["labels"] = {"app": "other"}


def break_restart(obj: Manifest) -> None:
    pod_of(obj)["restartPolicy"] = "Never"


def break_port(obj: Manifest) -> None:
    pod_of(obj)["containers"][0]["ports"] = [{"name": "a-name-that-is-long", "containerPort": 80}]


def break_strategy(obj: Manifest) -> None:
    obj["spec"]["strategy"] = {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}


@pytest.mark.parametrize(
    "broken",
    [break_image, break_mount, break_request, break_labels, break_restart, break_port, break_strategy],
)
async def test_a_bad_pod_is_refused(server: Server, broken: Callable[[Manifest], None]) -> None:
    bad = deployment()
    broken(bad)
    code, status = await server.apply(bad)
    assert (code, status["reason"]) == (422, "Invalid"), status["message"]


async def test_a_service_keeps_its_address(server: Server) -> None:
    spec = {"selector": {"a": "b"}, "ports": [{"port": 80}]}
    await server.applied({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "front"}, "spec": spec})
    code, status = await server.merge(SERVICE, "front", {"spec": {"clusterIP": "10.96.99.99"}})
    assert (code, status["reason"]) == (422, "Invalid")
