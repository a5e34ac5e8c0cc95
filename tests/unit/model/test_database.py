"""Resolving the database of a site, and the checks of its Secret."""

import base64
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frappe_operator.api.kinds import SITE
from frappe_operator.kube.reasons import Reason
from frappe_operator.model.database import (
    Connection,
    connection_from,
    connection_problem,
    database_name,
    is_our_database,
    needs_mariadb,
    without_password,
)
from tests.unit.resolved_samples import FACTS, a_site, live

NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
UIDS = st.uuids().map(str)
WHOLE = {"host": "h", "port": "1", "database": "d", "username": "d", "password": "canary"}
MINE = Connection("tides", "db.example.net", "3307", "sea", "sea", "9")


@given(NAMES, NAMES, UIDS)
def test_a_database_name_serves_as_a_user_name_and_needs_no_quotes(namespace: str, name: str, uid: str) -> None:
    made = database_name(namespace, name, uid)
    assert re.fullmatch(r"_[0-9a-f_]{1,31}", made)
    assert is_our_database(made, namespace, name)


@given(NAMES, NAMES, UIDS, NAMES, NAMES, UIDS)
def test_two_sites_never_share_a_database(
    namespace: str, name: str, uid: str, other_namespace: str, other_name: str, other_uid: str
) -> None:
    made, other = database_name(namespace, name, uid), database_name(other_namespace, other_name, other_uid)
    if (namespace, name) != (other_namespace, other_name):
        assert made != other
        assert not is_our_database(made, other_namespace, other_name)
        assert database_name(other_namespace, other_name, uid) != made
    elif uid != other_uid:
        assert made != other


@given(NAMES, NAMES, UIDS, st.text(max_size=40))
def test_no_text_that_a_tenant_writes_names_a_database_of_another(
    namespace: str, name: str, uid: str, text: str
) -> None:
    made = database_name(namespace, name, uid)
    assert not is_our_database(made, f"{namespace}x", name)
    assert not is_our_database(made, namespace, f"{name}x")
    assert not is_our_database(made + text, namespace, name) or not text


@given(NAMES, NAMES)
def test_a_namespace_and_a_name_cannot_be_moved_into_one_another(namespace: str, name: str) -> None:
    assert database_name(f"{namespace}-{name}", "x", "u") != database_name(namespace, f"{name}-x", "u")


def test_a_retained_database_is_taken_up_only_by_the_site_it_was_given_to() -> None:
    first = a_site(uid="one").database.name
    assert a_site(uid="two", retained=first).database.name == first
    other = database_name("elsewhere", "pearl", "one")
    assert a_site(uid="two", retained=other).database == a_site(uid="two").database


def test_a_database_of_ours_is_in_the_benchs_mariadb_and_its_user_is_called_like_it() -> None:
    database = a_site().database
    assert database.engine == "built-in"
    assert database.host == "pier-mariadb.harbour.svc"
    assert database.username == database.name
    assert database.secret == "pearl-db-connection"


def test_an_external_database_is_used_as_it_is() -> None:
    database = a_site(connection=MINE).database
    assert database.engine == "external"
    assert (database.secret, database.name, database.host, database.revision) == ("tides", "sea", "db.example.net", "9")


def test_frappe_15_wants_user_and_database_to_be_called_the_same_and_16_does_not() -> None:
    sixteen = type(FACTS)(FACTS.reference, "16.0.1", "3.14.0", FACTS.apps)
    other = {**WHOLE, "username": "captain"}
    reason, message = connection_problem("tides", other, FACTS) or ("", "")
    assert reason == Reason.SECRET_INVALID
    assert "username is captain and database is d: create a MariaDB user named like the database" in message
    assert connection_problem("tides", other, sixteen) is None


def test_a_connection_secret_says_what_it_lacks_and_never_its_password() -> None:
    reason, message = connection_problem("tides", None, FACTS) or ("", "")
    assert (reason, message[:61]) == ("SecretNotFound", "Secret tides does not exist: create it with the keys host, po")
    lacking = {"host": "h", "port": "1", "username": "", "password": "canary"}
    reason, message = connection_problem("tides", lacking, FACTS) or ("", "")
    assert (reason, message[:38]) == ("SecretInvalid", "Secret tides lacks database, username:")
    assert "canary" not in repr(connection_from("tides", WHOLE, "1"))


def test_a_trailing_newline_is_removed_and_other_control_characters_are_a_problem() -> None:
    written = {key: f"{value}\r\n" for key, value in WHOLE.items()} | {"username": "d"}
    assert connection_problem("tides", written, FACTS) is None
    assert connection_from("tides", written, "1") == Connection("tides", "h", "1", "d", "d", "1")
    for odd in ("d ", "\td", "d\nd", "d\x00"):
        _, message = connection_problem("tides", {**WHOLE, "database": odd}, FACTS) or ("", "")
        assert "Secret tides: database begins or ends with a space, or contains a line break" in message


def test_of_a_connection_secret_no_password_is_remembered() -> None:
    def encoded(data: dict[str, str]) -> dict[str, str]:
        return {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}

    data = encoded({"host": "h", "port": "1", "password": "canary", "other": "canary"})
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(data)}
    metadata = {"name": "tides", "resourceVersion": "7", "annotations": annotations}
    remembered = json.loads(without_password(json.dumps({"metadata": metadata, "data": data}).encode()))
    password = remembered["data"].pop("password")
    assert password not in ("", data["password"])
    assert remembered == {"metadata": {"resourceVersion": "7"}, "data": encoded({"host": "h", "port": "1"})}
    empty = json.dumps({"metadata": metadata, "data": {"password": ""}}).encode()
    assert "password" not in json.loads(without_password(empty))["data"]


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        (None, True),
        ({}, True),
        ({"mode": "shared"}, True),
        ({"mode": "external", "connectionSecretRef": {"name": "t"}}, False),
    ],
)
def test_the_benchs_mariadb_is_wanted_by_sites_that_do_not_bring_their_own(
    config: dict[str, object] | None, wanted: bool
) -> None:
    spec = {"benchRef": {"name": "pier"}, "siteName": "a", **({"dbConfig": config} if config is not None else {})}
    assert needs_mariadb(live("pearl", spec, kind=SITE)) is wanted
    assert not needs_mariadb(live("wreck", {}, kind=SITE))
