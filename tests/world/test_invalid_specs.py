"""Specs that the schema of the API server accepts and the operator refuses, before it creates anything."""

import pytest

from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import settle
from frappe_operator.api.kinds import SITE
from frappe_operator.kube.objects import Manifest

LONG = ".".join(["a" * 60] * 4)


@pytest.mark.parametrize(
    ("site", "suffix", "words"),
    [
        ({"siteName": "2024"}, None, "siteName gives 2024, which is an address"),
        ({"siteName": LONG}, ".platform.example.com", "gives a host name of 264 characters; the maximum is 253"),
    ],
    ids=["an address", "too long"],
)
def test_a_site_that_no_host_name_leads_to_is_told_and_not_made(site: Manifest, suffix: str | None, words: str) -> None:
    config: Manifest = {"domainConfig": {"suffix": suffix}} if suffix else {}
    world = a_world(a_bench(**config), a_site(**site))
    settle(world)
    said = world.condition("Ready", kind=SITE)
    assert (said.status, said.reason) == ("False", "InvalidSpec")
    assert words in said.message
    assert world.children("acme") == []
    world.edit(SITE, "acme", {"spec": {"domain": "shop.example.com"}})
    settle(world)
    assert world.condition("Ready", kind=SITE).status == "True"


def test_a_cache_that_redis_has_no_room_for_is_told_and_not_made() -> None:
    small = {"redis": {"limits": {"memory": "1Gi"}}}
    world = a_world(a_bench(redisConfig={"maxMemory": "1gb"}, componentResources=small))
    settle(world)
    said = world.condition("CacheReady")
    assert (said.status, said.reason) == ("False", "InvalidSpec")
    assert "more than 90% of componentResources.redis.limits.memory" in said.message
