"""How a bench goes: after its sites, leaving behind what holds their data."""

from frappe_operator.api.kinds import BENCH, SITE, LiveBench
from frappe_operator.api.labels import BENCH_FINALIZER
from frappe_operator.kube.stage import Verdict
from frappe_operator.model import domain
from frappe_operator.model.conditions import BenchCondition
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.runtime.apply.finalizers import remove_finalizer
from frappe_operator.runtime.cluster import Cluster

DELETED = BenchCondition.DELETED
SHOWN = 5
FOREGROUND = "foregroundDeletion"
"""Finalizer of an object whose children the garbage collector deletes before it: what we made again would be deleted
again, for ever."""


async def cleanup(cluster: Cluster, live: LiveBench) -> Verdict | None:
    """Lets the bench go when its sites are gone; until then, says why it stays. Needs nothing of the spec.

    Claims made by StatefulSets stay as Kubernetes leaves them; the root password that opens MariaDB's volume stays
    with them, and a new bench of the same name takes both up again.
    """
    if sites := await _sites(cluster, live):
        shown = ", ".join(sorted(sites)[:SHOWN]) + (f" and {len(sites) - SHOWN} more" if len(sites) > SHOWN else "")
        message = f"The bench is deleted after its sites: delete the FrappeSites {shown}"
        if FOREGROUND in live.metadata.finalizers:
            message += (
                ". Because of foreground deletion, Kubernetes deletes its child objects first and nothing is created "
                "again; the sites are not served"
            )
        return Verdict(False, FrappeReason.SITES_REMAIN, message)
    await remove_finalizer(cluster, BENCH, live, BENCH_FINALIZER)
    return None


async def _sites(cluster: Cluster, live: LiveBench) -> list[str]:
    """Names of the bench's sites. That there is none is asked of the API server itself: a site the cache does not have
    yet must hold its bench as well."""
    meta = live.metadata
    if cached := cluster.select(SITE, domain.BENCH_INDEX, str(meta.key)):
        return [each.metadata.name for each in cached]
    return [
        each["metadata"]["name"]
        for each in await cluster.list(SITE, meta.namespace)
        if each["spec"].get("benchRef", {}).get("name") == meta.name
    ]
