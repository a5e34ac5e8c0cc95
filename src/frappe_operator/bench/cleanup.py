"""Deletion of a FrappeBench: after its sites. Volumes and the root password of MariaDB are retained."""

from frappe_operator.api.kinds import BENCH, SITE, LiveBench
from frappe_operator.api.labels import BENCH_FINALIZER
from frappe_operator.kube.listing import abbreviated
from frappe_operator.kube.stage import Verdict
from frappe_operator.model import host_claims
from frappe_operator.model.conditions import BenchCondition
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.runtime.apply.finalizers import remove_finalizer
from frappe_operator.runtime.cluster import Cluster

DELETED = BenchCondition.DELETED
SHOWN = 5
"""How many sites a message names."""
FOREGROUND = "foregroundDeletion"
"""Finalizer of an object whose children the garbage collector deletes first: a child that the operator created again
would be deleted again, endlessly."""


async def cleanup(cluster: Cluster, live: LiveBench) -> Verdict | None:
    """Removes the bench's finalizer once it has no site, and returns None; until then returns the verdict of the
    Deleted condition. Does not read the spec.

    The claims of StatefulSets are retained, as Kubernetes does by default. The root password of MariaDB is retained
    with them: a new bench of the same name uses both.
    """
    if sites := await _sites(cluster, live):
        message = f"The bench is deleted after its sites: delete the FrappeSites {abbreviated(sorted(sites), SHOWN)}"
        if FOREGROUND in live.metadata.finalizers:
            message += (
                ". Because of foreground deletion, Kubernetes deletes its child objects first and nothing is created "
                "again; the sites are not served"
            )
        return Verdict(False, FrappeReason.SITES_REMAIN, message)
    await remove_finalizer(cluster, BENCH, live, BENCH_FINALIZER)
    return None


async def _sites(cluster: Cluster, live: LiveBench) -> list[str]:
    """Names of the bench's sites. If none is cached, the API server is asked: a site that is not cached yet blocks the
    deletion as well."""
    meta = live.metadata
    if cached := cluster.select(SITE, host_claims.BENCH_INDEX, str(meta.key)):
        return [each.metadata.name for each in cached]
    return [
        each["metadata"]["name"]
        for each in await cluster.list(SITE, meta.namespace)
        if each["spec"].get("benchRef", {}).get("name") == meta.name
    ]
