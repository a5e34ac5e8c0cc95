"""A changed domain reaches the configuration of a running site."""

from fakecluster.samples import a_world
from fakecluster.world import settle
from frappe_operator.api.kinds import SITE
from frappe_operator.kube.kinds import JOB
from tests.world.site_state import breaks, configured


def test_a_new_site_knows_its_address_and_needs_no_job_for_it() -> None:
    world = a_world()
    settle(world)
    assert configured(world)["host_name"] == "http://acme.example.com"
    assert world.condition("Configured", "acme", SITE).ok
    assert world.all(JOB, "acme-configure-*") == []


def test_links_follow_the_domain_there_and_back() -> None:
    world = a_world()
    settle(world)
    for domain in ("shop.example.com", "store.example.com", None, "shop.example.com"):
        world.edit(SITE, "acme", {"spec": {"domain": domain}})
        settle(world)
        assert configured(world)["host_name"] == f"http://{domain or 'acme.example.com'}"
        assert world.condition("Ready", "acme", SITE).ok
        assert len(world.all(JOB, "acme-configure-*")) == 1
    world.assert_no_writes(600)


def test_an_address_that_could_not_be_brought_in_yet_is_not_forgotten() -> None:
    """Back at the address it was created with, nothing but the Job of the address between tells what it has."""
    world = a_world()
    settle(world)
    world.edit(SITE, "acme", {"spec": {"domain": "shop.example.com"}})
    settle(world)
    breaks(world, "forge-redis-*")
    settle(world)
    world.edit(SITE, "acme", {"spec": {"domain": None}})
    settle(world)
    assert configured(world)["host_name"] == "http://shop.example.com"
    assert world.condition("Configured", "acme", SITE).reason == "Waiting"
    world.crash()
    breaks(world)
    settle(world)
    assert configured(world)["host_name"] == "http://acme.example.com"
    assert world.condition("Ready", "acme", SITE).ok
