"""The container that shows a site's certificate to the site's own pods: the real nginx with its own configuration."""

import http.client
import json
import os
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fakecluster import certificates
from frappe_operator.components import nginx, own_address
from tests.standin import doors
from tests.standin.doors import Door
from tests.standin.rootfs import FRAPPE, Rootfs, eventually, free_port
from tests.unit.resolved_samples import a_site

SITE = "pearl.example.net"
SECRET = "/doors/certificate"


@pytest.fixture(scope="module")
def door(rootfs: Rootfs) -> Iterator[Door]:
    """The container, before there is a certificate."""
    port = free_port()
    rootfs.folder("/doors")
    rootfs.folder(SECRET)
    conf = own_address.conf(a_site(tls={"secretName": "shop"}))[own_address.CONF]
    with doors.frappe() as backend:
        here = {
            f"listen {own_address.PORT}": f"listen 127.0.0.1:{port}",
            own_address.CERTIFICATE: SECRET,
            f"http://127.0.0.1:{nginx.PORT}": f"http://127.0.0.1:{backend}",
            "@NAMESERVER@": f"127.0.0.1:{free_port()}",
        }
        opened = Door(rootfs, here, FRAPPE, port=port, word=doors.WORD)
        opened.configure({"nginx.conf": conf})
        with opened.open():
            eventually(lambda: handshake(opened, "") != "refused", "nginx listens", 30)
            yield opened


def bring(door: Door, *hosts: str) -> str:
    """A Secret with a new certificate, as the kubelet mounts it. Returns the certificate."""
    pair = certificates.certificate(*hosts, until=datetime.now(UTC) + timedelta(days=30))
    folder = door.rootfs.inside(SECRET)
    for name, text in zip(("tls.key", "tls.crt"), reversed(pair), strict=True):
        path = folder / f".{name}"
        path.write_text(text)
        path.chmod(0o440)
        os.chown(path, 0, FRAPPE)
        path.rename(folder / name)
    return pair[0]


def connect(door: Door, trusted: str) -> http.client.HTTPConnection:
    """A connection whose certificate is checked. Raises OSError."""
    trust = ssl.create_default_context(cadata=trusted) if trusted else ssl.create_default_context()
    connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=30)
    connection.connect()
    connection.sock = trust.wrap_socket(connection.sock, server_hostname=SITE)
    return connection


def handshake(door: Door, trusted: str) -> str:
    """How an attempt to connect ends."""
    try:
        connect(door, trusted).close()
    except ConnectionRefusedError:
        return "refused"
    except ssl.SSLCertVerificationError:
        return "not trusted"
    except OSError:
        return "no certificate"
    return "trusted"


def asked(door: Door, trusted: str, path: str, **headers: str) -> tuple[int, dict[str, str]]:
    """The answer: its status, and its fields when it is Frappe's, which says what it was asked."""
    connection = connect(door, trusted)
    try:
        connection.request("GET", path, headers={"Host": SITE, **headers})
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if answer.status == 200 else {}
    finally:
        connection.close()


def test_a_certificate_that_comes_later_and_is_renewed_is_shown_at_once(door: Door) -> None:
    assert handshake(door, "") == "no certificate"
    first = bring(door, SITE)
    assert handshake(door, first) == "trusted"
    second = bring(door, SITE, "www.example.net")
    assert handshake(door, second) == "trusted"
    assert handshake(door, first) == "not trusted"
    bring(door, "another.example.net")
    assert handshake(door, second) == "not trusted"


def test_the_site_is_asked_over_https_for_the_host_that_visitors_ask_for(door: Door) -> None:
    trusted = bring(door, SITE)
    status, got = asked(door, trusted, "/api/method/ping?a=1", **{"X-Forwarded-Proto": "http", "X-Forwarded-For": "6"})
    assert (status, got["path"], got["host"]) == (200, "/api/method/ping?a=1", SITE)
    assert (got["x-forwarded-proto"], got["x-forwarded-for"]) == ("https", "127.0.0.1")
    assert asked(door, trusted, "/-/alive")[0] == 404


def test_the_key_is_neither_served_nor_logged(door: Door) -> None:
    trusted = bring(door, SITE)
    key = Path(door.rootfs.inside(SECRET) / "tls.key").read_text().splitlines()[1]
    for path in ("/tls.key", "/certificate/tls.key", "/..%2f..%2fdoors/certificate/tls.key"):
        status, got = asked(door, trusted, path)
        assert status == 400 or got["path"] == path, "nothing but Frappe answers"
    assert key not in door.said()
