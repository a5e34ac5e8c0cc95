"""How a bench goes: after its sites, leaving behind what holds their data."""

from frappe_operator.kube.kinds import BENCH, SITE
from frappe_operator.kube.live import Custom
from frappe_operator.kube.names import BENCH_FINALIZER
from frappe_operator.kube.stage import Reason, Verdict
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.finalizers import remove_finalizer
from frappe_operator.runtime.report import report

SHOWN = 5


async def cleanup(cluster: Cluster, live: Custom) -> None:
    """Waits for the sites, then lets go. Needs nothing of the spec.

    Claims made by StatefulSets stay as Kubernetes leaves them; the root password that opens MariaDB's volume stays
    with them, and a new bench of the same name takes both up again.
    """
    namespace, name = live.metadata.namespace, live.metadata.name
    # Asked of the API server itself: a site the cache has not seen yet must hold its bench as well.
    sites = [
        each["metadata"]["name"]
        for each in await cluster.list(SITE, namespace)
        if each["spec"].get("benchRef", {}).get("name") == name
    ]
    if sites:
        shown = ", ".join(sorted(sites)[:SHOWN]) + (f" and {len(sites) - SHOWN} more" if len(sites) > SHOWN else "")
        message = f"The bench goes when its sites are gone: delete the FrappeSites {shown}"
        await report(
            cluster, BENCH, live, {"Deleted": Verdict(False, Reason.SITES_REMAIN, message)}, {"sites": len(sites)}
        )
        return
    await remove_finalizer(cluster, BENCH, live, BENCH_FINALIZER)
