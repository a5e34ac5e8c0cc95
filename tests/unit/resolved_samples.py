"""Resolved benches and sites. Their names differ from all names in the code, so that mixed-up labels are noticed."""

from typing import Any, TypeVar

import msgspec

from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import KindOf
from frappe_operator.kube.live import Custom, Meta
from frappe_operator.model import bench as bench_model
from frappe_operator.model import domain
from frappe_operator.model import site as site_model
from frappe_operator.model.bench import Bench, BenchOffer, Inspected, Upstream
from frappe_operator.model.database import Connection
from frappe_operator.model.image import Facts
from frappe_operator.model.settings import Images
from frappe_operator.model.site import Site

NAMESPACE = "harbour"
IMAGES = Images(
    frappe="frappe.example.net/erpnext",
    mariadb="mariadb.example.net/mariadb:1",
    redis="redis.example.net/redis:2",
    nginx="nginx.example.net/nginx:3",
)
REFERENCE = f"{IMAGES.frappe}:version-15"
FACTS = Facts(REFERENCE, "15.51.1", "3.11.6", {"frappe": "15.51.1", "erpnext": "15.50.0", "hrms": "15.1.0"})

C = TypeVar("C", bound=Custom)


def live(name: str, spec: dict[str, Any], *, kind: KindOf[C], uid: str = "") -> C:
    """A cached object."""
    meta = Meta(name=name, namespace=NAMESPACE, uid=uid or f"uid-of-{kind.kind}-{name}", generation=1)
    return kind.projection(meta, msgspec.Raw(msgspec.json.encode(spec)))


def a_bench(name: str = "pier", *, facts: Facts | None = FACTS, **spec: Any) -> Bench:
    """A resolved bench, with a MariaDB and one routed host."""
    bench = live(name, {"frappeVersion": "version-15", **spec}, kind=BENCH)
    return bench_model.resolve(
        bench,
        bench_model.parse(bench),
        IMAGES,
        facts=facts,
        access_mode=bench_model.RWO,
        mariadb_needed=True,
        upstreams=(Upstream("pearl.example.net", "pearl-gunicorn", "pearl.example.net"),),
    )


def an_offer(name: str = "pier", *, facts: Facts | None = FACTS, **spec: Any) -> BenchOffer:
    """What a bench provides to its sites."""
    written = live(name, {"frappeVersion": "version-15", **spec}, kind=BENCH)
    return bench_model.offer(written, bench_model.parse(written), IMAGES, Inspected(facts))


def a_site(
    name: str = "pearl",
    *,
    bench: BenchOffer | None = None,
    connection: Connection | None = None,
    retained: str = "",
    uid: str = "",
    revision: str = "",
    **spec: Any,
) -> Site:
    """A resolved site."""
    if connection is not None:
        spec = {"dbConfig": {"mode": "external", "connectionSecretRef": {"name": connection.secret}}, **spec}
    site = live(name, {"benchRef": {"name": "pier"}, "siteName": "pearl.example.net", **spec}, kind=SITE, uid=uid)
    parsed, bench = site_model.parse(site), bench or an_offer()
    hosts = domain.resolve(parsed, bench.domains)
    return site_model.resolve(
        site, parsed, bench, domain=hosts, retained_database=retained, revision=revision, connection=connection
    )
