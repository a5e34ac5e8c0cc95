"""What is kept of an object that exists: the few fields we read, and a digest of the rest.

msgspec skips every field that is not named here while it decodes, so a cached object costs hundreds of
bytes instead of tens of thousands. A kind's projection says, field by field, what its readers may ask.
"""

from collections.abc import Container, Mapping
from functools import lru_cache
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct, field

from frappe_operator.kube.compressed import pack, unpack
from frappe_operator.kube.objects import Key, Manifest

T = TypeVar("T")

CONTROLLED_BY_US = "frappe-operator"
"""Value of `app.kubernetes.io/managed-by` on every child, and the name of our field manager."""


class Owner(Struct, gc=False, frozen=True, rename="camel"):
    """One entry of `metadata.ownerReferences`."""

    kind: str
    name: str
    uid: str
    controller: bool = False
    block_owner_deletion: bool = False
    api_version: str = ""


Pairs = tuple[str, ...]
"""Names and values in turn: with a few of them half the size of a dict, and looked up as fast."""


def pairs(words: Mapping[str, str] | None, without: Container[str] = ()) -> Pairs:
    """A map of words as Pairs, without these names."""
    return tuple([word for pair in words.items() if pair[0] not in without for word in pair]) if words else ()


class Meta(Struct, gc=False):
    """The metadata every reader may ask for."""

    name: str
    uid: str = ""
    namespace: str = ""
    resource_version: int = 0
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: Pairs = ()
    annotations: Pairs = ()
    owner_references: tuple[Owner, ...] = ()
    finalizers: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return Key(self.namespace, self.name)

    @property
    def controller(self) -> Owner | None:
        """The one owner that controls the object."""
        for owner in self.owner_references:
            if owner.controller:
                return owner
        return None

    def label(self, name: str) -> str:
        """A label's value, empty when it is not set."""
        return _value(self.labels, name)

    def annotation(self, name: str) -> str:
        """An annotation's value, empty when it is not set."""
        return _value(self.annotations, name)


def _value(pairs: Pairs, name: str) -> str:
    # Values stand at odd places: a value that is spelled as the name is passed over.
    for place in range(0, len(pairs), 2):
        if pairs[place] == name:
            return pairs[place + 1]
    return ""


class Live(Struct, gc=False, rename="camel"):
    """An object of any kind, as far as its metadata goes. A kind with more to say has a subclass below."""

    metadata: Meta

    @property
    def deleting(self) -> bool:
        return self.metadata.deletion_timestamp is not None


class Condition(Struct, gc=False, frozen=True, rename="camel", omit_defaults=True):
    """One condition, of ours or of a built-in kind."""

    type: str
    status: str = "Unknown"
    reason: str = ""
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int = 0


class _Conditions(Struct):
    conditions: tuple[Condition, ...] = ()


class Custom(Live):
    """An object of a kind that this operator owns. Spec and status stay JSON until they are read."""

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
        """The status as a map; an empty one when it is not one."""
        try:
            status: Manifest = msgspec.json.decode(self.status_json, type=dict)
        except msgspec.MsgspecError:
            return {}
        return status

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions of the status; none when they do not keep to the schema."""
        try:
            return msgspec.json.decode(self.status_json, type=_Conditions).conditions
        except msgspec.MsgspecError:
            return ()


@lru_cache(maxsize=4096)
def _one(value: T) -> T:
    """One of the equal values that thousands of objects have."""
    return value


class Replicas(Struct, gc=False, frozen=True, rename="camel"):
    """Status of a Deployment or StatefulSet."""

    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0


class ReplicaSpec(Struct, gc=False, frozen=True, rename="camel"):
    replicas: int = 1


class Workload(Live):
    """A Deployment or StatefulSet."""

    spec: ReplicaSpec = ReplicaSpec()
    status: Replicas = Replicas()

    def __post_init__(self) -> None:
        self.spec, self.status = _one(self.spec), _one(self.status)


class JobCondition(Struct, gc=False, frozen=True, rename="camel"):
    """What is kept of a Job's conditions: finished Jobs are many, and stay."""

    type: str
    status: str = "Unknown"
    last_transition_time: str = ""


class JobStatus(Struct, gc=False, rename="camel"):
    """Whether a Job has succeeded: the one condition that says so, or none."""

    conditions: tuple[JobCondition, ...] = ()

    def __post_init__(self) -> None:
        # What else is said of it (that it is about to succeed, a moment before it has) decides nothing.
        done = [each for each in self.conditions if each.type == "Complete" and each.status == "True"]
        self.conditions = _one(tuple(done))


class Job(Live):
    status: JobStatus = field(default_factory=JobStatus)

    @property
    def completed(self) -> str:
        """When it succeeded, empty while it has not."""
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
    """Status of a pod that is kept: the pods of failed Jobs are many."""

    def __post_init__(self) -> None:
        # Only a condition that is not true says anything.
        self.conditions = tuple([each for each in self.conditions if each.status != "True" and each.message])


class Pod(Live):
    status: CachedPodStatus = field(default_factory=CachedPodStatus)


class ClaimSpec(Struct, gc=False, rename="camel"):
    storage_class_name: str = ""
    access_modes: tuple[str, ...] = ()


class ClaimStatus(Struct, gc=False, rename="camel"):
    phase: str = "Pending"
    capacity: dict[str, str] | None = None


class Claim(Live):
    """A PersistentVolumeClaim."""

    spec: ClaimSpec = field(default_factory=ClaimSpec)
    status: ClaimStatus = field(default_factory=ClaimStatus)

    @property
    def access_mode(self) -> str:
        """What most pods may do with it at once, of the modes it was made with; empty when it has none."""
        modes = self.spec.access_modes
        return "ReadWriteMany" if "ReadWriteMany" in modes else next(iter(modes), "")


class ServiceSpec(Struct, gc=False, rename="camel"):
    cluster_ip: str = field(default="", name="clusterIP")


class Service(Live):
    spec: ServiceSpec = field(default_factory=ServiceSpec)


class StorageClass(Live):
    provisioner: str = ""
    volume_binding_mode: str = "Immediate"
