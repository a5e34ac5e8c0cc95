"""Plays cert-manager: `python -m sandbox.cert_manager_player KUBECONFIG FOLDER`, with a certificate authority there."""

import sys
import threading
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path

from sandbox.cert_manager_player import decisions
from sandbox.cert_manager_player.api import (
    CERTIFICATES,
    CLUSTER_ISSUERS,
    INGRESSES,
    ISSUERS,
    SECRETS,
    Api,
    Object,
    RefusedError,
    Resource,
)
from sandbox.certificates import Authority

WATCHED = (CERTIFICATES, CLUSTER_ISSUERS, INGRESSES, ISSUERS)
RESYNC_SECONDS = 2.0
"""How often everything is compared without an event: Secrets are not watched."""


class Player:
    """Makes the cluster what Certificates, Ingresses and issuers ask for."""

    def __init__(self, api: Api, authority: Authority) -> None:
        self._api = api
        self._authority = authority

    def sync(self) -> None:
        """Compares everything once. Raises OSError, HTTPException and RefusedError."""
        issuers = {
            (kind, each["metadata"].get("namespace", ""), each["metadata"]["name"])
            for kind, resource in (("Issuer", ISSUERS), ("ClusterIssuer", CLUSTER_ISSUERS))
            for each in self._issuers(resource)
        }
        found = self._api.list(CERTIFICATES)
        ingresses = self._api.list(INGRESSES)
        if any([*(self._ask_for(each, found) for each in ingresses), self._drop(ingresses, found)]):
            found = self._api.list(CERTIFICATES)
        for certificate in found:
            reference, meta = certificate["spec"]["issuerRef"], certificate["metadata"]
            kind = reference.get("kind", "Issuer")
            issuer = (kind, "" if kind == "ClusterIssuer" else meta["namespace"], reference["name"])
            try:
                self._issue(certificate, found, has_issuer=issuer in issuers)
            except RefusedError as refused:
                # In a namespace that is being deleted, for example. It must not end the work on the others.
                print(f"{meta['namespace']}/{meta['name']}: {refused}", flush=True)

    def _issuers(self, resource: Resource) -> list[Object]:
        live = self._api.list(resource)
        for each in live:
            self._report(resource, each, decisions.issuer_ready(each, _now()))
        return live

    def _ask_for(self, ingress: Object, certificates: list[Object]) -> bool:
        """Makes the Certificates of an Ingress. Returns whether it has written any."""
        by_key = {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in certificates}
        wrote = False
        for desired in decisions.of_ingress(ingress):
            meta = desired["metadata"]
            live = by_key.get((meta["namespace"], meta["name"]))
            if live is not None and decisions.controller(live) != ingress["metadata"]["uid"]:
                continue
            same = live is not None and (live["spec"], live["metadata"].get("labels", {})) == (
                desired["spec"],
                meta["labels"],
            )
            if not same:
                wrote = self._apply(desired) or wrote
        return wrote

    def _apply(self, certificate: Object) -> bool:
        """Applies a Certificate. Returns whether the API server has taken it."""
        try:
            self._api.apply(CERTIFICATES, certificate)
        except RefusedError as refused:
            print(f"{certificate['metadata']['namespace']}: {refused}", flush=True)
            return False
        return True

    def _drop(self, ingresses: list[Object], certificates: list[Object]) -> bool:
        """Deletes the Certificates for which their Ingress does not ask any more. Returns whether there were any."""
        asked = {each["metadata"]["uid"]: decisions.of_ingress(each) for each in ingresses}
        left = [
            each["metadata"]
            for each in certificates
            if (owner := decisions.controller(each)) in asked
            and each["metadata"]["name"] not in {other["metadata"]["name"] for other in asked[owner]}
        ]
        for meta in left:
            self._api.delete(CERTIFICATES, meta["namespace"], meta["name"])
        return bool(left)

    def _issue(self, certificate: Object, others: list[Object], *, has_issuer: bool) -> None:
        """Signs what a Certificate asks for, and says so in its status."""
        meta, name = certificate["metadata"], certificate["spec"]["secretName"]
        secret = self._api.get(SECRETS, meta["namespace"], name)
        neighbours = [each for each in others if each["metadata"]["namespace"] == meta["namespace"]]
        holder = decisions.holder(name, neighbours, secret)
        if holder != meta["name"]:
            words = f"Secret {name} is that of Certificate {holder}"
            self._report(CERTIFICATES, certificate, decisions.refused(certificate, words, _now()))
            return
        why = decisions.why_to_issue(certificate, secret, _now())
        if why is not None:
            self._report(CERTIFICATES, certificate, decisions.issuing(certificate, *why, _now()))
            if not has_issuer:
                return
            pair = self._authority.tls_pair(*certificate["spec"]["dnsNames"])
            signed = decisions.secret_for(certificate, pair, self._authority.certificate.read_text())
            secret = self._api.apply(SECRETS, signed)
            print(f"signed {meta['namespace']}/{meta['name']}: {why[0]}", flush=True)
        assert secret is not None
        self._report(CERTIFICATES, certificate, decisions.ready(certificate, secret, _now()))

    def _report(self, resource: Resource, live: Object, status: Object) -> None:
        if decisions.says_the_same(status, live):
            return
        meta = {name: live["metadata"][name] for name in ("name", "namespace") if name in live["metadata"]}
        kind = {"apiVersion": live["apiVersion"], "kind": live["kind"]}
        self._api.apply(resource, {**kind, "metadata": meta, "status": status}, "status")
        live["status"] = status


def _now() -> datetime:
    return datetime.now(UTC)


def main() -> None:
    """Runs for ever."""
    api = Api(Path(sys.argv[1]))
    player = Player(api, Authority(Path(sys.argv[2])))
    changed = threading.Event()
    for resource in WATCHED:
        api.watch(resource, changed)
    while True:
        changed.clear()
        try:
            player.sync()
        except (OSError, HTTPException, RefusedError) as error:
            # Everything is compared again in a moment.
            print(f"sync: {error!r}", flush=True)
        changed.wait(RESYNC_SECONDS)


if __name__ == "__main__":
    main()
