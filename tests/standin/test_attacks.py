"""Attacks by spellings: hosts, paths and headers, through the real proxy and front doors of two sites.

Each request is served as exactly the site of its host, or refused: never as the other site, with a file of another
site, or with a header that only this side may set.
"""

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest

from frappe_operator.components import frappe, gunicorn, proxy
from frappe_operator.model.bench import Upstream
from tests.standin import doors
from tests.standin.doors import Door
from tests.standin.rootfs import FRAPPE, Rootfs, free_port
from tests.unit.resolved_samples import a_bench, a_site

PEARL, GULL, NOBODY, REFUSED = "pearl.example.net", "gull.example.net", "nobody", "refused"
WILD = "*.shop.example.net"
VIEW = "/doors/attacked"
SECRET = "content of "


@pytest.fixture(scope="module")
def front_doors(rootfs: Rootfs) -> Iterator[dict[str, Door]]:
    """The front doors of both sites, by site, each with files of its own and a Frappe of its own."""
    with contextlib.ExitStack() as stack:
        found = {}
        for name in (PEARL, GULL):
            here = {
                gunicorn.LOOPBACK: f"127.0.0.1:{stack.enter_context(doors.frappe())}",
                frappe.SITES: f"{VIEW}/{name}",
                "@NAMESERVER@": f"127.0.0.1:{free_port()}",
            }
            for path in ("public/files/open.txt", "private/files/secret.txt", "site_config.json", "../apps.txt"):
                place = rootfs.inside(f"{VIEW}/{name}/{name}/{path}")
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(f"{SECRET}{name} {path}")
            for folder in (rootfs.inside("/doors"), *rootfs.inside(VIEW).rglob("*"), rootfs.inside(VIEW)):
                folder.chmod(0o755)
            door = Door(rootfs, here, FRAPPE)
            site = a_site(name.partition(".")[0], siteName=name)
            stack.enter_context(door.serving({"nginx.conf": gunicorn.conf(site)}))
            found[name] = door
        yield found


@pytest.fixture(scope="module")
def door(rootfs: Rootfs, front_doors: dict[str, Door]) -> Iterator[Door]:
    """The proxy in front of both sites."""
    ports = " ".join(f"{name.partition('.')[0]}-gunicorn {each.port};" for name, each in front_doors.items())
    with doors.names() as names:
        here = {
            ":8080;": ":$door;",
            "\n  server {": f"\n  map $frappe_service $door {{ {ports} }}\n  server {{",
            "@NAMESERVER@": f"127.0.0.1:{names}",
            " /common": " /doors/common",
        }
        proxy_door = Door(rootfs, here)
        upstreams = tuple(
            Upstream(host, f"{site.partition('.')[0]}-gunicorn", site)
            for host, site in ((GULL, GULL), (PEARL, PEARL), ("www.example.net", PEARL), (WILD, GULL))
        )
        bench = msgspec.structs.replace(a_bench(), upstreams=upstreams)
        with proxy_door.serving(proxy.config(bench)[0]["data"]):
            yield proxy_door


class Response(NamedTuple):
    status: int
    text: str

    @property
    def got(self) -> dict[str, str]:
        """What Frappe was asked."""
        found: dict[str, str] = json.loads(self.text)
        return found

    @property
    def served(self) -> str:
        """As which site Frappe was asked; otherwise NOBODY or REFUSED."""
        if self.text.startswith("{"):
            return self.got["x-frappe-site-name"]
        return REFUSED if self.status == 400 else NOBODY


def sent(port: int, request: bytes) -> Response:
    """The response to exactly these bytes. A server that hangs up has refused them."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        answer = http.client.HTTPResponse(connection)
        try:
            answer.begin()
        except (http.client.HTTPException, OSError):
            return Response(400, "")
        return Response(answer.status, answer.read().decode(errors="replace"))


def request(path: str = "/app", *headers: str, host: str = PEARL) -> bytes:
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", *headers, "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1")


HOSTS: list[tuple[str, str]] = [
    # One host in many spellings.
    ("pearl.example.net", PEARL),
    ("PEARL.EXAMPLE.NET", PEARL),
    ("pearl.example.net.", PEARL),
    ("pearl.example.net:80", PEARL),
    ("pearl.example.net:443", PEARL),
    ("Pearl.Example.Net.:8080", PEARL),
    ("pearl.example.net:", PEARL),
    ("  pearl.example.net  ", PEARL),
    ("\tpearl.example.net\t", REFUSED),
    ("www.example.net", PEARL),
    ("gull.example.net", GULL),
    ("a.shop.example.net", GULL),
    ("A.SHOP.example.net.:443", GULL),
    ("xn--bcher-kva.shop.example.net", GULL),
    ("_.shop.example.net", GULL),
    ("a_b.shop.example.net", GULL),
    ("pearl.shop.example.net", GULL),
    # A port that is none: the name alone decides.
    ("pearl.example.net:gull.example.net", PEARL),
    ("pearl.example.net:80@gull.example.net", PEARL),
    ("pearl.example.net:99999999", PEARL),
    ("pearl.example.net:-1", PEARL),
    # Hosts that no site has.
    ("", REFUSED),
    (".", REFUSED),
    ("..", REFUSED),
    (".pearl.example.net", NOBODY),
    ("pearl.example.net..", REFUSED),
    ("pearl..example.net", REFUSED),
    (".shop.example.net", NOBODY),
    ("shop.example.net", NOBODY),
    ("a.b.shop.example.net", NOBODY),
    ("pearl", NOBODY),
    ("example.net", NOBODY),
    ("pearl.example.net.evil.example.com", NOBODY),
    ("evil.example.com.pearl.example.net", NOBODY),
    ("xpearl.example.net", NOBODY),
    ("pearl-gunicorn", NOBODY),
    ("pearl-gunicorn.harbour.svc.cluster.local", NOBODY),
    ("localhost", NOBODY),
    ("default", NOBODY),
    ("include", NOBODY),
    ("hostnames", NOBODY),
    ("volatile", NOBODY),
    # What looks like a pattern is none.
    ("*", NOBODY),
    ("*.example.net", NOBODY),
    ("pearl.*", NOBODY),
    ("~pearl", NOBODY),
    ("~^pearl.example.net$", NOBODY),
    ("$host", NOBODY),
    # Somebody in front of the name, or more behind it.
    ("gull.example.net@pearl.example.net", NOBODY),
    ("pearl.example.net@gull.example.net", NOBODY),
    ("pearl.example.net/gull.example.net", REFUSED),
    ("pearl.example.net\\gull.example.net", NOBODY),
    ("pearl.example.net?gull.example.net", NOBODY),
    ("pearl.example.net#gull.example.net", NOBODY),
    ("pearl.example.net gull.example.net", REFUSED),
    ("pearl.example.net\tgull.example.net", REFUSED),
    ("pearl.example.net,gull.example.net", NOBODY),
    ("pearl.example.net;gull.example.net", NOBODY),
    ("http://pearl.example.net", REFUSED),
    # Other ways to write it.
    ("pearl%2eexample%2enet", NOBODY),
    ("pearl.example.net%00", NOBODY),
    ("pearl.example.net\0", REFUSED),
    ("pearl.example.net\x7f", REFUSED),
    ("\x01pearl.example.net", REFUSED),
    ("pe\xe4rl.example.net", NOBODY),
    ("\xef\xbd\x90earl.example.net", NOBODY),
    ("pearl\xe3\x80\x82example\xe3\x80\x82net", NOBODY),
    ("xn--pearl-.example.net", NOBODY),
    # Addresses.
    ("127.0.0.1", NOBODY),
    ("2130706433", NOBODY),
    ("[::1]", NOBODY),
    ("[::1]:8080", NOBODY),
    ("[pearl.example.net]", NOBODY),
    ("[::1", NOBODY),
    ("::1", REFUSED),
    # Length.
    ("a" * 63 + ".shop.example.net", GULL),
    ("a." * 120 + "shop.example.net", NOBODY),
    ("a" * 300 + ".example.net", NOBODY),
    ("a" * 9000, REFUSED),
]


@pytest.mark.parametrize(("host", "site"), HOSTS, ids=[repr(host)[:60] for host, _ in HOSTS])
def test_a_host_is_served_as_its_site_however_it_is_spelled(door: Door, host: str, site: str) -> None:
    answer = sent(door.port, request(host=host))
    assert answer.served == site, answer
    if site in (PEARL, GULL):
        name, _, port = answer.got["host"].partition(":")
        assert name == host.strip().lower().partition(":")[0].rstrip("."), "Frappe makes links of it"
        assert port == "" or port.isdigit()
    else:
        assert sent(door.port, request("/assets/frappe/x.js", host=host)).served == site


RAW: list[tuple[bytes, str]] = [
    # What the first line says takes precedence over the header.
    (b"GET http://pearl.example.net/app HTTP/1.1\r\nHost: gull.example.net\r\n", PEARL),
    (b"GET HTTP://PEARL.example.net:80/app HTTP/1.1\r\nHost: gull.example.net\r\n", PEARL),
    (b"GET http://gull.example.net/app HTTP/1.1\r\nHost: pearl.example.net\r\n", GULL),
    (b"GET http://nobody.example.org/app HTTP/1.1\r\nHost: pearl.example.net\r\n", NOBODY),
    (b"GET http://gull.example.net@pearl.example.net/app HTTP/1.1\r\nHost: pearl.example.net\r\n", REFUSED),
    (b"GET http:///app HTTP/1.1\r\nHost: pearl.example.net\r\n", REFUSED),
    (b"GET //gull.example.net/app HTTP/1.1\r\nHost: pearl.example.net\r\n", PEARL),
    (b"GET pearl.example.net/app HTTP/1.1\r\nHost: gull.example.net\r\n", REFUSED),
    # Two hosts, and headers that are folded or misspelled.
    (b"GET /app HTTP/1.1\r\nHost: pearl.example.net\r\nHost: gull.example.net\r\n", REFUSED),
    (b"GET /app HTTP/1.1\r\nHost: pearl.example.net\r\nhost: pearl.example.net\r\n", REFUSED),
    (b"GET /app HTTP/1.1\r\nHost: pearl.example.net\r\n gull.example.net\r\n", REFUSED),
    (b"GET /app HTTP/1.1\r\nHost : gull.example.net\r\nHost: pearl.example.net\r\n", REFUSED),
    (b"GET /app HTTP/1.1\r\nHost:gull.example.net\r\n", GULL),
    (b"GET /app HTTP/1.1\r\n", REFUSED),
    (b"GET /app HTTP/1.0\r\n", NOBODY),
    (b"GET /app HTTP/1.0\r\nHost: gull.example.net\r\n", GULL),
    # Two requests in one: the second is a body, or nothing at all.
    (b"GET /app HTTP/1.1\r\nHost: pearl.example.net\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n", REFUSED),
    (b"GET /app HTTP/1.1\r\nHost: pearl.example.net\r\nContent-Length: 4\r\nContent-Length: 5\r\n", REFUSED),
    (b"GET /app HTTP/1.1\r\nHost: pearl.example.net\r\nTransfer-Encoding: xchunked\r\n", REFUSED),
]


@pytest.mark.parametrize(("raw", "site"), RAW, ids=[repr(raw)[2:90] for raw, _ in RAW])
def test_a_request_names_one_host_and_is_served_as_its_site(door: Door, raw: bytes, site: str) -> None:
    answer = sent(door.port, raw + b"Connection: close\r\n\r\n")
    served = NOBODY if answer.status == 501 and site == REFUSED else answer.served
    assert served == (NOBODY if answer.status == 501 else site), answer
    if site in (PEARL, GULL):
        assert answer.got["host"].partition(":")[0] == site


OURS = ["/-/alive", "/-/yes", "/-/", "//-/alive", "/%2d/alive", "/./-/alive", "/x/../-/alive", "/-%2falive", "/-//yes"]


@pytest.mark.parametrize("path", OURS)
def test_what_is_for_the_kubelet_alone_is_not_there_for_visitors(door: Door, path: str) -> None:
    assert sent(door.port, request(path)).status == 404


TRICKS = [
    *OURS,
    *("/protected/private/files/secret.txt", "/protected/site_config.json", "//protected/site_config.json"),
    *("/%70rotected/site_config.json", "/./protected/site_config.json", "/x/../protected/site_config.json"),
    *("/protected%2fsite_config.json", "/protected/..%2f..%2fgull.example.net/site_config.json", "/PROTECTED/x"),
    *("/site_config.json", "/pearl.example.net/site_config.json", "/gull.example.net/public/files/open.txt"),
    *("/files/../site_config.json", "/files/../../site_config.json", "/files/%2e%2e/%2e%2e/site_config.json"),
    *(
        "/files/..%2f..%2fsite_config.json",
        "/files/..%5c..%5csite_config.json",
        "/files/%252e%252e%252fsite_config.json",
    ),
    *("/files/....//....//site_config.json", "/files/..;/site_config.json", "/files/.%00./site_config.json"),
    *("/files/open.txt%00.png", "/files/open.txt%00/../../site_config.json", "/files/%c0%ae%c0%ae/site_config.json"),
    *("/files/../private/files/secret.txt%00", "/files//../../apps.txt", "/assets/../apps.txt"),
    *("/assets/..%2fapps.txt", "/assets/../pearl.example.net/site_config.json", "/assets/%2e%2e/apps.txt"),
    *("/assets/..%2f..%2f..%2fetc/passwd", "/assets/....//apps.txt", "/assets/frappe/..%2f..%2fapps.txt"),
    *("/socket.io/../protected/site_config.json", "/socket.io/..%2fprotected/site_config.json"),
    *("/../../../../etc/passwd", "/..%2f..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..\\..\\etc\\passwd"),
    *("/\\pearl.example.net\\site_config.json", "/files/open.txt/../../../site_config.json", "/files/./.././x"),
]


@pytest.mark.parametrize("path", TRICKS)
def test_no_path_leads_to_a_file_that_is_not_public(door: Door, front_doors: dict[str, Door], path: str) -> None:
    for port in (door.port, front_doors[PEARL].port):
        answer = sent(port, request(path))
        assert SECRET not in answer.text
        assert "root:" not in answer.text
        # What is left is Frappe's to answer, as this site. The kubelet may ask a front door whether Frappe is alive.
        asked = {PEARL, NOBODY, REFUSED} | ({"alive.invalid"} if port != door.port else set())
        assert answer.served in asked


@pytest.mark.parametrize("path", ["/files/../private/files/secret.txt", "/files/%2e%2e/private/files/secret.txt"])
def test_a_private_file_is_given_away_by_frappe_alone(door: Door, path: str) -> None:
    """Whoever asks in a roundabout way asks Frappe, which checks the path that it is told."""
    answer = sent(door.port, request(path))
    assert answer.served == PEARL or answer.text == f"{SECRET}{PEARL} private/files/secret.txt"
    plain = sent(door.port, request("/private/files/secret.txt"))
    assert plain.text == f"{SECRET}{PEARL} private/files/secret.txt"


FORGED = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Host": GULL,
    "X-Forwarded-Server": GULL,
    "X-Forwarded-Port": "1",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Scheme": "https",
    "X-Forwarded-Protocol": "ssl",
    "X-Forwarded-Ssl": "on",
    "X-Forwarded-Proto": "gopher",
    "Forwarded": f"for=203.0.113.7;host={GULL};proto=https",
    "X-Real-IP": "203.0.113.7",
    "X-Client-IP": "203.0.113.7",
    "X-Original-URL": "/evil",
    "X-Rewrite-URL": "/evil",
    "X-Original-Host": GULL,
    "X-Host": GULL,
    "X-Frappe-Site-Name": GULL,
    "x-frappe-site-name": GULL,
    "X_Frappe_Site_Name": GULL,
    "X-Accel-Redirect": "/protected/site_config.json",
    "X-Accel-Buffering": "no",
    "X-Accel-Expires": "99",
    "X-Sendfile": "/etc/passwd",
    "X-Use-X-Accel-Redirect": "no",
    "SCRIPT_NAME": "/evil",
    "Proxy": "http://evil.example.com",
    "Front-End-Https": "on",
}
SET_BY_US = {
    "x-frappe-site-name": PEARL,
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-proto": "http",
    "x-use-x-accel-redirect": "True",
    "host": PEARL,
}


@pytest.mark.parametrize("header", FORGED)
def test_a_header_that_only_this_side_may_set_never_reaches_frappe(door: Door, header: str) -> None:
    for headers in ([header], [header, header], [*FORGED]):
        answer = sent(door.port, request("/app", *(f"{each}: {FORGED[each]}" for each in headers)))
        if answer.status == 400:
            continue
        got = answer.got
        assert {name: got[name] for name in SET_BY_US} == SET_BY_US
        forged = set(FORGED.values()) & {value for name, value in got.items() if name not in SET_BY_US}
        assert not forged, got


def test_a_front_door_that_is_asked_directly_sets_them_as_well(front_doors: dict[str, Door]) -> None:
    """By a pod of the cluster: the address and scheme that the bench's proxy says are believed."""
    headers = {name: value for name, value in FORGED.items() if name not in ("X-Forwarded-For", "X-Forwarded-Proto")}
    got = sent(front_doors[PEARL].port, request("/app", *(f"{name}: {value}" for name, value in headers.items()))).got
    assert {name: got[name] for name in SET_BY_US} == SET_BY_US
    assert not set(FORGED.values()) & {value for name, value in got.items() if name not in SET_BY_US}


def test_connections_that_are_reused_change_the_site_with_each_request(door: Door) -> None:
    with socket.create_connection(("127.0.0.1", door.port), timeout=30) as connection:
        for host in (PEARL, GULL, "nobody.example.org", PEARL):
            connection.sendall(f"GET /app HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            body: Any = answer.read()
            found = json.loads(body)["x-frappe-site-name"] if body.startswith(b"{") else NOBODY
            assert found == (host if host in (PEARL, GULL) else NOBODY)
