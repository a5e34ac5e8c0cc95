"""Dumps: what is restored equals what was dumped, and what cannot be restored is refused before anything is changed."""

import errno
import gzip
import hashlib
import json
import shutil
from pathlib import Path

import pytest

from frappe_operator.runner import child, dump, schema, sql
from frappe_operator.runner.credentials import Connection
from frappe_operator.runner.outcome import Blocked, Retry

from .pod import Pod
from .server import Server

CONTENT = r"""
SET NAMES utf8mb4;
CREATE TABLE parent (name VARCHAR(140) PRIMARY KEY, `long text` LONGTEXT, KEY words (`long text`(20)));
CREATE TABLE child (id INT AUTO_INCREMENT PRIMARY KEY, parent VARCHAR(140), picture LONGBLOB, amount DECIMAL(21,9),
  made DATETIME(6), seen TIMESTAMP NULL, doubled DECIMAL(21,9) AS (amount * 2) STORED,
  CONSTRAINT kin FOREIGN KEY (parent) REFERENCES parent (name));
CREATE TABLE `tabError Log` (name VARCHAR(140), error TEXT, FULLTEXT (error)) ENGINE=MyISAM;
CREATE TABLE `tabÄ``x\\y` (n INT) COMMENT = 'it''s; DELIMITER $$ -- Dump completed';
INSERT INTO parent VALUES ('Österreich 🙂', 'a\nb\r\n\t\\ \' " ; -- \Z end'), ('', NULL), ('-- Dump completed', 'x');
INSERT INTO child (parent, picture, amount, made, seen) VALUES
  ('', X'00FF0A0D1A275C22', -1.5, '2026-11-01 02:03:04.5', '2026-03-29 01:30:00');
INSERT INTO child (parent, picture) VALUES (NULL, REPEAT(X'00FF', 200000));
INSERT INTO `tabError Log` VALUES ('one', REPEAT('word ', 1000));
INSERT INTO `tabÄ``x\\y` VALUES (0), (0);
CREATE SEQUENCE counter NOCACHE NOCYCLE;
SELECT NEXTVAL(counter), NEXTVAL(counter);
CREATE VIEW latest AS SELECT * FROM child WHERE id > 1;
CREATE VIEW latest_names AS SELECT parent FROM latest;
DELIMITER $$
CREATE TRIGGER stamp BEFORE INSERT ON parent FOR EACH ROW
BEGIN SET NEW.`long text` = IFNULL(NEW.`long text`, 'none'); END$$
CREATE FUNCTION twice (n INT) RETURNS INT DETERMINISTIC BEGIN DECLARE m INT; SET m = n * 2; RETURN m; END$$
CREATE PROCEDURE tidy () BEGIN DELETE FROM parent WHERE name = 'tidied'; END$$
DELIMITER ;
"""
"""What a database may contain that is easily lost."""


@pytest.fixture
def site(pod: Pod, server: Server, database: str, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """The connection to a database in which a site is."""
    for name, value in pod.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", str(pod.programs), prepend=":")
    connection = Connection("127.0.0.1", server.port, database, "user-canary", database)
    sql.query(connection, "CREATE TABLE `tabUser` (id INT) COMMENT = 'people';")
    sql.query(connection, "CREATE SEQUENCE `numbers` NOCACHE NOCYCLE; CREATE VIEW `people` AS SELECT * FROM tabUser;")
    return connection


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "dumps"
    folder.mkdir()
    return folder / "one.sql.gz"


def pictured(server: Server, database: str) -> dict[str, object]:
    """All definitions, checksums and numbers of a database, as its administrator gets them."""
    found: dict[str, object] = {}
    for name in server.tables(database):
        quoted = sql.identifier(name)
        (definition,) = server.sql(f"SHOW CREATE TABLE {quoted};", database)
        found[name] = definition[1:], server.sql(f"CHECKSUM TABLE {quoted};", database)
    for listing in (
        "SELECT ROUTINE_TYPE, ROUTINE_NAME, DEFINER, HEX(ROUTINE_DEFINITION) FROM information_schema.ROUTINES "
        "WHERE ROUTINE_SCHEMA = DATABASE() ORDER BY 1, 2;",
        "SELECT TRIGGER_NAME, DEFINER, HEX(ACTION_STATEMENT) FROM information_schema.TRIGGERS "
        "WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1;",
    ):
        found[listing] = server.sql(listing, database)
    return found


def test_what_is_restored_is_what_was_dumped_and_nothing_else(site: Connection, target: Path, server: Server) -> None:
    record = dump.save(site, target)
    assert dump.is_complete(target)
    assert record["bytes"] == target.stat().st_size
    before = server.tables(site.database)
    sql.query(site, "CREATE TABLE `tabNew` (id INT); DROP TABLE IF EXISTS `tabUser`;")
    dump.restore(site, target)
    assert server.tables(site.database) == before
    assert sorted(each.name for each in target.parent.iterdir()) == ["one.sql.gz", "one.sql.gz.json"]


def test_a_real_database_is_restored_exactly(site: Connection, target: Path, server: Server) -> None:
    if server.state is not None:
        pytest.skip("the fake has no rows")
    process = server.start(CONTENT, site.database, "user-canary")
    assert process.communicate()[1] == ""
    assert process.returncode == 0
    before = pictured(server, site.database)
    dump.save(site, target)
    sql.query(
        site,
        "SET foreign_key_checks = 0; DROP FUNCTION twice; CREATE FUNCTION thrice (n INT) RETURNS INT RETURN n * 3; "
        "DROP VIEW latest; DROP TABLE parent; ALTER TABLE child ADD COLUMN new INT, DROP COLUMN picture; "
        "CREATE TABLE latest (id INT); SELECT NEXTVAL(counter); DROP PROCEDURE tidy; CREATE SEQUENCE another;",
    )
    assert pictured(server, site.database) != before
    dump.restore(site, target)
    assert pictured(server, site.database) == before
    assert sql.query(site, "SELECT NEXTVAL(counter);") == [["3"]]
    again = target.with_name("again.sql.gz")
    dump.save(site, again)
    lines = [gzip.decompress(each.read_bytes()).splitlines()[:-1] for each in (target, again)]
    assert [line for line in lines[0] if b"SETVAL" not in line] == [line for line in lines[1] if b"SETVAL" not in line]


def test_a_view_of_another_definer_becomes_the_sites_own(site: Connection, target: Path, server: Server) -> None:
    if server.state is not None:
        pytest.skip("the fake has no definers")
    server.sql("CREATE VIEW roots AS SELECT 1 AS one;", site.database)
    dump.save(site, target)
    dump.restore(site, target)
    assert sql.query(site, "SELECT one FROM roots;") == [["1"]]


def test_a_routine_that_the_sites_user_cannot_read_is_reported(site: Connection, target: Path, server: Server) -> None:
    if server.state is not None:
        pytest.skip("the fake has no definers")
    server.sql("CREATE FUNCTION roots () RETURNS INT RETURN 1;", site.database)
    with pytest.raises(Blocked, match="insufficient privileges to SHOW CREATE FUNCTION `roots`") as stop:
        dump.save(site, target)
    assert stop.value.reason == "DatabaseRefused"


def test_an_interrupted_restore_is_repeated(site: Connection, target: Path, server: Server) -> None:
    dump.save(site, target)
    before = server.tables(site.database)
    whole = gzip.decompress(target.read_bytes())
    half = whole[: whole.index(b"VIEW") - 20] + b"\nthis is no SQL;\n"
    assert dump.record_of(target).exists()
    broken = target.with_name("broken.sql.gz")
    broken.write_bytes(gzip.compress(half))
    record = {**dump.verify(target), "sha256": hashlib.sha256(broken.read_bytes()).hexdigest()}
    dump.record_of(broken).write_text(json.dumps(record))
    with pytest.raises(sql.Refused, match="1064"):
        dump.restore(site, broken)
    dump.restore(site, target)
    assert server.tables(site.database) == before


DUMP = b"""/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump
/*!40101 SET NAMES utf8mb4 */;
--
-- Sequence structure for `s`
--
CREATE SEQUENCE `s`;
--
-- Table structure for table `a`
--
CREATE TABLE `a` (`n` int DEFAULT nextval(`s`));
--
-- Dumping data for table `a`
--
INSERT INTO `a` VALUES ('--\\n-- Table structure for table `no`');
--
-- Temporary table structure for view `b`
--
/*!50001 CREATE VIEW `b` AS SELECT 1 AS `n` */;
--
-- Dumping routines for database 'd'
--
--
-- Final view structure for view `b`
--
/*!50001 CREATE VIEW `b` AS SELECT * from `a` */;
"""


def test_a_dump_is_split_by_table(target: Path) -> None:
    target.write_bytes(gzip.compress(DUMP))
    sections: dict[int, bytes] = {}
    for section, line in dump._sections(target):
        sections[section] = sections.get(section, b"") + line
    assert list(sections) == [dump.BEFORE, 1, 2, dump.AFTER]
    assert b"CREATE SEQUENCE" in sections[dump.BEFORE]
    assert b"INSERT INTO `a`" in sections[1]
    assert b"AS SELECT 1" in sections[2]
    assert b"SELECT * from" in sections[dump.AFTER]
    assert dump._PREAMBLE + b"/*!40101 SET NAMES utf8mb4 */;\n" + sections[2] == b"".join(
        dump._statements(target, lambda section: section == 2)
    )


def test_what_depends_on_the_order_of_the_dump_is_restored_in_it(
    site: Connection, target: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump.save(site, target)
    before = server.tables(site.database)
    in_parts = []

    def refused(server: Connection, path: Path) -> None:
        in_parts.append(path)
        sql.query(server, "CREATE TABLE `tabHalf` (id INT);")
        raise sql.Refused(1146, "Table 'later' does not exist", 1)

    monkeypatch.setattr(dump, "_import_in_parts", refused)
    dump.restore(site, target)
    assert in_parts == [target]
    assert server.tables(site.database) == before


def test_the_line_for_newer_clients_is_not_given_to_older_ones(site: Connection, target: Path) -> None:
    target.write_bytes(gzip.compress(b"/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump\n"))
    assert b"sandbox" not in b"".join(dump._statements(target, lambda section: True))


def test_the_marks_of_the_runner_are_neither_dumped_nor_dropped(site: Connection, target: Path, server: Server) -> None:
    schema.mark(site, "tenant/shop")
    sql.query(site, "CREATE TABLE `__frappe_operator_note` (id INT);")
    dump.save(site, target)
    assert b"frappe_operator" not in gzip.decompress(target.read_bytes())
    dump.restore(site, target)
    assert {schema.MARK, "__frappe_operator_note", "tabUser"} <= server.tables(site.database)


@pytest.mark.parametrize("damage", ["shorter", "no record", "record is no JSON"])
def test_a_damaged_dump_changes_nothing(site: Connection, target: Path, server: Server, damage: str) -> None:
    dump.save(site, target)
    sql.query(site, "CREATE TABLE `tabNew` (id INT);")
    if damage == "shorter":
        target.write_bytes(target.read_bytes()[:-9])
    elif damage == "no record":
        dump.record_of(target).unlink()
    else:
        dump.record_of(target).write_text("{")
    with pytest.raises(Blocked) as stop:
        dump.restore(site, target)
    assert stop.value.reason == "DumpFailed"
    assert "tabNew" in server.tables(site.database)


def test_too_little_space_is_reported_before_anything_is_written(
    site: Connection, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1 << 30, (1 << 30) - 1000, 1000))
    with pytest.raises(Blocked, match=r"0 MiB left.*increase storage\.size") as stop:
        dump.save(site, target)
    assert stop.value.reason == "StorageFailed"
    assert list(target.parent.iterdir()) == []


def test_space_that_ends_while_the_dump_is_written_leaves_nothing(
    site: Connection, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(dump._Written, "end", full)
    with pytest.raises(Blocked) as stop:
        dump.save(site, target)
    assert stop.value.reason == "StorageFailed"
    assert list(target.parent.iterdir()) == []


def test_a_row_that_the_server_would_not_take_back_is_refused(site: Connection, target: Path, server: Server) -> None:
    if server.state is not None:
        server.state.write_text(json.dumps({**json.loads(server.state.read_text()), "packet": 1 << 16}))
    else:
        sql.query(site, "CREATE TABLE big (b LONGBLOB); INSERT INTO big VALUES (REPEAT('x', 9000000));")
    with pytest.raises(Blocked, match="max_allowed_packet"):
        dump.save(site, target)
    assert list(target.parent.iterdir()) == []


def test_a_dump_without_an_end_is_not_one(site: Connection, target: Path, server: Server) -> None:
    if server.state is None:
        pytest.skip("the real program writes an end")
    server.state.write_text(json.dumps({**json.loads(server.state.read_text()), "dumps are cut short": True}))
    with pytest.raises(Retry, match="no end"):
        dump.save(site, target)
    assert list(target.parent.iterdir()) == []


def test_an_image_without_mariadb_dump_is_reported(
    site: Connection, target: Path, pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = shutil.which("mariadb")
    assert client is not None
    only = pod.root / "only-the-client"
    only.mkdir()
    (only / "mariadb").symlink_to(client)
    (only / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(only))
    with pytest.raises(Blocked, match="use an image that contains `mariadb-dump`"):
        dump.save(site, target)


def test_a_server_that_is_away_is_waited_for(site: Connection, target: Path, server: Server, pod: Pod) -> None:
    dump.save(site, target)
    if server.state is None:
        away = site._replace(port=1)
    else:
        server.state.unlink()
        away = site
    with pytest.raises(Retry):
        dump.save(away, target.with_name("two.sql.gz"))
    with pytest.raises(Retry):
        dump.restore(away, target)
    assert dump.is_complete(target)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ('mariadb-dump: Got error: 2002: "Can\'t connect to server" when trying to connect', Retry),
        ("mariadb-dump: Error 2013: Lost connection to server during query when dumping table `x` at row: 5", Retry),
        ("ERROR 2006 (HY000) at line 7: Server has gone away", Retry),
        ("mariadb-dump: Couldn't execute 'SHOW CREATE VIEW': denied to user 'x' (1142)", sql.Refused),
        ("ERROR 1062 (23000) at line 7: Duplicate entry", sql.Refused),
        ("", Retry),
    ],
)
def test_the_programs_words_tell_what_a_retry_can_mend(said: str, kind: type[Exception]) -> None:
    server = Connection("db", 3306, "u", "p", "d")
    assert isinstance(dump._trouble(server, child.Ended(2, "", said)), kind)
