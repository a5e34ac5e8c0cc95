"""Routed: the owners of the hosts, and the responses of the proxy pods."""

import pytest

from frappe_operator.kube.objects import Key
from frappe_operator.model.host_claims import HostClaim
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.runtime.client.fetch import Answer
from frappe_operator.site.conditions import routed
from frappe_operator.site.observe import LastStatus, Observed
from frappe_operator.site.probe import Responses
from tests.unit.resolved_samples import NAMESPACE, a_site, an_offer
from tests.unit.site.test_premises import observed

HOST = "pearl.example.net"


@pytest.mark.parametrize(
    ("responses", "says"),
    [
        (None, "The proxies are probed once a web pod of the site is ready"),
        (Responses({}, None), "No proxy pod of FrappeBench pier is ready yet"),
        (Responses({f"one {HOST}": Answer(200, "gull")}, None), f"Proxy pod one does not route {HOST} yet"),
    ],
)
def test_it_is_false_until_every_proxy_pod_routes_every_host(responses: Responses | None, says: str) -> None:
    verdict = routed.probed(a_site(), responses)
    assert (verdict.ok, verdict.blocked, verdict.reason) == (False, False, FrappeReason.ROUTE_NOT_SERVED)
    assert verdict.message == says


def test_it_is_true_when_every_proxy_pod_routes_every_host() -> None:
    site = a_site()
    assert routed.probed(site, Responses({f"one {HOST}": Answer(200, f"{site.site_name}\n")}, None)).ok


@pytest.mark.parametrize(
    ("owner", "named"), [(Key(NAMESPACE, "gull"), "FrappeSite gull"), (Key("elsewhere", "gull"), "another FrappeSite")]
)
def test_a_host_of_another_site_blocks_and_names_no_site_of_another_namespace(owner: Key, named: str) -> None:
    facts: Observed = observed(conflicting_hosts={HOST: HostClaim(False, "", owner, HOST)})
    verdict = routed.hosts_are_free(a_site(), facts)([])
    assert (verdict.reason, verdict.blocked) == (FrappeReason.HOST_TAKEN, True)
    assert verdict.message.startswith(f"{HOST} belongs to {named}, ")


@pytest.mark.parametrize(
    ("host", "claimed", "near", "far"),
    [
        (
            HOST,
            "*.example.net",
            f"{HOST} is inside *.example.net, which belongs to FrappeSite gull, ",
            f"{HOST} is inside *.example.net, which belongs to another FrappeSite, ",
        ),
        (
            "*.example.net",
            "secret.example.net",
            "secret.example.net inside *.example.net belongs to FrappeSite gull, ",
            "a host inside *.example.net belongs to another FrappeSite, ",
        ),
        (
            "xn--bcher-kva.example",
            "xn--bcher-kva.example",
            "xn--bcher-kva.example (b\u00fccher.example) belongs to FrappeSite gull, ",
            "xn--bcher-kva.example (b\u00fccher.example) belongs to another FrappeSite, ",
        ),
    ],
)
def test_a_message_says_what_a_wildcard_has_to_do_with_it(host: str, claimed: str, near: str, far: str) -> None:
    for namespace, says in ((NAMESPACE, near), ("elsewhere", far)):
        claim = HostClaim(False, "", Key(namespace, "gull"), claimed)
        verdict = routed.hosts_are_free(a_site(), observed(conflicting_hosts={host: claim}))([])
        assert verdict.message == f"{says}which had it first: choose another domain or alias"


def test_hosts_without_another_owner_are_free() -> None:
    facts: Observed = observed(bench=an_offer(), domain_or_none=a_site().domain)
    assert facts.last_status == LastStatus()
    assert routed.hosts_are_free(a_site(), facts)([]).ok
