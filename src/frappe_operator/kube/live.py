"""Cached objects: per kind, the fields that this operator reads.

msgspec skips every other field while it decodes, so that a cached object takes hundreds of bytes instead of tens of
thousands.
"""

from collections.abc import Container, Mapping
from functools import lru_cache
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct, field

from frappe_operator.kube.compressed import pack, unpack
from frappe_operator.kube.objects import Key, Manifest

T = TypeVar("T")

OPERATOR_NAME = "frappe-operator"
"""Value of the label `app.kubernetes.io/managed-by` of every child, and the field manager of this operator."""


class OwnerReference(Struct, gc=False, frozen=True, rename="camel"):
    """One entry of `metadata.ownerReferences`."""

    kind: str
    name: str
    uid: str
    controller: bool = False
    block_owner_deletion: bool = False
    api_version: str = ""


Pairs = tuple[str, ...]
"""A map as alternating names and values: for few entries half the size of a dict, with lookups as fast."""


def pairs(entries: Mapping[str, str] | None, without: Container[str] = ()) -> Pairs:
    """A map of strings as Pairs, except for the names in `without`."""
    return tuple([text for pair in entries.items() if pair[0] not in without for text in pair]) if entries else ()


class Meta(Struct, gc=False):
    """The cached metadata of an object of any kind."""

    name: str
    uid: str = ""
    namespace: str = ""
    resource_version: int = 0
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: Pairs = ()
    annotations: Pairs = ()
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return Key(self.namespace, self.name)

    @property
    def controller(self) -> OwnerReference | None:
        """The owner reference with `controller: true`; None when there is none."""
        for owner in self.owner_references:
            if owner.controller:
                return owner
        return None

    def label(self, name: str) -> str:
        """The value of a label, empty when it is not set."""
        return _value(self.labels, name)

    def annotation(self, name: str) -> str:
        """The value of an annotation, empty when it is not set."""
        return _value(self.annotations, name)


def _value(pairs: Pairs, name: str) -> str:
    # Values are at odd indices: a value that equals the name is skipped.
    for index in range(0, len(pairs), 2):
        if pairs[index] == name:
            return pairs[index + 1]
    return ""


class Live(Struct, gc=False, rename="camel"):
    """A cached object of any kind, with its metadata. Subclasses add the fields of their kinds."""

    metadata: Meta

    @property
    def deleting(self) -> bool:
        """Whether the object has a deletion timestamp."""
        return self.metadata.deletion_timestamp is not None


class Condition(Struct, gc=False, frozen=True, rename="camel", omit_defaults=True):
    """One condition in the status of an object of any kind."""

    type: str
    status: str = "Unknown"
    reason: str = ""
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int = 0


class _Conditions(Struct):
    conditions: tuple[Condition, ...] = ()


class Custom(Live):
    """A cached object of a kind that this operator defines. Spec and status are JSON, decoded when they are read."""

    spec: Raw = Raw(b"{}")
    status: Raw = Raw(b"{}")

    def __post_init__(self) -> None:
        self.status = Raw(pack(self.status))

    @property
    def status_json(self) -> bytes:
        """The status as JSON."""
        return unpack(self.status)

    @property
    def status_fields(self) -> Manifest:
        """The decoded status; empty when it is not a JSON object."""
        try:
            status: Manifest = msgspec.json.decode(self.status_json, type=dict)
        except msgspec.MsgspecError:
            return {}
        return status

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions in the status; empty when they do not match the schema."""
        try:
            return msgspec.json.decode(self.status_json, type=_Conditions).conditions
        except msgspec.MsgspecError:
            return ()


@lru_cache(maxsize=4096)
def _shared(value: T) -> T:
    """A shared instance of a value that is equal in thousands of objects."""
    return value


class Replicas(Struct, gc=False, frozen=True, rename="camel"):
    """Status of a Deployment or StatefulSet."""

    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0


class ReplicaSpec(Struct, gc=False, frozen=True, rename="camel"):
    """Spec of a Deployment or StatefulSet."""

    replicas: int = 1


class Workload(Live):
    """A Deployment or StatefulSet."""

    spec: ReplicaSpec = ReplicaSpec()
    status: Replicas = Replicas()

    def __post_init__(self) -> None:
        self.spec, self.status = _shared(self.spec), _shared(self.status)


class ScalingCondition(Struct, gc=False, frozen=True, rename="camel"):
    """The cached fields of a condition of a HorizontalPodAutoscaler. Its message changes with every measurement."""

    type: str
    status: str = "Unknown"
    reason: str = ""


class ScalingStatus(Struct, gc=False, rename="camel"):
    """Status of a HorizontalPodAutoscaler: of its conditions only `ScalingActive`, and only when it is false."""

    conditions: tuple[ScalingCondition, ...] = ()

    def __post_init__(self) -> None:
        # No other condition is needed.
        inactive = [each for each in self.conditions if each.type == "ScalingActive" and each.status == "False"]
        self.conditions = _shared(tuple(inactive))


class Autoscaler(Live):
    """A cached HorizontalPodAutoscaler."""

    status: ScalingStatus = field(default_factory=ScalingStatus)

    @property
    def inactive(self) -> str:
        """The reason why it does not scale; empty while it does, or has not tried yet."""
        conditions = self.status.conditions
        return conditions[0].reason if conditions else ""


class JobCondition(Struct, gc=False, frozen=True, rename="camel"):
    """The cached fields of a condition of a Job. There are few, because finished Jobs are many and remain."""

    type: str
    status: str = "Unknown"
    last_transition_time: str = ""


class JobStatus(Struct, gc=False, rename="camel"):
    """Status of a Job: of its conditions only `Complete`, and only when it is true."""

    conditions: tuple[JobCondition, ...] = ()

    def __post_init__(self) -> None:
        # No other condition is needed.
        done = [each for each in self.conditions if each.type == "Complete" and each.status == "True"]
        self.conditions = _shared(tuple(done))


class Job(Live):
    """A cached Job."""

    status: JobStatus = field(default_factory=JobStatus)

    @property
    def completed(self) -> str:
        """Time at which the Job succeeded, empty while it has not."""
        done = self.status.conditions
        return done[0].last_transition_time or self.metadata.creation_timestamp if done else ""


class Terminated(Struct, gc=False, rename="camel"):
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None


class Waiting(Struct, gc=False, rename="camel"):
    reason: str = ""
    message: str = ""


class Running(Struct, gc=False, rename="camel"):
    started_at: str | None = None


class ContainerState(Struct, gc=False, rename="camel"):
    terminated: Terminated | None = None
    waiting: Waiting | None = None
    running: Running | None = None


class ContainerStatus(Struct, gc=False, rename="camel"):
    name: str
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = field(default_factory=ContainerState)
    last_state: ContainerState = field(default_factory=ContainerState)


class PodStatus(Struct, gc=False, rename="camel"):
    phase: str = ""
    pod_ip: str = field(default="", name="podIP")
    start_time: str | None = None
    conditions: tuple[Condition, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class CachedPodStatus(PodStatus, gc=False):
    """Cached status of a pod. It has few conditions, because the pods of failed Jobs are many."""

    def __post_init__(self) -> None:
        # A condition that is true carries no information for this operator.
        self.conditions = tuple([each for each in self.conditions if each.status != "True" and each.message])


class Pod(Live):
    status: CachedPodStatus = field(default_factory=CachedPodStatus)


class ClaimSpec(Struct, gc=False, frozen=True, rename="camel"):
    storage_class_name: str = ""
    access_modes: tuple[str, ...] = ()


class ClaimStatus(Struct, gc=False, frozen=True, rename="camel"):
    phase: str = "Pending"


class Claim(Live):
    """A PersistentVolumeClaim."""

    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()

    def __post_init__(self) -> None:
        self.spec, self.status = _shared(self.spec), _shared(self.status)

    @property
    def access_mode(self) -> str:
        """The access mode of the claim, ReadWriteMany if it is among several; empty without access modes."""
        modes = self.spec.access_modes
        return "ReadWriteMany" if "ReadWriteMany" in modes else next(iter(modes), "")


class ServiceSpec(Struct, gc=False, rename="camel"):
    cluster_ip: str = field(default="", name="clusterIP")


class Service(Live):
    spec: ServiceSpec = field(default_factory=ServiceSpec)


class StorageClass(Live):
    provisioner: str = ""
    volume_binding_mode: str = "Immediate"
