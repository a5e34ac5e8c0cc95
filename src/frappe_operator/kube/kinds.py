"""Kinds of objects: their API paths, and the fields of their objects that are cached."""

from typing import Generic, NamedTuple, TypeVar

from frappe_operator.kube.foreign import Gateway, HttpRoute, IssuedCertificate, ListenerSet
from frappe_operator.kube.live import Autoscaler, Claim, Job, Live, Pod, Service, StorageClass, Workload
from frappe_operator.kube.objects import Manifest

T_co = TypeVar("T_co", bound=Live, covariant=True)


class KindOf(NamedTuple, Generic[T_co]):
    """A kind of the Kubernetes API, with its API path and the type of its cached objects."""

    group: str
    version: str
    kind: str
    plural: str
    projection: type[T_co]
    """Type of the cached objects: the fields that are cached."""
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of all objects of this kind, of those in a namespace, or of one object."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts += [self.plural, name, subresource]
        return "/" + "/".join(part for part in parts if part)


Kind = KindOf[Live]
"""A kind whose type of cached objects does not matter."""


class Ref(NamedTuple):
    """A reference to one object: kind, namespace and name."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.kind} {self.name}"


CONFIG_MAP = KindOf("", "v1", "ConfigMap", "configmaps", Live)
EVENT = KindOf("events.k8s.io", "v1", "Event", "events", Live)
NAMESPACE = KindOf("", "v1", "Namespace", "namespaces", Live, namespaced=False)
POD = KindOf("", "v1", "Pod", "pods", Pod)
PVC = KindOf("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", Claim)
SECRET = KindOf("", "v1", "Secret", "secrets", Live)
SERVICE = KindOf("", "v1", "Service", "services", Service)
DEPLOYMENT = KindOf("apps", "v1", "Deployment", "deployments", Workload)
STATEFUL_SET = KindOf("apps", "v1", "StatefulSet", "statefulsets", Workload)
HPA = KindOf("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", Autoscaler)
JOB = KindOf("batch", "v1", "Job", "jobs", Job)
LEASE = KindOf("coordination.k8s.io", "v1", "Lease", "leases", Live)
INGRESS = KindOf("networking.k8s.io", "v1", "Ingress", "ingresses", Live)
GATEWAY = KindOf("gateway.networking.k8s.io", "v1", "Gateway", "gateways", Gateway)
HTTP_ROUTE = KindOf("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes", HttpRoute)
LISTENER_SET = KindOf("gateway.networking.k8s.io", "v1", "ListenerSet", "listenersets", ListenerSet)
CERTIFICATE = KindOf("cert-manager.io", "v1", "Certificate", "certificates", IssuedCertificate)
PDB = KindOf("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", Live)
STORAGE_CLASS = KindOf("storage.k8s.io", "v1", "StorageClass", "storageclasses", StorageClass, namespaced=False)

BUILT_IN: tuple[Kind, ...] = (
    *(CONFIG_MAP, EVENT, NAMESPACE, POD, PVC, SECRET, SERVICE, DEPLOYMENT, STATEFUL_SET, JOB, LEASE, INGRESS),
    *(HPA, PDB, STORAGE_CLASS),
)
"""The built-in kinds of Kubernetes that this operator reads or writes."""
ADDED: tuple[Kind, ...] = (GATEWAY, HTTP_ROUTE, LISTENER_SET, CERTIFICATE)
"""Kinds of CustomResourceDefinitions of others, which not every cluster has."""
_BY_NAME: dict[tuple[str, str], Kind] = {(kind.api_version, kind.kind): kind for kind in (*BUILT_IN, *ADDED)}


def register(*kinds: Kind) -> tuple[Kind, ...]:
    """Adds the kinds that an operator owns to those of which `ref_of` knows manifests. Returns them."""
    _BY_NAME.update({(kind.api_version, kind.kind): kind for kind in kinds})
    return kinds


def ref_of(manifest: Manifest) -> Ref:
    """The reference to the object of a manifest. Raises KeyError for a kind that is neither in `BUILT_IN` nor
    registered."""
    kind = _BY_NAME[manifest["apiVersion"], manifest["kind"]]
    metadata = manifest["metadata"]
    return Ref(kind, metadata.get("namespace", ""), metadata["name"])
