"""Resident memory of the operator's engine after everything was reconciled."""

import asyncio
import ctypes
import gc
from typing import Any

from benchmark.machine import Usage
from benchmark.operator_process import controllers
from frappe_operator.api.kinds import SITE
from frappe_operator.kube.objects import Key
from frappe_operator.runtime.client.http import HttpTransport
from frappe_operator.runtime.client.kubeconfig import Access
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller
from frappe_operator.runtime.process.engine import Engine


async def settled(url: str, sites: int) -> dict[str, Any]:
    """Resident memory after every site was reconciled, of this process."""
    seen: set[Key] = set()
    done = asyncio.Event()

    def counted(controller: Controller) -> Controller:
        async def reconcile(cluster: Cluster, key: Key) -> float | None:
            again = await controller.reconcile(cluster, key)
            if controller.kind == SITE:
                seen.add(key)
            if len(seen) == sites:
                done.set()
            return again

        return controller._replace(reconcile=reconcile)

    async with HttpTransport(Access(url)) as transport:
        engine = Engine(transport, [counted(each) for each in controllers()])
        leading = asyncio.Event()
        leading.set()
        running = asyncio.create_task(engine.run(leading))
        await done.wait()
        gc.collect()
        # Memory that the allocator keeps for later belongs to no child.
        ctypes.CDLL(None).malloc_trim(0)
        rss = Usage().rss
        running.cancel()
    return {"rss": rss}
