"""Which sites upgrade now: for each rule of the policy, one case at its border."""

from datetime import UTC, datetime

import pytest

from frappe_operator.model.upgrade_policy import UpgradePolicy, Window
from frappe_operator.model.waves import Candidate, wave


def candidates(*names: str, **of: Candidate) -> list[Candidate]:
    return [of.get(name, Candidate(name, "2026-01-01")) for name in names]


def failed(name: str) -> Candidate:
    return Candidate(name, "2026-01-01", failed=True, turn_ended=True)


def test_sites_go_in_the_order_of_their_age_then_name() -> None:
    older = Candidate("z", "2025-01-01")
    assert wave(UpgradePolicy(), [*candidates("b", "a"), older], (), 0, 0) == wave(
        UpgradePolicy(), [older, *candidates("a", "b")], (), 0, 0
    )
    found = wave(UpgradePolicy(), [*candidates("b", "a"), older], (), 0, 0)
    assert (found.upgrading, found.waiting) == (("z",), ("a", "b"))


def test_a_site_keeps_its_turn_until_it_has_ended_it() -> None:
    found = wave(UpgradePolicy(), candidates("a", "b"), ("b",), 0, 0)
    assert (found.upgrading, found.waiting) == (("b",), ("a",))
    starting = Candidate("b", "2026-01-01", upgraded=True)
    assert wave(UpgradePolicy(), [*candidates("a"), starting], ("b",), 0, 0).upgrading == ("b",)
    ended = starting._replace(turn_ended=True)
    assert wave(UpgradePolicy(), [*candidates("a"), ended], ("b",), 0, 0).upgrading == ("a",)


@pytest.mark.parametrize(("limit", "count"), [(0, 0), (1, 1), (3, 3), (9, 4)])
def test_never_more_at_a_time_than_the_policy_allows(limit: int, count: int) -> None:
    policy = UpgradePolicy(max_concurrent=limit)
    assert len(wave(policy, candidates("a", "b", "c", "d"), (), 0, 0).upgrading) == count


def test_a_lower_limit_takes_no_turn_back() -> None:
    found = wave(UpgradePolicy(max_concurrent=1), candidates("a", "b", "c"), ("a", "b"), 0, 0)
    assert found.upgrading == ("a", "b")


@pytest.mark.parametrize(("failures", "stopped"), [(1, False), (2, True)])
def test_the_wave_stops_with_more_failures_than_allowed(failures: int, stopped: bool) -> None:
    broken = [failed(f"x{number}") for number in range(failures)]
    found = wave(UpgradePolicy(max_failures=1), [*candidates("a"), *broken], (), 0, 0)
    assert (found.stopped, found.upgrading) == (stopped, () if stopped else ("a",))


def test_a_failed_site_has_no_further_turn() -> None:
    found = wave(UpgradePolicy(), [failed("a")], ("a",), 0, 0)
    assert (found.upgrading, found.failed, found.stopped) == ((), ("a",), False)


def test_canaries_go_first_and_alone() -> None:
    policy = UpgradePolicy(max_concurrent=5, canary=("c",))
    assert wave(policy, candidates("a", "b", "c"), (), 0, 0).upgrading == ("c",)
    assert wave(policy, candidates("a", "b", "c"), ("c",), 0, 0).upgrading == ("c",)
    assert wave(policy, candidates("a", "b"), (), 0, 0).upgrading == ("a", "b")


def test_a_failed_canary_stops_the_wave_whatever_maxfailures_says() -> None:
    policy = UpgradePolicy(canary=("c",), max_failures=9)
    found = wave(policy, [*candidates("a"), failed("c")], (), 0, 0)
    assert (found.upgrading, found.stopped) == ((), True)


@pytest.mark.parametrize(("now", "begun", "wait"), [(159.0, (), 1.0), (160.0, ("a",), None)])
def test_the_others_wait_after_the_canary(now: float, begun: tuple[str, ...], wait: float | None) -> None:
    policy = UpgradePolicy(canary=("c",), pause=60.0)
    found = wave(policy, candidates("a"), (), 100.0, now)
    assert (found.upgrading, found.requeue_after) == (begun, wait)


def test_a_site_stays_that_its_release_does_not_allow() -> None:
    found = wave(UpgradePolicy(), [Candidate("a", "", allowed=False), *candidates("b")], (), 0, 0)
    assert (found.upgrading, found.stays) == (("b",), ("a",))


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


NIGHT = Window(frozenset({"Saturday"}), "22:00", "04:00", "UTC")


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        ("2026-11-28T21:59:59", 1),
        ("2026-11-28T22:00:00", 0),
        ("2026-11-29T03:59:59", 0),
        ("2026-11-29T04:00:00", 6 * 86400 + 18 * 3600),
        ("2026-11-27T23:00:00", 23 * 3600),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_on_which_it_opens(now: str, seconds: float) -> None:
    assert NIGHT.opens(at(now)) == seconds


def test_the_hours_of_a_window_are_those_of_its_time_zone() -> None:
    berlin = Window(frozenset({"Saturday"}), "22:00", "23:00", "Europe/Berlin")
    assert berlin.opens(at("2026-11-28T21:00:00")) == 0
    assert berlin.opens(at("2026-11-28T20:00:00")) == 3600


def test_a_closed_window_begins_nothing_and_lets_what_has_begun_go_on() -> None:
    found = wave(UpgradePolicy(window=NIGHT), candidates("a", "b"), ("b",), 0, at("2026-11-28T21:00:00"))
    assert (found.upgrading, found.requeue_after) == (("b",), 3600)
