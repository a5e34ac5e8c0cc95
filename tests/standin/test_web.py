"""gunicorn's answers: which site, what state it is in, who may see what."""

import re
from collections.abc import Callable, Iterator

import pytest

from tests.standin.bench_under_test import Bench
from tests.standin.rootfs import BENCH, eventually, free_port
from tests.standin.web import Client

SITE = "shop.example"


@pytest.fixture(scope="module")
def shop(make_bench: Callable[..., Bench]) -> Bench:
    made = make_bench()
    made.made(SITE)
    return made


@pytest.fixture(scope="module")
def port(shop: Bench) -> Iterator[int]:
    with shop.gunicorn() as port:
        eventually(lambda: Client(port, "nobody").get("/").status == 404, "gunicorn answers")
        yield port


@pytest.fixture
def client(port: int) -> Client:
    return Client(port, SITE)


def test_ping_is_answered_by_the_site_that_the_host_or_the_header_names(client: Client):
    assert client.get("/api/method/ping").json() == {"message": "pong"}
    assert client.get("/api/v2/method/ping").json() == {"data": "pong"}
    client.host = "10.1.2.3:8080"
    named = client.get("/api/method/ping", **{"X-Frappe-Site-Name": SITE})
    assert (named.status, named.json()) == (200, {"message": "pong"})


@pytest.mark.parametrize("host", ["SHOP.example", "shop.example.", "other.example", ".."])
def test_a_host_that_is_no_sites_directory_is_404_and_html(client: Client, host: str):
    client.host = host
    answer = client.get("/api/method/ping")
    assert (answer.status, answer.headers["Content-Type"].split(";")[0]) == (404, "text/html")
    assert "does not exist" in answer.text()


def test_maintenance_is_503_unless_reading_is_allowed(shop: Bench, client: Client):
    shop.command("set-maintenance-mode", "on", site=SITE)
    assert client.get("/api/method/ping").status == 503
    shop.command("set-config", "allow_reads_during_maintenance", "1", site=SITE)
    assert client.get("/api/method/ping").status == 200
    assert client.form("/api/method/ping").status == 503
    shop.command("set-maintenance-mode", "off", site=SITE)
    assert client.form("/api/method/ping").status == 200


def test_without_its_database_a_site_is_500_and_without_redis_it_is_well(shop: Bench, client: Client):
    config = shop.read(f"{SITE}/site_config.json")
    nowhere = "redis://127.0.0.1:1/0"
    try:
        shop.write(f"{SITE}/site_config.json", {**config, "redis_cache": nowhere, "redis_queue": nowhere})
        assert client.get("/api/method/ping").status == 200
        shop.write(f"{SITE}/site_config.json", {**config, "db_port": 1})
        assert client.get("/api/method/ping").status == 500
    finally:
        shop.write(f"{SITE}/site_config.json", config)


def test_a_half_made_site_is_417(shop: Bench, client: Client):
    name = shop.prepared("half.example")
    shop.new_site("half.example", name, env={"STANDIN_FAIL": "new-site:after-documents:exit"})
    client.host = "half.example"
    answer = client.get("/api/method/ping")
    assert answer.status == 417
    assert "User Guest is disabled" in answer.text()


def test_the_administrator_logs_in_and_a_stranger_does_not(client: Client):
    assert client.log_in("wrong").status == 401
    assert client.get("/api/method/frappe.auth.get_logged_in_user").status == 403
    answer = client.log_in()
    assert answer.json()["message"] == "Logged In"
    assert any("HttpOnly" in cookie for cookie in answer.cookies if cookie.startswith("sid="))
    assert client.get("/api/method/frappe.auth.get_logged_in_user").json() == {"message": "Administrator"}


def test_the_session_cookie_is_secure_behind_tls(client: Client):
    client.headers["X-Forwarded-Proto"] = "https"
    assert all("Secure" in cookie for cookie in client.log_in().cookies)


def test_files_are_stored_and_only_private_ones_are_handed_out_by_gunicorn(shop: Bench, client: Client):
    assert client.upload("note.txt", b"no", private=False).status == 403
    client.log_in()
    url = client.upload("note.txt", b"for all", private=False).json()["message"]["file_url"]
    assert (url, client.get(url).status) == ("/files/note.txt", 404)
    url = client.upload("note.txt", b"for me", private=True).json()["message"]["file_url"]
    assert (url, client.get(url).body) == ("/private/files/note.txt", b"for me")
    handed_on = client.get(url, **{"X-Use-X-Accel-Redirect": "True"})
    assert (handed_on.body, handed_on.headers["X-Accel-Redirect"]) == (b"", "/protected/private/files/note.txt")
    client.sid = ""
    assert client.get(url).status == 403
    stored = shop.rootfs.inside(f"{shop.sites}/{SITE}")
    assert (stored / "public/files/note.txt").read_bytes() == b"for all"
    assert (stored / "private/files/note.txt").read_bytes() == b"for me"


def test_pages_name_assets_that_are_in_the_image_and_that_gunicorn_does_not_serve(shop: Bench, client: Client):
    assert client.get("/").headers["Location"] == "/login"
    page = client.get("/login").text()
    client.log_in()
    urls = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page + client.get("/app").text())
    assert any(re.search(r"\.bundle\.[A-Z2-7]{8}\.js$", url) for url in urls)
    for url in urls:
        found = shop.rootfs.run(["readlink", "-e", f"{BENCH}{url}"])
        assert found.returncode == 0, url
        assert client.get(url).status == 404


def test_what_a_client_says_about_itself_is_believed(client: Client):
    told = client.get("/api/method/standin.whoami", **{"X-Forwarded-For": "6.6.6.6, 10.0.0.1"}).json()["message"]
    assert told["address"] == "6.6.6.6"


def test_without_a_writable_logs_folder_nothing_works_unless_it_streams(shop: Bench):
    (shop.rootfs.inside(shop.view) / "logs").rename(shop.rootfs.inside(shop.view) / "gone")
    try:
        assert shop.command("list-apps", site=SITE).returncode == 1
        assert shop.command("list-apps", site=SITE, env={"FRAPPE_STREAM_LOGGING": "1"}).returncode == 0
    finally:
        (shop.rootfs.inside(shop.view) / "gone").rename(shop.rootfs.inside(shop.view) / "logs")


SLOW = """
import time

def app(environ, start):
    time.sleep(4)
    start("200 OK", [])
    return [b"late"]
"""


def test_the_timeout_of_gunicorn_ends_frozen_workers_and_no_slow_request(shop: Bench):
    """How long a request may take is for nginx to say (`proxy.readTimeout`): threads of workers are not counted."""
    folder, port = shop.rootfs.inside(shop.view), free_port()
    (folder / "slow.py").write_text(SLOW)
    argv = [f"{BENCH}/env/bin/gunicorn", f"--chdir={shop.view}", f"--bind=127.0.0.1:{port}", "--worker-class=gthread"]
    argv += ["--threads=1", "--timeout=1", "--worker-tmp-dir=/dev/shm", "slow:app"]
    with shop.rootfs.running(argv, folder=shop.view):
        eventually(lambda: Client(port, SITE).get("/").body == b"late", "the slow answer")
        assert Client(port, SITE).get("/").body == b"late"
