"""How often Ready sites are probed: a limit for all sites together, and a shortest interval for each."""

import asyncio
from collections import Counter
from itertools import pairwise

import msgspec

from fakecluster.virtual_time import VirtualLoop
from frappe_operator.api.kinds import SITE, LiveSite
from frappe_operator.kube.kinds import SERVICE, Kind
from frappe_operator.kube.live import Live, Meta, Service, ServiceSpec
from frappe_operator.kube.objects import Key
from frappe_operator.runtime.client.fetch import Answer
from frappe_operator.site.ready_prober import Prober

STATUS = {"resolvedDomain": "", "conditions": [{"type": "Ready", "status": "True"}]}
SPEC = {"benchRef": {"name": "pier"}, "siteName": "pearl.example.net"}


class Sites:
    """The part of `Cluster` that the prober uses, with `count` Ready sites. `requeued`: the sites that it requeued."""

    def __init__(self, count: int) -> None:
        self.sites = {Key("harbour", f"site-{number}"): self.site(f"site-{number}") for number in range(count)}
        self.requeued: list[Key] = []

    def site(self, name: str) -> LiveSite:
        status = {**STATUS, "resolvedDomain": f"{name}.example.net"}
        meta = Meta(name=name, namespace="harbour")
        return LiveSite(meta, msgspec.Raw(msgspec.json.encode(SPEC)), msgspec.Raw(msgspec.json.encode(status)))

    def all(self, kind: Kind) -> list[LiveSite]:
        return list(self.sites.values())

    def get(self, kind: Kind, namespace: str, name: str) -> Live | None:
        if kind is SERVICE:
            return Service(Meta(name=name, namespace=namespace), ServiceSpec("10.0.0.1"))
        return self.sites.get(Key(namespace, name))

    def requeue(self, kind: Kind, key: Key) -> None:
        assert kind is SITE
        self.requeued.append(key)


def probe_times(sites: Sites, seconds: float, silent: float = 0.0) -> list[tuple[float, str]]:
    """Virtual time and host of each probe in `seconds`. `silent`: seconds until every response, which is then a
    failure."""
    loop, times = VirtualLoop(), list[tuple[float, str]]()

    async def fetch(url: str, host: str) -> Answer:
        times.append((loop.time(), host))
        assert url == "http://10.0.0.1:8080/api/method/ping"
        if silent:
            await asyncio.sleep(silent)
        return Answer(0 if silent else 200, "")

    task = loop.create_task(Prober(fetch).run(sites, lambda: 0.5))  # type: ignore[arg-type]
    loop.drive(asyncio.sleep(seconds))
    assert not task.done()
    loop.finish()
    return times


def test_ten_thousand_sites_are_probed_ten_a_second_each_once_in_seventeen_minutes() -> None:
    sites = Sites(10_000)
    times = probe_times(sites, 30 + 999.95)
    assert len(times) == len({host for _, host in times}) == 10_000
    assert max(Counter(int(when) for when, _ in times).values()) <= 11
    assert sites.requeued == []


def test_a_few_sites_are_probed_once_a_minute_and_not_in_a_burst() -> None:
    times = probe_times(Sites(6), 30 + 600)
    assert 59 <= len(times) <= 61
    assert all(later - sooner > 9 for (sooner, _), (later, _) in pairwise(times))


def test_silent_sites_do_not_hold_up_the_probes_of_others() -> None:
    sites = Sites(600)
    times = probe_times(sites, 30 + 65, silent=2)
    assert len(times) >= 600
    assert set(sites.requeued) == set(sites.sites)


def test_a_site_that_is_being_deleted_is_not_probed() -> None:
    sites = Sites(2)
    for site in sites.sites.values():
        site.metadata.deletion_timestamp = "2026-01-01T00:00:00Z"
    assert probe_times(sites, 600) == []
