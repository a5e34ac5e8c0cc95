"""A site behind a real ingress controller: certificates that clients check, redirects, realtime, and a move to a
Gateway while it is visited."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPException, HTTPResponse
from urllib.parse import urlencode, urlsplit

import pytest

from sandbox.addons.contour import DOMAIN, IngressController
from sandbox.certificates import tls_secret
from tests.e2e.namespace import Namespace
from tests.e2e.observations import named_assets
from tests.e2e.realtime import Client, connected, mark

pytestmark = [pytest.mark.node]

BENCH, SITE = "harbour", "ferry"
HOST, ALIAS, OLD = f"ferry.{DOMAIN}", f"www-ferry.{DOMAIN}", f"old-ferry.{DOMAIN}"
HOSTS = (HOST, ALIAS, OLD)
SITE_NAME = "ferry.example.net"
NEW, WILD = f"ship.{DOMAIN}", f"*.ferries.{DOMAIN}"
GATEWAY_SECONDS = 120.0


def ask(
    contour: IngressController,
    host: str,
    path: str,
    *,
    tls: bool = True,
    form: dict[str, str] | None = None,
    sid: str = "",
) -> tuple[HTTPResponse, str]:
    """A request through the load balancer: a POST with a form, or a GET. With `tls` the certificate is checked. Raises
    OSError."""
    headers = {"Cookie": sid, **({"Content-Type": "application/x-www-form-urlencoded"} if form else {})}
    with closing(contour.connect(host, tls=tls)) as client:
        client.request("POST" if form else "GET", path, urlencode(form) if form else None, headers)
        response = client.getresponse()
        return response, response.read().decode(errors="replace")


def declare(namespace: Namespace, **spec: object) -> None:
    hosts = {"domain": HOST, "aliases": [ALIAS], "redirects": [OLD]}
    more = {"tls": {"secretName": "ferry-web", "hstsMaxAge": 600}, "componentReplicas": {"socketio": 2}}
    namespace.site(SITE, BENCH, SITE_NAME, **{**hosts, **more, **spec})


@pytest.fixture(scope="module")
def site(namespace: Namespace, contour: IngressController) -> Namespace:
    """A site with TLS, whose certificate came after it."""
    namespace.bench(BENCH, ingress={"className": contour.ingress_class}, domainConfig={"allowWildcards": True})
    declare(namespace)
    namespace.until(lambda: namespace.condition("fs", SITE, "Serving")["status"] == "True", "the site to be served")
    assert namespace.condition("fs", SITE, "CertificateReady")["reason"] == "SecretNotFound"
    response, _ = ask(contour, HOST, "/api/method/ping", tls=False)
    assert response.status == 200, "nobody is sent to a host without a certificate"
    secret = tls_secret("ferry-web", contour.authority.tls_pair(*HOSTS, NEW, WILD))
    # As cert-manager writes it for an authority that nobody else knows.
    secret["stringData"]["ca.crt"] = contour.authority.certificate.read_text()
    namespace.run("apply", "-f", "-", given=json.dumps(secret))
    namespace.until_ready("frappesite", SITE)
    # The kubelet brings the new maps into the pod of the proxy.
    namespace.until(lambda: ask(contour, HOST, "/login", tls=False)[0].status == 308, "the redirect to https")
    return namespace


def test_every_host_has_its_certificate_and_leads_where_it_should(site: Namespace, contour: IngressController) -> None:
    status = site.get("fs", SITE)["status"]
    assert (status["siteURL"], status["resolvedDomain"]) == (f"https://{HOST}", HOST)
    for host in (HOST, ALIAS):
        response, body = ask(contour, host, "/api/method/ping")
        assert (response.status, "pong" in body) == (200, True)
        assert response.getheader("Strict-Transport-Security") == "max-age=600"
    path = "/app/todo?a=1&b=%2F"
    for host, tls, target in ((HOST, False, HOST), (ALIAS, False, ALIAS), (OLD, False, HOST), (OLD, True, HOST)):
        response, _ = ask(contour, host, path, tls=tls)
        assert (response.status, response.getheader("Location")) == (308, f"https://{target}{path}")
        assert response.getheader("Cache-Control") == "max-age=300"
    assert ask(contour, HOST, "/api/method/ping", tls=False)[0].getheader("Strict-Transport-Security") is None
    assert ask(contour, f"nobody.{DOMAIN}", "/", tls=False)[0].status == 404


def test_logins_are_secure_and_pages_name_assets_that_are_there(site: Namespace, contour: IngressController) -> None:
    form = {"usr": "Administrator", "pwd": site.password(SITE)}
    response, body = ask(contour, ALIAS, "/api/method/login", form=form)
    assert response.status == 200, body
    cookies = response.headers.get_all("Set-Cookie")
    assert cookies
    (session,) = [cookie for cookie in cookies if cookie.startswith("sid=")]
    assert "secure" in session.lower()
    page = ask(contour, ALIAS, "/app", sid=session.split(";")[0])[1]
    assets = named_assets(page)
    assert assets
    for asset in assets:
        response, _ = ask(contour, ALIAS, asset)
        assert (response.status, "max-age=31536000" in str(response.getheader("Cache-Control"))) == (200, True)


CALL = """
import socket, sys, urllib.request
host = sys.argv[1]
with urllib.request.urlopen(f"https://{host}/api/method/ping", timeout=20) as answer:
    print(answer.status, answer.read().decode(), {each[4][0] for each in socket.getaddrinfo(host, 443)})
"""
"""A program that visits a site as a webhook or a page for a PDF does: with the certificates that Python trusts."""


@pytest.mark.parametrize("part", ["gunicorn", "worker-long"])
def test_a_site_reaches_itself_at_its_public_address(site: Namespace, part: str) -> None:
    own = site.get("service", f"{SITE}-gunicorn")["spec"]["clusterIP"]
    for host in (HOST, ALIAS):
        python = ["/home/frappe/frappe-bench/env/bin/python", "-c", CALL, host]
        said = site.run("exec", f"deployment/{SITE}-{part}", f"--container={part}", "--", *python)
        assert "pong" in said, said
        assert said.startswith("200 ")
        assert own in said, "it does not leave the cluster"


def begun(contour: IngressController) -> str:
    """The mark of the replica of a new session that nobody will use."""
    opened = ask(contour, HOST, "/socket.io/?EIO=4&transport=polling")[1]
    return str(json.loads(opened[1:])["sid"]).partition(".")[0]


def test_realtime_reaches_every_client_and_the_loss_of_a_replica_costs_one_reconnect(
    site: Namespace, contour: IngressController
) -> None:
    form = {"usr": "Administrator", "pwd": site.password(SITE)}
    response, _ = ask(contour, ALIAS, "/api/method/login", form=form)
    sid = str(response.getheader("Set-Cookie")).partition("sid=")[2].partition(";")[0]
    ways = (("polling",), None, ("websocket",))
    clients = [Client(host, transports) for transports in ways for host in (HOST, ALIAS)]
    everybody = range(len(clients))

    def publish(message: str) -> None:
        answer = ask(contour, HOST, f"/api/method/standin.publish?event=news&message={message}")[1]
        # Each replica has subscribed: how many heard it.
        assert json.loads(answer) == {"message": 2}
        site.until(lambda: all(heard(each)[-1:] == [message] for each in everybody), f"all to hear of {message}")

    def heard(number: int) -> list[str]:
        return [each["message"] for each in running.to(number, "news")]

    pods = site.pods(f"vyogo.tech/site={SITE},vyogo.tech/component=socketio")
    replicas = {mark(pod) for pod in pods}
    assert len(replicas) == 2
    # Front doors lead to replicas in turn as soon as the DNS knows both.
    site.until(lambda: {begun(contour), begun(contour)} == replicas, "the front door to know both replicas", 60)
    with connected(site, contour, SITE, SITE_NAME, sid, clients) as running:
        site.until(lambda: all(running.to(each, "joined") for each in everybody), "all clients to be connected")
        site.until(lambda: all(running.to(each, "upgrade") for each in (2, 3)), "browsers to change to WebSocket")
        publish("herring")
        here = {each: running.replica(each) for each in everybody}
        assert {here[each] for each in (0, 1, 2, 3)} == replicas
        lost = pods[0]
        site.run("delete", "pod", lost["metadata"]["name"], "--grace-period=1", "--wait=false")
        unlucky = [each for each in everybody if here[each] == mark(lost)]
        site.until(lambda: all(len(running.to(each, "joined")) == 2 for each in unlucky), "them to be connected again")
        site.until_ready("frappesite", SITE)
        publish("mackerel")
        for each in everybody:
            assert heard(each) == ["herring", "mackerel"], "each event once"
            expected = {mark(lost): 1, "": len(running.to(each, "disconnect"))}.get(here[each], 0)
            assert len(running.to(each, "disconnect")) == expected <= 1
            assert len(running.to(each, "connect")) == expected + 1


@contextmanager
def visited(contour: IngressController) -> Iterator[tuple[Counter[object], list[str]]]:
    """Asks the site twice a second, over http and https: how often it answered what, and what no visitor should see."""
    seen: Counter[object] = Counter()
    wrong: list[str] = []
    done = threading.Event()

    def visit() -> None:
        while not done.wait(0.5):
            for tls in (False, True):
                try:
                    response, body = ask(contour, HOST, "/api/method/ping", tls=tls)
                except (OSError, HTTPException) as error:
                    wrong.append(f"tls {tls}: {error!r}")
                    continue
                seen[tls, response.status] += 1
                leads = urlsplit(response.getheader("Location") or "").scheme
                if response.status != 200 and (response.status, leads) != (308, "https"):
                    wrong.append(f"tls {tls}: {response.status} {body[:80]}")

    thread = threading.Thread(target=visit)
    thread.start()
    try:
        yield seen, wrong
    finally:
        done.set()
        thread.join()


def more(seen: Counter[object], number: int) -> Callable[[], bool]:
    """Whether there have been so many visits from now on."""
    before = sum(seen.values())
    return lambda: sum(seen.values()) > before + number


def test_it_moves_to_a_gateway_and_back_while_it_is_visited(site: Namespace, contour: IngressController) -> None:
    gateway = {"name": contour.gateway_name, "namespace": contour.gateway_namespace}
    with visited(contour) as (seen, wrong):
        declare(site, ingress={"type": "Gateway", "gatewayRef": gateway})
        site.until_ready("frappesite", SITE, GATEWAY_SECONDS)
        site.until(lambda: site.find("ingress", SITE) is None, "the Ingress to be gone")
        assert site.get("httproute", SITE)["spec"]["hostnames"] == list(HOSTS)
        site.until(more(seen, 10), "ten visits by the Gateway")
        declare(site)
        site.until(lambda: site.find("httproute", SITE) is None, "the HTTPRoute to be gone")
        site.until_ready("frappesite", SITE)
        site.until(more(seen, 10), "ten visits by the Ingress")
    assert wrong == []


def test_domain_aliases_and_certificate_change_while_it_is_visited(site: Namespace, contour: IngressController) -> None:
    other = tls_secret("ferry-other", contour.authority.tls_pair(*HOSTS, NEW, WILD))
    site.run("apply", "-f", "-", given=json.dumps(other))
    tls = {"secretName": "ferry-other", "hstsMaxAge": 600}
    with visited(contour) as (seen, wrong):
        for spec in ({"domain": NEW, "aliases": [HOST, ALIAS, WILD]}, {"aliases": [ALIAS, WILD], "tls": tls}, {}):
            declare(site, **spec)
            site.until_ready("frappesite", SITE)
            site.until(more(seen, 8), "eight visits")
            if WILD in spec.get("aliases", []):
                response, body = ask(contour, f"any{WILD[1:]}", "/api/method/ping")
                assert (response.status, "pong" in body) == (200, True)
                assert {"name": WILD} in site.get("fs", SITE)["status"]["hosts"]
    assert wrong == []


def test_a_gateway_that_does_not_exist_is_said(site: Namespace) -> None:
    declare(site, ingress={"type": "Gateway", "gatewayRef": {"name": "nowhere"}})
    site.until(lambda: site.condition("fs", SITE, "Routed")["reason"] == "RoutePending", "the site to say so")
    assert "Gateway nowhere" in site.condition("fs", SITE, "Routed")["message"]
    assert site.find("ingress", SITE) is not None, "the way in stays"
    declare(site)
    site.until_ready("frappesite", SITE)
