"""A few plans against the real API server and the real controllers; `make faults` runs some hundred."""

import asyncio

import pytest

from sandbox.cluster import Cluster
from tests.faults import run_on_cluster
from tests.faults.real_plans import chosen
from tests.faults.run_plans import Outcome

pytestmark = [pytest.mark.cluster]

SCENARIOS = ("created", "image changed", "external deleted")
OF_PLANS = 12
QUIET_SECONDS = 5.0


def test_whatever_goes_wrong_the_end_is_the_same(simulated_cluster: Cluster) -> None:
    # Where many things go wrong, the pauses between the tries add up to minutes.
    wanted = [plan for plan in chosen(SCENARIOS, OF_PLANS) if len(plan.faults) == 1]
    assert len(wanted) >= OF_PLANS // 2

    async def run_plans() -> list[Outcome]:
        async with run_on_cluster.cluster_run(simulated_cluster, QUIET_SECONDS) as cluster_run:
            return [outcome async for outcome in cluster_run.run_plans(wanted)]

    outcomes = asyncio.run(run_plans())
    assert len(outcomes) == len(wanted)
    assert [(outcome.plan.line(), outcome.failures) for outcome in outcomes if not outcome.ok] == []
