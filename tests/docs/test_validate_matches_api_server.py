"""`validate` reports every problem that the real API server reports, with the same message."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.cli import rules, schema
from frappe_operator.cli.source import spell
from frappe_operator.runtime.client.http import HttpTransport
from frappe_operator.runtime.client.kubeconfig import find
from sandbox.cluster import Cluster
from tests import definitions
from tests.docs import invalid_values

pytestmark = [pytest.mark.cluster]

WRONG_BENCHES: list[Any] = [
    {},
    {"frappeVersion": 15},
    {"frappeVersion": ""},
    {"frappeVersion": "v" * 129},
    {"frappeVersion": True},
    {"frappeVersion": None},
    {"frappeVersion": "v15", "apps": [{"name": "crm"}, {"name": "crm"}]},
    {"frappeVersion": "v15", "apps": [{}, {"name": "Crm"}, {"name": "crm", "source": "git"}]},
    {"frappeVersion": "v15", "apps": [], "appsJSON": "[]"},
    {"frappeVersion": "v15", "apps": ["crm"]},
    {"frappeVersion": "v15", "trustedProxies": ["10.0.0.0/33", "fd00::1::2/64", "::/0", "10.0.0.7", "x" * 44, 10]},
    {"frappeVersion": "v15", "trustedProxies": ["10.0.0.0/8"] * 33},
    {"frappeVersion": "v15", "componentReplicas": {"nginx": -1, "gunicorn": 1001, "socketio": 1.5}},
    {"frappeVersion": "v15", "componentReplicas": {"nginx": 99999999999999999999, "gunicorn": 1e21}},
    {
        "frappeVersion": "v15",
        "redisConfig": {"maxMemory": "4gb"},
        "componentResources": {"redis": {"limits": {"memory": "4Gi"}}},
    },
    {"frappeVersion": "v15", "componentReplicas": {"nginx": "2", "scheduler": 2, "schedular": 1}},
    {"frappeVersion": "v15", "componentResources": {"redis": {"requests": {"cpu": 1.5, "memory": "1 Gi", "x": [1]}}}},
    {"frappeVersion": "v15", "componentResources": {"nginx": {"limits": {str(n): n for n in range(9)}}}},
    {"frappeVersion": "v15", "imageConfig": {"pullSecrets": [{"name": "A"}, {}], "digest": "abc", "tag": None}},
    {"frappeVersion": "v15", "imageConfig": "frappe", "storage": []},
    {"frappeVersion": "v15", "redisConfig": {"maxMemory": "many", "maxmemory": "1gb"}},
    {"frappeVersion": "v15", "storage": {"size": {}, "accessMode": "RWX"}, "ingress": {"type": "none"}},
    {"frappeVersion": "v15", "domainConfig": {"suffix": "example.net", "autoDetect": True}},
]
FINE = {"benchRef": {"name": "pier"}, "siteName": "pearl.example.net"}
WRONG_SITES: list[Any] = [
    None,
    "nothing",
    {"benchRef": {}, "siteName": "Pearl"},
    {"benchRef": {"name": "a" * 254}, "siteName": "a" * 64},
    {**FINE, "siteName": "assets", "aliases": ["a.net", "b.net", "a.net", "a.net"]},
    {**FINE, "domain": "https://pearl", "aliases": [f"{n}.net" for n in range(33)]},
    {**FINE, "apps": ["crm", "crm", 5, "CRM"]},
    {**FINE, "apps": "crm"},
    {**FINE, "dbConfig": {"mode": "external"}},
    {**FINE, "dbConfig": {"mode": "shared", "storageSize": "1Gi"}},
    {**FINE, "dbConfig": {"mode": "dedicated", "storageSize": "5", "image": "a b", "storageClassName": ""}},
    {**FINE, "dbConfig": {"connectionSecretRef": {"name": "tides", "namespace": "harbour"}, "provider": "mysql"}},
    {**FINE, "deletionPolicy": "retain", "domian": "x", "storage": {"size": -1}},
    {**FINE, "storage": {"size": "5GB", "storageClassName": "a b"}, "ingressClassName": ["inner"]},
    {**FINE, "benchRef": {"name": "pier", "namespace": "Elsewhere"}},
]
API_SERVER_ONLY = re.compile(
    # About how they work, not about the object.
    "some validation rules were not checked|Checked value must be of type|an array of list-type map"
    # What a number of the wrong type would be worth as one of the right type.
    r"|Invalid value: \d+(\.\d+|e\+\d+): .* should be (less|greater)"
)


def an_object(kind: str, spec: Any, name: str = "pearl") -> dict[str, Any]:
    return {"apiVersion": SITE.api_version, "kind": kind, "metadata": {"name": name}, "spec": spec}


CASES = [
    *(an_object(kind.kind, spec) for kind, _, spec, _ in invalid_values.cases()),
    *(an_object("FrappeBench", spec) for spec in WRONG_BENCHES),
    *(an_object("FrappeSite", spec) for spec in WRONG_SITES),
    an_object("FrappeSite", FINE, name="1pearl"),
    an_object("FrappeSite", FINE, name="pearl.white"),
    an_object("FrappeSite", FINE, name="p" * 64),
    {**an_object("FrappeSite", FINE), "specs": {}, "metadata": {"name": "pearl", "label": {}}},
]


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    definitions.install(control_plane)
    return control_plane.kubeconfig


@pytest.fixture
async def server(kubeconfig: Path) -> AsyncIterator[HttpTransport]:
    async with HttpTransport(find(str(kubeconfig))) as transport:
        yield transport


async def api_server_problems(server: HttpTransport, manifest: dict[str, Any]) -> set[tuple[str, str]]:
    """Path and message of every problem that the API server reports for a new object."""
    kind = BENCH if manifest["kind"] == "FrappeBench" else SITE
    answer = await server.request(
        "POST",
        kind.path("default"),
        query={"dryRun": "All", "fieldValidation": "Strict"},
        headers={"Content-Type": "application/json"},
        body=json.dumps(manifest).encode(),
        timeout=30,
    )
    status = json.loads(answer.body)
    assert answer.status in (400, 422), status
    if answer.status == 400:
        return {
            (place, f'unknown field "{place}"') for place in re.findall('unknown field "([^"]+)"', status["message"])
        }
    return {(cause["field"], cause["message"]) for cause in status["details"]["causes"]}


def validate_problems(manifest: dict[str, Any]) -> set[tuple[str, str]]:
    structure = schema.of(BENCH if manifest["kind"] == "FrappeBench" else SITE)
    wrong = list(schema.problems(manifest, structure))
    found = [*wrong, *rules.problems(schema.stored(manifest), structure, {each.where for each in wrong})]
    return {(spell(each.where), each.message) for each in found}


@pytest.mark.parametrize("manifest", CASES, ids=lambda manifest: json.dumps(manifest.get("spec"))[:60])
async def test_validate_reports_the_problems_of_the_api_server(server: HttpTransport, manifest: dict[str, Any]) -> None:
    theirs = {each for each in await api_server_problems(server, manifest) if not API_SERVER_ONLY.search(each[1])}
    assert theirs
    assert theirs - validate_problems(manifest) == set()
