"""A database of the user that accepts encrypted connections only, at an IPv6 address: what the runner, the `mariadb`
programs that Frappe starts, and the driver make of it."""

import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.standin.bench_under_test import Bench
from tests.standin.rootfs import Rootfs
from tests.standin.test_mariadb import Server
from tests.standin.test_with_the_runner import SITE, URL, Pod, a_pod

ADDRESS, NAME = "::1", "ledger"
CHECK = ("check-database", "--frappe-version=15.101.1", "--owner=shop/shop", "--patience=0")


def authority() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an authority")])
    basic = x509.BasicConstraints(ca=True, path_length=None)
    return _signed(name, name, key, key, basic), key


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *extensions: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=9))
    )
    for each in extensions:
        builder = builder.add_extension(each, critical=isinstance(each, x509.BasicConstraints))
    return builder.sign(signer, hashes.SHA256())


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


class Encrypted(NamedTuple):
    """A server that refuses connections without TLS."""

    server: Server
    port: int
    ca: str


@pytest.fixture(scope="module")
def encrypted(rootfs: Rootfs) -> Iterator[Encrypted]:
    server, (ca, signer) = Server(rootfs), authority()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a server")])
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ADDRESS))])
    folder = f"{server.place}/secret"
    rootfs.inside(f"{folder}/tls.crt").write_text(pem(_signed(name, ca.subject, key, signer, host)))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    rootfs.inside(f"{folder}/tls.key").write_text(private)
    files = f"--ssl-cert={folder}/tls.crt --ssl-key={folder}/tls.key"
    with server.started("root-canary", ADDRESS, f"{files} --require-secure-transport=ON") as port:
        for statement in (
            f"CREATE DATABASE {NAME} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
            f"CREATE USER '{NAME}'@'%' IDENTIFIED BY '{NAME}'",
            f"GRANT ALL PRIVILEGES ON {NAME}.* TO '{NAME}'@'%'",
        ):
            done = server.login("root-canary", statement)
            assert done.returncode == 0, done.stderr
        yield Encrypted(server, port, pem(ca))


def secret(pod: Pod, port: int, ca: str) -> None:
    folder = pod.bench.rootfs.inside(f"{pod.bench.view}/secrets/database")
    login = {"database": NAME, "username": NAME, "password": NAME}
    values = {"host": f"[{ADDRESS}]", "port": str(port), **login, "ca.crt": ca}
    for key, value in values.items():
        (folder / key).write_text(value)


def laid_out(pod: Pod) -> dict[str, str]:
    """The environment of a container, after the init container of its pod."""
    rootfs, view = pod.bench.rootfs, pod.bench.view
    for folder in ("home", "layout", "bench-config", "secrets/redis"):
        rootfs.folder(f"{view}/{folder}")
    rootfs.inside(f"{view}/secrets/redis/password").write_text("redis-canary")
    home = {"HOME": f"{view}/home"}
    places = [f"--volume={pod.bench.sites}", f"--view={view}/layout", f"--config={view}/bench-config"]
    redis = ["--redis-cache-host=redis", "--redis-queue-host=redis"]
    done = pod.run("layout", f"--site={SITE}", *places, "--bench-id=shop", *redis, env=home)
    assert done.returncode == 0, done.stdout + done.stderr
    return home


def test_a_site_is_created_and_served_over_tls_by_every_program(bench: Bench, encrypted: Encrypted) -> None:
    pod = a_pod(bench)
    secret(pod, encrypted.port, encrypted.ca)
    home = laid_out(pod)
    checked = pod.run(*CHECK, "--tls=required")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    # Frappe's new-site sends its tables by the `mariadb` program, and connects with its driver.
    created = pod.create(env=home)
    assert created.returncode == 0, created.stdout + created.stderr
    config = bench.read(f"{SITE}/site_config.json")
    assert config["db_host"] == ADDRESS
    assert config["db_ssl_check_hostname"] is True
    assert bench.rootfs.inside(config["db_ssl_ca"]).read_text() == encrypted.ca.strip()
    again = pod.run(
        "configure-site", f"--site={SITE}", f"--host-name={URL}", "--max-file-size=2000000", "--tls=required", env=home
    )
    assert again.returncode == 0, again.stdout + again.stderr
    without = pod.run(
        "configure-site", f"--site={SITE}", f"--host-name={URL}", "--max-file-size=2000000", "--tls=disabled", env=home
    )
    assert without.returncode != 0
    assert bench.read(f"{SITE}/site_config.json") == config, "a site that is served stays as it is"


def test_a_certificate_of_another_authority_is_refused(bench: Bench, encrypted: Encrypted) -> None:
    pod = a_pod(bench)
    secret(pod, encrypted.port, pem(authority()[0]))
    for mode in ([], ["--tls=required"]):
        done = pod.run(*CHECK, *mode)
        assert done.returncode == 64, done.stdout + done.stderr
        report = pod.report()
        assert report["reason"] == "DatabaseRefused"
        assert "There is no TLS connection to ::1" in str(report["message"])
        assert "key ca.crt of the Secret must contain the authority" in str(report["message"])
    secret(pod, encrypted.port, "no certificate")
    assert pod.run(*CHECK).returncode == 64
    assert pod.report()["reason"] == "SecretInvalid"


def test_a_server_without_tls_is_refused_if_it_is_required_and_used_if_it_is_preferred(
    bench: Bench, encrypted: Encrypted
) -> None:
    pod = a_pod(bench)
    folder = bench.rootfs.inside(f"{bench.view}/secrets/database")
    (folder / "ca.crt").write_text(encrypted.ca)
    assert pod.run(*CHECK, "--tls=required").returncode == 64
    assert pod.report()["reason"] == "DatabaseRefused"
    done = pod.run(*CHECK, "--tls=preferred")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The connection to the database is not encrypted" in done.stdout + done.stderr
    assert pod.run(*CHECK, "--tls=disabled").returncode == 0
