"""Certificates as a cluster has them: signed by themselves, for these hosts, valid until that time."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from frappe_operator.kube.objects import Manifest

FOREVER = datetime(2199, 1, 1, tzinfo=UTC)


def certificate(*hosts: str, until: datetime = FOREVER) -> tuple[str, str]:
    """A certificate and its private key in PEM format."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "not.read.example.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - timedelta(days=90))
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return made.public_bytes(Encoding.PEM).decode(), pem


def secret(name: str, *hosts: str, until: datetime = FOREVER) -> Manifest:
    """A Secret of type kubernetes.io/tls with such a certificate."""
    crt, key = certificate(*hosts, until=until)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name},
        "stringData": {"tls.crt": crt, "tls.key": key},
    }
