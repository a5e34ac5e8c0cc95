"""The size of uploads is the same on every hop, Frappe's own limit included."""

import pytest

from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import World, settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import CONFIG_MAP, JOB, Kind, Ref
from tests.world.site_state import configured, revisions


def sizes(world: World) -> set[int]:
    """The largest request by the front door, and by Frappe."""
    conf = world.get_existing(Ref(CONFIG_MAP, "default", "acme-front-door"))["data"]["nginx.conf"]
    (line,) = [line for line in conf.splitlines() if "client_max_body_size" in line]
    return {int(line.split()[1].rstrip(";")), configured(world)["max_file_size"]}


def test_frappe_has_the_limit_of_the_front_door_from_the_beginning() -> None:
    world = a_world(a_bench(), a_site("acme", proxy={"bodySize": "80Mi"}))
    settle(world)
    assert sizes(world) == {80 * 2**20}
    assert world.all(JOB, "acme-configure-*") == []


@pytest.mark.parametrize(("kind", "name"), [(SITE, "acme"), (BENCH, "forge")])
def test_another_limit_reaches_a_running_site_and_no_pod_restarts(kind: Kind, name: str) -> None:
    world = a_world()
    settle(world)
    assert sizes(world) == {50 * 2**20}
    before = revisions(world)
    for size, expected in (("200Mi", 200), ("1Gi", 1024), (None, 50)):
        world.edit(kind, name, {"spec": {"proxy": {"bodySize": size}}})
        settle(world)
        assert sizes(world) == {expected * 2**20}
        assert world.condition("Ready", "acme", SITE).ok
    assert revisions(world) == before
    world.assert_no_writes(600)
