"""Certificate authorities: the cluster's own, and that of web sites."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.state import State

_VALID = timedelta(days=365)


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


def tls_secret(name: str, pair: tuple[str, str], namespace: str = "") -> dict[str, Any]:
    """The Secret of type kubernetes.io/tls with a certificate and its key in PEM format, as `Authority.tls_pair` gives
    them. Without `namespace`, it goes to that of the request."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "stringData": dict(zip(("tls.crt", "tls.key"), pair, strict=True)),
    }


class Authority:
    """A certificate authority in `folder`, made there if it is not there yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = Certificate(folder / "ca.crt", folder / "ca.key")
        if not self._own.key.exists():
            self._make()

    @property
    def certificate(self) -> Path:
        """What those who check certificates need."""
        return self._own.certificate

    def issue(
        self, file: str, common_name: str, organizations: tuple[str, ...] = (), hosts: tuple[str, ...] = ()
    ) -> Certificate:
        """A certificate for a client, and for a server under `hosts` (names and addresses) if there are any.

        It is written to `<file>.crt` and `<file>.key` in the authority's folder, over any that is there.
        """
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])]
        certificate, key = self._sign(_name(common_name, organizations), hosts, usages)
        issued = Certificate(self._folder / f"{file}.crt", self._folder / f"{file}.key")
        _write(issued.certificate, certificate)
        _write(issued.key, key)
        return issued

    def tls_pair(self, *hosts: str) -> tuple[str, str]:
        """A certificate for a server under `hosts` (names, `*.` included, and addresses), and its key, as PEM.

        `tls_secret` makes a Secret of them. Nothing is written.
        """
        # Longer common names are invalid; clients read the names of the extension.
        certificate, key = self._sign(_name(hosts[0][:64], ()), hosts, [ExtendedKeyUsageOID.SERVER_AUTH])
        return certificate.decode(), key.decode()

    def key_pair(self, file: str) -> tuple[Path, Path]:
        """A new private key and its public key in the authority's folder; returns the paths (private, public)."""
        key = ec.generate_private_key(ec.SECP256R1())
        private, public = self._folder / f"{file}.key", self._folder / f"{file}.pub"
        _write(private, _pem(key))
        _write(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        return private, public

    def _sign(
        self, subject: x509.Name, hosts: Sequence[str], usages: Sequence[x509.ObjectIdentifier]
    ) -> tuple[bytes, bytes]:
        """A new certificate and its key, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        signer = load_pem_private_key(self._own.key.read_bytes(), password=None)
        if not isinstance(signer, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{self._own.key} is not a key made here")
        builder = (
            _builder(subject, key.public_key())
            .issuer_name(x509.load_pem_x509_certificate(self._own.certificate.read_bytes()).subject)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_host(h) for h in hosts]), critical=False)
        return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM), _pem(key)

    def _make(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("frappe-operator-sandbox", ())
        usage = x509.KeyUsage(
            key_cert_sign=True,
            crl_sign=True,
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            _builder(name, key.public_key())
            .issuer_name(name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, hashes.SHA256())
        )
        _write(self._own.certificate, certificate.public_bytes(Encoding.PEM))
        _write(self._own.key, _pem(key))


def of_websites(state: State) -> Authority:
    """Who signs the certificates of web sites in the cluster.

    Not the cluster's authority: whomever that vouches for is a user of the API.
    """
    return Authority(state.folder("certificates-of-websites"))


def _name(common_name: str, organizations: tuple[str, ...]) -> x509.Name:
    # Kubernetes reads the user from the common name and the groups from the organizations.
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in organizations]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks differ
        .not_valid_after(now + _VALID)
        # Strict clients (Python 3.13 and newer) want to see which key signed which.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
