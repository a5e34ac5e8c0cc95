"""The object that children belong to."""

from typing import NamedTuple

from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.live import Live


class Owner(NamedTuple):
    """A FrappeBench or FrappeSite, as its children's metadata needs it."""

    kind: Kind
    namespace: str
    name: str
    uid: str
    bench: str
    """Name of the bench: itself, or the site's."""

    @classmethod
    def of(cls, kind: Kind, live: Live, bench: str = "") -> "Owner":
        meta = live.metadata
        return cls(kind, meta.namespace, meta.name, meta.uid, bench or meta.name)
