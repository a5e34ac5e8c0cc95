"""Certificates of web sites are valid for their names, in strict eyes, and for nothing else."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from sandbox.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def policy(authority: Authority) -> PolicyBuilder:
    return PolicyBuilder().store(Store([x509.load_pem_x509_certificate(authority.certificate.read_bytes())]))


@pytest.mark.parametrize(
    ("host", "valid"),
    [
        ("shop.example.com", True),
        ("a.bench.example.com", True),
        ("bench.example.com", False),
        ("a.b.bench.example.com", False),
        ("other.example.com", False),
    ],
)
def test_a_pair_is_valid_for_its_names(authority: Authority, host: str, valid: bool):
    certificate, key = authority.tls_pair("shop.example.com", "*.bench.example.com")
    assert "PRIVATE KEY" in key
    verifier = policy(authority).build_server_verifier(x509.DNSName(host))
    leaf = x509.load_pem_x509_certificate(certificate.encode())
    if valid:
        assert len(verifier.verify(leaf, [])) == 2
    else:
        with pytest.raises(VerificationError):
            verifier.verify(leaf, [])


def test_a_pair_is_for_servers_only_and_its_name_may_be_long(authority: Authority):
    host = f"{'a' * 60}.{'b' * 60}.example.com"
    leaf = x509.load_pem_x509_certificate(authority.tls_pair(host)[0].encode())
    policy(authority).build_server_verifier(x509.DNSName(host)).verify(leaf, [])
    with pytest.raises(VerificationError):
        policy(authority).build_client_verifier().verify(leaf, [])


def test_another_authority_of_the_same_name_is_not_believed(authority: Authority, tmp_path: Path):
    leaf = x509.load_pem_x509_certificate(authority.tls_pair("shop.example.com")[0].encode())
    other = policy(Authority(tmp_path / "other"))
    with pytest.raises(VerificationError):
        other.build_server_verifier(x509.DNSName("shop.example.com")).verify(leaf, [])


def test_a_client_of_the_cluster_is_believed_as_before(authority: Authority):
    issued = authority.issue("clerk", "clerk", ("people",))
    leaf = x509.load_pem_x509_certificate(issued.certificate.read_bytes())
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate.read_bytes()))
