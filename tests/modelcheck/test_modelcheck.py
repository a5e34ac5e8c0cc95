"""The model check finds the bugs that are planted for it, and none without them.

What it proves is proved by `make model`, and by `python -m tests.modelcheck --small` in two minutes; here one small
scenario is searched to its end.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import structlog

from frappe_operator.kube.kinds import ref_of
from frappe_operator.kube.objects import Manifest
from frappe_operator.runtime.apply import children as apply_module
from frappe_operator.runtime.apply import finalizers
from frappe_operator.runtime.apply.finalizers import remove_finalizer
from frappe_operator.runtime.client.client import Client
from frappe_operator.runtime.client.errors import AlreadyExists
from frappe_operator.runtime.cluster import Cluster, Writer
from frappe_operator.runtime.queue.handlers import EventHandlers
from frappe_operator.runtime.queue.queue import Priority, Queue
from frappe_operator.runtime.status import report as report_module
from frappe_operator.runtime.status.report import report
from tests.modelcheck import minimal_controller
from tests.modelcheck.minimal_controller import FINALIZER, TOY
from tests.modelcheck.properties import Violation
from tests.modelcheck.scenarios import ONE, SMALL, TWO, Scenario
from tests.modelcheck.search import Search
from tests.modelcheck.state import Environment


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()


def test_from_every_state_of_a_small_scenario_all_ends_well() -> None:
    search = Search(SMALL[0].model())
    search.run()
    assert search.complete
    assert search.states > 3_000
    assert search.ends >= 1


# --- what must be found

Plant = Callable[[pytest.MonkeyPatch], None]


def no_precondition(patch: pytest.MonkeyPatch) -> None:
    """Deletes whatever has the name."""

    async def delete(self: Client, kind: Any, namespace: str, name: str, uid: str, **more: Any) -> bytes:
        return await self._request("delete", kind, "DELETE", kind.path(namespace, name), body=b"{}")

    patch.setattr(Client, "delete", delete)


def create_overwrites(patch: pytest.MonkeyPatch) -> None:
    """What the cache does not show is taken for absent."""

    async def create(self: Cluster, manifest: Manifest, by: Writer) -> Any:
        return await self.apply(manifest, by)

    patch.setattr(Cluster, "create", create)


def made_twice(patch: pytest.MonkeyPatch) -> None:
    """What is in the way is cleared away."""
    create = Cluster.create

    async def again(self: Cluster, manifest: Manifest, by: Writer) -> Any:
        try:
            return await create(self, manifest, by)
        except AlreadyExists:
            ref = ref_of(manifest)
            there = await self.metadata(*ref)
            if there is not None:
                await self.delete(*ref, there.metadata.uid)
            return await create(self, manifest, by)

    patch.setattr(Cluster, "create", again)


def finalizer_first(patch: pytest.MonkeyPatch) -> None:
    """The Toy may go before its data is gone."""
    cleanup = minimal_controller.cleanup

    async def hasty(cluster: Cluster, live: Any) -> None:
        await remove_finalizer(cluster, TOY, live, FINALIZER)
        await cleanup(cluster, live)

    patch.setattr(minimal_controller, "cleanup", hasty)


def no_finalizer(patch: pytest.MonkeyPatch) -> None:
    """Children are made before anything holds the Toy."""

    async def never(*_: Any) -> None: ...

    patch.setattr(minimal_controller, "ensure_finalizer", never)


def finalizer_unguarded(patch: pytest.MonkeyPatch) -> None:
    """The finalizer goes, whatever has become of the Toy meanwhile."""

    async def set_(cluster: Cluster, kind: Any, live: Any, names: list[str]) -> None:
        meta = live.metadata
        change = {"metadata": {"uid": meta.uid, "finalizers": names}}
        await cluster.patch(kind, meta.namespace, meta.name, change, writer=(kind, meta.key))

    patch.setattr(finalizers, "_set", set_)


def edits_are_lost(patch: pytest.MonkeyPatch) -> None:
    """What comes with the answer to our own write is taken for our own word."""
    changed = EventHandlers.changed

    def without_writers(self: EventHandlers, change: Any, writer: Any = None) -> None:
        if writer is None:
            changed(self, change)

    patch.setattr(EventHandlers, "changed", without_writers)


def deaf_while_busy(patch: pytest.MonkeyPatch) -> None:
    """What changes during a look is not looked at after it."""
    add = Queue.add

    def only_idle(self: Queue, key: Any, priority: Priority = Priority.EVENT) -> None:
        if not self.running:
            add(self, key, priority)

    patch.setattr(Queue, "add", only_idle)


def strangers_overwritten(patch: pytest.MonkeyPatch) -> None:
    """What has a child's name is taken for the child."""
    patch.setattr(apply_module, "ABSENT", {})


def spoken_too_early(patch: pytest.MonkeyPatch) -> None:
    """Ready is said of the generation that is there now, not of the one that was looked at."""

    async def early(cluster: Cluster, kind: Any, owner: Any, verdicts: Any, extra: Any) -> None:
        fresh = await cluster.read(kind, owner.metadata.namespace, owner.metadata.name)
        if fresh is not None:
            owner.metadata.generation = fresh["metadata"]["generation"]
            await report(cluster, kind, owner, verdicts, extra)

    patch.setattr(minimal_controller, "report", early)


def status_each_time(patch: pytest.MonkeyPatch) -> None:
    """Status is written whether it is news or not."""
    patch.setattr(report_module, "_merged", lambda before, after: {"always": "news"})


def finished_jobs_restart(patch: pytest.MonkeyPatch) -> None:
    """A Job that has succeeded starts again when what it works on changes."""

    def outdated(child: Any, live: Any) -> bool:
        wanted = (child.manifest["metadata"].get("annotations") or {}).get(apply_module.INPUTS, "")
        return bool(live.metadata.annotation(apply_module.INPUTS) != wanted)

    patch.setattr(apply_module, "_outdated", outdated)


class Bug(NamedTuple):
    """A mistake, where it shows, and as what."""

    plant: Plant
    where: Scenario
    found: str


WHEN_SETTLED = Scenario("", Environment(edits=1, deletions=1), ONE, settled=True)
BUGS = (
    Bug(
        no_precondition, Scenario("", Environment(edits=1, meddling=1), ONE, "replace", True), "another's, and deleted"
    ),
    Bug(create_overwrites, Scenario("", Environment(losses=1), ONE), "made once, and written again"),
    Bug(made_twice, Scenario("", Environment(losses=1), ONE), "nobody asked for it"),
    Bug(finalizer_first, WHEN_SETTLED, "is deleted for a Toy that is gone"),
    Bug(no_finalizer, Scenario("", Environment(), ONE), "before the Toy has its finalizer"),
    Bug(finalizer_unguarded, WHEN_SETTLED, "which should go with it, is still there"),
    Bug(edits_are_lost, WHEN_SETTLED, "the Toy is deleted, and does not go"),
    Bug(deaf_while_busy, Scenario("", Environment(), TWO), "a fair run ends, and"),
    Bug(strangers_overwritten, Scenario("", Environment(meddling=1), ONE, "replace"), "another's, and overwritten"),
    Bug(spoken_too_early, WHEN_SETTLED, "Ready is True for generation 2"),
    Bug(status_each_time, Scenario("", Environment(), ONE), "a new process writes"),
    Bug(finished_jobs_restart, WHEN_SETTLED, "a Job that has succeeded is deleted"),
)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.plant.__name__)
def test_a_bug_is_found_and_the_way_to_it_told(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    bug.plant(monkeypatch)
    with pytest.raises(Violation) as caught:
        Search(bug.where.model(), most=30_000).run()
    assert bug.found in caught.value.what
    assert "  1. " in str(caught.value)
