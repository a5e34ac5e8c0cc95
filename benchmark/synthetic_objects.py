"""Everything that exists in the synthetic cluster when a measurement begins: copies of templates, by number."""

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

from benchmark.synthetic_server import SITES_PER_BENCH
from benchmark.templates import NAMESPACE_OF, Place, Template
from fakecluster.apiserver.store import SerializedRecord, Store
from frappe_operator.api.kinds import ALL, SITE
from frappe_operator.kube.kinds import DEPLOYMENT, NAMESPACE, STORAGE_CLASS, Kind, Ref
from frappe_operator.kube.objects import Manifest

FIRST_VERSION = 100_000_000
"""Of everything that is written later; copies have smaller ones."""
REMEMBERED_CHANGES = 10_000
"""Of each kind. They are objects of several kilobytes."""


class Size(NamedTuple):
    """How much there is."""

    benches: tuple[int, ...]
    """How many sites each bench has."""
    tenants: tuple[int, ...] = ()
    """The namespace of each bench, by number; those beyond have one of their own each, of the bench's number."""
    deployments: int = 0
    """So many Deployments, whatever the number of sites; 0: as many as sites and benches have."""
    reference: bool = False
    """Those are of 7.4 kB each."""
    bare: bool = False
    """Sites without children."""


class Copy(SerializedRecord):
    """A copy of a template, rendered each time that it is read: nothing else is kept of it."""

    __slots__ = ("place", "template", "version")

    def __init__(self, template: Template, place: Place, version: int) -> None:
        self.template = template
        self.place = place
        self.version = version

    @property
    def wire(self) -> bytes:
        return self.template.render(self.place, self.version)

    @property
    def metadata_wire(self) -> bytes:
        return self.template.render_partial(self.place, self.version)

    @property
    def labels(self) -> dict[str, str]:
        return self.template.labels(self.place, self.version)

    @property
    def ref(self) -> Ref:
        kind = self.template.kind
        return Ref(kind, self.place.namespace if kind.namespaced else "", self.template.name_of(self.place))


def filled(templates: list[Template], size: Size) -> Store:
    """A store with everything in it."""
    store = Store(FIRST_VERSION, REMEMBERED_CHANGES)
    versions = itertools.count(1000)
    for kind in ALL.values():
        for copy in _copies(templates, size, kind, versions):
            store.load(copy.ref, copy.template.uid_of(copy.place), copy)
    return store


def namespaces(size: Size) -> Iterator[Manifest]:
    """The namespaces of the benches, and the one that the operator runs in."""
    tenants = {size.tenants[bench] if bench < len(size.tenants) else bench for bench in range(len(size.benches))}
    for name in ("default", "frappe-operator", *map(NAMESPACE_OF.format, sorted(tenants))):
        yield {"apiVersion": NAMESPACE.api_version, "kind": NAMESPACE.kind, "metadata": {"name": name}}


def _copies(templates: list[Template], size: Size, kind: Kind, versions: Iterator[int]) -> Iterator[Copy]:
    mine = [each for each in templates if each.kind == kind]
    per_bench = [each for each in mine if not each.per_site]
    per_site = [] if size.bare and kind != SITE else [each for each in mine if each.per_site]
    benches = size.benches[:1] if kind == STORAGE_CLASS else size.benches
    if kind == DEPLOYMENT and size.deployments:
        # Others were measured with Deployments of 7.4 kB: the proxy's is of that size.
        per_site = [each.spread() for each in per_bench] if size.reference else [e for e in mine if e.per_site]
        per_bench, benches = [], (SITES_PER_BENCH,) * math.ceil(size.deployments / len(per_site) / SITES_PER_BENCH)
    first = 0
    for bench, count in enumerate(benches):
        sites = range(first, first + count)
        tenant = size.tenants[bench] if bench < len(size.tenants) else bench
        yield from (Copy(each, Place(tenant, bench, first, sites), next(versions)) for each in per_bench)
        for site in sites:
            yield from (Copy(each, Place(tenant, bench, site, sites), next(versions)) for each in per_site)
        first += count
