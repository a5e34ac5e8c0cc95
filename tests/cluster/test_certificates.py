"""The real API server takes what the operator asks the Gateway API and cert-manager for, with the real kinds; the
player of cert-manager works on them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from frappe_operator.kube.kinds import CERTIFICATE, HTTP_ROUTE, INGRESS, LISTENER_SET, SECRET, Ref
from frappe_operator.kube.objects import Manifest
from frappe_operator.model import certificate
from frappe_operator.runtime.drift import difference
from sandbox.cert_manager_player.__main__ import Player
from sandbox.cert_manager_player.api import Api
from sandbox.certificates import Authority
from sandbox.cluster import Cluster
from tests import definitions
from tests.world.either_server import APPLY, Server, real_server
from tests.world.test_gateway_certificates import a_secure_world, issued, programmed

pytestmark = [pytest.mark.cluster]
ALIAS = "www.example.com"


@pytest.fixture
async def server(control_plane: Cluster) -> AsyncIterator[Server]:
    definitions.install(control_plane, gateway_api=True, cert_manager=True)
    async with real_server(control_plane, "certificates-") as server:
        yield server


@pytest.fixture
def children() -> list[Manifest]:
    """What the operator has made for a site behind a Gateway: Certificate, HTTPRoute and ListenerSet."""
    world = a_secure_world(aliases=[ALIAS, "shop.example.com"])
    issued(world, "*.example.com")
    programmed(world)
    found = [
        world.get_existing(Ref(kind, "default", name))
        for kind, name in ((CERTIFICATE, "acme-certificate"), (HTTP_ROUTE, "acme"), (LISTENER_SET, "acme"))
    ]
    return [
        {
            "apiVersion": each["apiVersion"],
            "kind": each["kind"],
            "metadata": {"name": each["metadata"]["name"], "labels": each["metadata"]["labels"]},
            "spec": each["spec"],
        }
        for each in found
    ]


async def test_every_child_is_valid_and_is_no_drift_once_it_is_stored(children: list[Manifest], server: Server) -> None:
    for manifest in children:
        kind = {each.kind: each for each in (CERTIFICATE, HTTP_ROUTE, LISTENER_SET)}[manifest["kind"]]
        path = kind.path(server.namespace, manifest["metadata"]["name"])
        query = {"fieldManager": "frappe-operator", "force": "true", "fieldValidation": "Strict"}
        status, stored = await server.ask("PATCH", path, manifest, APPLY, **query)
        assert status == 201, stored
        assert difference(manifest, stored) == ""
        _, again = await server.ask("PATCH", path, manifest, APPLY, **query)
        assert (again["spec"], again["metadata"]["generation"]) == (stored["spec"], 1)


@pytest.fixture
def player(control_plane: Cluster, tmp_path: Path) -> Player:
    return Player(Api(control_plane.kubeconfig), Authority(tmp_path / "authority"))


HOST = "dock.example.com"
ISSUER: Manifest = {
    "apiVersion": "cert-manager.io/v1",
    "kind": "Issuer",
    "metadata": {"name": "ca"},
    "spec": {"ca": {"secretName": "unused"}},
}


async def issuer_appears(server: Server) -> None:
    path = f"/apis/cert-manager.io/v1/namespaces/{server.namespace}/issuers"
    assert (await server.ask("POST", path, ISSUER))[0] == 201


def a_certificate(name: str, *hosts: str) -> Manifest:
    spec = {"secretName": "web", "dnsNames": list(hosts), "issuerRef": {"name": "ca"}}
    return {
        "apiVersion": CERTIFICATE.api_version,
        "kind": CERTIFICATE.kind,
        "metadata": {"name": name},
        "spec": spec,
    }


async def conditions(server: Server, name: str) -> dict[str, tuple[str, str]]:
    _, live = await server.get(CERTIFICATE, name)
    return {each["type"]: (each["status"], each["reason"]) for each in live["status"]["conditions"]}


async def names(server: Server, secret: str) -> tuple[str, ...]:
    """The hosts of a certificate, as the operator reads them."""
    _, live = await server.get(SECRET, secret)
    found = certificate.from_projected(json.loads(certificate.projected(json.dumps(live).encode())))
    assert found.problem == ""
    return found.names


async def test_the_player_signs_what_a_certificate_asks_for_and_again_when_it_changes(
    server: Server, player: Player
) -> None:
    assert (await server.create(a_certificate("dock", HOST)))[0] == 201
    player.sync()
    assert await conditions(server, "dock") == {"Ready": ("False", "DoesNotExist"), "Issuing": ("True", "DoesNotExist")}
    assert (await server.get(SECRET, "web"))[0] == 404, "there is no issuer"
    await issuer_appears(server)
    player.sync()
    assert await conditions(server, "dock") == {"Ready": ("True", "Ready")}
    assert await names(server, "web") == (HOST,)
    _, before = await server.get(CERTIFICATE, "dock")
    player.sync()
    assert (await server.get(CERTIFICATE, "dock"))[1] == before
    await server.merge(CERTIFICATE, "dock", {"spec": {"dnsNames": [HOST, ALIAS]}})
    player.sync()
    assert set(await names(server, "web")) == {HOST, ALIAS}
    await server.create(a_certificate("other", "other.example.com"))
    player.sync()
    assert await conditions(server, "other") == {"Ready": ("False", "DuplicateSecretName")}
    await server.delete(CERTIFICATE, "dock")
    player.sync()
    assert await names(server, "web") == ("other.example.com",)


async def test_the_player_makes_the_certificate_of_an_ingress(server: Server, player: Player) -> None:
    await issuer_appears(server)
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    paths = {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}
    annotations = {"cert-manager.io/issuer": "ca"}
    ingress = {
        "apiVersion": INGRESS.api_version,
        "kind": INGRESS.kind,
        "metadata": {"name": "dock", "labels": {"colour": "red"}, "annotations": annotations},
        "spec": {"rules": [{"host": HOST, "http": paths}], "tls": [{"hosts": [HOST], "secretName": "web"}]},
    }
    await server.create(ingress)
    player.sync()
    _, made = await server.get(CERTIFICATE, "web")
    assert made["metadata"]["labels"] == {"colour": "red"}
    assert made["metadata"]["ownerReferences"][0]["kind"] == "Ingress"
    assert await names(server, "web") == (HOST,)
    player.sync()
    assert (await server.get(CERTIFICATE, "web"))[1]["metadata"]["generation"] == 1
    await server.merge(INGRESS, "dock", {"spec": {"tls": [{"hosts": [HOST, ALIAS], "secretName": "web"}]}})
    player.sync()
    assert set(await names(server, "web")) == {HOST, ALIAS}
    await server.merge(INGRESS, "dock", {"metadata": {"annotations": dict.fromkeys(annotations)}})
    player.sync()
    assert (await server.get(CERTIFICATE, "web"))[0] == 404
