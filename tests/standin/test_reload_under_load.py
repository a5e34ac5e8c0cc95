"""Sites come and go at the proxy of a bench while a visitor's requests go through it: none of them fails."""

import contextlib
import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial

import msgspec

from frappe_operator.components import proxy
from frappe_operator.model.bench import Upstream
from tests.standin import doors
from tests.standin.doors import Door, ask
from tests.standin.rootfs import Rootfs, eventually
from tests.unit.resolved_samples import a_bench

STAYS = Upstream("pearl.example.net", "pearl-gunicorn", "pearl.example.net")
SITES = [Upstream(f"s{each}.example.net", f"s{each}-gunicorn", f"s{each}.example.net") for each in range(100)]
STEP = 10
"""Sites of one reload: as those of a second come together in one version of the ConfigMap."""


def config(sites: list[Upstream]) -> dict[str, str]:
    data: dict[str, str] = proxy.config(msgspec.structs.replace(a_bench(), upstreams=(STAYS, *sites)))[0]["data"]
    return data


class Visitor(threading.Thread):
    """Asks one request after the other until it is told to stop. Counts the answers by status, and failures by name."""

    def __init__(self, port: int, keep_alive: bool) -> None:
        super().__init__()
        self.answers: Counter[str] = Counter()
        self._keep_alive = keep_alive
        self._over = threading.Event()
        self._client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def run(self) -> None:
        while not self._over.is_set():
            try:
                self.answers[str(self._ask())] += 1
            except (OSError, http.client.HTTPException) as error:
                self.answers[f"{type(error).__name__} {error}"] += 1
                self._client.close()
            if not self._keep_alive:
                self._client.close()
        self._client.close()

    def stop(self) -> Counter[str]:
        self._over.set()
        self.join()
        return self.answers

    def _ask(self) -> int:
        is_new = self._client.sock is None
        try:
            return self._once()
        except (http.client.RemoteDisconnected, ConnectionError):
            # A server may close an idle connection at any time; RFC 9112 (9.3.1) has the client ask again on a new one.
            self._client.close()
            if is_new:
                raise
            return self._once()

    def _once(self) -> int:
        self._client.request("GET", "/app", headers={"Host": STAYS.host})
        with contextlib.closing(self._client.getresponse()) as answer:
            answer.read()
            return answer.status


@contextlib.contextmanager
def visited(port: int) -> Iterator[list[Visitor]]:
    visitors = [Visitor(port, keep_alive) for keep_alive in (True, True, False, False)]
    for visitor in visitors:
        visitor.start()
    try:
        yield visitors
    finally:
        for visitor in visitors:
            visitor.stop()


def test_no_request_fails_while_a_hundred_sites_come_and_go(rootfs: Rootfs) -> None:
    with doors.names() as names, doors.frappe() as backend:
        door = Door(
            rootfs, {":8080;": f":{backend};", "@NAMESERVER@": f"127.0.0.1:{names}", " /common": " /doors/common"}
        )
        with door.serving(config([])), visited(door.port) as visitors:
            for count in (*range(STEP, 101, STEP), *range(100 - STEP, -1, -STEP)):
                door.configure(config(SITES[:count]))
                eventually(partial(_serves, door, count), "the reload", 30)
            # A host that no nginx would take goes by itself.
            broken = Upstream("s{}.example.net", "s-gunicorn", "s.example.net")
            door.configure(config([broken, *SITES[:1]]))
            eventually(partial(_serves, door, 1), "the others to be served", 30)
        answers = sum((visitor.answers for visitor in visitors), Counter[str]())
        assert set(answers) == {"200"}
        assert answers["200"] > 1000


def _serves(door: Door, count: int) -> bool:
    """Whether the proxy knows just this many of SITES."""
    ends = {each: each < count for each in (count - 1, count) if 0 <= each < len(SITES)}
    return all(_knows(door, SITES[each]) == known for each, known in ends.items())


def _knows(door: Door, site: Upstream) -> bool:
    return ask(door.port, "/healthz", host=site.host).body.decode().strip() == site.site
