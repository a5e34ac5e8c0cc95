"""The conditions in `status`."""

from frappe_operator.kube.conditions import conditions, phase
from frappe_operator.kube.live import Condition
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Verdict
from frappe_operator.model.reasons import FrappeReason

YES = Verdict(True, Reason.SUCCEEDED, "Done.")
COMING = Verdict(False, Reason.JOB_RUNNING, "Job pearl-create is running")
OFF = Verdict(False, Reason.NOT_NEEDED, "Suspended by spec.suspend", off=True)
BLOCKED = Verdict(False, FrappeReason.APP_NOT_IN_IMAGE, "crm is not in the image", blocked=True)


def by_type(found: list[Condition]) -> dict[str, Condition]:
    return {condition.type: condition for condition in found}


def test_ready_when_every_stage_is() -> None:
    found = by_type(conditions([], {"A": YES, "B": YES}, 3, "now"))
    assert {name: each.status for name, each in found.items()} == {
        "A": "True",
        "B": "True",
        "Ready": "True",
        "Reconciling": "False",
        "Stalled": "False",
    }
    assert all(each.observed_generation == 3 and each.reason and each.message for each in found.values())


def test_ready_has_the_message_of_the_first_condition_that_is_false() -> None:
    found = by_type(conditions([], {"A": YES, "B": COMING, "C": BLOCKED}, 1, "now"))
    for name in ("Ready", "Reconciling", "Stalled"):
        assert (found[name].reason, found[name].message) == (COMING.reason, COMING.message)
    assert (found["Ready"].status, found["Reconciling"].status, found["Stalled"].status) == ("False", "True", "False")


def test_stalled_when_the_user_must_act() -> None:
    found = by_type(conditions([], {"A": BLOCKED}, 1, "now"))
    assert (found["Ready"].status, found["Reconciling"].status, found["Stalled"].status) == ("False", "False", "True")


def test_off_on_purpose_is_neither_ready_nor_in_progress_nor_stalled() -> None:
    found = by_type(conditions([], {"A": YES, "B": OFF}, 1, "now"))
    assert {name: each.status for name, each in found.items()} == {
        "A": "True",
        "B": "False",
        "Ready": "False",
        "Reconciling": "False",
        "Stalled": "False",
    }
    assert (found["Ready"].reason, found["Ready"].message) == (OFF.reason, OFF.message)
    assert phase([*found.values()]) == "Off"


def test_what_is_wrong_counts_before_what_is_off_on_purpose() -> None:
    found = by_type(conditions([], {"A": OFF, "B": BLOCKED}, 1, "now"))
    assert (found["Ready"].reason, found["Stalled"].status) == (BLOCKED.reason, "True")


def test_a_condition_changes_its_time_only_with_its_status() -> None:
    first = conditions([], {"A": COMING}, 1, "early")
    second = by_type(conditions(first, {"A": Verdict(False, Reason.JOB_RETRYING, "again")}, 2, "late"))
    assert second["A"].last_transition_time == "early"
    assert second["A"].reason == Reason.JOB_RETRYING
    third = by_type(conditions(list(second.values()), {"A": YES}, 2, "later"))
    assert third["A"].last_transition_time == third["Ready"].last_transition_time == "later"


def test_what_is_settled_stays_byte_for_byte() -> None:
    first = conditions([], {"A": YES, "B": COMING}, 1, "early")
    assert conditions(first, {"A": YES, "B": COMING}, 1, "late") == first


def test_conditions_of_others_are_kept() -> None:
    other = Condition("Audited", "True", "ByHand", "Seen.", "once", 1)
    assert other in conditions([other], {"A": YES}, 9, "now")


def test_the_phase_is_a_summary() -> None:
    assert phase([]) == "Pending"
    assert phase(conditions([], {"A": COMING}, 1, "now")) == "Provisioning"
    assert phase(conditions([], {"A": YES}, 1, "now")) == "Ready"
    assert phase(conditions([], {"A": BLOCKED}, 1, "now")) == "Failed"
    assert phase(conditions([], {"A": YES}, 1, "now"), deleting=True) == "Deleting"
