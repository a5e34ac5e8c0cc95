"""What must not get worse. Times are only ever compared with other times of the same process."""

import time

import msgspec
import pytest

from benchmark.isolated_process import run_in_process
from benchmark.memory import settled
from benchmark.noop_requests import idle
from benchmark.synthetic_objects import Size, filled
from benchmark.synthetic_server import synthetic
from benchmark.templates import NAMESPACE_OF, SITE_OF
from frappe_operator.api.kinds import SITE
from frappe_operator.kube.kinds import DEPLOYMENT
from frappe_operator.kube.live import OPERATOR_NAME, Workload
from frappe_operator.kube.objects import Key
from frappe_operator.runtime.cache.decoding import Decoder
from frappe_operator.runtime.cache.store import Store
from frappe_operator.runtime.process.engine import WORKERS
from tests.benchmark.operator_in_process import cpu_of_a_start, models, running_operator, server_with

TIMES_PARSING = {"kubectl": 1.2, OPERATOR_NAME: 5}
"""CPU to take an object into the store ÷ to parse its JSON, by who has applied it: ours are verified as they come."""
FEW, MANY = 100, 500
PER_SITE_GROWS = 1.5
"""CPU for each site at MANY ÷ at FEW."""
BEHIND = WORKERS // 2
"""The most reconciles of other sites between an edit and the reconcile of the site that was edited."""
BYTES_PER_CHILD = 1_024
"""Of resident memory after everything was reconciled, a child's share of its site included."""
IN_MEMORY = (500, 2_000)
"""Sites for that: with fewer, what the process takes up while it reads is most of the difference."""
TIMES = 2


@pytest.fixture(scope="module", autouse=True)
def _models() -> None:
    # They come out of a world with an event loop of its own, which cannot run inside a test's.
    models()


@pytest.mark.parametrize(("manager", "times"), TIMES_PARSING.items())
def test_taking_an_object_in_is_cheap_beside_parsing_it(manager: str, times: float) -> None:
    there = filled(models(), Size((100,), bare=True, deployments=2_000))
    ours, its = f'"manager":"{OPERATOR_NAME}"'.encode(), f'"manager":"{manager}"'.encode()
    lines = [
        b'{"type":"ADDED","object":' + each.wire.replace(ours, its) + b"}"
        for each in there.objects[DEPLOYMENT].values()
    ]
    assert all(its in line for line in lines)
    parsing, taking = [], []
    for _ in range(TIMES):
        began = time.process_time()
        for line in lines:
            msgspec.json.decode(line)
        parsing.append(time.process_time() - began)
        store = Store(DEPLOYMENT)
        decoder = Decoder(Workload, cached=store.get)
        began = time.process_time()
        for line in lines:
            told = decoder.event(line)
            assert told is not None
            store.put(told[1])
        taking.append(time.process_time() - began)
        assert len(store) == len(lines)
    assert min(taking) / min(parsing) < times


async def test_a_start_costs_each_site_the_same_however_many_there_are() -> None:
    few = min([await cpu_of_a_start(FEW) for _ in range(TIMES)])
    many = await cpu_of_a_start(MANY)
    assert many / few < PER_SITE_GROWS


def test_a_reconcile_that_changes_nothing_makes_no_request() -> None:
    looks = idle()[0]
    assert {name: asked for name, asked in looks.sizes.items() if asked} == {}


def test_a_child_more_takes_little_memory() -> None:
    taken = []
    for sites in IN_MEMORY:
        with synthetic(sites=sites) as server:
            taken.append((server.ask("objects"), run_in_process(settled, url=server.url, sites=sites)["rss"]))
    (few, before), (many, after) = taken
    children = many["children"] - few["children"]
    assert (after - before) / children < BYTES_PER_CHILD


async def test_what_is_out_of_order_is_found_at_a_start_and_nothing_else_is_written() -> None:
    server = server_with(60)
    async with running_operator(server) as operator:
        await operator.settled()
        assert server.operator_writes() == []
    flipped = set(await server.control("flip", {"every": 37}))
    async with running_operator(server) as operator:
        await operator.settled()
        children = {
            where for _, _, where in server.operator_writes() if where.split()[0] not in ("Event", "FrappeSite")
        }
    assert flipped
    assert children == flipped


async def test_an_edit_goes_before_everything_that_is_merely_resynced() -> None:
    server = server_with(100, 100, 100, 100)
    edited = Key(NAMESPACE_OF.format(3), SITE_OF.format(399))
    async with running_operator(server) as operator:
        await operator.until(lambda: len(operator.reconciled) > WORKERS)
        await server.control("edit", _larger(edited))
        since = len(operator.reconciled)
        await operator.until(lambda: any(_gunicorn(edited) == where for _, _, where in server.operator_writes()))
    assert len(operator.reconciled) - since <= BEHIND


async def test_a_tenant_that_fails_a_lot_is_not_in_the_way_of_others() -> None:
    failing, quiet = NAMESPACE_OF.format(0), Key(NAMESPACE_OF.format(1), SITE_OF.format(200))
    server = server_with(200, 5)
    async with running_operator(server) as operator:
        await operator.settled()
        await server.control("fail", {"namespace": failing})
        flip = {"every": 1, "namespace": failing, "kind": "Deployment", "ending": "-gunicorn"}
        await server.control("flip", flip)
        began = len(operator.reconciled)
        await operator.until(lambda: len(operator.reconciled) > began + WORKERS)
        await server.control("edit", _larger(quiet))
        since = len(operator.reconciled)
        await operator.until(lambda: any(_gunicorn(quiet) == where for _, _, where in server.operator_writes()))
    assert len(operator.reconciled) - since <= BEHIND


def _larger(site: Key) -> dict[str, object]:
    patch = {"spec": {"componentReplicas": {"gunicorn": 4}}}
    return {"kind": SITE.kind, "namespace": site.namespace, "name": site.name, "patch": patch}


def _gunicorn(site: Key) -> str:
    return f"Deployment {site.namespace}/{site.name}-gunicorn"
