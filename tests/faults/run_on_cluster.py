"""Runs plans against the real API server and the real controllers of the cluster, many in parallel.

Each plan has a namespace of its own and an operator in this process that sees no other. Nodes are simulated: pods run
and Jobs succeed, so what the runner does once is counted by the pods that were told to do it. Time is real.
"""

import asyncio
import traceback
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog

from fakecluster.faults import FaultRun, StepFault
from fakecluster.frappe import Effect
from frappe_operator.runtime.cache.informer import WATCH_SECONDS
from frappe_operator.runtime.client.client import Client
from frappe_operator.runtime.client.errors import ApiError
from frappe_operator.runtime.client.http import HttpTransport
from frappe_operator.runtime.client.kubeconfig import find
from frappe_operator.runtime.client.transport import Transport, TransportError
from sandbox.cluster import Cluster as SandboxCluster
from tests import definitions
from tests.faults import oracles
from tests.faults.cluster_observer import Observer
from tests.faults.evidence import Evidence, early_retries, orphaned
from tests.faults.operator_process import OperatorProcesses
from tests.faults.plan import Plan
from tests.faults.real_namespace import RealNamespace, shown_secrets
from tests.faults.recording import Log, Recorder
from tests.faults.run_plans import Outcome, verdict
from tests.faults.scenarios import CHANGE_IMAGE, SCENARIOS, Step

SIDE_BY_SIDE = 24
REST_SECONDS = 2.0
"""A step is done after so long without an event or a write, while everything is ready and no key is queued."""
QUIET_SECONDS = WATCH_SECONDS + 1.0
"""Every watch ends and begins anew within this time."""
LONGEST_SECONDS = 900.0
"""For one step. The pause doubles with each failure in a row, and a storm may bring nine of them: eight minutes."""
ORACLES = tuple(each for each in oracles.ORACLES if each is not oracles.a_fault_happened)
"""No two runs in real time are alike, so a planned request may not be made: that a fault happened is not required."""


class UnsoundReference(Exception):
    """The run without faults violates an oracle: there is nothing to compare plans with."""


class PlanRun:
    """One plan that runs."""

    def __init__(self, transport: Transport, observer: Observer, log: Log, plan: Plan) -> None:
        self.plan = plan
        self.fault_run = FaultRun(plan.faults)
        self.network = Recorder(transport)
        self.place = RealNamespace(Client(transport), f"faults-{uuid.uuid4().hex[:10]}")
        self.life = OperatorProcesses(self.network, self.fault_run, self.place.namespace)
        self._sight = observer.of(self.place.namespace)
        self._log = log
        self._twins: list[asyncio.Task[None]] = []

    async def to_its_end(self, quiet_seconds: float) -> Evidence:
        """Runs the plan; the evidence comes back."""
        logged = len(self._log.leaks)
        await self.place.make()
        self.life.begin()
        try:
            trouble = await self._played()
            no_write_after_settling = len(self.network.writes)
            if not trouble:
                await asyncio.sleep(quiet_seconds)
            stored, sight = await self.place.stored(), self._sight
            return Evidence(
                trouble="; ".join([*self.life.failures, *filter(None, [trouble])]),
                happened=list(self.fault_run.happened),
                comparable_objects=self.place.comparable_objects(stored),
                effects=[Effect("a pod ran", job) for job in sight.runs.elements()],
                made=Counter(sight.made),
                deleted=Counter(sight.gone),
                restless=self.network.writes[no_write_after_settling:],
                orphans=list(orphaned(stored)),
                contradictions=list(sight.contradictions),
                # What is logged is not known to be one play's: all are blamed that ran meanwhile.
                leaks=[*self.network.leaks, *shown_secrets(stored), *self._log.leaks[logged:]],
                early_retries=list(early_retries(self.life.reconciles, self.place.edits)),
            )
        finally:
            await self.life.end()

    async def _played(self) -> str:
        """Runs the plan; returns why it did not end, empty when it did."""
        try:
            for number, step in enumerate(SCENARIOS[self.plan.scenario].steps):
                await self._step(number, step)
        except TimeoutError:
            return f"after {LONGEST_SECONDS:g} s it is not done: {self.network.writes[-5:]}"
        except (ApiError, TransportError) as error:
            return f"what people do was refused: {error}"
        return ""

    async def _step(self, number: int, step: Step) -> None:
        for fault in self.fault_run.of_step(number, "restart", "twin"):
            self.fault_run.happened.append(f"{fault.what} as step {number} begins")
            if fault.what == "twin":
                self._twins.append(asyncio.create_task(self.life.twin(fault.seconds)))
            else:
                self.life.crash()
        await self.place.do(step)
        hurry = self.fault_run.of_step(number + 1, "hurry")
        if hurry:
            self.fault_run.happened.append(f"step {number + 1} begins early")
            await asyncio.sleep(hurry[0].seconds)
            return
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(LONGEST_SECONDS):
            while not (  # noqa: ASYNC110 - that nothing more will happen is no event
                self._still(began) and self._sight.knows(await self.place.asked_for())
            ):
                await asyncio.sleep(0.25)

    def _still(self, began: float) -> bool:
        last = max(began, self.network.wrote, self._sight.changed)
        rests = asyncio.get_running_loop().time() - last >= REST_SECONDS
        # Who is yet to hear of what has happened will act on it.
        return rests and not self.fault_run.withheld_streams and self.life.idle and self._sight.settled


def tolerated_reference(plan: Plan, seen: Evidence, reference: Evidence) -> Evidence:
    """The reference that a run in real time is compared with.

    Who is in a hurry may take back what he asked for before an operator on a busy machine has begun with it. Then
    nothing may come about more often than it should, but it need not come about: the end says what must be there.
    Only a Job that is under way as the image changes starts once more, with the new one (docs/decisions/2-jobs.md).
    """
    hurried = [fault.step for fault in plan.faults if isinstance(fault, StepFault) and fault.what == "hurry"]
    if not hurried:
        return reference
    steps = SCENARIOS[plan.scenario].steps
    changed = any(CHANGE_IMAGE in steps[step - 1 : step + 1] for step in hurried)
    again = Counter(each for each in reference.made if changed and each.startswith("Job "))
    run_again = Counter(each for each in set(reference.effects) if changed)
    return reference._replace(
        made=(reference.made + again) & seen.made,
        deleted=(reference.deleted + again) & seen.deleted,
        effects=list(((Counter(reference.effects) + run_again) & Counter(seen.effects)).elements()),
    )


class ClusterRun:
    """Runs plans in one cluster."""

    def __init__(self, transport: Transport, observer: Observer, log: Log, quiet_seconds: float) -> None:
        self._transport = transport
        self._observer = observer
        self._log = log
        self._quiet_seconds = quiet_seconds
        self._turns = asyncio.Semaphore(SIDE_BY_SIDE)

    async def run_plans(self, wanted: Sequence[Plan]) -> AsyncIterator[Outcome]:
        """Runs plans in parallel, and yields the outcome of each as it ends.

        Raises UnsoundReference when something is wrong in a scenario though nothing goes wrong.
        """
        names = dict.fromkeys(plan.scenario for plan in wanted)
        async with asyncio.TaskGroup() as tasks:
            references = {name: tasks.create_task(self._reference(name)) for name in names}
            # Those first in which much goes wrong: they wait the longest, and the others go on beside them.
            order = sorted(wanted, key=lambda plan: -len(plan.faults))
            judged = [tasks.create_task(self._judged(plan, references[plan.scenario])) for plan in order]
            for outcome in asyncio.as_completed(judged):
                yield await outcome

    async def _reference(self, name: str) -> Evidence:
        """The evidence of a scenario without faults."""
        plan = Plan(name)
        seen = await self._play(plan)
        outcome = verdict(plan, seen, seen, ORACLES)
        if not outcome.ok:
            raise UnsoundReference(f"{plan}: {outcome.failures}")
        return seen

    async def _judged(self, plan: Plan, reference: asyncio.Task[Evidence]) -> Outcome:
        try:
            seen = await self._play(plan)
        except Exception:
            return Outcome(plan, {"the play itself": [traceback.format_exc()]}, [])
        return verdict(plan, seen, tolerated_reference(plan, seen, await reference), ORACLES)

    async def _play(self, plan: Plan) -> Evidence:
        async with self._turns:
            return await PlanRun(self._transport, self._observer, self._log, plan).to_its_end(self._quiet_seconds)


@asynccontextmanager
async def cluster_run(cluster: SandboxCluster, quiet_seconds: float = QUIET_SECONDS) -> AsyncIterator[ClusterRun]:
    """Prepares a cluster of simulated nodes for plans. The operator runs as part of each plan."""
    definitions.install(cluster)
    log = Log()
    log.listen()
    async with HttpTransport(find(str(cluster.kubeconfig))) as transport:
        observer = Observer(transport)
        observing = asyncio.create_task(observer.run())
        try:
            await observer.knows_all()
            yield ClusterRun(transport, observer, log, quiet_seconds)
        finally:
            observing.cancel()
            await asyncio.gather(observing, return_exceptions=True)
            structlog.reset_defaults()
