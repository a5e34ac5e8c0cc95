"""The cluster: reads from the cache and from the API server, and writes that the cache has at once."""

import pytest

from frappe_operator.kube.kinds import CONFIG_MAP
from frappe_operator.kube.live import Meta, pairs
from frappe_operator.kube.names import OPERATOR_SELECTOR
from frappe_operator.runtime.cache.cache import matches
from tests.runtime.environment import NS, a_config, a_deployment, a_job, an_environment, stage
from tests.runtime.virtual_time import virtual


@virtual
async def test_a_body_is_requested_once_and_again_after_a_change() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_config()))
        env.requests()
        for _ in range(3):
            body = await env.cluster.body(CONFIG_MAP, NS, "bear-config")
            assert body is not None
            assert body["data"] == {"size": "1"}
        assert env.requests() == ["get ConfigMap bear-config"]
        await env.edit(CONFIG_MAP, "bear-config", {"data": {"size": "2"}})
        body = await env.cluster.body(CONFIG_MAP, NS, "bear-config")
        assert body is not None
        assert body["data"] == {"size": "2"}
        assert env.requests() == ["get ConfigMap bear-config"]


@virtual
async def test_an_uncached_object_has_no_body_and_costs_no_request() -> None:
    async with an_environment() as env:
        assert await env.cluster.body(CONFIG_MAP, NS, "none") is None
        assert env.requests() == []


@virtual
async def test_a_read_is_always_fresh() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_config()))
        env.requests()
        for _ in range(2):
            assert await env.cluster.read(CONFIG_MAP, NS, "bear-config") is not None
        assert await env.cluster.read(CONFIG_MAP, NS, "none") is None
        assert len(env.requests()) == 3


@virtual
async def test_a_list_can_be_narrowed() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_config()))
        ours = await env.cluster.list(CONFIG_MAP, NS, OPERATOR_SELECTOR)
        assert [each["metadata"]["name"] for each in ours] == ["bear-config"]
        assert await env.cluster.list(CONFIG_MAP, "elsewhere") == []


@virtual
async def test_a_write_is_cached_at_once() -> None:
    async with an_environment() as env:
        live = await env.cluster.apply(a_config())
        known = env.cluster.get(CONFIG_MAP, NS, "bear-config")
        assert known is not None
        assert known.metadata.uid == live.metadata.uid
        await env.cluster.delete(CONFIG_MAP, NS, "bear-config", live.metadata.uid)
        assert env.cluster.get(CONFIG_MAP, NS, "bear-config") is None
        await env.cluster.delete(CONFIG_MAP, NS, "bear-config", live.metadata.uid)


@virtual
async def test_an_object_that_no_watch_delivers_is_not_cached_by_writing_it() -> None:
    async with an_environment() as env:
        manifest = a_config()
        del manifest["metadata"]["labels"]
        await env.cluster.apply(manifest)
        assert env.cluster.get(CONFIG_MAP, NS, "bear-config") is None


@virtual
async def test_children_are_found_by_their_owner_whatever_their_kind() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_config(), a_deployment(), once=[a_job()]))
        found = env.cluster.owned(env.owner.metadata.uid)
        assert sorted(kind.kind for kind, _ in found) == ["ConfigMap", "Deployment", "Job"]


@pytest.mark.parametrize(
    ("selector", "seen"),
    [
        ("", True),
        ("a=1", True),
        ("a==1", True),
        ("a=2", False),
        ("a!=2", True),
        ("a!=1", False),
        ("a", True),
        ("c", False),
        ("!c", True),
        ("!a", False),
        ("a=1,b", True),
        ("a=1, c", False),
    ],
)
def test_selectors(selector: str, seen: bool) -> None:
    assert matches(selector, Meta("x", labels=pairs({"a": "1", "b": ""}))) is seen
