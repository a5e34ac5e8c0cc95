"""Upgrades the sites of one bench in waves, on the real API server with simulated nodes: time, writes, most at once.

BENCH_UPGRADES makes it smaller than two hundred sites.
"""

import asyncio
import os
import time
from collections import Counter
from typing import Any

import msgspec

from benchmark.figures import Measured
from benchmark.isolated_process import run_in_process
from benchmark.real_cluster import namespace, real
from benchmark.site_creation import READY_SECONDS, Record, Recorder, answers, placed, token, written
from benchmark.templates import BENCH_OF, NAMESPACE_OF, SITE_OF
from fakecluster.samples import a_bench, a_site
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.bench import controller as bench
from frappe_operator.components.proxy import ANNOUNCED, UPGRADING_PATH
from frappe_operator.kube.kinds import EVENT
from frappe_operator.model.host_claims import HostGrants
from frappe_operator.model.settings import Images
from frappe_operator.runtime.client.client import Client
from frappe_operator.runtime.client.fetch import Answer
from frappe_operator.runtime.client.http import HttpTransport
from frappe_operator.runtime.client.kubeconfig import find
from frappe_operator.runtime.process.engine import Engine
from frappe_operator.site import controller as site

SITES = int(os.environ.get("BENCH_UPGRADES") or 200)
AT_ONCE = 10
QUIET_SECONDS = 30.0
"""How long writes are counted after the last site has been upgraded."""
NAME, WHERE = BENCH_OF.format(0), NAMESPACE_OF.format(0)


def upgrading() -> list[Measured]:
    """upgrade_200_*: from the edit of the bench to the last site that runs its image and is Ready."""
    with real() as cluster:
        policy = {"maxConcurrent": AT_ONCE}
        cluster.create([namespace(WHERE), placed(WHERE, a_bench(NAME, upgrade=policy))])
        cluster.create(placed(WHERE, a_site(SITE_OF.format(number), NAME)) for number in range(SITES))
        files = {"kubeconfig": str(cluster.operator), "admin": str(cluster.admin)}
        seen = run_in_process(operate, core=None, **files)
    how = (
        f"the product's controllers, {SITES} sites of one bench, {AT_ONCE} at a time; proxies and sites answer at once"
    )
    sizes = {"sites": SITES, "most_at_once": seen["most_at_once"], "writes_when_done": seen["writes_when_done"]}
    return [
        Measured("upgrade_200_s", seen["seconds"], how, sizes),
        Measured("upgrade_200_cpu_s", seen["cpu"], "the same run"),
        Measured("upgrade_writes_per_site", seen["writes"] / SITES, "the same run", seen["by_kind"]),
    ]


async def operate(kubeconfig: str, admin: str) -> dict[str, Any]:
    """Runs the operator until all sites are Ready, then gives the bench another image, until all run that."""
    transport = Recorder(find(kubeconfig))
    async with transport, HttpTransport(find(admin)) as user:
        hosts = HostGrants()
        controllers = [bench.controller(Images(), token, hosts), site.controller(Images(), token, _answers, hosts)]
        engine = Engine(transport, controllers)
        leading = asyncio.Event()
        running = asyncio.create_task(engine.run(leading))
        leading.set()
        await engine.synced.wait()
        await _until(lambda: sum(f"/{SITE.plural}/" in path for path in transport.ready) == SITES)
        await asyncio.sleep(QUIET_SECONDS)
        transport.records.clear()
        began, cpu = time.perf_counter(), time.process_time()
        change = {"spec": {"imageConfig": {"repository": "registry.example.com/erp", "tag": "v15.60.0"}}}
        await Client(user).patch(BENCH, WHERE, NAME, change)
        await _until(lambda: _done(engine))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        writes = _writes(transport.records)
        await asyncio.sleep(QUIET_SECONDS)
        after = _writes(transport.records) - writes
        running.cancel()
    return {
        "seconds": seconds,
        "cpu": cpu,
        "writes": writes.total(),
        "by_kind": dict(writes.most_common()),
        "writes_when_done": after.total(),
        "most_at_once": _most_at_once(transport.records),
    }


async def _until(done: Any) -> None:
    async with asyncio.timeout(READY_SECONDS):
        while not done():  # noqa: ASYNC110 - seldom enough
            await asyncio.sleep(0.25)


def _done(engine: Engine) -> bool:
    """Whether every site runs the image of the bench and is Ready."""
    sites = engine.cluster.all(SITE)
    upgraded = {each.type: each.status for each in engine.cluster.all(BENCH)[0].conditions}.get("SitesUpgraded")
    ready = [each.status for site in sites for each in site.conditions if each.type == "Ready"]
    releases = {site.status_fields.get("release") for site in sites}
    return upgraded == "True" and ready == ["True"] * SITES and len(releases) == 1 and "v15.60.0" in str(releases)


def _writes(records: list[Record]) -> Counter[str]:
    made = Counter(written(each) for each in records if each.method != "GET")
    return Counter({name: count for name, count in made.items() if EVENT.kind not in name})


def _most_at_once(records: list[Record]) -> int:
    """The most sites that a status of the bench gave their turn at the same time."""
    statuses = [
        msgspec.json.decode(each.body)["status"]
        for each in records
        if each.path.endswith("/status") and f"/{BENCH.plural}/" in each.path
    ]
    return max(len((each.get("upgrade") or {}).get("upgrading") or ()) for each in statuses)


async def _answers(url: str, host: str) -> Answer:
    return Answer(200, ANNOUNCED) if url.endswith(UPGRADING_PATH) else await answers(url, host)
