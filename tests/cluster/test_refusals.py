"""What the real API server refuses, and that it says what to write instead."""

import json
from typing import Any

import pytest

from sandbox.cluster import Cluster
from sandbox.control_plane import KubectlError
from sandbox.installation import Kubectl
from tests import definitions

pytestmark = [pytest.mark.cluster]

BENCH = {"frappeVersion": "version-15"}
SITE = {"benchRef": {"name": "harbour"}, "siteName": "shop.example.com"}
EXTERNAL = {"mode": "external", "connectionSecretRef": {"name": "mine"}}

REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "misspelt field": ("FrappeSite", {**SITE, "domian": "x"}, 'unknown field "spec.domian"'),
    "upper case site": ("FrappeSite", {**SITE, "siteName": "Shop"}, "must be a host name in lowercase"),
    "reserved site": ("FrappeSite", {**SITE, "siteName": "assets"}, "a name that Frappe reserves"),
    "no bench": ("FrappeSite", {"siteName": "a.b"}, "spec.benchRef: Required value"),
    "url for a domain": ("FrappeSite", {**SITE, "domain": "https://shop/"}, "without scheme, port or path"),
    "no connection": (
        "FrappeSite",
        {**SITE, "dbConfig": {"mode": "external"}},
        "it names a Secret with the keys host,",
    ),
    "two modes": (
        "FrappeSite",
        {**SITE, "dbConfig": {**EXTERNAL, "mode": "shared"}},
        "is required with mode: external",
    ),
    "mysql": ("FrappeSite", {**SITE, "dbConfig": {"provider": "mysql"}}, 'supported values: "mariadb"'),
    "amount": ("FrappeSite", {**SITE, "storage": {"size": "5 GB"}}, "must be a quantity such as 5Gi"),
    "two schedulers": ("FrappeSite", {**SITE, "componentReplicas": {"scheduler": 2}}, "componentReplicas.scheduler"),
    "six socketios": ("FrappeSite", {**SITE, "componentReplicas": {"socketio": 6}}, "less than or equal to 5"),
    "policy": ("FrappeSite", {**SITE, "deletionPolicy": "Keep"}, 'supported values: "Delete", "Retain"'),
    "apps twice": ("FrappeBench", {**BENCH, "apps": [{"name": "crm"}], "appsJSON": "[]"}, "set only one of them"),
    "proxy by name": (
        "FrappeBench",
        {**BENCH, "trustedProxies": ["ingress"]},
        "must be a network such as 10.244.0.0/16",
    ),
    "proxy without bits": ("FrappeBench", {**BENCH, "trustedProxies": ["10.0.0.7"]}, "a single address as 10.0.0.7/32"),
    "everybody": ("FrappeBench", {**BENCH, "trustedProxies": ["0.0.0.0/0"]}, "every address (/0) is not allowed"),
    "everybody too": (
        "FrappeBench",
        {**BENCH, "trustedProxies": ["fd00::/8", "::/0"]},
        "every address (/0) is not allowed",
    ),
    "suffix": ("FrappeBench", {**BENCH, "domainConfig": {"suffix": "a.com"}}, "must be a dot followed by a domain"),
    "version": ("FrappeBench", {"frappeVersion": "version 15"}, "must be an image tag"),
    "tag": ("FrappeBench", {**BENCH, "imageConfig": {"repository": "r.example.com/erp:v1"}}, "set imageConfig.tag"),
    "old": ("FrappeBench", {"frappeVersion": "version-14"}, "use an image with Frappe 15 or newer"),
    "address": ("FrappeSite", {**SITE, "domain": "10.0.0.7"}, "must be a host name, not an IP address"),
    "address as a name": ("FrappeSite", {**SITE, "siteName": "10.0.0.7"}, "use a host name that resolves to it"),
    "no unit": ("FrappeBench", {**BENCH, "redisConfig": {"maxMemory": "512"}}, "an amount of memory with a unit"),
    "app of a repository": (
        "FrappeBench",
        {**BENCH, "appsJSON": '[{"name": "crm", "url": "x"}]'},
        "must be an https or ssh URL",
    ),
    "deep": ("FrappeBench", {**BENCH, "appsJSON": "[" * 8000}, "must be a JSON list of app names"),
    "digest": (
        "FrappeBench",
        {**BENCH, "imageConfig": {"digest": "abc"}},
        "must be sha256: followed by 64 hexadecimal digits",
    ),
}

CHANGED: dict[str, tuple[dict[str, Any], str]] = {
    "siteName": ({"siteName": "other.example.com"}, "use domain and aliases to serve other host names"),
    "benchRef": ({"benchRef": {"name": "pier"}}, "benchRef is immutable"),
    "mode": ({"dbConfig": EXTERNAL}, "dbConfig.mode is immutable"),
}


@pytest.fixture(scope="session")
def kubectl(control_plane: Cluster) -> Kubectl:
    kubectl = Kubectl.of(control_plane)
    definitions.install(control_plane)
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "refusals"}})
    return kubectl


def an_object(kind: str, spec: dict[str, Any], name: str = "pearl") -> dict[str, Any]:
    return {
        "apiVersion": "vyogo.tech/v1alpha1",
        "kind": kind,
        "metadata": {"namespace": "refusals", "name": name},
        "spec": spec,
    }


def test_what_is_right_is_taken(kubectl: Kubectl) -> None:
    for kind, spec in (("FrappeBench", BENCH), ("FrappeSite", SITE)):
        kubectl("create", "--dry-run=server", "-f", "-", given=json.dumps(an_object(kind, spec)))


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused_with_what_to_write(kubectl: Kubectl, case: str) -> None:
    kind, spec, words = REFUSED[case]
    with pytest.raises(KubectlError) as refusal:
        kubectl("create", "--dry-run=server", "-f", "-", given=json.dumps(an_object(kind, spec)))
    assert words in str(refusal.value)


@pytest.mark.parametrize("field", CHANGED)
def test_what_cannot_change_says_how_to_get_there(kubectl: Kubectl, field: str) -> None:
    # The only one that stays: the others must not find their name taken, whoever runs first.
    kubectl.apply(an_object("FrappeSite", SITE, "ruby"))
    change, words = CHANGED[field]
    patch = json.dumps({"spec": change})
    with pytest.raises(KubectlError) as refusal:
        kubectl("patch", "frappesite", "ruby", "--namespace=refusals", "--type=merge", f"--patch={patch}")
    assert words in str(refusal.value)
