"""A compressed status is small and complete."""

import json

from hypothesis import given
from hypothesis import strategies as st

from fakecluster.samples import a_world
from fakecluster.world import settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.compressed import pack, unpack


@given(st.binary(max_size=3000))
def test_what_was_packed_is_what_comes_out(status: bytes) -> None:
    assert unpack(pack(status)) == status


def test_the_statuses_of_a_bench_and_a_site_that_are_ready_are_a_seventh_of_their_size() -> None:
    world = a_world()
    settle(world)
    for kind in (BENCH, SITE):
        obj = next(world.api.get(ref).obj for ref in world.api.store.refs() if ref.kind == kind)
        # In the order of the alphabet, as the API server writes a custom resource.
        status = json.dumps(obj["status"], sort_keys=True, separators=(",", ":")).encode()
        assert len(pack(status)) < len(status) / 7, kind.kind
