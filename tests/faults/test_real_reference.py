"""The reference that a run in real time is compared with."""

from collections import Counter

from fakecluster.faults import StepFault
from fakecluster.frappe import Effect
from tests.faults.evidence import Evidence
from tests.faults.plan import Plan
from tests.faults.run_on_cluster import ORACLES, tolerated_reference
from tests.faults.run_plans import verdict

HURRIED = Plan("scaled, deleted", (StepFault("hurry", 2, 0.05),))
CHANGED = Plan("image changed, deleted", (StepFault("hurry", 2, 0.05),))
RESTARTED = Plan("scaled, deleted", (StepFault("restart", 2),))


def seen(jobs: int) -> Evidence:
    """A Job that was made, did its work and went, so many times."""
    effects = [Effect("a pod ran", "forge-image")] * jobs
    count = Counter({"Job forge-image": jobs})
    return Evidence("", [], {}, effects, count, count, [], [], [], [], [])


def failures(plan: Plan, jobs: int) -> set[str]:
    return set(verdict(plan, seen(jobs), tolerated_reference(plan, seen(jobs), seen(1)), ORACLES).failures)


def test_what_is_taken_back_in_a_hurry_need_not_come_about() -> None:
    assert failures(HURRIED, 0) == set()
    assert failures(HURRIED, 1) == set()


def test_it_must_not_come_about_twice() -> None:
    assert failures(HURRIED, 2) == {"same_creations_and_deletions", "effects_once"}


def test_without_a_hurry_it_must() -> None:
    assert failures(RESTARTED, 0) == {"same_creations_and_deletions", "effects_once"}


def test_a_job_under_way_as_the_image_changes_starts_once_more() -> None:
    assert failures(CHANGED, 1) == set()
    assert failures(CHANGED, 2) == set()
    assert failures(CHANGED, 3) == {"same_creations_and_deletions", "effects_once"}
