"""Listeners that present the certificate of a site at a Gateway: a ListenerSet of the site, or the Gateway's own."""

from collections.abc import Iterable, Sequence

import msgspec

from frappe_operator.components.metadata import metadata
from frappe_operator.components.route.grants import GROUP, NOT_PERMITTED, missing_grant
from frappe_operator.kube.foreign import Gateway as LiveGateway
from frappe_operator.kube.foreign import Listener, ListenerSet
from frappe_operator.kube.kinds import LISTENER_SET
from frappe_operator.kube.live import Condition
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Verdict
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.route import HTTPS_PROTOCOLS, Gateway
from frappe_operator.model.site import Site

HINTS = {
    "NotAllowed": "the Gateway does not accept ListenerSets from this namespace: its owner sets "
    "allowedListeners.namespaces",
    "ParentNotAccepted": "the Gateway itself is not accepted by its controller",
    "HostnameConflict": "another listener has this host name",
    "ProtocolConflict": "another listener has this port with another protocol",
    "InvalidCertificateRef": "it cannot use the Secret with the certificate",
}
"""What the reasons of a Gateway mean for a listener. The message of the Gateway follows."""


def parent(gateway: Gateway) -> Manifest:
    """A reference to a Gateway."""
    return {"group": GROUP, "kind": "Gateway", "namespace": gateway.namespace, "name": gateway.name}


def build(site: Site, gateway: Gateway, name: str, hosts: Iterable[str]) -> Manifest:
    """A ListenerSet with a listener for each host, which presents the certificate in the Secret of the site."""
    assert site.tls is not None
    secret = {"group": "", "kind": "Secret", "name": site.tls.secret}
    return {
        "apiVersion": LISTENER_SET.api_version,
        "kind": LISTENER_SET.kind,
        "metadata": metadata(site.owner, name, "ingress"),
        "spec": {
            "parentRef": parent(gateway),
            "listeners": [
                {
                    "name": host.replace("*", "wildcard"),
                    "hostname": host,
                    "port": site.listener_port,
                    "protocol": "HTTPS",
                    "tls": {"mode": "Terminate", "certificateRefs": [secret]},
                    "allowedRoutes": {"namespaces": {"from": "Same"}},
                }
                for host in hosts
            ],
        },
    }


def problem(site: Site, gateway: Gateway, live: LiveGateway | None, live_sets: LiveChildren) -> Verdict | None:
    """Why the certificate of a site, or that of the Gateway, is not presented; None when it is, or when nobody says.

    `live`: the Gateway, None when the operator cannot read it. `live_sets`: the ListenerSets of the site.
    """
    if site.listener_port:
        return _refused_set(gateway, live_sets)
    return None if live is None else _refused_listener(site, gateway, live)


def _refused_set(gateway: Gateway, live_children: LiveChildren) -> Verdict | None:
    """Why a ListenerSet of the site is not in effect; None when all are."""
    for live in live_children:
        if not isinstance(live, ListenerSet):
            return Verdict(False, Reason.PROVISIONING, "The objects are being created.")
        name = live.metadata.name
        where = f"{named(gateway)} has not programmed ListenerSet {name} yet"
        pending = Verdict(False, FrappeReason.LISTENER_PENDING, f"{where}: does its controller serve ListenerSets?")
        condition = unmet(live.status.conditions, ("Accepted", "Programmed"), live.metadata.generation)
        if condition is None:
            continue
        if condition.status != "False" or condition.reason == "Pending":
            return pending
        # What is wrong with a listener explains what is wrong with the set.
        parts = [each for status in live.status.listeners for each in status.conditions if _is_problem(each)]
        where = f"{named(gateway)} does not serve ListenerSet {name}"
        return _refused(where, parts[0] if parts else condition)
    return None


def _refused_listener(site: Site, gateway: Gateway, live: LiveGateway) -> Verdict | None:
    """Why the Gateway's own listeners present no certificate for a host of the site; None when they do, or when the
    Gateway says nothing of it."""
    statuses = {each.name: each.conditions for each in live.status.listeners}
    for host in site.domain.hosts:
        serving = [each for each in live.spec.listeners if _serves(each, gateway.section, host)]
        closest = max(map(_closeness, serving), default=None)
        fitting = [each for each in serving if _closeness(each) == closest]
        problems = [
            (listener, condition)
            for listener in fitting
            for condition in statuses.get(listener.name, ())
            if condition.type == "ResolvedRefs" and condition.status == "False"
        ]
        if fitting and len(problems) == len(fitting):
            listener, condition = problems[0]
            where = f"Listener {listener.name} of {named(gateway)} has no certificate for {host}"
            namespaces = {ref.namespace or live.metadata.namespace for ref in listener.tls.certificate_refs}
            if namespaces - {site.owner.namespace}:
                # The message may name objects of other namespaces.
                condition = msgspec.structs.replace(condition, message="")
            return _refused(where, condition, _grants(live, listener, site.owner.namespace))
    return None


def presents(gateway: LiveGateway, namespace: str, secret: str) -> bool:
    """Whether a listener of the Gateway names a Secret."""
    refs = [ref for each in gateway.spec.listeners for ref in each.tls.certificate_refs]
    return (namespace, secret) in {(ref.namespace or gateway.metadata.namespace, ref.name) for ref in refs}


def _serves(listener: Listener, section: str, host: str) -> bool:
    """Whether a listener is for https and for this host."""
    name = listener.hostname
    of_host = name in ("", host) or (name.startswith("*.") and host.endswith(name[1:]))
    return listener.protocol in HTTPS_PROTOCOLS and section in ("", listener.name) and of_host


def _closeness(listener: Listener) -> tuple[bool, int]:
    """How closely a listener fits a host that it serves: of several, only those that fit best are asked."""
    return bool(listener.hostname) and not listener.hostname.startswith("*."), len(listener.hostname)


def _grants(gateway: LiveGateway, listener: Listener, namespace: str) -> str:
    """The ReferenceGrants that the certificates of a listener need. Names of Secrets in other namespaces than that of
    the site are not disclosed."""
    own = gateway.metadata.namespace
    others = sorted(
        {
            (each.namespace, each.name if each.namespace == namespace else "")
            for each in listener.tls.certificate_refs
            if each.namespace not in ("", own)
        }
    )
    return "; ".join(missing_grant("Gateway", own, "Secret", other, name) for other, name in others)


def unmet(conditions: Sequence[Condition], kinds: Iterable[str], generation: int) -> Condition | None:
    """The first of these conditions that is not true of this generation; None when all are."""
    found = {each.type: each for each in conditions}
    for kind in kinds:
        condition = found.get(kind, Condition(kind))
        if condition.observed_generation < generation:
            return Condition(kind)
        if condition.status != "True":
            return condition
    return None


def _is_problem(condition: Condition) -> bool:
    """Whether a condition of a listener explains why it is not in effect."""
    bad = "True" if condition.type == "Conflicted" else "False"
    return condition.status == bad and condition.type != "Programmed"


def _refused(where: str, condition: Condition, grants: str = "") -> Verdict:
    hint = HINTS.get(condition.reason, condition.reason)
    if condition.reason == NOT_PERMITTED:
        hint = grants or "a ReferenceGrant for the Secret with the certificate is missing"
    says = f". It says: {condition.message}" if condition.message else ""
    return Verdict(False, FrappeReason.LISTENER_REFUSED, f"{where}: {hint}{says}", blocked=True)


def named(gateway: Gateway) -> str:
    """A Gateway, as messages name it."""
    return f"Gateway {gateway.name} in namespace {gateway.namespace}"
