"""Apps that are removed from a site: which ones, in which turn, and what is recorded."""

import pytest
from msgspec.structs import replace

from frappe_operator.model.removal import Removal, fingerprint, states
from frappe_operator.model.upgrade import Mark, Outcome, Plan, Progress, Step, Upgrade, attempt, plan, removal_attempt
from frappe_operator.model.upgrade_policy import UpgradePolicy, Window
from frappe_operator.model.waves import Candidate, wave
from tests.unit.resolved_samples import FACTS

OLD, NEW = FACTS, replace(FACTS, reference="registry.example.net/frappe:v2")
RELEASES = {OLD.key: OLD, NEW.key: NEW}
CRM = Removal(("crm",), ("crm",), has_turn=True)
THIS = removal_attempt(OLD.key, "", CRM)
AT_OLD, REMOVED = Mark(OLD.key), Mark(OLD.key, removed=fingerprint(["crm"]))
REMOVING = Mark(OLD.key, OLD.key, THIS)
FAILED = Mark(OLD.key, removal_failed=THIS)
IDLE = Progress(background_stopped=True, announced=True, web_stops=True, pods=(), all_stopped=True, overdue=False)
DONE, BROKEN = Outcome(True, removed=("crm",)), Outcome(False, cause="a hook is broken")


def planned(
    mark: Mark,
    removal: Removal = CRM,
    *,
    outcome: Outcome | None = None,
    progress: Progress | None = IDLE,
    retry: str = "",
    target: object = OLD,
) -> Plan:
    to = NEW if target is NEW else OLD
    return plan(mark, OLD, to, RELEASES, retry=retry, outcome=outcome, progress=progress, removal=removal)


def test_attempts_to_upgrade_are_called_what_they_were_called_before() -> None:
    assert attempt("a", "b", "") == "911169ddaaf1"


@pytest.mark.parametrize("target", [OLD, NEW])
def test_apps_are_removed_at_the_release_of_the_site_when_no_pod_is_left(target: object) -> None:
    assert planned(AT_OLD, target=target) == Plan(OLD, REMOVING, Upgrade(OLD, THIS, Step.MIGRATING, CRM))
    draining = IDLE._replace(web_stops=False, announced=False)
    assert planned(AT_OLD, progress=draining).mark == AT_OLD


@pytest.mark.parametrize("target", [OLD, NEW])
def test_nothing_begins_without_a_turn_and_a_turn_to_remove_apps_is_none_to_upgrade(target: object) -> None:
    assert planned(AT_OLD, progress=None, target=target).upgrade is None
    assert planned(AT_OLD, CRM._replace(has_turn=False), target=OLD).upgrade is None
    assert planned(AT_OLD, Removal(has_turn=True), target=target).upgrade is None


def test_what_is_removed_is_recorded_until_it_comes_back() -> None:
    assert planned(REMOVING, outcome=DONE) == Plan(OLD, REMOVED)
    # The status still says that it is installed; later it does not.
    assert planned(REMOVED) == Plan(OLD, REMOVED)
    assert planned(REMOVED, CRM.among([])) == Plan(OLD, REMOVED)
    # In the list again, or others are confirmed.
    assert planned(REMOVED, Removal()) == Plan(OLD, AT_OLD)
    others = Removal(("crm", "hrms"), ("hrms",), has_turn=True)
    assert planned(REMOVED, others).upgrade == Upgrade(
        OLD, removal_attempt(OLD.key, "", others), Step.MIGRATING, others
    )


def test_what_was_removed_decides_and_not_what_is_confirmed_now() -> None:
    more = Removal(("crm", "hrms"), ("crm", "hrms"), has_turn=True)
    found = planned(REMOVING, more, outcome=DONE)
    assert found.mark == REMOVED
    assert planned(found.mark, more).upgrade is not None
    assert planned(REMOVING, Removal(), outcome=Outcome(True)) == Plan(OLD, AT_OLD)


def test_a_failed_removal_is_repeated_only_when_something_changes() -> None:
    assert planned(REMOVING, outcome=BROKEN) == Plan(OLD, FAILED, removal_failed=True)
    assert planned(FAILED) == Plan(OLD, FAILED, removal_failed=True)
    assert planned(FAILED, retry="1").upgrade is not None
    assert planned(FAILED, Removal(("crm", "hrms"), ("crm", "hrms"), has_turn=True)).upgrade is not None
    assert planned(FAILED, Removal()) == Plan(OLD, FAILED)


def test_a_failed_upgrade_stays_failed_during_a_removal_and_a_failed_removal_during_an_upgrade() -> None:
    upgrade = attempt(OLD.key, NEW.key, "")
    failed = Mark(OLD.key, failed=upgrade)
    for mark in (failed, planned(failed, target=NEW).mark, planned(failed, target=NEW, outcome=None).mark):
        assert mark.failed == upgrade
    removed = planned(REMOVING._replace(failed=upgrade), outcome=DONE, target=NEW)
    assert (removed.mark.failed, removed.failed) == (upgrade, True)
    begun = planned(FAILED, CRM._replace(has_turn=False), target=NEW)
    assert begun.mark == Mark(OLD.key, NEW.key, upgrade, removal_failed=THIS)
    undone = planned(begun.mark, CRM._replace(has_turn=False), target=NEW, outcome=Outcome(False))
    assert (undone.failed, undone.removal_failed, undone.mark.removal_failed) == (True, False, THIS)


def test_the_labels_are_read_as_they_are_written() -> None:
    assert set(Mark("r", "r", "a", "f", "x", "y").labels) == {
        f"vyogo.tech/{name}" for name in ("release", "upgrading", "upgrade-failed", "apps-removed", "removal-failed")
    }


def test_each_app_has_a_state() -> None:
    found = states(["frappe", "hrms"], ["frappe", "erpnext", "crm"], CRM, False, {"erpnext": "15.1.0"})
    assert found == [
        {"name": "frappe", "state": "Installed"},
        {"name": "hrms", "state": "Installing"},
        {"name": "erpnext", "state": "NotWanted", "version": "15.1.0"},
        {"name": "crm", "state": "Removing"},
    ]
    assert states([], ["crm"], CRM, True, {})[0]["state"] == "RemovalFailed"


# Turns.

CLOSED = Window(frozenset({"Monday"}), "01:00", "02:00", "UTC")


def asks(name: str) -> Candidate:
    return Candidate(name, "2026-01-01", upgraded=True, turn_ended=True, removes=True)


def test_a_removal_waits_for_nothing_but_the_number_of_turns() -> None:
    strict = UpgradePolicy(max_failures=0, canary=("canary",), pause=60, window=CLOSED)
    broken = Candidate("broken", "2026-01-01", failed=True, turn_ended=True)
    found = wave(strict, [broken, Candidate("canary", "2026"), asks("a"), asks("b")], (), 0, 0)
    assert (found.removing, found.upgrading, found.stopped) == (("a",), (), True)
    assert wave(UpgradePolicy(max_concurrent=0), [asks("a")], (), 0, 0).removing == ("a",)


def test_removals_and_upgrades_share_the_turns() -> None:
    upgrading = Candidate("u", "2026-01-01")
    assert wave(UpgradePolicy(), [upgrading, asks("a")], ("u",), 0, 0).removing == ()
    found = wave(UpgradePolicy(), [upgrading, asks("a")], (), 0, 0)
    assert (found.removing, found.upgrading, found.waiting) == (("a",), (), ("u",))
    found = wave(UpgradePolicy(max_concurrent=2), [upgrading, asks("a"), asks("b")], (), 0, 0, ("b",))
    assert (found.removing, found.upgrading) == (("b", "a"), ())


def test_a_site_removes_apps_before_it_upgrades_and_not_during_an_upgrade() -> None:
    both = Candidate("a", "2026-01-01", removes=True)
    found = wave(UpgradePolicy(max_concurrent=3), [both], (), 0, 0)
    assert (found.removing, found.upgrading, found.waiting) == (("a",), (), ("a",))
    found = wave(UpgradePolicy(max_concurrent=3), [both], ("a",), 0, 0)
    assert (found.removing, found.upgrading) == ((), ("a",))
