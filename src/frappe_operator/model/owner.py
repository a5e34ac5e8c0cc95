"""The object that owns children."""

from typing import NamedTuple

from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.live import Live


class Owner(NamedTuple):
    """The FrappeBench or FrappeSite that owns a child, with what the metadata of the child needs."""

    kind: Kind
    namespace: str
    name: str
    uid: str
    bench: str
    """Name of the bench: that of the owner itself, or the bench of the site."""

    @classmethod
    def of(cls, kind: Kind, live: Live, bench: str = "") -> "Owner":
        """The owner for a cached object. `bench`: the name of its bench; by default its own name."""
        meta = live.metadata
        return cls(kind, meta.namespace, meta.name, meta.uid, bench or meta.name)
