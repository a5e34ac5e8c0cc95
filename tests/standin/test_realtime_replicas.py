"""Front doors with several realtime servers behind them: the real nginx with its own script and configuration."""

import contextlib
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from frappe_operator.components import frappe, gunicorn, nginx, realtime
from tests.standin.doors import Door, ask, listening
from tests.standin.rootfs import FRAPPE, Rootfs, eventually, free_port
from tests.standin.web import Answer
from tests.unit.resolved_samples import a_site

SERVICE = "pearl-socketio-replicas"
ADDRESSES = ("127.0.0.12", "127.0.0.13")
SITE = a_site(componentReplicas={"socketio": 2})
OPEN = "/socket.io/?EIO=4&transport=polling&t=1"


class Realtime(BaseHTTPRequestHandler):
    """Begins a session as engine.io does, and knows only its own: `sid` begins with the server's address."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        me, asked = self.connection.getsockname()[0], parse_qs(urlsplit(self.path).query)
        (sid,) = asked.get("sid", [""])
        known = sid.startswith(f"{me}-")
        body = f'0{{"sid":"{me}-1_A","upgrades":["websocket"]}}' if not sid else f'{me} "sid":"{sid}" {self.path}'
        self.send_response(200 if known or not sid else 400)
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextlib.contextmanager
def server(address: str, port: int) -> Iterator[None]:
    made = ThreadingHTTPServer((address, port), Realtime)
    made.daemon_threads = True
    with listening(made):
        yield


class Names:
    """What the DNS of the cluster answers for the headless Service: here by the file of hosts."""

    def __init__(self, rootfs: Rootfs) -> None:
        self.file = rootfs.inside("/etc/hosts")
        rootfs.inside("/etc/host.conf").write_text("multi on\n")

    def say(self, *addresses: str) -> None:
        self.file.write_text("".join(f"{address} {SERVICE}\n" for address in addresses))


@pytest.fixture
def names(rootfs: Rootfs) -> Iterator[Names]:
    names = Names(rootfs)
    before = names.file.read_bytes() if names.file.exists() else b""
    yield names
    names.file.write_bytes(before)


@pytest.fixture
def doors(rootfs: Rootfs) -> tuple[Door, Door, int]:
    """Two front doors of one site, and the port of its realtime servers."""
    port = free_port()
    here = {gunicorn.LOOPBACK: f"127.0.0.1:{free_port()}", frappe.SITES: "/doors", "@NAMESERVER@": "127.0.0.1:9"}
    here["http://pearl-socketio.harbour.svc.@CLUSTER_DOMAIN@:9000"] = f"http://{ADDRESSES[0]}:{port}"
    container = realtime.front_door(SITE, nginx.container("", "", {}, nginx.ready("/")))
    (where,) = [each["value"] for each in container["env"] if each["name"] == "REPLICAS"]
    env = {"REPLICAS": where.replace(":9000", f":{port}")}
    made = [Door(rootfs, here, FRAPPE, start=container["command"][-1], env=env) for _ in range(2)]
    return made[0], made[1], port


CONF = {"nginx.conf": gunicorn.conf(SITE)}


def session(door: Door) -> tuple[str, str]:
    """Begins a session: the address of the server, and the `sid` that the client is given, with a mark."""
    opened = ask(door.port, OPEN)
    assert opened.status == 200
    (found,) = re.findall(r'"sid":"([0-9a-f]{8}\.([0-9.]+)-1_A)"', opened.text())
    return found[1], found[0]


def follow(door: Door, sid: str, method: str = "GET", more: str = "") -> Answer:
    return ask(door.port, f"{OPEN}&sid={sid}{more}", method=method)


def begun(door: Door) -> dict[str, str]:
    """A session on each server."""
    found: dict[str, str] = {}

    def both() -> bool:
        found.update([session(door)])
        return len(found) == 2

    eventually(both, "sessions on both servers", 30)
    return found


def test_every_front_door_finds_the_server_of_a_session(doors: tuple[Door, Door, int], names: Names) -> None:
    one, other, port = doors
    names.say(*ADDRESSES)
    with server(ADDRESSES[0], port), server(ADDRESSES[1], port), one.serving(CONF), other.serving(CONF):
        for address, sid in begun(one).items():
            for door in (one, other):
                for method in ("GET", "POST"):
                    answer = follow(door, sid, method, "&more=%2Fx%20y")
                    assert answer.status == 200
                    # The server sees its own session, and what it says of one later is left alone.
                    bare = sid.partition(".")[2]
                    expected = f'{address} "sid":"{bare}" {OPEN}&sid={bare}&more=%2Fx%20y'
                    assert answer.text() == expected
        assert follow(one, "00000000.nobody-1").status == 400
        assert "nobody-1" in follow(one, "00000000.nobody-1").text()


def test_a_mark_leads_to_realtime_servers_of_the_site_only(doors: tuple[Door, Door, int], names: Names) -> None:
    door, _, port = doors
    names.say(*ADDRESSES)
    with server(ADDRESSES[0], port), server(ADDRESSES[1], port), door.serving(CONF):
        for sid in ("127.0.0.1:1.x", "realtime.x", "127.0.0.14-1_A", "$replica.x", "00000000.x"):
            answer = follow(door, sid)
            assert (answer.status, answer.text().partition(" ")[0] in ADDRESSES) == (400, True)


def test_servers_come_and_go_without_a_restart(doors: tuple[Door, Door, int], names: Names) -> None:
    door, _, port = doors
    names.say()
    with server(ADDRESSES[0], port), server(ADDRESSES[1], port), door.serving(CONF) as running:
        # Before the DNS knows any, the Service of the site is asked.
        assert ask(door.port, OPEN).text().startswith(f'0{{"sid":"{ADDRESSES[0]}-')
        names.say(*ADDRESSES)
        kept = begun(door)[ADDRESSES[1]]
        names.say(ADDRESSES[1])
        eventually(lambda: {session(door)[0] for _ in range(6)} == {ADDRESSES[1]}, "all sessions there", 30)
        assert follow(door, kept).status == 200
        # No answer is no reason to forget.
        names.say()
        assert session(door)[0] == ADDRESSES[1]
        assert running.ended_within(0) is None


def test_a_server_that_is_gone_costs_no_new_session(doors: tuple[Door, Door, int], names: Names) -> None:
    door, _, port = doors
    names.say(*ADDRESSES)
    with server(ADDRESSES[0], port), contextlib.ExitStack() as ends:
        ends.enter_context(server(ADDRESSES[1], port))
        with door.serving(CONF):
            lost = begun(door)[ADDRESSES[1]]
            ends.close()
            assert follow(door, lost).status == 502
            assert {session(door)[0] for _ in range(8)} == {ADDRESSES[0]}
