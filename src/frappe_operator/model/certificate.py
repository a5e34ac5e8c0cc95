"""The certificate in a Secret of type kubernetes.io/tls: for which hosts and how long it is valid."""

import base64
import binascii
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from msgspec import Struct
from msgspec.structs import replace

from frappe_operator.kube.listing import abbreviated
from frappe_operator.kube.names import digest
from frappe_operator.model.host import wildcard_of

SOON = timedelta(days=14)
"""How long before its end a certificate is said to expire. cert-manager renews when a third of the time is left."""
NAMED = 5
"""How many names of a certificate a message contains."""


class Certificate(Struct, frozen=True):
    """What a site needs to know of its certificate."""

    names: tuple[str, ...] = ()
    not_after: datetime = datetime.max.replace(tzinfo=UTC)
    authority: str = ""
    """Fingerprint of the certificate authority in the Secret (`ca.crt`), which cert-manager writes there when it is not
    one that everybody knows; empty without one."""
    problem: str = ""
    """Why no ingress controller can use the Secret; empty when it can."""

    def uncovered(self, hosts: tuple[str, ...]) -> list[str]:
        """The hosts that the certificate is not for."""
        return [host for host in hosts if not {host, wildcard_of(host)} & set(self.names)]

    def listed(self) -> str:
        """The names of the certificate, for a message."""
        return abbreviated(self.names, NAMED)


class _Body(Struct):
    data: dict[str, str] = {}


def projected(body: bytes) -> bytes:
    """The part of a TLS Secret that may be cached, as JSON of a Certificate: nothing of the key is kept."""
    data = msgspec.json.decode(body, type=_Body).data
    found = _certificate(data.get("tls.crt", ""), data.get("tls.key", ""))
    authority = data.get("ca.crt", "")
    return msgspec.json.encode({"certificate": replace(found, authority=digest(authority, 16) if authority else "")})


def from_projected(body: object) -> Certificate:
    """The certificate in what `projected` has kept."""
    return msgspec.convert(body, type=dict[str, Certificate], strict=False)["certificate"]


def _certificate(encoded_certificate: str, encoded_key: str) -> Certificate:
    missing = [key for key, value in (("tls.crt", encoded_certificate), ("tls.key", encoded_key)) if not value]
    if missing:
        return Certificate(problem=f"has no key {' and no key '.join(missing)}")
    try:
        # A chain begins with the certificate of the server.
        found = x509.load_pem_x509_certificates(base64.b64decode(encoded_certificate))[0]
    except (ValueError, binascii.Error):
        return Certificate(problem="contains no certificate in PEM format in the key tls.crt")
    try:
        key = load_pem_private_key(base64.b64decode(encoded_key), None).public_key()
    except (ValueError, TypeError, binascii.Error, UnsupportedAlgorithm):
        return Certificate(problem="contains no unencrypted private key in PEM format in the key tls.key")
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_bytes(*form) != found.public_key().public_bytes(*form):
        return Certificate(problem="contains a private key that does not belong to its certificate")
    return Certificate(_names(found), found.not_valid_after_utc)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The DNS names in the certificate. Browsers ignore its common name."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(name.lower() for name in extension.value.get_values_for_type(x509.DNSName))
