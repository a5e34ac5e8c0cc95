"""Certificates as a cluster has them: signed by themselves, for these hosts, valid until that time."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from frappe_operator.kube.objects import Manifest

FOREVER = datetime(2199, 1, 1, tzinfo=UTC)


PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def certificate(*hosts: str, until: datetime = FOREVER) -> tuple[str, str]:
    """A certificate and its private key in PEM format."""
    return _signed(hosts, until, ec.generate_private_key(ec.SECP256R1()), hashes.SHA256(), x509.random_serial_number())


@cache
def same_certificate(*hosts: str) -> tuple[str, str]:
    """The same, equal in every run."""
    seed = hashlib.sha256(" ".join(hosts).encode()).digest()
    return _signed(hosts, FOREVER, ed25519.Ed25519PrivateKey.from_private_bytes(seed), None, 1)


def _signed(
    hosts: Sequence[str], until: datetime, key: PrivateKey, algorithm: hashes.SHA256 | None, number: int
) -> tuple[str, str]:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "not.read.example.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(number)
        .not_valid_before(until - timedelta(days=90))
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .sign(key, algorithm)
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return made.public_bytes(Encoding.PEM).decode(), pem


def secret(name: str, *hosts: str, until: datetime = FOREVER, always_the_same: bool = False) -> Manifest:
    """A Secret of type kubernetes.io/tls with such a certificate."""
    crt, key = same_certificate(*hosts) if always_the_same else certificate(*hosts, until=until)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name},
        "stringData": {"tls.crt": crt, "tls.key": key},
    }
