"""How fast the operator's informers and stores read existing objects and watch events."""

import asyncio
import gc
import statistics
import time
from typing import Any

from benchmark.figures import Measured
from benchmark.isolated_process import run_in_process
from benchmark.machine import Usage
from benchmark.operator_process import controllers
from benchmark.synthetic_server import SyntheticServer, synthetic
from frappe_operator.kube.kinds import DEPLOYMENT
from frappe_operator.runtime.client.http import HttpTransport
from frappe_operator.runtime.client.kubeconfig import Access
from frappe_operator.runtime.process.engine import Engine
from frappe_operator.runtime.process.operator import GARBAGE_THRESHOLDS

SITES, DEPLOYMENTS = 5_000, 50_000
EVENTS = 100_000
TIMES = 3


async def read_all(url: str) -> dict[str, Any]:
    """Reads everything into the stores once: objects, seconds and CPU."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    async with HttpTransport(Access(url)) as transport:
        engine = Engine(transport, controllers())
        began, cpu = time.perf_counter(), time.process_time()
        running = asyncio.create_task(engine.run(asyncio.Event()))
        await engine.synced.wait()
        took = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
        objects = sum(len(store) for store in engine.cluster.cache.stores.values())
        running.cancel()
        return {**took, "objects": objects, "rss_mib": Usage().rss / 2**20}


async def read_events(url: str) -> dict[str, Any]:
    """Reads a burst of events, after everything was listed."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    server = SyntheticServer(int(url.rpartition(":")[2]))
    async with HttpTransport(Access(url)) as transport:
        engine = Engine(transport, controllers())
        running = asyncio.create_task(engine.run(asyncio.Event()))
        await engine.synced.wait()
        informer = next(each for each in engine.informers if each.store.kind == DEPLOYMENT)
        began, cpu = time.perf_counter(), time.process_time()
        last = await asyncio.to_thread(server.ask, "storm")
        # All but what is still in the sockets has been taken in by now.
        async with asyncio.timeout(60):
            while max(int(live.metadata.resource_version) for live in informer.store.all()) < last:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        took = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
        running.cancel()
        return {**took, "objects": EVENTS}


async def read_raw(url: str) -> dict[str, Any]:
    """Reads a watch without parsing it: the highest rate of the server."""
    port = int(url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=0"
    writer.write(f"GET {DEPLOYMENT.path()}?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    began, cpu, size, lines = time.perf_counter(), time.process_time(), 0, 0
    chunk = b""
    while b'"BOOKMARK"' not in chunk[-1000:]:
        chunk = await reader.read(2**20)
        size += len(chunk)
        lines += chunk.count(b'{"type":"ADDED"')
    seconds = time.perf_counter() - began
    writer.close()
    return {"seconds": seconds, "cpu": time.process_time() - cpu, "objects": lines, "mb_per_s": size / seconds / 1e6}


def reading() -> list[Measured]:
    """list_objects_per_s and watch_events_per_s."""
    with synthetic(sites=SITES, bare=True, deployments=DEPLOYMENTS, reference=True) as server:
        raw = run_in_process(read_raw, url=server.url)
        lists = [run_in_process(read_all, url=server.url) for _ in range(TIMES)]
        server.ask("pages", only=True)
        pages = run_in_process(read_all, url=server.url)
        server.ask("pages", only=False)
        storms = []
        for _ in range(TIMES):
            server.ask("prepare-storm", events=EVENTS)
            storms.append(run_in_process(read_events, url=server.url))
    with synthetic(sites=SITES, bare=True, deployments=DEPLOYMENTS) as server:
        own = run_in_process(read_all, url=server.url)
    how = "Engine with the product's watches, plain HTTP, one core; by CPU seconds of the process, median of {}"
    sizes = {"sites": SITES, "children": DEPLOYMENTS, "deployment_kb": 7.4, "raw_reader_objects_per_s": _rate(raw)}
    return [
        Measured(
            "list_objects_per_s",
            statistics.median(map(_rate, lists)),
            how.format(TIMES) + "; WatchList",
            {
                **sizes,
                "runs": [round(_rate(each)) for each in lists],
                "by_the_clock": [round(each["objects"] / each["seconds"]) for each in lists],
                "in_pages": round(_rate(pages)),
                "own_deployments_of_9_kb": round(_rate(own)),
                "rss_mib": round(lists[-1]["rss_mib"]),
                "raw_reader_mb_per_s": round(raw["mb_per_s"]),
            },
        ),
        Measured(
            "watch_events_per_s",
            statistics.median(map(_rate, storms)),
            how.format(TIMES) + "; 19 of 20 events change a Deployment's status, the others its spec",
            {
                **sizes,
                "events": EVENTS,
                "runs": [round(_rate(each)) for each in storms],
                "by_the_clock": [round(each["objects"] / each["seconds"]) for each in storms],
            },
        ),
    ]


def _rate(run: dict[str, Any]) -> float:
    """Objects per CPU second; for the raw reader per second, because it measures the server."""
    return float(run["objects"] / (run["seconds"] if "mb_per_s" in run else run["cpu"]))
