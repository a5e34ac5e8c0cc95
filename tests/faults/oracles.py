"""What must be so whatever goes wrong. Each oracle compares what a play left behind with a play without faults."""

from collections import Counter
from collections.abc import Callable, Iterable

from tests.faults.evidence import Evidence

Oracle = Callable[[Evidence, Evidence], Iterable[str]]
"""Given what was seen, and what is seen when nothing goes wrong: what is not as it must be, in words."""


def comes_to_rest(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """The scenario comes to its end: sooner or later nothing happens any more, and the operator has not given up."""
    if seen.trouble:
        yield seen.trouble


def something_went_wrong(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """The plan was not in vain: at least one of its faults has happened."""
    if not seen.happened:
        yield "no fault of the plan has happened"


def same_end(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """What is stored at the end is what is stored when nothing goes wrong."""
    for name in sorted(seen.picture.keys() | reference.picture.keys()):
        if name not in seen.picture:
            yield f"{name} is missing"
        elif name not in reference.picture:
            yield f"{name} should not be there"
        elif seen.picture[name] != reference.picture[name]:
            yield from (f"{name}: {each}" for each in differences(seen.picture[name], reference.picture[name]))


def same_creations_and_deletions(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """Each object was created and deleted as often as when nothing goes wrong."""
    yield from _counts("created", seen.made, reference.made)
    yield from _counts("deleted", seen.deleted, reference.deleted)


def quiet(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """A minute without a write follows."""
    yield from seen.restless


def no_orphan(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """Nothing is left of an owner who is gone, but the data that was to stay."""
    yield from seen.orphans


def effects_once(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """Whatever must happen once (a database made, a site created, an app installed) has happened once."""
    yield from _counts("done", Counter(map(" ".join, seen.effects)), Counter(map(" ".join, reference.effects)))


def honest(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """Never was anything Ready while a stage was not, or for a generation that was not the one observed."""
    yield from seen.lies


def no_secret_shown(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """No password was ever stored outside a Secret, or logged."""
    yield from seen.leaks


def no_haste(seen: Evidence, reference: Evidence) -> Iterable[str]:
    """What failed is tried again once a second at most, object by object."""
    yield from seen.hasty


ORACLES: tuple[Oracle, ...] = (
    comes_to_rest,
    something_went_wrong,
    same_end,
    same_creations_and_deletions,
    quiet,
    no_orphan,
    effects_once,
    honest,
    no_secret_shown,
    no_haste,
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
