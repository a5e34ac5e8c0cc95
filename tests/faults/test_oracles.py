"""Each oracle fails where it must: an operator with one defect, and the oracle that finds it."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator, Sequence

import pytest
import structlog

from fakecluster.faults import Fault, StepFault
from fakecluster.samples import a_bench, a_site
from fakecluster.world import ControllersOf, World, operator_controllers
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, JOB
from frappe_operator.kube.live import OPERATOR_NAME
from frappe_operator.kube.names import MANAGED_BY
from frappe_operator.kube.objects import Key, Manifest
from frappe_operator.runtime.client.transport import TransportError
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller
from frappe_operator.runtime.queue.queue import Priority
from tests.faults.evidence import contains_password, orphans, out_of_date
from tests.faults.oracles import ORACLES
from tests.faults.plan import Plan
from tests.faults.run_plans import Outcome, run_plan
from tests.faults.scenarios import empty_world, rest

RESTARTED = Plan("scaled", (StepFault("restart", 1),))
Sabotage = Callable[[World, Cluster, Key], Awaitable[float | None]]


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def sabotaged(sabotage: Sabotage) -> ControllersOf:
    """The operator, which after its first restart does something wrong in each reconcile of a site."""

    def controllers(world: World) -> Sequence[Controller]:
        bench, site = operator_controllers(world)

        async def reconcile(cluster: Cluster, key: Key) -> float | None:
            again = await site.reconcile(cluster, key)
            return again if world.starts == 1 else await sabotage(world, cluster, key)

        return [bench, site._replace(reconcile=reconcile)]

    return controllers


def says(sabotage: Sabotage, plan: Plan = RESTARTED) -> Outcome:
    return run_plan(plan, sabotaged(sabotage))


def a_label(**metadata: object) -> Manifest:
    labels = {MANAGED_BY: OPERATOR_NAME}
    meta = {"namespace": "default", "name": "more", "labels": labels, **metadata}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {}}


def once(sabotage: Sabotage) -> Sabotage:
    """Only in the first reconcile: the operator repairs what it can, and would never settle."""
    done: list[bool] = []

    async def first(world: World, cluster: Cluster, key: Key) -> float | None:
        if done:
            return None
        done.append(True)
        return await sabotage(world, cluster, key)

    return first


async def note(cluster: Cluster, key: Key, text: str) -> None:
    """Writes something into an annotation of the site."""
    await cluster.patch(SITE, *key, {"metadata": {"annotations": {"note": text}}}, writer=(SITE, key))


def test_the_operator_as_it_is_satisfies_them_all() -> None:
    assert run_plan(RESTARTED).failures == {}


def test_every_oracle_is_a_sentence() -> None:
    assert all(oracle.__doc__ and oracle.__doc__.endswith(".") for oracle in ORACLES)


def test_settles() -> None:
    written = [0.0]

    async def never_done(world: World, cluster: Cluster, key: Key) -> float:
        if world.loop.time() - written[0] >= 50.0:
            written[0] = world.loop.time()
            await note(cluster, key, str(world.loop.time()))
        return 50.0

    assert "NotSettled" in says(never_done).failures["settles"][0]


def test_a_fault_happened() -> None:
    assert "a_fault_happened" in run_plan(Plan("scaled", (Fault("crash", nth=9999),))).failures


def test_same_final_objects() -> None:
    async def differently(world: World, cluster: Cluster, key: Key) -> None:
        await note(cluster, key, "restarted")

    failures = says(differently).failures
    assert any("FrappeSite acme: metadata.annotations" in each for each in failures["same_final_objects"])


def test_same_creations_and_deletions() -> None:
    @once
    async def anew(world: World, cluster: Cluster, key: Key) -> None:
        live = cluster.get(DEPLOYMENT, "default", "acme-scheduler")
        if live is not None:
            await cluster.delete(DEPLOYMENT, "default", "acme-scheduler", live.metadata.uid)

    failures = says(anew).failures
    assert failures["same_creations_and_deletions"] == [
        "Deployment acme-scheduler was created 2 times, not 1",
        "Deployment acme-scheduler was deleted 1 times, not 0",
    ]
    assert "same_final_objects" not in failures


def test_no_write_after_settling() -> None:
    tasks: list[asyncio.Task[None]] = []

    async def later(cluster: Cluster, key: Key) -> None:
        await asyncio.sleep(110)
        await note(cluster, key, "late")

    async def restless(world: World, cluster: Cluster, key: Key) -> None:
        if not tasks:
            tasks.append(asyncio.create_task(later(cluster, key)))

    assert any("patch FrappeSite acme" in each for each in says(restless).failures["no_write_after_settling"])


def test_no_orphaned_object_without_owner() -> None:
    async def for_nobody(world: World, cluster: Cluster, key: Key) -> None:
        if cluster.get(CONFIG_MAP, "default", "more") is None:
            await cluster.create(a_label())

    assert says(for_nobody).failures["no_orphaned_object"] == ["ConfigMap more: nobody owns it, and it is no data"]


def test_no_orphaned_object_of_a_deleted_owner() -> None:
    world = empty_world()
    world.add(a_bench(), a_site())
    rest(world)
    assert list(orphans(world)) == []
    world.sim.off.add("garbage collector")
    world.delete(SITE, "acme")
    world.run(60)
    assert any("its owner is gone" in each for each in orphans(world))


def test_effects_once() -> None:
    @once
    async def forgetful(world: World, cluster: Cluster, key: Key) -> None:
        live = cluster.get(JOB, "default", "acme-create")
        if live is not None:
            for disk in world.frappe.disks.values():
                disk.pop("sites", None)
            await cluster.delete(JOB, "default", "acme-create", live.metadata.uid)

    assert any(
        "created site acme.example.com was done 2 times" in each for each in says(forgetful).failures["effects_once"]
    )


def test_status_has_no_contradiction_about_stages() -> None:
    @once
    async def boasting(world: World, cluster: Cluster, key: Key) -> None:
        said = [("Ready", "True"), ("WorkloadsReady", "False"), ("Reconciling", "True")]
        conditions = [
            {
                "type": name,
                "status": status,
                "reason": "Condition",
                "message": "",
                "observedGeneration": 1,
                "lastTransitionTime": cluster.now(),
            }
            for name, status in said
        ]
        patch = {"status": {"conditions": conditions}}
        await cluster.patch(SITE, *key, patch, subresource="status", writer=(SITE, key))

    contradictions = says(boasting).failures["status_has_no_contradiction"]
    assert any("Ready, while WorkloadsReady is not" in each for each in contradictions)


def test_status_has_no_contradiction_about_generations() -> None:
    world = empty_world(controllers=lambda world: operator_controllers(world) if world.starts == 1 else [])
    world.add(a_bench(), a_site())
    rest(world)
    assert list(out_of_date(world)) == []
    world.edit(BENCH, "forge", {"spec": {"appsJSON": "[]"}})
    assert list(out_of_date(world)) == ["FrappeBench forge: Ready is of generation 1"]


def test_no_password_outside_secrets_in_stored_objects() -> None:
    @once
    async def talkative(world: World, cluster: Cluster, key: Key) -> None:
        await note(cluster, key, f"the password is {world.token()}")

    leaks = says(talkative).failures["no_password_outside_secrets"]
    assert any(each.endswith("FrappeSite acme") for each in leaks)


def test_no_password_outside_secrets_in_the_log() -> None:
    async def talkative(world: World, cluster: Cluster, key: Key) -> None:
        structlog.get_logger("test").info("made a password", password=world.token())

    leaks = says(talkative).failures["no_password_outside_secrets"]
    assert all(each.startswith("the log: ") for each in leaks)


@pytest.mark.parametrize("before", range(5))
def test_a_secret_in_base64_is_found_wherever_it_begins(before: int) -> None:
    assert contains_password(base64.b64encode(b"x" * before + b"token-0001-canary-more"))
    assert not contains_password(base64.b64encode(b"x" * before + b"token-0001-sparrow-more"))


def test_failures_back_off() -> None:
    tries: list[float] = []

    async def impatient(world: World, cluster: Cluster, key: Key) -> None:
        tries.append(world.loop.time())
        if len(tries) < 10:
            engine = world._processes[-1].engine
            assert engine is not None
            engine.queues[SITE].add(key, Priority.EDIT)
            raise TransportError("no answer")

    assert len(says(impatient).failures["failures_back_off"]) > 3
