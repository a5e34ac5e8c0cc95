"""A finalizer is set in time, taken off when its work is done, and nobody else's is touched on the way."""

import asyncio

import pytest

from frappe_operator.kube.kinds import Ref
from frappe_operator.kube.live import Custom
from frappe_operator.runtime.apply.finalizers import ensure_finalizer, remove_finalizer
from frappe_operator.runtime.client.errors import Conflict
from tests.runtime.environment import OWNER, TOY, Bed, a_bed
from tests.runtime.virtual_time import virtual

OURS, THEIRS = "toys.example.com/put-away", "example.com/theirs"


def finalizers(bed: Bed) -> list[str]:
    found: list[str] = bed.get(TOY, OWNER.name)["metadata"].get("finalizers", [])
    return found


async def going(bed: Bed) -> Custom:
    """The owner, while it waits for a finalizer of another's."""
    await bed.edit(TOY, OWNER.name, {"metadata": {"finalizers": [THEIRS]}})
    await bed.delete(TOY, OWNER.name)
    bed.writes()
    return bed.owner


@virtual
async def test_it_is_set_once_beside_those_of_others() -> None:
    async with a_bed() as bed:
        await bed.edit(TOY, OWNER.name, {"metadata": {"finalizers": [THEIRS]}})
        for _ in range(2):
            await ensure_finalizer(bed.cluster, TOY, bed.owner, OURS)
            await asyncio.sleep(0.1)
        assert bed.writes() == ["patch Toy bear"]
        assert finalizers(bed) == [THEIRS, OURS]


@virtual
async def test_it_is_too_late_when_the_object_goes() -> None:
    async with a_bed() as bed:
        await ensure_finalizer(bed.cluster, TOY, await going(bed), OURS)
        assert bed.writes() == []
        assert finalizers(bed) == [THEIRS]


@virtual
async def test_it_is_taken_off_and_those_of_others_stay() -> None:
    async with a_bed() as bed:
        await bed.edit(TOY, OWNER.name, {"metadata": {"finalizers": [OURS, THEIRS]}})
        await remove_finalizer(bed.cluster, TOY, bed.owner, OURS)
        assert finalizers(bed) == [THEIRS]


@pytest.mark.parametrize("change", [ensure_finalizer, remove_finalizer])
def test_one_that_came_since_we_looked_is_not_lost(change: type) -> None:
    @virtual
    async def run() -> None:
        async with a_bed() as bed:
            before = [OURS] if change is remove_finalizer else []
            await bed.edit(TOY, OWNER.name, {"metadata": {"finalizers": before}})
            stale = bed.owner
            bed.api.merge(Ref(TOY, *OWNER), {"metadata": {"finalizers": [*before, THEIRS]}}, "kubectl")
            with pytest.raises(Conflict):
                await change(bed.cluster, TOY, stale, OURS)
            assert finalizers(bed) == [*before, THEIRS]

    run()


@virtual
async def test_an_object_that_has_gone_is_let_go() -> None:
    async with a_bed() as bed:
        await bed.edit(TOY, OWNER.name, {"metadata": {"finalizers": [OURS]}})
        await bed.delete(TOY, OWNER.name)
        known = bed.owner
        bed.api.merge(Ref(TOY, *OWNER), {"metadata": {"finalizers": []}}, "kubectl")
        await remove_finalizer(bed.cluster, TOY, known, OURS)
        assert not bed.exists(TOY, OWNER.name)
