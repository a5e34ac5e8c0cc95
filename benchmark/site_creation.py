"""Creates benches and sites on the real API server: time, requests, and how fast the same requests can be replayed.

BENCH_SITES makes it smaller than a thousand sites.
"""

import asyncio
import gc
import os
import pickle
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmark.figures import Measured
from benchmark.isolated_process import run_in_process
from benchmark.machine import Usage
from benchmark.operator_process import operator
from benchmark.real_cluster import Real, namespace, real
from benchmark.templates import BENCH_OF, NAMESPACE_OF, SITE_OF
from fakecluster.apiserver.requests import parse_request
from fakecluster.samples import a_bench, a_site
from frappe_operator.api import kinds as api_kinds
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.bench import controller as bench
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import DEPLOYMENT, EVENT, JOB
from frappe_operator.kube.live import OPERATOR_NAME, Job, Live, Workload
from frappe_operator.kube.names import MANAGED_BY
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.readiness import available, succeeded
from frappe_operator.model.host_claims import HostGrants
from frappe_operator.model.settings import Images
from frappe_operator.runtime.client.client import Client
from frappe_operator.runtime.client.fetch import Answer
from frappe_operator.runtime.client.http import HttpTransport
from frappe_operator.runtime.client.kubeconfig import find
from frappe_operator.runtime.client.transport import Headers, Query, Response
from frappe_operator.runtime.process.engine import Engine
from frappe_operator.runtime.process.operator import GARBAGE_THRESHOLDS
from frappe_operator.site import controller as site

BENCHES = 200
SITES = int(os.environ.get("BENCH_SITES") or 1000)
SITES_PER_BENCH = 100
AT_ONCE = (16, 48)
"""Requests in flight: the replay is made with each, and the faster one counts."""
GIVEN = re.compile(rb'(?<=")[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=")|(?<="resourceVersion":")\d+(?=")')
"""Values that differ between API servers: UIDs and resource versions."""
OWNER = re.compile(rb"(site-\d{5}|bench-\d{3})")
READY_SECONDS = 3600.0
CHILDREN = (
    *(kinds.CONFIG_MAP, kinds.DEPLOYMENT, kinds.INGRESS, kinds.JOB),
    *(kinds.PVC, kinds.SECRET, kinds.SERVICE, kinds.STATEFUL_SET),
)


# --- two hundred benches


def benches() -> list[Measured]:
    """benches_200_*: from the first bench that is created to the last that is Ready."""
    with real() as cluster, tempfile.TemporaryDirectory() as folder:
        options = "--namespace=frappe-operator"
        with operator(cluster.operator, Path(folder) / "log", options, core=None) as process:
            process.until(lambda: bool(process.log_lines('"became the leader"')), "it to be the leader")
            cluster.create([namespace("orchard")])
            wanted = [placed("orchard", a_bench(BENCH_OF.format(number))) for number in range(BENCHES)]
            began, cpu = time.time(), process.usage.cpu
            cluster.create(wanted)
            made = time.time() - began
            process.until(lambda: bool(cluster.ask(_all_ready)), "all benches to be ready", 1.0)
            ready = time.time() - began
            born = cluster.ask(_born)
            told = {
                "children": sum(map(len, born.values())),
                "ready_after_s": round(ready, 1),
                "benches_declared_after_s": round(made, 1),
                "last_of_each_kind_after_s": {kind: round(max(times) - began) for kind, times in born.items() if times},
                "cpu_since_first_bench_s": round(process.usage.cpu - cpu, 1),
            }
            how = "`frappe-operator run` with simulated nodes; from the first bench to the last child's creation"
            return [
                Measured("benches_200_s", max(max(times) for times in born.values() if times) - began, how, told),
                Measured("benches_200_cpu_s", process.usage.cpu, "of the whole process since exec, imports and all"),
                Measured("benches_200_rss_mib", process.usage.peak / 2**20, "the most resident memory it ever had"),
            ]


async def _all_ready(client: Client) -> bool:
    found = [msgspec.json.decode(raw) async for page in client.pages(BENCH) for raw in page.items]
    return all(is_ready(each.get("status", {})) for each in found)


def is_ready(status: Manifest) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", []))


async def _born(client: Client) -> dict[str, list[float]]:
    """When each child of ours was created, in seconds since 1970, by kind."""
    found: dict[str, list[float]] = {}
    for kind in CHILDREN:
        async for page in client.pages(kind, metadata_only=True):
            metas = [msgspec.json.decode(raw, type=_Object).metadata for raw in page.items]
            ours = [each for each in metas if each.labels.get(MANAGED_BY) == OPERATOR_NAME]
            times = [datetime.fromisoformat(each.creation_timestamp).timestamp() for each in ours]
            found.setdefault(kind.kind, []).extend(times)
    return found


# --- a thousand sites, and the same requests again


class Record(NamedTuple):
    """One request that the operator made."""

    began: float
    ended: float
    method: str
    path: str
    query: Query
    headers: Headers
    body: bytes
    status: int
    uid: bytes
    """Of the object in the answer."""

    @property
    def owner(self) -> bytes:
        """The site or bench that it was made for."""
        found = OWNER.search(self.path.encode()) or OWNER.search(self.body)
        return found[0] if found else b""


class Recorder(HttpTransport):
    """Records every request, except watches and the Lease."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.records: list[Record] = []
        self.ready: set[str] = set()
        """Paths of the objects whose status is Ready."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        headers: Headers | None = None,
        body: bytes | None = None,
        timeout: float,  # noqa: ASYNC109 - see Transport
    ) -> Response:
        began = time.perf_counter()
        answer = await super().request(method, path, query=query, headers=headers, body=body, timeout=timeout)
        ended = time.perf_counter()
        if path.endswith("/status") and answer.status == 200 and is_ready(msgspec.json.decode(answer.body)["status"]):
            self.ready.add(path)
        seen = began, ended, method, path, dict(query or {}), dict(headers or {}), body or b""
        self.records.append(Record(*seen, answer.status, _uid(answer.body)))
        return answer


class _Meta(msgspec.Struct, rename="camel"):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: str = ""
    labels: dict[str, str] = {}


class _Object(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)


def _uid(body: bytes) -> bytes:
    try:
        return msgspec.json.decode(body, type=_Object).metadata.uid.encode()
    except msgspec.MsgspecError:
        return b""


async def operate(kubeconfig: str, kind: str, count: int, records: str) -> dict[str, Any]:
    """Runs the operator until `count` objects of a kind (its plural) are Ready; every site answers its ping."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    transport = Recorder(find(kubeconfig))
    async with transport:
        hosts = HostGrants()
        controllers = [bench.controller(Images(), token, hosts), site.controller(Images(), token, answers, hosts)]
        engine = Engine(transport, controllers)
        leading = asyncio.Event()
        running = asyncio.create_task(engine.run(leading))
        await engine.synced.wait()
        transport.records.clear()
        began, cpu = time.perf_counter(), time.process_time()
        leading.set()
        async with asyncio.timeout(READY_SECONDS):
            while sum(f"/{kind}/" in path for path in transport.ready) < count:  # noqa: ASYNC110 - seldom enough
                await asyncio.sleep(0.25)
        seconds = time.perf_counter() - began
        running.cancel()
    _keep(records, transport.records)
    return {"seconds": seconds, "cpu": time.process_time() - cpu, "rss_mib": Usage().peak / 2**20}


def _keep(file: str, records: list[Record]) -> None:
    Path(file).write_bytes(pickle.dumps(records))


def _kept(file: str) -> list[Record]:
    records: list[Record] = pickle.loads(Path(file).read_bytes())  # noqa: S301 - our own
    return records


def token() -> str:
    return "token"


async def answers(url: str, host: str) -> Answer:
    await asyncio.sleep(0)
    return Answer(200, host)


async def replay(kubeconfig: str, records: str, given: dict[str, str], at_once: int) -> dict[str, Any]:
    """Replays requests as fast as possible, each once those have ended that ended before it when they were recorded."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    recorded = _kept(records)
    known = {old.encode(): new.encode() for old, new in given.items()}
    wrong: Counter[str] = Counter()
    async with HttpTransport(find(kubeconfig)) as transport:
        free = asyncio.Semaphore(at_once)

        async def send(record: Record, before: list["asyncio.Task[None]"]) -> None:
            if before:
                await asyncio.wait(before)
            async with free:
                body = GIVEN.sub(lambda found: known.get(found[0], found[0]), record.body)
                more = {"query": record.query, "headers": record.headers, "body": body or None, "timeout": 60.0}
                answer = await transport.request(record.method, record.path, **more)  # type: ignore[arg-type]
            if answer.status != record.status:
                wrong[f"{record.method} {record.status} became {answer.status}"] += 1
            if record.uid:
                known[record.uid] = _uid(answer.body)

        began, cpu = time.perf_counter(), time.process_time()
        tasks: dict[bytes, list[tuple[Record, asyncio.Task[None]]]] = {}
        for record in sorted(recorded, key=lambda each: each.began):
            mine = tasks.setdefault(record.owner, [])
            before = [task for other, task in mine if other.ended <= record.began]
            mine.append((record, asyncio.create_task(send(record, before))))
        await asyncio.gather(*(task for each in tasks.values() for _, task in each))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        await _done(transport)
        return {"seconds": seconds, "cpu": cpu, "done_s": time.perf_counter() - began, "wrong": dict(wrong)}


async def _done(transport: HttpTransport) -> None:
    """Waits until the cluster's controllers have done what a Ready site waits for: Jobs ended, pods available."""
    engine = Engine(transport, [site.controller(Images(), token, answers, HostGrants())])
    watching = asyncio.create_task(engine.run(asyncio.Event()))
    await engine.synced.wait()
    async with asyncio.timeout(READY_SECONDS):
        while not all(map(_is_done, (*engine.cluster.all(DEPLOYMENT), *engine.cluster.all(JOB)))):  # noqa: ASYNC110
            await asyncio.sleep(0.25)
    watching.cancel()


def _is_done(live: Live) -> bool:
    return available(live) if isinstance(live, Workload) else isinstance(live, Job) and succeeded(live)


def creating() -> list[Measured]:
    """create_ratio and write_efficiency."""
    with tempfile.TemporaryDirectory() as folder:
        records = f"{folder}/records"
        with _prepared(folder) as (cluster, before):
            used = cluster.cpu
            ours = run_in_process(
                operate, core=None, kubeconfig=str(cluster.operator), kind=SITE.plural, count=SITES, records=records
            )
            ours["cpu_of_cluster"] = _since(used, cluster)
            children = {kind: len(times) for kind, times in cluster.ask(_born).items()}
        replays = {}
        for at_once in AT_ONCE:
            with _prepared(folder) as (cluster, after):
                given = {
                    old: new
                    for name in before.keys() & after
                    for old, new in zip(before[name], after[name], strict=True)
                }
                used = cluster.cpu
                replays[at_once] = run_in_process(
                    replay, core=None, kubeconfig=str(cluster.operator), records=records, given=given, at_once=at_once
                )
                replays[at_once]["cpu_of_cluster"] = _since(used, cluster)
        made = _kept(records)
    best = min(each["seconds"] for each in replays.values())
    done = min(each["done_s"] for each in replays.values())
    sizes = {"sites": SITES, "children": sum(children.values()), "requests": len(made)}
    return [
        Measured(
            "create_ratio",
            best / ours["seconds"],
            "the product's controllers on the real API server, proxies and sites answering at once; replay on a fresh "
            "one, the requests of each site in their order, not waiting for the cluster's controllers",
            {**sizes, "operator": _rounded(ours), "replays": {str(n): _rounded(r) for n, r in replays.items()}},
        ),
        Measured(
            "create_ratio_to_ready",
            done / ours["seconds"],
            "the same runs; the replay's time until the cluster's controllers have ended its Jobs and made its pods "
            "available, which the operator waits for at each step",
        ),
        *_efficiency(made, children),
    ]


def _since(used: dict[str, float], cluster: Real) -> dict[str, int]:
    return {name: round(now - used[name]) for name, now in cluster.cpu.items()}


def _rounded(run: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 1) if isinstance(value, float) else value for name, value in run.items()}


def _efficiency(made: list[Record], children: dict[str, int]) -> list[Measured]:
    """Fewest: one write for each child that there is, one finalizer and one status for each site."""
    writes = Counter(written(each) for each in made if each.method != "GET")
    news = sum(count for name, count in writes.items() if EVENT.kind in name)
    all_writes = sum(writes.values())
    # The benches' own children were there before, but for those of the MariaDB that the first site asks for.
    fewest = sum(writes[name] for name in writes if name.startswith("create-child"))
    fewest += 2 * SITES
    count = all_writes - news
    turns = sum(_turned(told) for told in _statuses(made).values())
    return [
        Measured(
            "write_efficiency",
            fewest / count,
            "while the sites were created; fewest: one write a child, one finalizer and one status a site; made: all "
            "but Events, of which there is one for each site that becomes Ready, and for trouble",
            {
                "fewest": fewest,
                "made": count,
                "events": news,
                "with_events_as_waste": round(fewest / all_writes, 3),
                "by_kind": dict(writes.most_common()),
                "children": children,
            },
        ),
        Measured(
            "write_efficiency_told",
            (fewest - SITES + turns) / count,
            "the same writes; fewest: a status for each time that a condition of a site became true or false",
            {"statuses_with_a_turn": turns},
        ),
    ]


def _statuses(made: Iterable[Record]) -> dict[str, list[Manifest]]:
    """The statuses that were written of each site, in order, by the path."""
    found: dict[str, list[Manifest]] = {}
    for each in sorted(made, key=lambda each: each.began):
        if each.path.endswith("/status") and f"/{SITE.plural}/" in each.path:
            found.setdefault(each.path, []).append(msgspec.json.decode(each.body)["status"])
    return found


def _turned(statuses: Iterable[Manifest]) -> int:
    """How many of an object's statuses say that a condition is true or false that was not before."""
    turns = 0
    before: dict[str, str] = {}
    for status in statuses:
        now = {each["type"]: each["status"] for each in status["conditions"]}
        turns += now != before
        before = now
    return turns


def written(record: Record) -> str:
    asked = parse_request(api_kinds.ALL.values(), record.method, record.path, record.query, record.headers, record.body)
    assert asked is not None
    if asked.kind in CHILDREN and record.status == 201:
        return f"create-child {asked.kind.kind}"
    return " ".join(filter(None, [asked.verb, asked.kind.kind, asked.subresource, str(record.status)]))


@contextmanager
def _prepared(folder: str) -> Iterator[tuple[Real, dict[str, tuple[str, str]]]]:
    """A fresh cluster in which benches are Ready and sites were just declared, and what each object was given."""
    count = max(1, SITES // SITES_PER_BENCH)
    with real() as cluster:
        cluster.create(namespace(NAMESPACE_OF.format(number)) for number in range(count))
        cluster.create(placed(NAMESPACE_OF.format(number), a_bench(BENCH_OF.format(number))) for number in range(count))
        given = {"kubeconfig": str(cluster.operator), "records": f"{folder}/nothing"}
        run_in_process(operate, core=None, kind=BENCH.plural, count=count, **given)
        cluster.create(_site(number, number // SITES_PER_BENCH) for number in range(SITES))
        yield cluster, cluster.ask(_given)


def _site(number: int, of: int) -> Manifest:
    return placed(NAMESPACE_OF.format(of), a_site(SITE_OF.format(number), BENCH_OF.format(of)))


async def _given(client: Client) -> dict[str, tuple[str, str]]:
    """UID and resourceVersion of every object of ours, by kind and name."""
    found = {}
    for kind in (BENCH, SITE, *CHILDREN):
        async for page in client.pages(kind, metadata_only=True):
            for raw in page.items:
                meta = msgspec.json.decode(raw, type=_Object).metadata
                found[f"{kind.kind} {meta.namespace}/{meta.name}"] = meta.uid, meta.resource_version
    return found


def placed(where: str, obj: Manifest) -> Manifest:
    return {**obj, "metadata": {**obj["metadata"], "namespace": where}}
