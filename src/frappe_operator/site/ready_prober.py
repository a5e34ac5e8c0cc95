"""Periodic probes of Ready sites: a site that responds with an error must not stay Ready.

No watch reports it: Frappe in maintenance mode, or without access to its database, leaves every pod ready. Sites are
probed one after the other, at a rate that does not grow with their number. The prober writes nothing: it requeues a
site that does not respond, and the reconcile probes it again.
"""

import asyncio
from collections.abc import Callable

import structlog

from frappe_operator.api.kinds import SITE, readable_spec
from frappe_operator.components.nginx import PORT
from frappe_operator.kube import conditions
from frappe_operator.kube.kinds import SERVICE
from frappe_operator.kube.objects import Key
from frappe_operator.model.bench import Names
from frappe_operator.runtime.client.fetch import Fetch
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.site.observe import last_status
from frappe_operator.site.probe import PING, address

log = structlog.get_logger(__name__)

ROUND_SECONDS = 60.0
"""The shortest time between two probes of a site."""
PAUSE_SECONDS = 0.1
"""The shortest time between two probes of any sites: 10,000 sites are probed once in 17 minutes."""
MAX_CONCURRENT = 20
"""How many probes may wait for a response: one that times out takes ten seconds and must not delay the others."""


class Prober:
    """The task that probes Ready sites, and the sites whose last probe failed."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self.failed: set[Key] = set()
        """Sites whose last probe failed: their next reconcile probes them even if their status is Ready."""

    async def run(self, cluster: Cluster, jitter: Callable[[], float]) -> None:
        """Probes sites until it is cancelled. `jitter` returns a random number from 0 to 1."""
        slots = asyncio.Semaphore(MAX_CONCURRENT)
        # Processes that start together, one for each namespace, do not all probe at the same time.
        await asyncio.sleep(ROUND_SECONDS * jitter())
        async with asyncio.TaskGroup() as tasks:
            while True:
                keys = [live.metadata.key for live in cluster.all(SITE)]
                pause = max(PAUSE_SECONDS, ROUND_SECONDS / max(1, len(keys)))
                if not keys:
                    await asyncio.sleep(pause)
                for key in keys:
                    if target := _target(cluster, key):
                        await slots.acquire()
                        task = tasks.create_task(self._probe(cluster, key, *target))
                        task.add_done_callback(lambda _: slots.release())
                    await asyncio.sleep(pause)

    async def _probe(self, cluster: Cluster, key: Key, url: str, host: str) -> None:
        try:
            answer = await self._fetch(url, host)
        except Exception as error:
            # An error in the probe of one site must not end the probes of all others.
            log.warning("probe failed", object=str(key), error=str(error))
            return
        if answer.status != 200:
            self.failed.add(key)
            cluster.requeue(SITE, key)


def _target(cluster: Cluster, key: Key) -> tuple[str, str] | None:
    """URL and Host header for the probe of a site; None while the site is not Ready or the proxy has no Service."""
    live = cluster.get(SITE, key.namespace, key.name)
    spec = readable_spec(live) if live is not None and not live.deleting else None
    if live is None or spec is None:
        return None
    status = last_status(live)
    ready = any(each.type == conditions.READY and each.status == "True" for each in status.conditions)
    service = cluster.get(SERVICE, key.namespace, Names(spec.bench_ref.name).nginx)
    if not ready or service is None:
        return None
    return f"http://{address(service.spec.cluster_ip)}:{PORT}{PING}", status.resolved_domain
