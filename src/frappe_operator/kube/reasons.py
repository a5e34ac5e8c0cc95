"""The reasons that conditions and Events of any kind of object can have."""

from enum import Flag, StrEnum, auto
from functools import cache
from typing import Self


class Trait(Flag):
    """What follows from a reason beside what its condition says."""

    NONE = 0
    UNDER_WAY = auto()
    """The operator itself is at work, because somebody has changed something."""
    EXPECTED = auto()
    """The stage is in progress and nothing is wrong: no Event is written, and new messages alone are written rarely."""
    EXPLAINED_BY_PODS = auto()
    """The pods of the stage may say more about the cause."""
    STAYS_WHEN_EXPLAINED = auto()
    """What the pods say is added to the message, and does not replace the reason."""
    TRANSIENT = auto()
    """A task that fails with it waits for something else, and is not taken to fail for ever."""


WORKING = Trait.UNDER_WAY | Trait.EXPECTED


class ReasonEnum(StrEnum):
    """Base of the enumerations of reasons. A released reason never changes: people and programs match on it."""

    traits: Trait

    def __new__(cls, value: str, traits: Trait = Trait.NONE) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.traits = traits
        return member


class Reason(ReasonEnum):
    """Reasons that any object with children can have."""

    # The condition is true.
    READY = "Ready"
    SUCCEEDED = "Succeeded"
    NOT_NEEDED = "NotNeeded"
    # In progress.
    WAITING = "Waiting", WORKING
    PROVISIONING = "Provisioning", WORKING
    JOB_RUNNING = "JobRunning", WORKING | Trait.EXPLAINED_BY_PODS
    JOB_RETRYING = "JobRetrying"
    PODS_NOT_READY = "PodsNotReady", Trait.EXPECTED | Trait.EXPLAINED_BY_PODS
    ROLLING_OUT = "RollingOut", WORKING | Trait.EXPLAINED_BY_PODS
    CLAIM_PENDING = "ClaimPending", Trait.EXPECTED
    DELETING = "Deleting", Trait.EXPECTED
    # What keeps a pod from running. The message says whether waiting may help.
    UNSCHEDULABLE = "Unschedulable"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    CONTAINER_CONFIG_ERROR = "ContainerConfigError"
    QUOTA_EXCEEDED = "QuotaExceeded"
    CRASH_LOOP = "CrashLoop"
    OOM_KILLED = "OOMKilled"
    # The user must act.
    INVALID_SPEC = "InvalidSpec"
    SECRET_NOT_FOUND = "SecretNotFound"
    SECRET_INVALID = "SecretInvalid"
    NAME_CONFLICT = "NameConflict"
    STORAGE_CLASS_NOT_FOUND = "StorageClassNotFound"
    REJECTED = "Rejected"
    FORBIDDEN = "Forbidden"
    NOT_INSTALLED = "NotInstalled"
    # A fault of the operator, or of its connection to the API server.
    RECONCILE_ERROR = "ReconcileError"


def traits(reason: str) -> Trait:
    """What follows from a reason as it stands in a condition; nothing for one that is not of this operator."""
    return _known().get(reason, Trait.NONE)


def is_known(reason: str) -> bool:
    """Whether a reason is of an enumeration of this operator."""
    return reason in _known()


@cache
def _known() -> dict[str, Trait]:
    return {reason.value: reason.traits for reasons in ReasonEnum.__subclasses__() for reason in reasons}
