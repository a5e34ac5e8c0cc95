"""Asks Ready sites for a ping now and then: one that answers its visitors with an error must not stay Ready.

Nothing else tells of it: Frappe in maintenance mode, or locked out of its database, leaves every pod ready. One site
after the other is asked, at a rate that does not grow with their number, and nothing is written here: a site that does
not answer is reconciled, and the reconcile asks for itself.
"""

import asyncio
from collections.abc import Callable

import structlog

from frappe_operator.api.kinds import SITE
from frappe_operator.components.nginx import PORT
from frappe_operator.kube import conditions
from frappe_operator.kube.kinds import SERVICE
from frappe_operator.kube.objects import Key
from frappe_operator.model import domain
from frappe_operator.model.bench import Names
from frappe_operator.runtime.client.fetch import Fetch
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.site.observe import last_status
from frappe_operator.site.probe import PING, address

log = structlog.get_logger(__name__)

ROUND_SECONDS = 60.0
"""A site is asked no more often than this."""
PAUSE_SECONDS = 0.1
"""Between two questions: 10,000 sites are asked once in 17 minutes."""
AT_ONCE = 20
"""Questions without an answer yet: a site that says nothing takes ten seconds, and must not keep the others waiting."""


class Prober:
    """The one task that asks, and the sites it has doubts about."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self.unanswered: set[Key] = set()
        """Sites that did not answer: the next reconcile asks them whatever their status says."""

    async def run(self, cluster: Cluster, jitter: Callable[[], float]) -> None:
        """Asks for as long as this process leads. Ends by being cancelled. `jitter`: a random number from 0 to 1."""
        slots = asyncio.Semaphore(AT_ONCE)
        # Processes that start together, one for each namespace, do not all ask at once.
        await asyncio.sleep(ROUND_SECONDS * jitter())
        async with asyncio.TaskGroup() as tasks:
            while True:
                keys = [live.metadata.key for live in cluster.all(SITE)]
                pause = max(PAUSE_SECONDS, ROUND_SECONDS / max(1, len(keys)))
                if not keys:
                    await asyncio.sleep(pause)
                for key in keys:
                    if question := _question(cluster, key):
                        await slots.acquire()
                        task = tasks.create_task(self._ask(cluster, key, *question))
                        task.add_done_callback(lambda _: slots.release())
                    await asyncio.sleep(pause)

    async def _ask(self, cluster: Cluster, key: Key, url: str, host: str) -> None:
        try:
            answer = await self._fetch(url, host)
        except Exception as error:
            # What goes wrong with one site's answer must not end the questions to all others.
            log.warning("site not asked", object=str(key), error=str(error))
            return
        if answer.status != 200:
            self.unanswered.add(key)
            cluster.requeue(SITE, key)


def _question(cluster: Cluster, key: Key) -> tuple[str, str] | None:
    """URL and host with which a site is asked; None while it is not Ready, or nobody could answer."""
    live = cluster.get(SITE, key.namespace, key.name)
    spec = domain.readable_spec(live) if live is not None and not live.deleting else None
    if live is None or spec is None:
        return None
    status = last_status(live)
    ready = any(each.type == conditions.READY and each.status == "True" for each in status.conditions)
    service = cluster.get(SERVICE, key.namespace, Names(spec.bench_ref.name).nginx)
    if not ready or service is None:
        return None
    return f"http://{address(service.spec.cluster_ip)}:{PORT}{PING}", status.resolved_domain
