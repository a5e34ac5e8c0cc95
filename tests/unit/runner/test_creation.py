"""`create-site`: a site is created exactly once, also after interruptions."""

import json
import signal

import pytest

from .pod import Pod
from .server import Server

SITE = "shop.example.com"
URL = "http://shop.example.com"
CREATE = (
    *("create-site", f"--site={SITE}", "--owner=tenant/shop", "--bench-id=tenant-shop"),
    *(f"--host-name={URL}", "--max-file-size=1048576", "--patience=0"),
)
SITE_TABLES = {"tabUser", "tabDefaultValue", "web_form_list_column_id_seq", "people"}


def config(pod: Pod) -> dict[str, object]:
    found = json.loads((pod.bench / "sites" / SITE / "site_config.json").read_text())
    assert isinstance(found, dict)
    return found


def outcomes(pod: Pod) -> list[str]:
    ledger = pod.bench / "sites" / SITE / ".frappe-operator" / "ledger.jsonl"
    return [json.loads(line)["outcome"] for line in ledger.read_text().splitlines()]


def assert_it_is_a_whole_site(pod: Pod, server: Server, database: str) -> None:
    assert server.tables(database) == SITE_TABLES
    assert (pod.bench / "sites" / SITE / "scheduler-enabled").exists()
    assert "admin_password" not in config(pod)
    assert config(pod)["bench_id"] == "tenant-shop"
    assert (config(pod)["host_name"], config(pod)["max_file_size"]) == (URL, 1048576)


def test_a_site_is_made(pod: Pod, server: Server, database: str) -> None:
    ended = pod.run(*CREATE)
    assert ended.code == 0, ended.output
    assert ended.report["created"] is True
    assert list(ended.report["apps"]) == ["frappe"]
    assert_it_is_a_whole_site(pod, server, database)
    assert outcomes(pod) == ["started", "created"]
    path = pod.bench / "sites" / SITE / "site_config.json"
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_second_time_it_is_found_and_left_alone(pod: Pod, server: Server, database: str) -> None:
    pod.run(*CREATE)
    ended = pod.run(*CREATE)
    assert ended.code == 0
    assert ended.report["created"] is False
    assert "apps" not in ended.report
    assert outcomes(pod) == ["started", "created"]


@pytest.mark.parametrize("step", ["before-tables", "half-way", "after-tables", "at-the-end", "enable-scheduler"])
@pytest.mark.parametrize("how", ["exit", "kill"])
def test_what_was_cut_short_is_cleaned_and_made_anew(
    pod: Pod, server: Server, database: str, step: str, how: str
) -> None:
    pod.environment["FRAPPE_FAILS"] = f"{step}:{how}"
    assert pod.run(*CREATE).code != 0
    assert not (pod.bench / "sites" / SITE / ".frappe-operator" / "created.json").exists()
    ended = pod.run(*CREATE)
    assert ended.code == 0, ended.output
    assert_it_is_a_whole_site(pod, server, database)


def test_killed_at_any_moment_it_ends_as_one_whole_site(pod: Pod, server: Server, database: str) -> None:
    deaths = pod.killed_everywhere(*CREATE)
    assert len(deaths) > 20
    assert_it_is_a_whole_site(pod, server, database)


def test_two_at_once_make_one_site(pod: Pod, server: Server, database: str) -> None:
    both = [pod.start(*CREATE), pod.start(*CREATE)]
    assert [process.wait(180) for process in both] == [0, 0]
    for process in both:
        process.communicate()
    assert outcomes(pod) == ["started", "created"]
    assert_it_is_a_whole_site(pod, server, database)


def test_a_given_up_pod_that_still_works_in_the_database_is_cut_off(pod: Pod, server: Server, database: str) -> None:
    if server.state is not None:
        pytest.skip("the fake has no sessions that hold locks: see the next test")
    pod.environment["FRAPPE_FAILS"] = "half-way:exit"
    pod.run(*CREATE)
    orphan = server.start("LOCK TABLES tabUser WRITE; SELECT 'locked'; SELECT SLEEP(600);", database, "user-canary")
    assert orphan.stdout is not None
    assert orphan.stdout.readline() == "locked\n"
    assert pod.run(*CREATE).code == 0
    orphan.communicate()
    assert orphan.returncode != 0
    assert_it_is_a_whole_site(pod, server, database)


def test_whoever_else_is_in_a_half_made_database_is_cut_off(pod: Pod, server: Server, database: str) -> None:
    if server.state is None:
        pytest.skip("the real server has real sessions: see the test before")
    pod.environment["FRAPPE_FAILS"] = "half-way:exit"
    pod.run(*CREATE)
    state = json.loads(server.state.read_text())
    state["databases"][database]["sessions"] = [7, 8]
    server.state.write_text(json.dumps(state))
    assert pod.run(*CREATE).code == 0
    assert json.loads(server.state.read_text())["databases"][database]["sessions"] == []


def test_no_secret_is_on_a_command_line(pod: Pod, server: Server, database: str) -> None:
    """Command lines are visible to other users of the node."""
    pod.run(*CREATE)
    assert [call[1] for call in pod.calls()] == ["new-site", "enable-scheduler"]
    assert "canary" not in json.dumps(pod.calls())


def test_a_database_with_data_is_not_touched_when_the_volume_is_new(pod: Pod, server: Server, database: str) -> None:
    server.sql("CREATE TABLE tabInvoice (id INT);", database)
    ended = pod.run(*CREATE)
    assert (ended.code, ended.reason) == (64, "DatabaseNotEmpty")
    assert "Restore the volume" in ended.message
    assert server.tables(database) == {"tabInvoice"}
    assert pod.calls() == []


def test_a_site_created_again_with_another_site_name_is_blocked_with_the_present_one(
    pod: Pod, server: Server, database: str
) -> None:
    pod.run(*CREATE)
    pod.environment["VOLUME"] = str(pod.bench / "sites")
    before = server.tables(database)
    ended = pod.run(*(flag.replace(SITE, "store.example.com") for flag in CREATE))
    assert (ended.code, ended.reason) == (64, "DatabaseNotEmpty")
    assert f"FrappeSite shop in namespace tenant was created with siteName {SITE}" in ended.message
    assert f"create it again with siteName: {SITE}" in ended.message
    assert server.tables(database) == before
    assert pod.run(*CREATE).code == 0, "and with its name it is taken up"


def test_a_database_in_which_another_site_is_being_made_is_not_touched(pod: Pod, server: Server, database: str) -> None:
    pod.environment["FRAPPE_FAILS"] = "half-way:exit"
    pod.run(*CREATE)
    before = server.tables(database)
    ended = pod.run(*(flag.replace("tenant/", "neighbour/") for flag in CREATE))
    assert (ended.code, ended.reason) == (64, "DatabaseNotEmpty")
    assert "tenant/shop" in ended.message
    assert server.tables(database) == before


def test_files_without_their_database_are_not_given_an_empty_site(pod: Pod, server: Server, database: str) -> None:
    pod.run(*CREATE)
    for kind, name in (
        ("VIEW", "people"),
        ("TABLE", "tabUser"),
        ("TABLE", "tabDefaultValue"),
        ("SEQUENCE", "web_form_list_column_id_seq"),
    ):
        server.sql(f"DROP {kind} IF EXISTS `{name}`;", database)
    ended = pod.run(*CREATE)
    assert (ended.code, ended.reason) == (64, "DatabaseLost")
    assert outcomes(pod) == ["started", "created"]


def test_a_kept_site_gets_its_new_connection_and_keeps_its_encryption_key(
    pod: Pod, server: Server, database: str
) -> None:
    pod.run(*CREATE)
    path = pod.bench / "sites" / SITE / "site_config.json"
    path.write_text(json.dumps({**config(pod), "encryption_key": "canary of frappe", "admin_password": "left over"}))
    server.sql(f"ALTER USER '{database}'@'%' IDENTIFIED BY 'new-canary';")
    pod.secret("database", password="new-canary")
    ended = pod.run(*CREATE)
    assert ended.code == 0
    assert config(pod)["db_password"] == "new-canary"
    assert config(pod)["encryption_key"] == "canary of frappe"
    assert "admin_password" not in config(pod)


def test_keys_that_frappe_wrote_into_a_half_made_site_are_kept(pod: Pod, server: Server, database: str) -> None:
    pod.environment["FRAPPE_FAILS"] = "at-the-end:exit"
    pod.run(*CREATE)
    path = pod.bench / "sites" / SITE / "site_config.json"
    path.write_text(json.dumps({**config(pod), "encryption_key": "canary of frappe"}))
    assert pod.run(*CREATE).code == 0
    assert config(pod)["encryption_key"] == "canary of frappe"


def test_a_site_config_that_is_not_json_is_left_alone(pod: Pod, server: Server, database: str) -> None:
    path = pod.bench / "sites" / SITE / "site_config.json"
    path.parent.mkdir()
    path.write_text('{"encryption_key": "canary')
    ended = pod.run(*CREATE)
    assert (ended.code, ended.reason) == (64, "SiteConfigInvalid")
    assert path.read_text() == '{"encryption_key": "canary'


def test_new_site_is_not_believed_but_the_database(pod: Pod, server: Server, database: str) -> None:
    pod.environment["FRAPPE_FAILS"] = "after-tables:lie"
    ended = pod.run(*CREATE)
    assert (ended.code, ended.reason) == (1, "CreationFailed")
    assert pod.run(*CREATE).code == 0
    assert outcomes(pod) == ["started", "failed", "started", "created"]
    assert_it_is_a_whole_site(pod, server, database)


def test_a_new_site_that_fails_at_its_end_is_made_anew(pod: Pod, server: Server, database: str) -> None:
    pod.environment["FRAPPE_FAILS"] = "at-the-end:exit"
    ended = pod.run(*CREATE)
    assert (ended.code, ended.reason) == (1, "CreationFailed")
    assert pod.run(*CREATE).code == 0
    assert outcomes(pod) == ["started", "failed", "started", "created"]
    assert_it_is_a_whole_site(pod, server, database)


def test_a_password_in_frappes_last_words_is_not_in_the_report(pod: Pod, server: Server, database: str) -> None:
    pod.environment["FRAPPE_FAILS"] = "half-way:tell"
    ended = pod.run(*CREATE)
    assert (ended.code, ended.reason) == (1, "CreationFailed")
    assert "Access denied: ***" in ended.message


def test_the_message_of_a_failure_is_the_last_line_of_frappe(pod: Pod, server: Server, database: str) -> None:
    pod.environment["FRAPPE_FAILS"] = "half-way:exit"
    ended = pod.run(*CREATE)
    assert (ended.code, ended.reason) == (1, "CreationFailed")
    assert "it went wrong at half-way" in ended.message


def test_running_out_of_memory_is_called_by_its_name(pod: Pod, server: Server, database: str) -> None:
    pod.environment["FRAPPE_FAILS"] = "half-way:oom"
    ended = pod.run(*CREATE)
    assert (ended.code, ended.reason) == (1, "CreationFailed")
    assert "memory limit" in ended.message


def test_the_output_of_frappe_is_logged_without_secrets(pod: Pod, server: Server, database: str) -> None:
    (pod.bench / "sites" / "common_site_config.json").write_text('{"redis_cache": "redis://:r%2Fp%40ss@cache:6379/0"}')
    ended = pod.run(*CREATE)
    assert "root of all evil: *** and ***" in ended.output
    assert "[====] 100%" in ended.output
    assert "1%\r" not in ended.output


def test_a_stopped_pod_passes_the_signal_on_and_says_so(pod: Pod, server: Server, database: str) -> None:
    pod.environment["FRAPPE_FAILS"] = "half-way:hang"
    process = pod.start(*CREATE)
    assert process.stdout is not None
    while "hanging" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    ended = pod.end(process)
    assert (ended.code, ended.reason) == (1, "Interrupted")
    assert (pod.root / "sigterm-received").exists()
    assert pod.run(*CREATE).code == 0
    assert_it_is_a_whole_site(pod, server, database)


def test_frappe_16_gets_the_database_user(pod: Pod, server: Server, database: str) -> None:
    pod.add_app("frappe", "__version__ = '16.0.1'\n")
    pod.run(*CREATE)
    assert config(pod)["db_user"] == database
    assert f"--db-user={database}" in pod.calls()[0]


def test_frappe_15_cannot_have_a_user_of_another_name(pod: Pod, server: Server, database: str) -> None:
    pod.secret("database", username="somebody")
    ended = pod.run(*CREATE)
    assert (ended.code, ended.reason) == (64, "SecretInvalid")
    assert "named like the database" in ended.message


def test_a_database_that_is_away_is_waited_for_and_then_reported(pod: Pod, server: Server, database: str) -> None:
    pod.secret("database", host="127.0.0.2", port="1")
    if server.state is not None:
        server.state.unlink()
    ended = pod.run(*CREATE)
    assert (ended.code, ended.reason) == (1, "DatabaseUnavailable")
    assert "127.0.0.2:1" in ended.message
