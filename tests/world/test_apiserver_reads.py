"""Lists, pages, selectors and watches: the same in the fake API server and in the real one."""

import pytest

from frappe_operator.kube.kinds import CONFIG_MAP, SECRET
from frappe_operator.kube.objects import Manifest
from tests.world.either_server import Server, config_map


async def test_absent_and_existing_things_say_so(server: Server) -> None:
    code, status = await server.get(CONFIG_MAP, "absent")
    assert (code, status["reason"]) == (404, "NotFound")
    assert status["message"] == 'configmaps "absent" not found'
    assert (await server.create(config_map()))[0] == 201
    code, status = await server.create(config_map())
    assert (code, status["reason"]) == (409, "AlreadyExists")
    code, status = await server.ask("POST", CONFIG_MAP.path("no-such-namespace"), config_map())
    assert (code, status["message"]) == (404, 'namespaces "no-such-namespace" not found')
    code, status = await server.ask("GET", "/apis/example.com/v1/things")
    assert code == 404


async def fill(server: Server, amount: int) -> None:
    for number in range(amount):
        color = "red" if number % 2 else "blue"
        await server.applied(config_map(f"c{number}", metadata={"labels": {"color": color, "n": str(number)}}))


async def page_after(server: Server, page: Manifest, selector: str) -> tuple[int, Manifest]:
    query = {"limit": "2", "labelSelector": selector, "continue": page["metadata"]["continue"]}
    return await server.ask("GET", CONFIG_MAP.path(server.namespace), **query)


async def test_pages_show_the_list_as_it_was(server: Server) -> None:
    await fill(server, 5)
    path, selector = CONFIG_MAP.path(server.namespace), "color"
    _, first = await server.ask("GET", path, limit="2", labelSelector=selector)
    await server.delete(CONFIG_MAP, "c4")
    await server.applied(config_map("c9", metadata={"labels": {"color": "red"}}))
    _, second = await page_after(server, first, selector)
    _, third = await page_after(server, second, selector)
    names = [item["metadata"]["name"] for page in (first, second, third) for item in page["items"]]
    assert names == ["c0", "c1", "c2", "c3", "c4"]
    assert first["kind"] == "ConfigMapList"
    assert "kind" not in first["items"][0]
    assert "continue" not in third["metadata"]
    assert (await page_after(server, {"metadata": {"continue": "nonsense"}}, selector))[0] == 400


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("color=red", ["c1", "c3"]),
        ("color!=red,n", ["c0", "c2"]),
        ("n in (0,3)", ["c0", "c3"]),
        ("n,n notin (0,1)", ["c2", "c3"]),
        ("color,!absent", ["c0", "c1", "c2", "c3"]),
        ("absent", []),
    ],
)
async def test_labels_select(server: Server, selector: str, found: list[str]) -> None:
    await fill(server, 4)
    _, listed = await server.ask("GET", CONFIG_MAP.path(server.namespace), labelSelector=selector)
    assert [item["metadata"]["name"] for item in listed["items"]] == found


async def test_metadata_can_be_had_alone(server: Server) -> None:
    await server.applied(config_map(a="secret"))
    partial = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
    _, listed = await server.ask("GET", CONFIG_MAP.path(server.namespace), headers=partial)
    assert listed["kind"] == "PartialObjectMetadataList"
    assert "data" not in listed["items"][0]


async def test_a_watch_goes_on_from_a_version(server: Server) -> None:
    made = await server.applied(config_map(a="1"))
    async with server.watch(CONFIG_MAP, resourceVersion=made["metadata"]["resourceVersion"]) as watching:
        await server.applied(config_map(a="2"))
        await server.delete(CONFIG_MAP, "settings")
        assert [(await watching.next())[0] for _ in range(2)] == ["MODIFIED", "DELETED"]


async def test_a_watch_list_begins_with_what_there_is_and_says_when_that_is_all(server: Server) -> None:
    await fill(server, 3)
    initial = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with server.watch(CONFIG_MAP, **initial) as watching:
        names = await watching.until("BOOKMARK")
        assert names[:-1] == ["c0", "c1", "c2"]
        await server.applied(config_map("c7"))
        event, obj = await watching.next()
        assert (event, obj["kind"], obj["metadata"]["name"]) == ("ADDED", "ConfigMap", "c7")


async def test_a_watch_list_without_its_conditions_is_refused(server: Server) -> None:
    async with server.watch(CONFIG_MAP, sendInitialEvents="true") as watching:
        assert watching.status == 422


async def test_an_object_that_no_longer_fits_the_selector_is_gone_for_its_watchers(server: Server) -> None:
    made = await server.applied(config_map(metadata={"labels": {"color": "red"}}))
    version = made["metadata"]["resourceVersion"]
    async with server.watch(CONFIG_MAP, resourceVersion=version, labelSelector="color=red") as watching:
        await server.applied(config_map(metadata={"labels": {"color": "blue"}}))
        await server.applied(config_map(metadata={"labels": {"color": "red"}}))
        assert [(await watching.next())[0] for _ in range(2)] == ["DELETED", "ADDED"]


async def test_the_last_state_of_a_deleted_object_carries_a_newer_version(server: Server) -> None:
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}}
    made = await server.applied(head)
    version = made["metadata"]["resourceVersion"]
    async with server.watch(SECRET, resourceVersion=version) as watching:
        await server.delete(SECRET, "key")
        event, obj = await watching.next()
        assert event == "DELETED"
        assert int(obj["metadata"]["resourceVersion"]) > int(version)
