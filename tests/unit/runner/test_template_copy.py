"""Templates: a site is copied only from a whole dump of the right apps, and with its own password."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from frappe_operator.runner import paths, template_copy, template_making, template_store
from frappe_operator.runner.credentials import Connection
from frappe_operator.runner.outcome import Blocked

from .pod import Pod

SERVER = Connection("127.0.0.1", 3306, "_db", "canary", "_db")


def test_a_password_is_stored_as_passlib_stores_it() -> None:
    # From passlib 1.7.4: pbkdf2_sha256.using(salt=bytes(range(16)), rounds=29000).hash("pass wörd/+")
    salt = bytes(range(16))
    assert template_copy.hashed("pass wörd/+", salt) == (
        "$pbkdf2-sha256$29000$AAECAwQFBgcICQoLDA0ODw$jnsN2tS.GKGCFrd5yEdKWncREQ8MeLKAkmmPl7n0ns0"
    )


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"template": "other", "apps": {"frappe": "15.51.1"}}, "it is template other"),
        ({"template": "one"}, "names no apps"),
        ({"template": "one", "apps": {"erpnext": "15.2.0"}}, "names no apps"),
        ({"template": "one", "apps": {"frappe": "15.51.1", "crm": "1.0.0"}}, "does not contain crm"),
        ({"template": "one", "apps": {"frappe": "15.51.0"}}, "it is of frappe 15.51.0"),
    ],
)
def test_a_template_of_another_image_is_refused(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, record: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr(paths, "APPS", pod.bench / "apps")
    monkeypatch.setattr(paths, "SITES", pod.bench / "sites")
    with pytest.raises(Blocked, match=said):
        template_copy._apps(record, "one")
    assert template_copy._apps({"template": "one", "apps": {"frappe": "15.51.1"}}, "one") == ["frappe"]


ADMINISTRATOR = ["55736572", "41646D696E6973747261746F72", "0"]


@pytest.mark.parametrize(
    ("secrets", "file", "key", "said"),
    [
        ([ADMINISTRATOR, ["55736572", "4775657374", "1"]], "", "", "1 secrets besides"),
        ([["55736572", "41646D696E6973747261746F72", "1"]], "", "", "1 secrets besides"),
        ([ADMINISTRATOR], "private/files/logo.png", "", "create files, such as private/files/logo.png"),
        ([ADMINISTRATOR], "", "encryption_key", "write encryption_key into site_config.json"),
    ],
)
def test_a_site_with_something_that_a_dump_must_not_or_cannot_carry_is_no_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secrets: list[list[str]], file: str, key: str, said: str
) -> None:
    for folder in ("public/files", "private/files"):
        (tmp_path / folder).mkdir(parents=True)
    if file:
        (tmp_path / file).write_text("")
    config = {"db_name": "one"}
    (tmp_path / "site_config.json").write_text(json.dumps({**config, **({key: "x"} if key else {})}))
    monkeypatch.setattr(template_making, "query", lambda *_: secrets)
    with pytest.raises(Blocked, match=said):
        template_making._check(SERVER, tmp_path, config)


@pytest.mark.parametrize("trace", ["its.invalid", "_db", "canary"])
def test_a_dump_with_a_name_or_a_password_of_its_site_is_refused(tmp_path: Path, trace: str) -> None:
    raw, path = tmp_path / "raw", tmp_path / "dump"
    traces = {"its name": "its.invalid", "the name of its database": "_db", "a password": "canary"}
    head = b"-- Host: here    Database: _db\nCREATE TABLE `one` (id INT);\n"
    raw.write_bytes(gzip.compress(head + b"INSERT INTO `one` VALUES (1);\n"))
    template_making._without_names(raw, path, traces)
    assert gzip.decompress(path.read_bytes()) == b"CREATE TABLE `one` (id INT);\nINSERT INTO `one` VALUES (1);\n"
    raw.write_bytes(gzip.compress(head + f"INSERT INTO `one` VALUES ('http://{trace}/');\n".encode()))  # noqa: S608
    with pytest.raises(Blocked, match="cannot be copied"):
        template_making._without_names(raw, path, traces)


@pytest.mark.parametrize("name", ["mysql", "_0123456789abcdef_0123456", "_0123456789abcdef_01234567; DROP", ""])
def test_as_root_only_databases_with_names_of_the_operator_are_touched(name: str) -> None:
    with pytest.raises(Blocked):
        template_store.checked(name)
