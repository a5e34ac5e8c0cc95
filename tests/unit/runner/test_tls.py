"""TLS to a database of the user, as the runner decides it; tests/standin/test_tls.py has real programs."""

import json
from pathlib import Path

import pytest

from fakecluster.certificates import certificate

from . import server as servers
from .pod import Ended, Pod
from .server import Server

CHECK = ("check-database", "--frappe-version=15.101.1", "--owner=tenant/shop", "--patience=0")
ADDRESS = ("--host-name=http://shop.example.com", "--max-file-size=1000000")
CONFIGURE = ("configure-site", "--site=shop.example.com", *ADDRESS, "--patience=0")
SITE = "shop.example.com"


@pytest.fixture
def fake(pod: Pod) -> Server:
    """A fake server with an empty database, which offers TLS; and a Frappe that can verify its certificate."""
    server = servers.fake(pod.root)
    server.serve(pod)
    server.sql(
        "CREATE DATABASE `ledger` CHARACTER SET utf8mb4;\nCREATE USER 'ledger'@'%' IDENTIFIED BY 'user-canary';\n"
        "GRANT ALL PRIVILEGES ON `ledger`.* TO 'ledger'@'%';\n"
    )
    login = {"database": "ledger", "username": "ledger", "password": "user-canary"}
    pod.secret("database", host="db.example.com", port="3306", **login)
    pod.environment |= {"CERTIFICATES": str(pod.root / "public.pem"), "HOME": str(pod.root / "home")}
    (pod.root / "home").mkdir()
    (pod.bench / "apps" / "frappe" / "frappe" / "database.py").write_text("conf.db_ssl_check_hostname")
    offers(server, pod)
    return server


def offers(server: Server, pod: Pod, cipher: str = "TLS_AES_256_GCM_SHA384", *trusted: Path) -> None:
    """What the server offers, and by which files its certificate is verified."""
    assert server.state is not None
    files = [str(each) for each in (trusted or (in_secret(pod),))]
    server.state.write_text(json.dumps({**json.loads(server.state.read_text()), "cipher": cipher, "trusted": files}))


def in_secret(pod: Pod) -> Path:
    return pod.root / "secrets" / "database" / "ca.crt"


def check(pod: Pod, mode: str = "") -> Ended:
    return pod.run(*CHECK, *([f"--tls={mode}"] if mode else []))


def test_a_secret_with_an_authority_requires_tls(pod: Pod, fake: Server) -> None:
    assert check(pod).code == 0, "without one, the programs decide"
    pod.secret("database", **{"ca.crt": certificate("db.example.com")[0]})
    assert check(pod).code == 0
    offers(fake, pod, "TLS", pod.root / "another.pem")
    ended = check(pod)
    assert (ended.code, ended.reason) == (64, "DatabaseRefused")
    assert "self-signed certificate in certificate chain. The key ca.crt of the Secret must contain" in ended.message
    assert check(pod, "disabled").code == 0


@pytest.mark.parametrize(("mode", "code"), [("required", 64), ("preferred", 0), ("disabled", 0)])
def test_a_server_that_offers_no_tls(pod: Pod, fake: Server, mode: str, code: int) -> None:
    pod.secret("database", **{"ca.crt": certificate("db.example.com")[0]})
    offers(fake, pod, "")
    ended = check(pod, mode)
    assert ended.code == code, ended.output
    if code:
        assert "the server does not offer TLS" in ended.message


@pytest.mark.parametrize(("mode", "code"), [("required", 64), ("preferred", 0)])
def test_a_frappe_that_would_connect_without_tls_is_found_out(pod: Pod, fake: Server, mode: str, code: int) -> None:
    pod.secret("database", **{"ca.crt": certificate("db.example.com")[0]})
    (pod.bench / "apps" / "frappe" / "frappe" / "database.py").write_text("conf.db_ssl_ca and conf.db_ssl_cert")
    ended = check(pod, mode)
    assert ended.code == code, ended.output
    if code:
        assert "Frappe 15.51.1 cannot verify the certificate of a server" in ended.message


def test_without_an_authority_those_of_the_image_are_trusted(pod: Pod, fake: Server) -> None:
    public = pod.root / "public.pem"
    offers(fake, pod, "TLS", public)
    ended = check(pod, "required")
    assert (ended.code, ended.reason) == (64, "DatabaseRefused")
    assert "the image contains no certificates of public authorities: add ca.crt" in ended.message
    public.write_text(certificate("public.example.com")[0])
    assert check(pod, "required").code == 0


def test_what_is_no_certificate_is_said(pod: Pod, fake: Server) -> None:
    pod.secret("database", **{"ca.crt": "-----BEGIN NONSENSE-----"})
    ended = check(pod)
    assert (ended.code, ended.reason) == (64, "SecretInvalid")
    assert "contains no certificate in PEM format" in ended.message


def test_a_site_gets_what_was_tried_and_loses_it_when_it_is_disabled(pod: Pod, fake: Server) -> None:
    directory = pod.bench / "sites" / SITE
    ours = directory / ".frappe-operator"
    for folder in (ours, directory / "locks"):
        folder.mkdir(parents=True)
    (ours / "created.json").write_text("{}")
    (directory / "site_config.json").write_text('{"encryption_key": "kept"}')
    fake.sql("CREATE TABLE `tabDefaultValue` (id INT);", "ledger")
    pem = certificate("db.example.com")[0]
    pod.secret("database", **{"ca.crt": pem})
    refused = pod.run(*CONFIGURE)
    assert refused.code == 64, "the copy of the certificate is another file"
    assert json.loads((directory / "site_config.json").read_text()) == {"encryption_key": "kept"}
    (copy,) = ours.glob("database-ca-*.pem")
    assert copy.read_text() == pem.strip()
    offers(fake, pod, "TLS", copy)
    done = pod.run(*CONFIGURE)
    assert done.code == 0, done.output
    config = json.loads((directory / "site_config.json").read_text())
    assert (config["db_ssl_ca"], config["db_ssl_check_hostname"]) == (str(copy), True)
    options = (ours / "client.cnf").read_text().splitlines()
    assert options == ["[client]", "ssl", f'ssl-ca="{copy}"', "ssl-verify-server-cert"]
    done = pod.run(*CONFIGURE, "--tls=disabled")
    assert done.code == 0, done.output
    config = json.loads((directory / "site_config.json").read_text())
    assert config["encryption_key"] == "kept"
    assert not {"db_ssl_ca", "db_ssl_check_hostname"} & config.keys()
    assert (ours / "client.cnf").read_text().splitlines() == ["[client]", "skip-ssl"]


def test_an_ipv6_address_may_be_written_as_in_a_url(pod: Pod, fake: Server) -> None:
    pod.secret("database", host="[fd00::5]")
    assert fake.state is not None
    fake.state.rename(pod.root / "away")
    ended = check(pod)
    assert ended.reason == "DatabaseUnavailable"
    assert "MariaDB at [fd00::5]:3306 cannot be reached: Can't connect to server on 'fd00::5'" in ended.message


def test_the_programs_of_a_pod_read_the_options_of_its_site(pod: Pod, fake: Server) -> None:
    places = [f"--volume={pod.volume}", f"--view={pod.view}", f"--config={pod.config}", "--bench-id=shop"]
    (pod.bench / "assets").mkdir()
    redis = ["--redis-cache-host=cache", "--redis-queue-host=queue"]
    for _ in range(2):
        ended = pod.run("layout", f"--site={SITE}", *places, *redis)
        assert ended.code == 0, ended.output
    link = pod.root / "home" / ".my.cnf"
    assert link.readlink() == pod.bench / "sites" / SITE / ".frappe-operator" / "client.cnf"
