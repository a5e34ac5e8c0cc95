"""What the proxy of a bench answers itself: redirects, and pages for hosts and sites that have none. The real nginx."""

import contextlib
import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from frappe_operator.components import gunicorn, pages, proxy
from frappe_operator.model.bench import Upstream
from frappe_operator.model.proxy import Limits
from tests.standin import doors
from tests.standin.doors import Door, ask
from tests.standin.rootfs import FRAPPE, Rootfs, eventually, free_port
from tests.standin.web import Answer
from tests.unit.resolved_samples import a_bench, a_site

SITE, ALIAS, OLD, PLAIN = "pearl.example.net", "www.example.net", "old.example.net", "plain.example.net"
HTTP, HTTPS = {"X-Forwarded-Proto": "http"}, {"X-Forwarded-Proto": "https"}


def upstream(host: str, **more: Any) -> Upstream:
    return Upstream(host, "pearl-gunicorn", SITE, **more)


UPSTREAMS = (
    upstream(ALIAS, https=True, hsts_max_age=600),
    upstream(OLD, redirect=SITE, https=True),
    upstream("older.example.net", redirect=PLAIN),
    upstream(SITE, https=True, hsts_max_age=600),
    upstream(PLAIN),
    # Another site, and wildcards of both.
    upstream("*.example.net", https=True),
    upstream("*.away.example.net", redirect=SITE),
    *(Upstream(host, "gull-gunicorn", "gull.example.net") for host in ("*.shop.example.net", "gull.shop.example.com")),
    Upstream("*.shop.example.com", "pearl-gunicorn", SITE),
)


@pytest.fixture(scope="module")
def make_door(rootfs: Rootfs) -> Iterator[Callable[[int], Door]]:
    """A proxy whose sites are at this port."""
    with doors.names() as names:
        here = {"@NAMESERVER@": f"127.0.0.1:{names}", " /common": " /doors/common"}
        yield lambda upstream: Door(rootfs, {":8080;": f":{upstream};", **here})


@pytest.fixture(scope="module")
def config() -> dict[str, str]:
    bench = msgspec.structs.replace(a_bench(), upstreams=UPSTREAMS)
    data: dict[str, str] = proxy.config(bench)[0]["data"]
    return data


@pytest.fixture(scope="module")
def door(make_door: Callable[[int], Door], config: dict[str, str]) -> Iterator[Door]:
    with doors.frappe() as backend:
        door = make_door(backend)
        with door.serving(config):
            yield door


REDIRECTS = [
    (SITE, HTTP, f"https://{SITE}"),
    (SITE.upper() + ":80", HTTP, f"https://{SITE}"),
    (ALIAS, HTTP, f"https://{ALIAS}"),
    (OLD, HTTP, f"https://{SITE}"),
    (OLD, HTTPS, f"https://{SITE}"),
    (OLD, {}, f"https://{SITE}"),
    ("older.example.net", HTTP, f"http://{PLAIN}"),
    ("older.example.net", HTTPS, f"https://{PLAIN}"),
]


@pytest.mark.parametrize(("host", "headers", "target"), REDIRECTS)
@pytest.mark.parametrize("path", ["/", "/app?a=1&b=%2F", "//evil.example.com/x", "/assets/frappe/x.js", "/a%0d%0ab"])
def test_visitors_are_sent_to_https_and_to_the_primary_host(
    door: Door, host: str, headers: dict[str, str], target: str, path: str
) -> None:
    answer = ask(door.port, path, host=host, headers=headers)
    assert (answer.status, answer.headers["Location"]) == (308, f"{target}{path}")
    assert answer.headers["Cache-Control"] == "max-age=300"
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize(
    ("host", "headers"),
    [(SITE, HTTPS), (SITE, {}), (SITE, {"X-Forwarded-Proto": "gopher"}), (PLAIN, HTTP), (PLAIN, HTTPS), (ALIAS, HTTPS)],
)
def test_everybody_else_is_served(door: Door, host: str, headers: dict[str, str]) -> None:
    answer = ask(door.port, "/app", host=host, headers=headers)
    assert answer.status == 200
    expected = "max-age=600" if headers == HTTPS and host != PLAIN else None
    assert answer.headers["Strict-Transport-Security"] == expected


def test_probes_of_the_operator_are_never_sent_elsewhere(door: Door) -> None:
    for host in (SITE, OLD):
        assert ask(door.port, "/healthz", host=host, headers=HTTP).body.decode().strip() == SITE
        assert ask(door.port, proxy.UPGRADING_PATH, host=host, headers=HTTP).status == 200


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("any.example.net", SITE),
        ("ANY.Example.net.:8080", SITE),
        ("any.shop.example.net", "gull.example.net"),
        ("shop.example.net", SITE),
        ("any.shop.example.com", SITE),
        ("gull.shop.example.com", "gull.example.net"),
        ("_.shop.example.net", "gull.example.net"),
        *((host, "-") for host in ("a.b.example.net", "a.any.shop.example.net", "example.net", ".example.net", "_")),
        *((host, "-") for host in ("shop.example.com", "any.shop.example.com.evil.example", "xexample.net")),
    ],
)
def test_a_wildcard_is_for_hosts_one_label_below_that_have_no_entry_of_their_own(
    door: Door, host: str, site: str
) -> None:
    assert ask(door.port, "/healthz", host=host).body.decode().strip() == site
    assert (ask(door.port, "/app", host=host, headers=HTTPS).status == 404) == (site == "-")


def test_redirects_of_wildcards_keep_the_host_or_lead_to_the_primary_one(door: Door) -> None:
    to_https = ask(door.port, "/app?a=1", host="Any.example.net", headers=HTTP)
    assert (to_https.status, to_https.headers["Location"]) == (308, "https://any.example.net/app?a=1")
    away = ask(door.port, "/app", host="any.away.example.net", headers=HTTPS)
    assert (away.status, away.headers["Location"]) == (308, f"https://{SITE}/app")


def assert_gives_nothing_away(answer: Answer) -> None:
    assert "text/html" in answer.headers["Content-Type"]
    assert "nginx" not in answer.body.decode() + str(answer.headers["Server"] or "").replace("nginx", "", 1)


@pytest.mark.parametrize("host", ["nobody.example.org", "127.0.0.1", "pearl.example.net.evil.example.com"])
@pytest.mark.parametrize("path", ["/", "/assets/frappe/x.js"])
def test_a_host_that_no_site_has_gets_a_plain_page(door: Door, host: str, path: str) -> None:
    answer = ask(door.port, path, host=host, headers=HTTP)
    assert (answer.status, "nothing at this address" in answer.body.decode()) == (404, True)
    assert_gives_nothing_away(answer)


@pytest.mark.parametrize("path", ["/", "/assets/frappe/x.js", "/api/method/ping"])
def test_a_site_that_is_down_says_so_and_when_to_come_back(
    make_door: Callable[[int], Door], config: dict[str, str], path: str
) -> None:
    door = make_door(free_port())
    with door.serving(config):
        answer = ask(door.port, path)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "15")
        assert answer.headers["Cache-Control"] == "no-store"
        assert "does not respond at the moment" in answer.body.decode()
        assert_gives_nothing_away(answer)


def test_a_front_door_without_gunicorn_says_the_same(rootfs: Rootfs) -> None:
    here = {
        gunicorn.LOOPBACK: f"127.0.0.1:{free_port()}",
        "@NAMESERVER@": f"127.0.0.1:{free_port()}",
    }
    door = Door(rootfs, here, FRAPPE)
    with door.serving({"nginx.conf": gunicorn.conf(a_site())}):
        answer = ask(door.port, "/app")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "15")
        assert ask(door.port, "/-/alive").status == 502


def test_requests_are_logged_as_json_with_their_names(door: Door) -> None:
    name = "0123abcd-from-the-client"
    got = ask(door.port, "/logged?sid=SECRET", headers={"X-Request-Id": name, **HTTPS}).json()
    assert got["x-request-id"] == name
    forged = ask(door.port, "/logged", headers={"X-Request-Id": 'x" "y', **HTTPS}).json()
    assert len(forged["x-request-id"]) == 32

    def logged() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in door.said().splitlines() if line.startswith("{")]
        return [line for line in lines if line["path"] == "/logged"]

    eventually(lambda: len(logged()) == 2, "both requests to be logged", 10)
    assert [line["request"] for line in logged()] == [name, forged["x-request-id"]]
    assert [(line["host"], line["status"], line["method"]) for line in logged()] == 2 * [(SITE, 200, "GET")]
    assert "SECRET" not in door.said()


def test_the_first_hop_that_refuses_a_body_is_the_sites_and_says_413(
    rootfs: Rootfs, make_door: Callable[[int], Door]
) -> None:
    """The proxy lets through what its most generous site does; the front door has the limit of its own site."""
    with doors.frappe() as backend:
        here = {gunicorn.LOOPBACK: f"127.0.0.1:{backend}", "@NAMESERVER@": f"127.0.0.1:{free_port()}"}
        front, generous = Door(rootfs, here, FRAPPE), upstream(PLAIN, limits=Limits(8 * 2**20, 120))
        bench = msgspec.structs.replace(a_bench(), upstreams=(upstream(SITE, limits=Limits(2**20, 120)), generous))
        outer = make_door(front.port)
        with (
            front.serving({"nginx.conf": gunicorn.conf(a_site(proxy={"bodySize": "1Mi"}))}),
            outer.serving(proxy.config(bench)[0]["data"]),
        ):
            assert sent(outer, 2**20 - 1)[0] == 200
            assert sent(outer, 2 * 2**20) == (413, pages.larger_than(2**20))
            assert "larger than the 1 MiB that" in pages.larger_than(2**20)
            assert sent(outer, 9 * 2**20) == (413, pages.larger_than(2**20))
            assert sent(outer, 51 * 2**20) == (413, pages.TOO_LARGE)


def sent(door: Door, size: int) -> tuple[int, str]:
    """The status of a POST with a body of this size, which is sent as far as it is taken, and the page."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", door.port, timeout=30)) as client:
        client.putrequest("POST", "/api/method/upload_file", skip_host=True)
        client.putheader("Host", SITE)
        client.putheader("Content-Length", str(size))
        client.endheaders()
        with contextlib.suppress(ConnectionError):
            for _ in range(0, size, 2**16):
                client.send(b"x" * min(2**16, size))
        answer = client.getresponse()
        return answer.status, answer.read().decode()
