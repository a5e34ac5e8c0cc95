"""Server-side apply, merging and field ownership: the same in the fake API server and in the real one."""

import asyncio

from frappe_operator.kube.kinds import CONFIG_MAP, INGRESS, ref_of
from frappe_operator.kube.objects import Manifest
from tests.world.either_server import Server, config_map, deployment, job, pod_of, version


async def test_an_apply_that_changes_nothing_leaves_the_resource_version(server: Server) -> None:
    """The real cluster's controllers write to a new Deployment too: one apply between two of their writes is enough."""
    before = await server.applied(deployment())
    async with asyncio.timeout(30):
        while version(after := await server.applied(deployment())) != version(before):
            before = after
    assert after["metadata"]["generation"] == 1


async def test_what_is_no_longer_applied_disappears(server: Server) -> None:
    await server.applied(config_map(a="1", b="2", metadata={"labels": {"x": "1", "y": "2"}}))
    after = await server.applied(config_map(a="1", metadata={"labels": {"x": "1"}}))
    assert after["data"] == {"a": "1"}
    assert after["metadata"]["labels"] == {"x": "1"}


async def test_what_another_manager_applied_as_well_stays(server: Server) -> None:
    await server.applied(config_map(a="1", b="2"))
    await server.applied(config_map(b="2"), "them")
    after = await server.applied(config_map(a="1"))
    assert after["data"] == {"a": "1", "b": "2"}


async def test_what_another_wrote_by_hand_stays_until_we_name_it(server: Server) -> None:
    await server.applied(config_map(a="1"))
    await server.merge(CONFIG_MAP, "settings", {"data": {"a": "9", "c": "3"}})
    after = await server.applied(config_map(b="2"))
    assert after["data"] == {"a": "9", "b": "2", "c": "3"}
    after = await server.applied(config_map(a="1", b="2"))
    assert after["data"] == {"a": "1", "b": "2", "c": "3"}


async def test_without_force_a_conflict_names_the_field(server: Server) -> None:
    await server.applied(config_map(a="1"))
    code, status = await server.apply(config_map(a="2"), "them", force=False)
    assert (code, status["reason"]) == (409, "Conflict")
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "us": .data.a'
    code, _ = await server.apply(config_map(a="1"), "them", force=False)
    assert code == 200


async def test_a_sidecar_that_another_applied_stays_in_the_pod(server: Server) -> None:
    await server.applied(deployment({"name": "web", "image": "web:1"}, {"name": "old", "image": "old:1"}))
    theirs = deployment({"name": "mesh", "image": "mesh:1"}, replicas=None)
    await server.applied(theirs, "them")
    after = await server.applied(deployment({"name": "web", "image": "web:2"}))
    assert {each["name"]: each["image"] for each in pod_of(after)["containers"]} == {"web": "web:2", "mesh": "mesh:1"}


async def test_a_dropped_probe_goes_with_its_defaults(server: Server) -> None:
    probed = {"name": "web", "image": "web:1", "livenessProbe": {"httpGet": {"port": 80}}}
    before = await server.applied(deployment(probed))
    assert pod_of(before)["containers"][0]["livenessProbe"]["periodSeconds"] == 10
    after = await server.applied(deployment({"name": "web", "image": "web:1"}))
    assert "livenessProbe" not in pod_of(after)["containers"][0]


async def test_an_autoscaler_keeps_the_replicas_that_we_do_not_name(server: Server) -> None:
    await server.applied(deployment(replicas=None))
    code, _ = await server.merge(ref_of(deployment()).kind, "front", {"spec": {"replicas": 7}})
    assert code == 200
    after = await server.applied(deployment({"name": "web", "image": "web:2"}, replicas=None))
    assert after["spec"]["replicas"] == 7


async def test_replicas_that_we_let_go_fall_back_to_the_default(server: Server) -> None:
    await server.applied(deployment(replicas=3))
    after = await server.applied(deployment(replicas=None))
    assert after["spec"]["replicas"] == 1


async def test_ports_of_a_service_are_told_apart_by_port_and_protocol(server: Server) -> None:
    def service(*ports: Manifest) -> Manifest:
        head = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "front"}}
        return {**head, "spec": {"selector": {"app": "front"}, "ports": list(ports)}}

    first = await server.applied(service({"name": "http", "port": 80}))
    address = first["spec"]["clusterIP"]
    after = await server.applied(service({"name": "web", "port": 80, "targetPort": "http"}))
    assert after["spec"]["ports"] == [{"name": "web", "port": 80, "protocol": "TCP", "targetPort": "http"}]
    assert after["spec"]["clusterIP"] == address


async def test_entries_keep_the_order_of_the_last_who_named_them(server: Server) -> None:
    def env(*names: str) -> Manifest:
        values = [{"name": name, "value": "1"} for name in names]
        return deployment({"name": "web", "image": "web:1", "env": values})

    await server.applied(env("A", "B", "C"))
    await server.applied(env("X"), "them")
    after = await server.applied(env("C", "D", "A"))
    assert [each["name"] for each in pod_of(after)["containers"][0]["env"]] == ["C", "X", "D", "A"]


async def test_an_apply_with_the_uid_of_another_is_refused(server: Server) -> None:
    made = await server.applied(config_map(a="1"))
    other = "00000000-0000-0000-0000-000000000001"
    code, status = await server.apply(config_map(a="2", metadata={"uid": other}))
    assert (code, status["reason"]) == (422, "Invalid")
    assert "metadata.uid" in status["message"]
    assert "field is immutable" in status["message"]
    code, status = await server.apply(config_map("absent", a="2", metadata={"uid": made["metadata"]["uid"]}))
    assert (code, status["reason"]) == (409, "Conflict")


async def test_an_apply_or_patch_from_an_old_version_is_a_conflict(server: Server) -> None:
    made = await server.applied(config_map(a="1"))
    old = {"resourceVersion": made["metadata"]["resourceVersion"]}
    await server.applied(config_map(a="2"))
    assert (await server.apply(config_map(a="3", metadata=old)))[0] == 409
    assert (await server.merge(CONFIG_MAP, "settings", {"metadata": old, "data": {"a": "4"}}))[0] == 409


async def test_an_apply_from_a_version_that_nothing_has_only_creates(server: Server) -> None:
    only_create = {"resourceVersion": "1"}
    assert (await server.apply(config_map(a="1", metadata=only_create)))[0] == 201
    code, status = await server.apply(config_map(a="2", metadata=only_create))
    assert (code, status["reason"]) == (409, "Conflict")


async def test_status_is_written_through_its_own_door_only(server: Server) -> None:
    def ingress(host: str, address: str) -> Manifest:
        head = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "front"}}
        return {**head, "spec": {"rules": [{"host": host}]}, "status": {"loadBalancer": {"ingress": [{"ip": address}]}}}

    def seen(obj: Manifest) -> tuple[str, str, int]:
        at = obj["status"]["loadBalancer"].get("ingress", [{"ip": ""}])[0]["ip"]
        return obj["spec"]["rules"][0]["host"], at, obj["metadata"]["generation"]

    made = await server.applied(ingress("a.example.com", "10.0.0.1"))
    assert seen(made) == ("a.example.com", "", 1)
    _, after = await server.merge(INGRESS, "front", ingress("b.example.com", "10.0.0.2"), "status")
    assert seen(after) == ("a.example.com", "10.0.0.2", 1)
    _, after = await server.merge(INGRESS, "front", ingress("b.example.com", "10.0.0.3"))
    assert seen(after) == ("b.example.com", "10.0.0.2", 2)
    _, after = await server.apply(ingress("c.example.com", "10.0.0.4"), subresource="status")
    assert seen(after) == ("b.example.com", "10.0.0.4", 2)


async def test_a_job_that_is_applied_again_is_left_alone(server: Server) -> None:
    made = await server.applied(job())
    again = await server.applied(job())
    assert made["spec"] == again["spec"]
    assert made["metadata"]["generation"] == again["metadata"]["generation"]
