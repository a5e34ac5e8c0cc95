"""The release that a site runs, and its way to the release of its bench.

A site runs the release that its data was last migrated to. The claim for its files records it in labels, beside the
record of the runner on the volume itself: status and Jobs may be lost without consequence.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from frappe_operator.api.labels import BENCH_LABEL
from frappe_operator.kube.live import Live
from frappe_operator.kube.names import GROUP, digest
from frappe_operator.model.image import Facts
from frappe_operator.model.removal import NO_REMOVAL, REMOVAL_FAILED_LABEL, REMOVED_LABEL, Removal, fingerprint

RELEASE_LABEL = f"{GROUP}/release"
"""Label of the claim for the files of a site: key of the release that the data was last migrated to."""
UPGRADING_LABEL = f"{GROUP}/upgrading"
"""Label of that claim while the data is being migrated: `<key of the release>.<attempt>`. It is set before the Job
starts and removed when its result is known."""
FAILED_LABEL = f"{GROUP}/upgrade-failed"
"""Label of that claim: the attempt that failed last. It is not repeated."""
RETRY_ANNOTATION = f"{GROUP}/retry-upgrade"
"""Annotation of a FrappeSite. A new value has a failed upgrade tried again."""


RELEASE_INDEX = "release"
"""Index over claims: by the releases that their data was last migrated to or is being migrated to."""


def by_release(claim: Live) -> list[str]:
    """Index values: `namespace/bench/key of the release`; none for a claim that is not for the files of a site."""
    meta, mark = claim.metadata, mark_of(claim)
    keys = {key for key in (mark.release, mark.upgrading) if key}
    return [f"{meta.namespace}/{meta.label(BENCH_LABEL)}/{key}" for key in sorted(keys)]


CLAIM_INDICES: dict[str, Callable[[Live], list[str]]] = {RELEASE_INDEX: by_release}


class Step(StrEnum):
    """The steps of the upgrade of one site, as `status.upgrade.step` shows them."""

    DRAINING = "Draining"
    """Scheduler and workers are stopped; a running job ends first. Visitors are served."""
    STOPPING = "Stopping"
    """The web pods are stopped; visitors see the maintenance page of the bench's proxy."""
    MIGRATING = "Migrating"
    """The Job dumps the database, and migrates it or removes apps, or puts the dump back."""
    STARTING = "Starting"
    """The pods of the new release start."""
    RETURNING = "Returning"
    """The migration failed; the pods of the release before start again."""
    FAILED = "Failed"
    """The migration failed, and the site is served by the release before."""


STEPS_OF_A_TURN = frozenset({Step.DRAINING, Step.STOPPING, Step.MIGRATING, Step.STARTING, Step.RETURNING})


class Mark(NamedTuple):
    """The record of the release of a site's data, in the labels of the claim for its files."""

    release: str = ""
    """Key of the release; empty for a claim of an operator that recorded none."""
    upgrading: str = ""
    """Key of the release that the data is being migrated to; empty when no migration has begun."""
    attempt: str = ""
    """Attempt of the migration that has begun; empty when none has."""
    failed: str = ""
    """Attempt that failed last; empty when none has."""
    removed: str = ""
    """Fingerprint of the apps that were removed last, as long as they are confirmed."""
    removal_failed: str = ""
    """Attempt to remove apps that failed last; empty when none has."""

    @property
    def labels(self) -> dict[str, str]:
        """The labels that record it."""
        found = {
            RELEASE_LABEL: self.release,
            UPGRADING_LABEL: f"{self.upgrading}.{self.attempt}" if self.upgrading else "",
            FAILED_LABEL: self.failed,
            REMOVED_LABEL: self.removed,
            REMOVAL_FAILED_LABEL: self.removal_failed,
        }
        return {name: value for name, value in found.items() if value}


def mark_of(claim: Live | None) -> Mark:
    """The record in the labels of a claim; empty without a claim."""
    if claim is None:
        return Mark()
    label = claim.metadata.label
    upgrading, _, begun = label(UPGRADING_LABEL).partition(".")
    failures = label(FAILED_LABEL), label(REMOVED_LABEL), label(REMOVAL_FAILED_LABEL)
    return Mark(label(RELEASE_LABEL), upgrading, begun, *failures)


def attempt(release: str, target: str, retry: str) -> str:
    """Fingerprint of one attempt to migrate from a release to another. `retry`: value of RETRY_ANNOTATION."""
    return digest(f"{release}\n{target}\n{retry}", 12)


def removal_attempt(release: str, retry: str, removal: Removal) -> str:
    """Fingerprint of one attempt to remove apps from a site at a release; empty without any."""
    return digest(f"{release}\n{retry}\n{','.join(removal.apps)}", 12) if removal.apps else ""


def removal_failed(mark: Mark, release: str, retry: str, removal: Removal) -> bool:
    """Whether the removal of these apps from a site at a release failed, and nothing has changed since."""
    return bool(removal.apps) and mark.removal_failed == removal_attempt(release, retry, removal)


def removes(mark: Mark, release: str, retry: str, removal: Removal) -> bool:
    """Whether a site at a release has apps to remove: the removal was neither done before, nor has it failed."""
    is_done = removal.is_done(mark.removed)
    return bool(removal.apps) and not is_done and not removal_failed(mark, release, retry, removal)


class Outcome(Struct, frozen=True):
    """The result of the Job that migrates a site."""

    migrated: bool
    patch: str = ""
    """The patch that failed; empty when it is not known, or the migration failed before its first patch."""
    cause: str = ""
    lines: tuple[str, ...] = ()
    """The last lines that the migration printed."""
    removed: tuple[str, ...] = ()
    """The apps that were removed."""


class Upgrade(Struct, frozen=True):
    """The upgrade of a site whose turn has come, up to the migration of its data."""

    target: Facts
    attempt: str
    step: Step
    """DRAINING, STOPPING or MIGRATING."""
    removal: Removal | None = None
    """The apps that are removed, at the release that the site runs; None when its data is migrated to another one."""

    @property
    def stops_web(self) -> bool:
        """Whether the web pods are stopped, in addition to scheduler and workers."""
        return self.step != Step.DRAINING


class Progress(NamedTuple):
    """What is observed of the pods of a site that has its turn."""

    background_stopped: bool
    """Whether scheduler and workers are scaled to zero, and the last of their pods has ended."""
    overdue: bool
    """Whether the turn has waited longer for running jobs than `drainTimeout`."""
    announced: bool
    """Whether every proxy pod shows the maintenance page for the site once its web pods are gone."""
    web_stops: bool
    """Whether the web pods are scaled to zero."""
    pods: tuple[str, ...]
    """Names of the pods of the site that may still write, without those of the migration."""
    all_stopped: bool
    """Whether every Deployment of the site is scaled to zero and its controller knows it."""


class Plan(NamedTuple):
    """What a site runs, what its claim records, and which upgrade is under way."""

    facts: Facts
    """The release that the site runs."""
    mark: Mark
    upgrade: Upgrade | None = None
    failed: bool = False
    """Whether the last attempt to upgrade to the release of the bench failed, and nothing has changed since."""
    removal_failed: bool = False
    """Whether the last attempt to remove apps failed, and nothing has changed since."""


def running(
    mark: Mark, target: Facts, releases: Mapping[str, Facts], *, created: bool, created_with: str
) -> Facts | None:
    """The release that a site runs: that of its data. None when nothing is known of it.

    `created`: whether the Job that creates the site has succeeded, and `created_with`: the release that it records;
    empty for a Job of an operator that recorded none. Before it has succeeded the site takes the release of its bench,
    unless `mark` says that there is data of another one: of a retained site, or of a site whose Job was deleted.
    """
    recorded = mark.release or (created_with if created else "")
    if not recorded:
        return target
    return releases.get(recorded) if created else releases.get(recorded, target)


def plan_before_creation(mark: Mark, facts: Facts) -> Plan:
    """The plan of a site whose creation has not succeeded: nothing is recorded before there is data."""
    return Plan(facts, mark if mark.release == facts.key else Mark())


def plan(
    mark: Mark,
    facts: Facts,
    target: Facts,
    releases: Mapping[str, Facts],
    *,
    retry: str,
    outcome: Outcome | None,
    progress: Progress | None,
    removal: Removal = NO_REMOVAL,
) -> Plan:
    """The plan of a site that has been created. `facts`: the release that it runs, `target`: that of its bench.

    `retry`: value of RETRY_ANNOTATION. `outcome`: the result of the migration that `mark` records, None while there is
    none. `progress`: None when the bench lets the site neither upgrade nor remove apps now.

    Apps are removed at the release that the site runs, in a turn of its own: no code runs on a database of another
    release, and neither a failed removal nor a failed migration is taken for the other.
    """
    recorded = Mark(facts.key, "", "", mark.failed, removal.kept(mark.removed), mark.removal_failed)
    if mark.upgrading:
        to = releases[mark.upgrading]
        removing = to.key == facts.key
        if outcome is None:
            under_way = Upgrade(to, mark.attempt, Step.MIGRATING, removal if removing else None)
            return Plan(facts, mark._replace(release=facts.key), under_way)
        if outcome.migrated and not removing:
            return Plan(to, Mark(to.key, removed=recorded.removed))
        if not removing:
            return Plan(facts, recorded._replace(failed=mark.attempt), failed=to.key == target.key)
        if outcome.migrated:
            recorded = recorded._replace(removed=fingerprint(outcome.removed), removal_failed="")
        else:
            recorded = recorded._replace(removal_failed=mark.attempt)
        # The upgrade waits for the next reconcile, with the turn that this one was.
        progress = None
    removal_has_failed = removal_failed(recorded, facts.key, retry, removal)
    if removal.has_turn and progress is not None and removes(recorded, facts.key, retry, removal):
        this = removal_attempt(facts.key, retry, removal)
        return _begun(facts, recorded, Upgrade(facts, this, _step(progress), removal))
    if facts.key == target.key:
        return Plan(facts, recorded._replace(failed=""), removal_failed=removal_has_failed)
    this = attempt(facts.key, target.key, retry)
    if mark.failed == this or progress is None or removal.has_turn:
        return Plan(facts, recorded, failed=mark.failed == this, removal_failed=removal_has_failed)
    return _begun(facts, recorded, Upgrade(target, this, _step(progress)))


def _begun(facts: Facts, recorded: Mark, upgrade: Upgrade) -> Plan:
    """The plan of a site whose turn it is: the claim records it before the Job starts."""
    if upgrade.step == Step.MIGRATING:
        failed = recorded.failed if upgrade.removal else ""
        recorded = recorded._replace(upgrading=upgrade.target.key, attempt=upgrade.attempt, failed=failed)
    return Plan(facts, recorded, upgrade)


def _step(progress: Progress) -> Step:
    """The step of a site that has its turn and whose migration has not begun."""
    if not progress.web_stops and not (progress.background_stopped and progress.announced):
        return Step.DRAINING
    return Step.MIGRATING if progress.all_stopped and not progress.pods else Step.STOPPING
