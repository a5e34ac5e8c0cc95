"""Deletion, preconditions and finalizers: the same in the fake API server and in the real one."""

from frappe_operator.kube.kinds import CONFIG_MAP, ref_of
from tests.world.either_server import Server, config_map, job


async def test_a_delete_is_of_the_object_that_was_meant(server: Server) -> None:
    made = await server.applied(config_map())
    wrong = {"uid": "00000000-0000-0000-0000-000000000001"}
    code, status = await server.delete(CONFIG_MAP, "settings", preconditions=wrong)
    assert (code, status["reason"]) == (409, "Conflict")
    code, _ = await server.delete(CONFIG_MAP, "settings", preconditions={"resourceVersion": "1"})
    assert code == 409
    code, status = await server.delete(CONFIG_MAP, "settings", preconditions={"uid": made["metadata"]["uid"]})
    assert (code, status["status"]) == (200, "Success")
    assert (await server.delete(CONFIG_MAP, "settings"))[0] == 404


async def test_a_finalizer_keeps_an_object_until_it_is_taken_off(server: Server) -> None:
    await server.applied(config_map(metadata={"finalizers": ["example.com/hold"]}))
    code, held = await server.delete(CONFIG_MAP, "settings")
    assert code == 200
    assert held["metadata"]["deletionTimestamp"]
    more = {"finalizers": ["example.com/hold", "example.com/late"]}
    code, status = await server.merge(CONFIG_MAP, "settings", {"metadata": more})
    assert (code, status["reason"]) == (422, "Invalid")
    code, last = await server.merge(CONFIG_MAP, "settings", {"metadata": {"finalizers": None}})
    assert code == 200
    assert last["metadata"]["name"] == "settings"
    assert (await server.get(CONFIG_MAP, "settings"))[0] == 404


async def test_a_job_leaves_its_dependents_behind_unless_told_otherwise(server: Server) -> None:
    made = await server.applied(job())
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "once", "uid": made["metadata"]["uid"]}
    await server.applied(config_map(metadata={"ownerReferences": [owner]}))
    kind = ref_of(job()).kind
    code, held = await server.delete(kind, "once")
    assert code == 200
    assert "orphan" in held["metadata"].get("finalizers", [])
