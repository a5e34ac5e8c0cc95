"""The reasons that conditions and Events of any kind of object can have."""

from enum import Flag, StrEnum, auto
from functools import cache
from typing import Self


class Trait(Flag):
    """Properties of a reason that decide how its condition is treated."""

    NONE = 0
    UNDER_WAY = auto()
    """The operator is applying a change."""
    EXPECTED = auto()
    """The stage is in progress without a problem: no Event is recorded, and a change of the message alone is written
    rarely."""
    EXPLAINED_BY_PODS = auto()
    """The status of the pods may explain the cause."""
    STAYS_WHEN_EXPLAINED = auto()
    """The explanation by the pods is added to the message, and does not replace the reason."""
    TRANSIENT = auto()
    """A task that fails with the reason waits for another object, and does not count as blocked."""


WORKING = Trait.UNDER_WAY | Trait.EXPECTED


class ReasonEnum(StrEnum):
    """Base of the enumerations of reasons. A released reason never changes: users and programs match on it."""

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
    # A pod does not run. The message says whether waiting may help.
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
    """The traits of a reason in a condition; none for a reason that this operator does not define."""
    return _traits_by_reason().get(reason, Trait.NONE)


def is_defined(reason: str) -> bool:
    """Whether this operator defines the reason."""
    return reason in _traits_by_reason()


@cache
def _traits_by_reason() -> dict[str, Trait]:
    return {reason.value: reason.traits for reasons in ReasonEnum.__subclasses__() for reason in reasons}
