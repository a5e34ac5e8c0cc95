"""A stage: one group of children, one status condition, one row in the docs."""

from collections.abc import Callable, Collection, Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from frappe_operator.kube.kinds import Manifest, Ref
from frappe_operator.kube.live import Live


class Reason(StrEnum):
    """Every reason a condition or an event can have. Released ones never change: people match on them."""

    # It is so.
    READY = "Ready"
    SUCCEEDED = "Succeeded"
    NOT_NEEDED = "NotNeeded"
    # Still coming.
    WAITING = "Waiting"
    PROVISIONING = "Provisioning"
    JOB_RUNNING = "JobRunning"
    JOB_RETRYING = "JobRetrying"
    PODS_NOT_READY = "PodsNotReady"
    ROLLING_OUT = "RollingOut"
    CLAIM_PENDING = "ClaimPending"
    BENCH_NOT_READY = "BenchNotReady"
    DATABASE_UNAVAILABLE = "DatabaseUnavailable"
    REDIS_UNAVAILABLE = "RedisUnavailable"
    ROUTE_NOT_SERVED = "RouteNotServed"
    NOT_ANSWERING = "NotAnswering"
    DELETING = "Deleting"
    SITES_REMAIN = "SitesRemain"
    SITE_BUSY = "SiteBusy"
    SITE_NOT_CREATED = "SiteNotCreated"
    CREATION_FAILED = "CreationFailed"
    INSTALLATION_FAILED = "InstallationFailed"
    INTERRUPTED = "Interrupted"
    STORAGE_FAILED = "StorageFailed"
    # What keeps a pod from running. The message says whether waiting may help.
    UNSCHEDULABLE = "Unschedulable"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    CONTAINER_CONFIG_ERROR = "ContainerConfigError"
    QUOTA_EXCEEDED = "QuotaExceeded"
    CRASH_LOOP = "CrashLoop"
    OOM_KILLED = "OOMKilled"
    # The user must act.
    INVALID_SPEC = "InvalidSpec"
    BENCH_NOT_FOUND = "BenchNotFound"
    BENCH_DELETING = "BenchDeleting"
    SECRET_NOT_FOUND = "SecretNotFound"
    SECRET_INVALID = "SecretInvalid"
    APP_NOT_IN_IMAGE = "AppNotInImage"
    NAME_CONFLICT = "NameConflict"
    HOST_TAKEN = "HostTaken"
    DATABASE_REFUSED = "DatabaseRefused"
    DATABASE_NOT_EMPTY = "DatabaseNotEmpty"
    DATABASE_LOST = "DatabaseLost"
    SITE_CONFIG_INVALID = "SiteConfigInvalid"
    IMAGE_INVALID = "ImageInvalid"
    VOLUME_INVALID = "VolumeInvalid"
    VERSION_NOT_SUPPORTED = "VersionNotSupported"
    STORAGE_CLASS_NOT_FOUND = "StorageClassNotFound"
    REJECTED = "Rejected"
    FORBIDDEN = "Forbidden"
    NOT_INSTALLED = "NotInstalled"
    # Our own trouble.
    RECONCILE_ERROR = "ReconcileError"
    RUNNER_ERROR = "RunnerError"
    INVALID_ARGUMENTS = "InvalidArguments"


UNDER_WAY = frozenset({Reason.PROVISIONING, Reason.JOB_RUNNING, Reason.ROLLING_OUT, Reason.WAITING})
"""Reasons of a stage at which the operator itself is at work, because somebody has changed something."""
AS_EXPECTED = UNDER_WAY | frozenset(
    {
        *(Reason.PODS_NOT_READY, Reason.CLAIM_PENDING, Reason.BENCH_NOT_READY),
        *(Reason.ROUTE_NOT_SERVED, Reason.NOT_ANSWERING, Reason.DELETING),
    }
)
"""Reasons of a stage that simply is on its way: the condition says so, and an Event for each would drown the others."""


class Verdict(NamedTuple):
    """Whether a stage is true, and why not: a reason to match on, a sentence to act on."""

    ok: bool
    reason: str
    message: str
    blocked: bool = False
    """The user must change something; waiting does not help."""


class Undecided(Exception):
    """What the object should be cannot be said. Ends the reconcile before anything is written."""

    blocked = False

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.verdict = Verdict(False, reason, message, blocked=self.blocked)


class Waiting(Undecided):
    """Something else has to come first, and will say so when it is there."""


class Blocked(Undecided):
    """The user must change something: the condition says what. No retry."""

    blocked = True


Lives = Sequence[Live | None]
"""What exists of a stage's children, in their order; None for one that does not exist yet."""


class Stage(NamedTuple):
    """One step in the life of an object."""

    condition: str
    """Type of the status condition that says whether the step is done."""
    children: Sequence[Manifest]
    """Kept equal to these, field by field, for as long as the owner lives."""
    ready: Callable[[Lives], Verdict]
    """Verdict on `children` followed by `once`."""
    once: Sequence[Manifest] = ()
    """Created when absent and never changed after: generated Secrets, Jobs."""
    after: Collection[str] | None = None
    """Conditions without which it does not begin; None: those of all stages before it."""
    replaces: Collection[Ref] = ()
    """Children that stay until all of `once` exist, although no stage names them."""


Failed = tuple[str, Verdict]
"""A check that failed: the condition it makes false, and why."""


def checked(stages: Iterable[Stage], failed: Sequence[Failed]) -> list[Stage]:
    """The stages, with each failed check right before the first stage of its condition: the condition is false and the
    stage does not begin; one that has begun is kept whole all the same."""
    result: list[Stage] = []
    for stage in stages:
        if all(each.condition != stage.condition for each in result):
            result += [
                Stage(name, [], lambda _, verdict=verdict: verdict)  # type: ignore[misc]
                for name, verdict in failed
                if name == stage.condition
            ]
        result.append(stage)
    return result
