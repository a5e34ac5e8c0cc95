"""What must hold whatever goes wrong. Each oracle compares the evidence of a run with that of a run without faults."""

from collections import Counter
from collections.abc import Callable, Iterable

from tests.faults.evidence import Evidence

Oracle = Callable[[Evidence, Evidence], Iterable[str]]
"""Takes the evidence of a run and of the run without faults; yields a message for each violation."""


def settles(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """The scenario ends: the cluster settles within the limit, and the operator still runs."""
    if seen.trouble:
        yield seen.trouble


def a_fault_happened(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """At least one fault of the plan has happened."""
    if not seen.happened:
        yield "no fault of the plan has happened"


def same_final_objects(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """The objects at the end equal those of the run without faults."""
    for name in sorted(seen.comparable_objects.keys() | reference.comparable_objects.keys()):
        if name not in seen.comparable_objects:
            yield f"{name} is missing"
        elif name not in reference.comparable_objects:
            yield f"{name} should not be there"
        elif seen.comparable_objects[name] != reference.comparable_objects[name]:
            yield from (
                f"{name}: {each}"
                for each in differences(seen.comparable_objects[name], reference.comparable_objects[name])
            )


def same_creations_and_deletions(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """Each object was created and deleted as often as in the run without faults."""
    yield from _counts("created", seen.made, reference.made)
    yield from _counts("deleted", seen.deleted, reference.deleted)


def no_write_after_settling(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """The operator writes nothing in the minute after the cluster has settled."""
    yield from seen.restless


def no_orphaned_object(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """No object of a deleted owner is left, except retained data."""
    yield from seen.orphans


def effects_once(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """Each effect that must happen once (database created, site created, app installed) has happened once."""
    yield from _counts("done", Counter(map(" ".join, seen.effects)), Counter(map(" ".join, reference.effects)))


def status_has_no_contradiction(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """No object was ever Ready while one of its conditions was not, or for another generation than the observed one."""
    yield from seen.contradictions


def no_password_outside_secrets(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """No password was ever stored outside a Secret, or logged."""
    yield from seen.leaks


def failures_back_off(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """A failed reconcile of an object is retried after a second at the earliest."""
    yield from seen.early_retries


ORACLES: tuple[Oracle, ...] = (
    settles,
    a_fault_happened,
    same_final_objects,
    same_creations_and_deletions,
    no_write_after_settling,
    no_orphaned_object,
    effects_once,
    status_has_no_contradiction,
    no_password_outside_secrets,
    failures_back_off,
)


def differences(seen: object, wanted: object, where: str = "") -> Iterable[str]:
    """Where two values differ."""
    if isinstance(seen, dict) and isinstance(wanted, dict):
        for name in sorted(seen.keys() | wanted.keys()):
            yield from differences(seen.get(name), wanted.get(name), f"{where}.{name}".lstrip("."))
    elif isinstance(seen, list) and isinstance(wanted, list) and len(seen) == len(wanted):
        for number, pair in enumerate(zip(seen, wanted, strict=True)):
            yield from differences(*pair, f"{where}[{number}]")
    elif seen != wanted:
        yield f"{where} is {seen!r}, not {wanted!r}"


def _counts(what: str, seen: Counter[str], wanted: Counter[str]) -> Iterable[str]:
    for name in sorted(seen.keys() | wanted.keys()):
        if seen[name] != wanted[name]:
            yield f"{name} was {what} {seen[name]} times, not {wanted[name]}"
