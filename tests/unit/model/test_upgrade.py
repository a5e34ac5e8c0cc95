"""The release that a site runs, and the steps on its way to another."""

import pytest
from msgspec.structs import replace

from frappe_operator.model.upgrade import (
    Mark,
    Outcome,
    Plan,
    Progress,
    Step,
    Upgrade,
    attempt,
    plan,
    plan_before_creation,
    running,
)
from tests.unit.resolved_samples import FACTS

OLD, NEW = FACTS, replace(FACTS, reference="registry.example.net/frappe:v2")
RELEASES = {OLD.key: OLD, NEW.key: NEW}
THIS = attempt(OLD.key, NEW.key, "")
AT_OLD = Mark(OLD.key)
MIGRATING = Mark(OLD.key, NEW.key, THIS)
IDLE = Progress(background_stopped=True, overdue=False, announced=True, web_stops=True, pods=(), all_stopped=True)


def planned(mark: Mark, *, outcome: Outcome | None = None, progress: Progress | None = None, retry: str = "") -> Plan:
    return plan(mark, OLD, NEW, RELEASES, retry=retry, outcome=outcome, progress=progress)


def test_a_site_without_a_turn_runs_what_its_data_is_of() -> None:
    assert planned(AT_OLD) == Plan(OLD, AT_OLD)


@pytest.mark.parametrize(
    ("progress", "step"),
    [
        (IDLE._replace(web_stops=False, background_stopped=False), Step.DRAINING),
        (IDLE._replace(web_stops=False, announced=False), Step.DRAINING),
        (IDLE._replace(web_stops=False, all_stopped=False, pods=("web",)), Step.STOPPING),
        (IDLE._replace(pods=("web",)), Step.STOPPING),
        (IDLE._replace(all_stopped=False), Step.STOPPING),
        # A proxy that starts anew does not bring the web pods back.
        (IDLE._replace(announced=False, pods=("web",)), Step.STOPPING),
        (IDLE, Step.MIGRATING),
    ],
)
def test_the_web_pods_stop_after_the_workers_and_the_data_is_migrated_when_no_pod_is_left(
    progress: Progress, step: Step
) -> None:
    found = planned(AT_OLD, progress=progress)
    assert found.facts is OLD
    assert found.upgrade == Upgrade(NEW, THIS, step)
    assert found.mark == (MIGRATING if step == Step.MIGRATING else AT_OLD)


def test_a_migration_that_has_begun_goes_on_whatever_the_bench_says() -> None:
    for target in (OLD, NEW):
        found = plan(MIGRATING, OLD, target, RELEASES, retry="other", outcome=None, progress=None)
        assert found == Plan(OLD, MIGRATING, Upgrade(NEW, THIS, Step.MIGRATING))


def test_the_result_of_a_migration_decides_which_release_runs() -> None:
    assert planned(MIGRATING, outcome=Outcome(True)) == Plan(NEW, Mark(NEW.key))
    back = planned(MIGRATING, outcome=Outcome(False))
    assert back == Plan(OLD, Mark(OLD.key, failed=THIS), failed=True)


def test_a_failed_attempt_is_repeated_only_when_somebody_asks() -> None:
    mark = Mark(OLD.key, failed=THIS)
    assert planned(mark, progress=IDLE) == Plan(OLD, mark, failed=True)
    again = planned(mark, progress=IDLE, retry="1")
    assert again.upgrade is not None
    assert again.upgrade.attempt != THIS


def test_a_site_runs_what_its_data_is_of_and_before_there_is_data_what_its_bench_has() -> None:
    only_new = {NEW.key: NEW}
    assert running(Mark(), NEW, RELEASES, created=False, created_with=OLD.key) is NEW
    assert running(Mark(), NEW, RELEASES, created=True, created_with=OLD.key) is OLD
    # A Job of an operator that recorded no release.
    assert running(Mark(), NEW, RELEASES, created=True, created_with="") is NEW
    # Retained data, and a site whose finished Job was deleted.
    assert running(AT_OLD, NEW, RELEASES, created=False, created_with="") is OLD
    assert running(AT_OLD, NEW, only_new, created=False, created_with="") is NEW
    assert running(AT_OLD, NEW, RELEASES, created=True, created_with=NEW.key) is OLD
    assert running(AT_OLD, NEW, only_new, created=True, created_with=NEW.key) is None


def test_nothing_is_recorded_before_there_is_data() -> None:
    assert plan_before_creation(Mark(), NEW) == Plan(NEW, Mark())
    assert plan_before_creation(MIGRATING, OLD) == Plan(OLD, MIGRATING)
    assert plan_before_creation(AT_OLD, NEW) == Plan(NEW, Mark())
