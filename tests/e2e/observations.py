"""What a site is like while and after something is done to it: the answers its visitors get, and its tables."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException

from frappe_operator.components import pages
from tests.e2e.namespace import Namespace


class Visits:
    """What visitors of one site saw."""

    def __init__(self) -> None:
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.wrong: list[str] = []
        self.maintenance: list[float] = []
        """When the maintenance page was seen, in seconds."""
        self.assets: Counter[str] = Counter()
        """How often each asset was served."""


@contextmanager
def visiting(namespace: Namespace, bench: str, hosts: dict[str, str]) -> Iterator[dict[str, Visits]]:
    """Asks each site, at its host, twice a second for its login page and for all assets that a page of any site has
    named: a browser may have the page of one release when the site runs another."""
    seen = {site: Visits() for site in hosts}
    done = threading.Event()
    known: dict[str, None] = {}

    def ask(site: str) -> None:
        visitor, visits = namespace.visitor(bench, hosts[site]), seen[site]
        while not done.wait(0.5):
            page = visitor.get("/login")
            visits.statuses["page", page.status] += 1
            if page.status == 503 and "Retry-After" in page.headers and pages.UPDATING in page.body:
                visits.maintenance.append(time.monotonic())
            elif page.status == 200:
                known.update(dict.fromkeys(named_assets(page.body)))
            else:
                visits.wrong.append(f"/login: {page.status} {page.body[:200]}")
            for asset in list(known):
                answer = visitor.get(asset)
                visits.statuses["asset", answer.status] += 1
                if answer.status == 200:
                    visits.assets[asset] += 1
                else:
                    visits.wrong.append(f"{asset}: {answer.status}")

    with _running([threading.Thread(target=ask, args=(site,)) for site in hosts], done):
        yield seen


@contextmanager
def under_load(namespace: Namespace, bench: str, host: str, clients: int) -> Iterator[Counter[str]]:
    """Asks a site for a ping as fast as it answers, by so many clients at a time: how often it answered what."""
    seen: Counter[str] = Counter()
    done = threading.Event()

    def ask() -> None:
        visitor = namespace.visitor(bench, host)
        while not done.is_set():
            try:
                seen[str(visitor.get("/api/method/ping").status)] += 1
            except (OSError, HTTPException) as error:
                seen[repr(error)] += 1

    with _running([threading.Thread(target=ask) for _ in range(clients)], done):
        yield seen


@contextmanager
def _running(threads: Sequence[threading.Thread], done: threading.Event) -> Iterator[None]:
    """The threads run until the block ends, when they are told by `done`."""
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


def named_assets(page: str) -> list[str]:
    """The built assets that a page names. What lies in node_modules is not published: the site's own pods serve it."""
    found = [part.split('"')[0] for part in page.split('="') if part.startswith("/assets/")]
    return [each for each in found if "/dist/" in each]


def tables(namespace: Namespace, bench: str, site: str) -> dict[str, str]:
    """The checksum of each table in the database of a site, by name."""
    template = "{{.data.%s | base64decode}}"
    user, password = (
        namespace.run("get", "secret", f"{site}-db-connection", f"--template={template % key}")
        for key in ("username", "password")
    )
    options = f'[client]\nuser={user}\npassword="{password}"\ndatabase={user}\n'
    client = ["exec", "-i", f"{bench}-mariadb-0", "--", "mariadb", "--defaults-extra-file=/dev/stdin", "--batch", "-N"]

    def ask(statement: str) -> str:
        return namespace.run(*client, f"--execute={statement}", given=options)

    names = ask("SHOW TABLES").splitlines()
    checksums = ask("CHECKSUM TABLE " + ", ".join(f"`{name}`" for name in names)).splitlines()
    return {name.partition(".")[2]: checksum for name, checksum in (line.split("\t") for line in checksums)}
