"""The bench's proxy and a site's front door: the real nginx with its own script and configuration."""

import contextlib
import itertools
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from frappe_operator.components import frappe, gunicorn, nginx, pages, proxy
from frappe_operator.components.nginx import WORD_HEADER
from frappe_operator.model.bench import Upstream
from frappe_operator.model.layer import Layer
from tests.standin import doors
from tests.standin.doors import DIGEST, WORD, Door, ask
from tests.standin.rootfs import FRAPPE, Rootfs, eventually, free_port
from tests.unit.resolved_samples import a_bench, a_site

SITE = "pearl.example.net"
VIEW = "/doors/sites"
HASHED = "desk.bundle.JRGR2ZHE.js"


@pytest.fixture(scope="module")
def backend() -> Iterator[int]:
    with doors.frappe() as port:
        yield port


@pytest.fixture(scope="module")
def front(rootfs: Rootfs, backend: int) -> Iterator[Door]:
    """A site's front door, with some files of the site and assets of the image."""
    for path in ("files/report.html", "files/notes.txt", "files/logo.svg", "files/deep/index.html", "robots.html"):
        _file(rootfs, f"{VIEW}/{SITE}/public/{path}")
    _file(rootfs, f"{VIEW}/{SITE}/private/files/report.html")
    for path in (
        "js/desk.bundle.js",
        "js/desk.bundle.original.js",
        f"js/{HASHED}",
        f"css/{HASHED}.map",
        "images/logo.png",
        "js/page.html",
    ):
        _file(rootfs, f"{VIEW}/assets/frappe/dist/{path}")
    door = Door(rootfs, _front_here(backend, free_port()), FRAPPE)
    with door.serving({"nginx.conf": gunicorn.conf(a_site())}):
        yield door


def _front_here(backend: int, socketio: int) -> dict[str, str]:
    return {
        gunicorn.LOOPBACK: f"127.0.0.1:{backend}",
        frappe.SITES: VIEW,
        "@NAMESERVER@": f"127.0.0.1:{free_port()}",
        "http://pearl-socketio.harbour.svc.@CLUSTER_DOMAIN@:9000": f"http://127.0.0.1:{socketio}",
    }


def _file(rootfs: Rootfs, path: str, text: str = "") -> None:
    rootfs.folder("/doors")
    rootfs.folder(path.rpartition("/")[0])
    rootfs.inside(path).write_text(text or f"content of {path}")


def _proxy_here(upstream: int, names: int) -> dict[str, str]:
    return {":8080;": f":{upstream};", "@NAMESERVER@": f"127.0.0.1:{names}", " /common": " /doors/common"}


@pytest.fixture
def make_proxy(rootfs: Rootfs) -> Iterator[Callable[[int], Door]]:
    with doors.names() as names:
        yield lambda upstream: Door(rootfs, _proxy_here(upstream, names))


# --- Realtime

ORIGINS = [
    (None, "pearl.example.net", True),
    ("https://pearl.example.net", "pearl.example.net", True),
    ("http://pearl.example.net", "pearl.example.net", True),
    ("https://PEARL.example.net", "pearl.example.net", True),
    ("http://pearl.example.net:8080", "pearl.example.net:8080", True),
    # socket.io's client for Node writes the port of https.
    ("https://pearl.example.net", "pearl.example.net:443", True),
    ("https://pearl.example.net:443", "pearl.example.net", True),
    ("http://pearl.example.net", "pearl.example.net:80", True),
    ("http://pearl.example.net", "pearl.example.net:443", False),
    ("https://pearl.example.net", "pearl.example.net:80", False),
    ("https://pearl.example.net:8443", "pearl.example.net", False),
    ("https://pearl.example.net:8443", "pearl.example.net:443", False),
    ("https://evil.example.com", "pearl.example.net", False),
    ("https://evil.example.com", "pearl.example.net:443", False),
    ("https://pearl.example.net.evil.example.com", "pearl.example.net", False),
    ("https://pearl.example.net:443@evil.example.com", "pearl.example.net", False),
    ("null", "pearl.example.net", False),
]


@pytest.mark.parametrize(("origin", "host", "right"), ORIGINS)
def test_realtime_is_for_pages_of_the_same_host(front: Door, origin: str | None, host: str, right: bool) -> None:
    headers = {} if origin is None else {"Origin": origin}
    answer = ask(front.port, "/socket.io/?EIO=4&transport=polling", host, headers=headers)
    # There is no realtime server behind this front door.
    assert answer.status == (502 if right else 403)


# --- Paths

PATHS = [
    # Pages lose what they need not be called.
    ("/about/", "/about"),
    ("/about.html", "/about"),
    ("/about/index.html", "/about"),
    ("/index.html", "/index"),
    ("/blog/a.html?page=2&x=%2F", "/blog/a?page=2&x=%2F"),
    ("/a/b/c//", "/a/b/c"),
    ("/%C3%BCber-uns/", "/%C3%BCber-uns"),
    ("/apples/", "/apples"),
    ("/filesystem.html", "/filesystem"),
    # Nothing that a browser takes for another host.
    ("/%5Cevil.example.com/", "/%5Cevil.example.com"),
    ("/%5cevil.example.com/index.html", "/%5cevil.example.com"),
    ("/%2Fevil.example.com/", "/%2Fevil.example.com"),
    ("/%09/evil.example.com/", "/%09/evil.example.com"),
    ("/%0d%0aSet-Cookie:%20a=b/", "/%0d%0aSet-Cookie:%20a=b"),
    ("/./%5Cevil.example.com.html", "/./%5Cevil.example.com"),
    ("/..%2F%2Fevil.example.com/", 400),
    ("//evil.example.com/", 200),
    ("//evil.example.com/x.html", 200),
    ("///evil.example.com/", 200),
    ("/\\evil.example.com/", 200),
    ("/\\evil.example.com/index.html", 200),
    ("/x\\..\\..\\evil.example.com/", 200),
    ("/\tevil.example.com/", 400),
    ("http://other.example.org//evil.example.com/", 200),
    # What is no page keeps its name.
    ("/", 200),
    ("/about", 200),
    ("/files/report.html", "file"),
    ("/files/deep/index.html", "file"),
    ("/%66iles/report.html", "file"),
    ("/x/../files/report.html", "file"),
    ("/files/missing.html", 200),
    ("/files/", 200),
    ("/private/files/report.html", "file"),
    ("/private/files/folder/", 404),
    ("/private/files/missing.html", 404),
    ("/api/method/ping/", 200),
    ("/api/resource/File/report.html", 200),
    ("/api/v2/document/File/x.html/", 200),
    ("/app/", 200),
    ("/app/file/report.html", 200),
    ("/desk/file/report.html", 200),
    ("/backups/x.html", 200),
    ("/assets/frappe/dist/js/page.html", "file"),
    ("/assets/frappe/missing.html", 404),
    ("/assets/frappe/", 404),
    ("/protected/private/files/report.html", 404),
    ("/protected/", 404),
    ("/socket.io/index.html", 502),
    ("/socket.io/", 502),
    ("/-/x.html", 404),
]


@pytest.mark.parametrize(("path", "right"), PATHS, ids=[repr(path) for path, _ in PATHS])
def test_only_pages_lose_the_end_of_their_names_and_no_redirect_leaves_the_host(
    front: Door, path: str, right: str | int
) -> None:
    """`right`: where it is sent to, the status of what Frappe or nginx answers, or `file`: a file of the site."""
    answer = ask(front.port, path)
    location = answer.headers["Location"]
    if right == "file":
        assert answer.status == 200
        assert answer.text().startswith("content of ")
    elif isinstance(right, int):
        assert (answer.status, location) == (right, None)
        if right == 200:
            assert answer.json()["path"] == path.removeprefix("http://other.example.org"), "Frappe is asked as it was"
    else:
        assert (answer.status, location) == (301, right)
    assert location is None or re.match(r"/(?![/\\])[!-\[\]-~]+$", location)


def test_a_form_that_is_sent_to_a_page_arrives(front: Door) -> None:
    assert ask(front.port, "/contact/", method="POST").json()["path"] == "/contact/"
    assert ask(front.port, "/contact/", method="HEAD").status == 301


@pytest.mark.parametrize(
    ("path", "disposition"),
    [
        ("/files/report.html", "attachment"),
        ("/files/logo.svg", "attachment"),
        ("/%66iles/logo.s%76g", "attachment"),
        ("/files/notes.txt", None),
        ("/robots", None),
    ],
)
def test_public_files_that_could_hold_a_script_are_attachments(front: Door, path: str, disposition: str) -> None:
    assert ask(front.port, path).headers["Content-Disposition"] == disposition


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/about/",
        "/files/report.html",
        "/files/notes.txt",
        f"/assets/frappe/dist/js/{HASHED}",
        "/assets/no",
        "/-/x",
    ],
)
def test_every_answer_of_a_front_door_has_its_headers_once(front: Door, path: str) -> None:
    headers = ask(front.port, path).headers
    assert headers.get_all("X-Frame-Options") == ["SAMEORIGIN"]
    assert headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert len(headers.get_all("Referrer-Policy", [])) == 1


@pytest.mark.parametrize(
    ("path", "long"),
    [
        (f"js/{HASHED}", True),
        (f"css/{HASHED}.map", True),
        ("images/logo.png", False),
        ("js/page.html", False),
        ("js/desk.bundle.js", False),
        ("js/desk.bundle.original.js", False),
        ("js/none.bundle.JRGR2ZHE.js", False),
    ],
)
def test_only_assets_with_a_hash_in_their_name_are_kept_for_long(
    front: Door, make_proxy: Callable[[int], Door], path: str, long: bool
) -> None:
    bench = a_bench()
    assert bench.facts is not None
    _file(front.rootfs, f"/doors/common/assets/{bench.facts.key}/frappe/dist/js/{HASHED}")
    door = make_proxy(front.port)
    with door.serving(proxy.config(bench)[0]["data"]):
        for each in (front, door):
            answer = ask(each.port, f"/assets/frappe/dist/{path}")
            kept = answer.headers.get_all("Cache-Control")
            assert kept == (["public, max-age=31536000, immutable"] if long else None)
            assert answer.headers.get_all("X-Frame-Options") == ["SAMEORIGIN"]


def test_assets_of_app_layers_are_served_before_those_of_the_image(
    front: Door, make_proxy: Callable[[int], Door]
) -> None:
    bench, layer = a_bench(), "/doors/common/layers/00112233445566aa"
    assert bench.facts is not None
    _file(front.rootfs, f"/doors/common/assets/{bench.facts.key}/crm/images/logo.txt", "of the image")
    _file(front.rootfs, f"{layer}/crm/public/images/logo.txt", "of the layer")
    _file(front.rootfs, f"{layer}/crm/hooks.py", "source")
    links = front.rootfs.inside(f"{layer}/.frappe-operator/assets")
    links.mkdir(parents=True)
    (links / "crm").symlink_to("../../crm/public")
    layers = (Layer("crm", "00112233445566aa", "https://git.example.net/crm", "main", "0" * 40),)
    layered = type(bench)(**{**{name: getattr(bench, name) for name in bench.__struct_fields__}, "layers": layers})
    door = make_proxy(front.port)
    with door.serving(proxy.config(layered)[0]["data"]):
        assert ask(door.port, "/assets/crm/images/logo.txt").text() == "of the layer"
        for path in ("/assets/crm/../../../../crm/hooks.py", "/assets/crm/%2e%2e/%2e%2e/%2e%2e/crm/hooks.py"):
            assert ask(door.port, path).text() != "source"


# --- Maps


def _data(*entries: tuple[str, str]) -> dict[str, str]:
    upstreams = tuple(Upstream(host, service, f"site-of-{service}") for host, service in entries)
    bench = a_bench()
    changed = type(bench)(
        **{**{name: getattr(bench, name) for name in bench.__struct_fields__}, "upstreams": upstreams}
    )
    data: dict[str, str] = proxy.config(changed)[0]["data"]
    return data


def _site(door: Door, host: str) -> str:
    with contextlib.suppress(OSError):
        return ask(door.port, "/healthz", host).text().strip()
    return ""


SPECIAL = ["default", "hostnames", "include", "volatile", "nightly", "test", "rose", "map", "0", "a" * 63]


def test_a_host_is_routed_whatever_its_name_means_to_nginx(make_proxy: Callable[[int], Door], backend: int) -> None:
    door = make_proxy(backend)
    services = {host: f"service-{number}" for number, host in enumerate(SPECIAL)}
    with door.serving(_data(*services.items())):
        assert {host: _site(door, host) for host in SPECIAL} == {host: f"site-of-{services[host]}" for host in SPECIAL}
        assert {ask(door.port, "/x", host).json()["host"] for host in SPECIAL} == set(SPECIAL)
        assert (_site(door, "other"), ask(door.port, "/x", "other").status) == ("-", 404)
    assert "left out" not in door.said()


BROKEN = """\
default bad;
first.example.net again;
include nothing;
no-end first-service
"quote second.example.net second-service;
} http {
evil.example.net a; b.example.net c;
$host x;
variable.example.net $nothing;
~( x;
"""


def test_a_bad_entry_is_left_out_and_the_others_are_served(make_proxy: Callable[[int], Door], backend: int) -> None:
    good = {host: f"site-of-{host[0]}" for host in ("first.example.net", "second.example.net", "third.example.net")}
    first, second, third = _data(*((host, host[0]) for host in good))["hosts.map"].splitlines(keepends=True)
    data = _data(*((host, host[0]) for host in good))
    bad = {
        **data,
        "hosts.map": first + BROKEN + second + "\n" + third,
        "sites.map": "default bad;\n" + data["sites.map"],
    }
    door = make_proxy(backend)
    with door.serving(bad):
        assert {host: _site(door, host) for host in good} == good
        assert {ask(door.port, "/x", host).json()["host"] for host in good} == set(good)
        assert _site(door, "evil.example.net") == nginx.REFUSED
        for number, line in enumerate(BROKEN.splitlines(), 2):
            assert f"entry left out: hosts.map:{number}: {line}" in door.said()
        assert 'conflicting parameter "first.example.net"' in door.said()
        # A map that is bad in another way while it runs, and then a good one.
        door.configure({**bad, "hosts.map": "garbage\n" + "".join((third, first, second, first))})
        eventually(lambda: "hosts.map:1: garbage" in door.said() and "taken up" in door.said(), "reloaded", 30)
        assert {host: _site(door, host) for host in good} == good
        door.configure(_data(*((host, host[0]) for host in [*good, "fourth.example.net"])))
        eventually(lambda: _site(door, "fourth.example.net") == "site-of-f", "the good map is taken up", 30)
        assert _site(door, "evil.example.net") == "-"
        # What is no entry's fault changes nothing.
        door.configure({**_data(), "nginx.conf": "broken"})
        eventually(lambda: "configuration refused" in door.said(), "refused", 30)
        assert _site(door, "third.example.net") == "site-of-t"
    with door.open():
        eventually(lambda: _site(door, "third.example.net") == "site-of-t", "a restart changes nothing either", 30)


# --- Visitors

NETWORKS = ["127.0.0.2/32", "10.1.0.0/16", "fd00:10::/32"]


@pytest.mark.parametrize(
    ("trusted", "source", "chain", "seen", "scheme"),
    [
        # Nobody is trusted: whoever connects is the visitor, whatever is said. The scheme is taken as it is said.
        ([], "127.0.0.1", None, "127.0.0.1", "https"),
        ([], "127.0.0.2", "6.6.6.6", "127.0.0.2", "https"),
        # An ingress controller that adds the visitor.
        (NETWORKS, "127.0.0.2", "203.0.113.9", "203.0.113.9", "https"),
        (NETWORKS, "127.0.0.2", "2001:db8::9", "2001:db8::9", "https"),
        # The visitor had written something before.
        (NETWORKS, "127.0.0.2", "6.6.6.6, 203.0.113.9", "203.0.113.9", "https"),
        (NETWORKS, "127.0.0.2", "10.1.2.3, 203.0.113.9", "203.0.113.9", "https"),
        (NETWORKS, "127.0.0.2", "rubbish, 203.0.113.9", "203.0.113.9", "https"),
        # Several hops, all trusted, IPv6 among them.
        (NETWORKS, "127.0.0.2", "203.0.113.9, 10.1.2.3", "203.0.113.9", "https"),
        (NETWORKS, "127.0.0.2", "6.6.6.6, 2001:db8::9, 10.1.2.3, fd00:10::7", "2001:db8::9", "https"),
        (NETWORKS, "127.0.0.2", "203.0.113.9, 10.2.0.1, 10.1.2.3", "10.2.0.1", "https"),
        # The trusted one says nothing.
        (NETWORKS, "127.0.0.2", None, "127.0.0.2", "https"),
        # Not a trusted one: nothing is believed.
        (NETWORKS, "127.0.0.1", "6.6.6.6", "127.0.0.1", "http"),
        (NETWORKS, "127.0.0.3", "6.6.6.6, 127.0.0.2", "127.0.0.3", "http"),
        (["fd00:10::/32"], "127.0.0.2", "6.6.6.6", "127.0.0.2", "http"),
    ],
)
def test_frappe_sees_the_visitor_and_never_a_forged_address(
    front: Door,
    make_proxy: Callable[[int], Door],
    trusted: list[str],
    source: str,
    chain: str | None,
    seen: str,
    scheme: str,
) -> None:
    door = make_proxy(front.port)
    with door.serving(proxy.config(a_bench(trustedProxies=trusted))[0]["data"]):
        said = {
            "X-Forwarded-Proto": "https",
            "X-Frappe-Site-Name": "other",
            **({"X-Forwarded-For": chain} if chain else {}),
        }
        got = ask(door.port, "/x", source=source, headers=said).json()
        assert (got["x-forwarded-for"], got["x-forwarded-proto"]) == (seen, scheme)
        assert got["x-frappe-site-name"] == SITE
        rubbish = ask(door.port, "/x", source=source, headers={"X-Forwarded-Proto": "gopher"}).json()
        assert rubbish["x-forwarded-proto"] == "http"


def test_a_front_door_takes_one_address_and_no_list(front: Door) -> None:
    for said, seen in (("2001:db8::9", "2001:db8::9"), ("6.6.6.6, 7.7.7.7", "127.0.0.1"), ("me", "127.0.0.1")):
        headers = {"X-Forwarded-For": said, WORD_HEADER: WORD}
        assert ask(front.port, "/x", headers=headers).json()["x-forwarded-for"] == seen


@pytest.mark.parametrize(
    "word", [None, "", "@WORD@", DIGEST, WORD[:-1], f"{WORD}0", WORD.upper(), f"{WORD}, {WORD}", ".*"]
)
def test_who_goes_round_the_proxy_can_forge_neither_address_nor_scheme(front: Door, word: str | None) -> None:
    headers = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https", **({WORD_HEADER: word} if word else {})}
    got = ask(front.port, "/x", source="127.0.0.7", headers=headers).json()
    assert (got["x-forwarded-for"], got["x-forwarded-proto"]) == ("127.0.0.7", "http")


@pytest.mark.parametrize("word", ["", "short", "a;} evil {", "$host" * 20, WORD])
def test_a_word_that_is_none_shows_nothing_and_keeps_nobody_from_serving(
    rootfs: Rootfs, make_proxy: Callable[[int], Door], word: str
) -> None:
    with doors.frappe() as backend:
        here = {gunicorn.LOOPBACK: f"127.0.0.1:{backend}", "@NAMESERVER@": f"127.0.0.1:{free_port()}"}
        front = Door(rootfs, here, FRAPPE, word=word)
        with front.serving({"nginx.conf": gunicorn.conf(a_site())}):
            for claimed in (word, DIGEST, "") if word.isalnum() else ("",):
                headers = {"X-Forwarded-For": "6.6.6.6", WORD_HEADER: claimed}
                assert ask(front.port, "/x", headers=headers).json()["x-forwarded-for"] == "127.0.0.1"


def test_the_word_stays_between_proxy_and_front_door(front: Door, make_proxy: Callable[[int], Door]) -> None:
    door = make_proxy(front.port)
    with door.serving(proxy.config(a_bench())[0]["data"]):
        answer = ask(door.port, "/x", headers={WORD_HEADER: "mine"})
        assert WORD_HEADER.lower() not in answer.json()
        assert WORD not in door.said() + front.said() + str(answer.headers)
    # The code of a site can have its front door show any file that this can read.
    files = [each.read_text() for each in front.rootfs.inside(front.folder).rglob("*") if each.is_file()]
    assert any(DIGEST in text for text in files)
    assert not any(WORD in text for text in files)


# --- Logs


def test_the_path_that_was_asked_for_is_logged(front: Door) -> None:
    assert ask(front.port, "/files/notes.txt?sid=SECRET").status == 200
    eventually(lambda: '"path":"/files/notes.txt"' in front.said(), "the request to be logged", 10)


ODD = [
    "/hang?sid=SECRET",
    "/hang?a=1&key=SECRET",
    '/hang?txt="a"&sid=SECRET',
    "/hang?a=?sid=SECRET",
    "/hang?a=\xff\xfe&sid=SECRET",
    '/hang?x",host:"h"&sid=SECRET',
    '/hang?x",referrer:"http://a/?sid=SECRET',
    f"/hang?pad={'x' * 2100}&sid=SECRET",
]


def test_no_query_is_ever_in_a_log_and_what_happened_is(
    rootfs: Rootfs, backend: int, make_proxy: Callable[[int], Door]
) -> None:
    changes = {f"proxy_read_timeout {seconds}s": "proxy_read_timeout 1s" for seconds in (120, 125)}
    door = Door(rootfs, {**_front_here(backend, free_port()), **changes}, FRAPPE)
    outer = make_proxy(backend)
    outer.here = {**outer.here, **changes}
    front = door.serving({"nginx.conf": gunicorn.conf(a_site())})
    with front as running, outer.serving(proxy.config(a_bench())[0]["data"]):
        referrer = {"Referer": 'https://pearl.example.net/update-password?key=SECRET2"&x=SECRET2'}
        for each, target in itertools.product((door, outer), ODD):
            answer = ask(each.port, target, headers=referrer)
            assert (answer.status, answer.text()) == (504, pages.LATE)
            assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == ("text/html", "no-store")
        assert ask(door.port, "/socket.io/?sid=SECRET", headers=referrer).status == 502
        eventually(lambda: all(_timeouts(each) >= len(ODD) for each in (door, outer)), "all are said", 30)
        for each in (door, outer):
            assert "SECRET" not in each.said()
            assert f'request: "GET /hang?", host: "{SITE}"' in each.said()
            assert f'"host":"{SITE}","method":"GET","path":"/hang","status":504' in each.said()
        # Without its filter nginx neither ends nor waits, and gets another.
        (filter_,) = [int(pid) for pid in _below(running.process.pid) if _name(pid) == "sed"]
        os.kill(filter_, signal.SIGKILL)
        assert ask(door.port, "/still").status == 200
        before = _timeouts(door)

        def heard() -> bool:
            assert ask(door.port, "/hang?sid=SECRET").status == 504
            return _timeouts(door) > before

        eventually(heard, "the new filter passes on what is said", 60)
        assert "SECRET" not in door.said()
        running.terminate()
        assert running.ended_within(20) == 0


def _timeouts(door: Door) -> int:
    return door.said().count("upstream timed out")


def _below(pid: int | str) -> Iterator[str]:
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield child
        yield from _below(child)


def _name(pid: str) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def test_a_container_whose_configuration_was_never_good_ends_and_says_why(rootfs: Rootfs) -> None:
    door = Door(rootfs, {})
    door.configure({"nginx.conf": "nonsense;"})
    with door.open() as running:
        assert running.ended_within(20) == 1
    assert 'unknown directive "nonsense"' in door.said()
