"""What is kept of an object that exists: the few fields we read, and a digest of the rest.

msgspec skips every field that is not named here while it decodes, so a cached object costs hundreds of
bytes instead of tens of thousands. A kind's projection says, field by field, what its readers may ask.
"""

from msgspec import Raw, Struct, field

from frappe_operator.kube.kinds import Key

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


class Meta(Struct, gc=False, rename="camel"):
    """The metadata every reader may ask for."""

    name: str
    uid: str = ""
    namespace: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
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
        return (self.labels or {}).get(name, "")

    def annotation(self, name: str) -> str:
        """An annotation's value, empty when it is not set."""
        return (self.annotations or {}).get(name, "")


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


class Custom(Live):
    """A FrappeBench or FrappeSite: `spec` and `status` stay bytes until a reconcile asks for them."""

    spec: Raw = Raw(b"{}")
    status: Raw = Raw(b"{}")


class Replicas(Struct, gc=False, rename="camel"):
    """Status of a Deployment or StatefulSet."""

    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0


class ReplicaSpec(Struct, gc=False, rename="camel"):
    replicas: int = 1


class Workload(Live):
    """A Deployment or StatefulSet."""

    spec: ReplicaSpec = field(default_factory=ReplicaSpec)
    status: Replicas = field(default_factory=Replicas)


class JobStatus(Struct, gc=False, rename="camel"):
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    conditions: tuple[Condition, ...] = ()


class Job(Live):
    status: JobStatus = field(default_factory=JobStatus)


class Terminated(Struct, gc=False, rename="camel"):
    exit_code: int = 0
    reason: str = ""
    message: str = ""


class Waiting(Struct, gc=False, rename="camel"):
    reason: str = ""
    message: str = ""


class ContainerState(Struct, gc=False, rename="camel"):
    terminated: Terminated | None = None
    waiting: Waiting | None = None


class ContainerStatus(Struct, gc=False, rename="camel"):
    name: str
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = field(default_factory=ContainerState)
    last_state: ContainerState = field(default_factory=ContainerState)


class PodStatus(Struct, gc=False, rename="camel"):
    phase: str = ""
    pod_ip: str = field(default="", name="podIP")
    conditions: tuple[Condition, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Live):
    status: PodStatus = field(default_factory=PodStatus)


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


class ServiceSpec(Struct, gc=False, rename="camel"):
    cluster_ip: str = field(default="", name="clusterIP")


class Service(Live):
    spec: ServiceSpec = field(default_factory=ServiceSpec)


class StorageClass(Live):
    provisioner: str = ""
    volume_binding_mode: str = "Immediate"
