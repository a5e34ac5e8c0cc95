"""What the player of cert-manager decides. Plain functions of the objects that there are."""

import base64
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509

Object = dict[str, Any]

GROUP = "cert-manager.io"
USAGES = ["digital signature", "key encipherment"]
ISSUERS = {f"{GROUP}/cluster-issuer": "ClusterIssuer", f"{GROUP}/issuer": "Issuer"}
"""The annotations of an Ingress that name an issuer, with its kind."""
OWNER = f"{GROUP}/certificate-name"
"""Annotation of a Secret: the Certificate that it was written for."""
TIME = "%Y-%m-%dT%H:%M:%SZ"


def of_ingress(ingress: Object) -> list[Object]:
    """The Certificates that an Ingress asks for by its annotation."""
    meta = ingress["metadata"]
    annotations = meta.get("annotations", {})
    named = [(kind, annotations[each]) for each, kind in ISSUERS.items() if each in annotations]
    if not named:
        return []
    kind, issuer = named[0]
    owner = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return [
        {
            "apiVersion": f"{GROUP}/v1",
            "kind": "Certificate",
            "metadata": {
                "namespace": meta["namespace"],
                "name": block["secretName"],
                "labels": meta.get("labels", {}),
                "ownerReferences": [owner],
            },
            "spec": {
                "secretName": block["secretName"],
                "dnsNames": block["hosts"],
                "issuerRef": {"group": GROUP, "kind": kind, "name": issuer},
                "usages": USAGES,
            },
        }
        for block in ingress["spec"].get("tls", [])
        if block.get("hosts") and block.get("secretName")
    ]


def controller(obj: Object) -> str:
    """The UID of the object's controller; empty without one."""
    owners = obj["metadata"].get("ownerReferences", [])
    return next((each["uid"] for each in owners if each.get("controller")), "")


def holder(secret_name: str, certificates: list[Object], secret: Object | None) -> str:
    """Which of the Certificates of a namespace may write this Secret: the one that wrote it, else the oldest."""
    metas = [each["metadata"] for each in certificates if each["spec"]["secretName"] == secret_name]
    wrote = (secret or {}).get("metadata", {}).get("annotations", {}).get(OWNER)
    names: list[str] = [
        meta["name"] for meta in sorted(metas, key=lambda meta: (meta["creationTimestamp"], meta["name"]))
    ]
    return next((name for name in names if name == wrote), names[0])


def why_to_issue(certificate: Object, secret: Object | None, now: datetime) -> tuple[str, str] | None:
    """Reason and message of the conditions of a Certificate that has to be issued; None when its Secret is right."""
    spec, name = certificate["spec"], certificate["metadata"]["name"]
    if secret is None:
        return "DoesNotExist", "Issuing certificate as Secret does not exist"
    wrote = secret["metadata"].get("annotations", {}).get(OWNER, "")
    if wrote != name:
        return "IncorrectCertificate", f"Issuing certificate as Secret was previously issued for another one: {wrote!r}"
    found = _signed(secret)
    if found is None:
        return "InvalidCertificate", "Issuing certificate as Secret contains an invalid certificate"
    if sorted(_names(found)) != sorted(spec["dnsNames"]):
        return (
            "SecretMismatch",
            "Issuing certificate as Existing issued Secret is not up to date for spec: [spec.dnsNames]",
        )
    if _renewal(found) <= now:
        return "Renewing", "Renewing certificate as renewal was scheduled"
    return None


def secret_for(certificate: Object, pair: tuple[str, str], authority: str) -> Object:
    """The Secret with a signed certificate and its key in PEM format, and the certificate of who signed it."""
    spec, meta = certificate["spec"], certificate["metadata"]
    issuer = spec["issuerRef"]
    annotations = {
        OWNER: meta["name"],
        f"{GROUP}/alt-names": ",".join(spec["dnsNames"]),
        f"{GROUP}/common-name": "",
        f"{GROUP}/ip-sans": "",
        f"{GROUP}/uri-sans": "",
        f"{GROUP}/issuer-group": issuer.get("group", ""),
        f"{GROUP}/issuer-kind": issuer.get("kind", "Issuer"),
        f"{GROUP}/issuer-name": issuer["name"],
    }
    content = {"tls.crt": pair[0], "tls.key": pair[1], "ca.crt": authority}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {
            "namespace": meta["namespace"],
            "name": spec["secretName"],
            "annotations": annotations,
            "labels": {f"controller.{GROUP}/fao": "true"},
        },
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in content.items()},
    }


def ready(certificate: Object, secret: Object, now: datetime) -> Object:
    """The status of a Certificate whose Secret is right."""
    found = _signed(secret)
    assert found is not None
    words = "Certificate is up to date and has not expired"
    return {
        "conditions": [_condition(certificate, "Ready", "True", "Ready", words, now)],
        "notBefore": found.not_valid_before_utc.strftime(TIME),
        "notAfter": found.not_valid_after_utc.strftime(TIME),
        "renewalTime": _renewal(found).strftime(TIME),
        "revision": certificate.get("status", {}).get("revision", 0) + 1,
    }


def issuing(certificate: Object, reason: str, message: str, now: datetime) -> Object:
    """The status of a Certificate that is being issued, or that waits for its issuer."""
    return {
        **certificate.get("status", {}),
        "conditions": [
            _condition(certificate, "Ready", "False", reason, message, now),
            _condition(certificate, "Issuing", "True", reason, message, now),
        ],
    }


def refused(certificate: Object, message: str, now: datetime) -> Object:
    """The status of a Certificate whose Secret another one writes."""
    return {"conditions": [_condition(certificate, "Ready", "False", "DuplicateSecretName", message, now)]}


def issuer_ready(issuer: Object, now: datetime) -> Object:
    """The status of an issuer: this player signs for all."""
    return {"conditions": [_condition(issuer, "Ready", "True", "KeyPairVerified", "Signing CA verified", now)]}


def says_the_same(status: Object, live: Object) -> bool:
    """Whether an object has this status already, whatever the times and revisions are."""
    return _said(status) == _said(live.get("status", {}))


def _said(status: Object) -> list[tuple[Any, ...]]:
    fields = ("type", "status", "reason", "message", "observedGeneration")
    conditions = sorted(tuple(each.get(field) for field in fields) for each in status.get("conditions", []))
    return [*conditions, (status.get("notAfter"),)]


def _condition(live: Object, kind: str, status: str, reason: str, message: str, now: datetime) -> Object:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": live["metadata"]["generation"],
        "lastTransitionTime": now.strftime(TIME),
    }


def _signed(secret: Object) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(base64.b64decode(secret.get("data", {}).get("tls.crt", "")))
    except ValueError:
        return None


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return extension.value.get_values_for_type(x509.DNSName)


def _renewal(certificate: x509.Certificate) -> datetime:
    """When a third of its time is left."""
    lasts = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return certificate.not_valid_after_utc - timedelta(seconds=lasts.total_seconds() / 3)
