"""The engines of a site's database."""

from typing import get_args

import msgspec

from frappe_operator.components import creation, database
from frappe_operator.components.database import ENGINES, built_in, external
from frappe_operator.components.database.interface import ObservedDatabase, Remains
from frappe_operator.kube.live import Condition, Meta, Replicas, Workload
from frappe_operator.kube.objects import Key, Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.model.database import Connection, EngineName, database_name
from frappe_operator.model.reasons import FrappeReason
from tests.unit.resolved_samples import FACTS, NAMESPACE, a_site, an_offer

OURS = a_site()
THEIRS = a_site(connection=Connection("tides", "db.example.net", "3307", "sea", "sea", "9"))
OBSERVED = ObservedDatabase("built-in", Key(NAMESPACE, "pearl"), "", None, None, FACTS, None, (), {})


def task(manifest: Manifest) -> Manifest:
    found: Manifest = manifest["spec"]["template"]["spec"]["containers"][0]
    return found


def test_every_engine_has_its_row() -> None:
    assert set(ENGINES) == set(get_args(EngineName))


def test_the_engine_of_a_site_follows_from_its_spec() -> None:
    assert (OURS.database.engine, THEIRS.database.engine) == ("built-in", "external")


def test_the_users_own_database_is_checked_and_not_created() -> None:
    assert external.connection(THEIRS, "password") == []
    (job,) = external.jobs(THEIRS)
    assert task(job)["args"][0] == "check-database"


def test_only_the_operators_own_database_is_given_another_password() -> None:
    assert built_in.configure_arguments(OURS) == ["--set-password"]
    assert external.configure_arguments(THEIRS) == []


def test_every_job_that_connects_is_told_the_declared_tls() -> None:
    config = {"mode": "external", "connectionSecretRef": {"name": "tides"}, "tls": "required"}
    connection = Connection("tides", "db.example.net", "3307", "sea", "sea", "9")
    declared = a_site(connection=connection, dbConfig=config)
    for job in (external.jobs(declared)[0], creation.create(declared)[0], creation.configure(declared)[0]):
        assert "--tls=required" in task(job)["args"]
    for job in (external.jobs(THEIRS)[0], creation.create(THEIRS)[0], creation.configure(OURS)[0]):
        assert not [each for each in task(job)["args"] if each.startswith("--tls")]
    assert declared.configuration != THEIRS.configuration, "so that a changed mode reaches the site"


def test_jobs_hold_root_of_the_benchs_mariadb_and_never_more_than_the_users_own_connection() -> None:
    assert built_in.secrets(OURS) == {"database": "pearl-db-connection", "database-admin": "pier-mariadb-root"}
    assert external.secrets(THEIRS) == {"database": "tides"}


def test_a_label_that_names_the_database_of_another_site_is_a_conflict() -> None:
    own, other = (database_name(namespace, "pearl", "uid") for namespace in (NAMESPACE, "elsewhere"))
    assert built_in.secret_problem(OBSERVED) is None
    assert built_in.secret_problem(OBSERVED._replace(recorded_name=own)) is None
    reason, message = built_in.secret_problem(OBSERVED._replace(recorded_name=other)) or ("", "")
    assert reason == Reason.NAME_CONFLICT
    assert f"Secret pearl-db-connection names database {other}" in message


def test_the_users_secret_is_checked_once_the_version_of_frappe_is_known() -> None:
    connection = Connection("tides", "", "", "", "", "")
    observed = OBSERVED._replace(engine="external", connection=connection, frappe=None)
    assert external.secret_problem(observed) is None
    reason, _ = external.secret_problem(observed._replace(frappe=FACTS)) or ("", "")
    assert reason == Reason.SECRET_NOT_FOUND


def test_a_mariadb_that_never_answered_starts_and_one_that_did_is_unavailable() -> None:
    server = Workload(Meta(name="pier-mariadb", namespace=NAMESPACE, uid="u", generation=1))
    assert not built_in.server_ready(OURS, OBSERVED).ok
    starting = built_in.server_ready(OURS, OBSERVED._replace(server=server))
    answered = (Condition(type="DatabaseReady", status="False", reason=FrappeReason.DATABASE_UNAVAILABLE),)
    stopped = built_in.server_ready(OURS, OBSERVED._replace(server=server, conditions=answered))
    assert (starting.ok, starting.reason) == (False, Reason.PROVISIONING)
    assert not stopped.ok
    assert stopped.reason != Reason.PROVISIONING
    up = msgspec.structs.replace(server, status=Replicas(ready_replicas=1))
    assert built_in.server_ready(OURS, OBSERVED._replace(server=up)).ok


def test_the_users_server_is_not_waited_for() -> None:
    assert external.server_ready(THEIRS, OBSERVED._replace(engine="external")).ok


def test_only_the_engine_that_created_a_database_removes_it() -> None:
    site, bench = OURS, an_offer()
    assert bench.target_image is not None
    left = Remains(
        site.owner,
        bench.target_image,
        bench.names,
        site.jobs,
        site.database.secret,
        site.database.name,
        server_exists=True,
    )
    (job,) = database.drop(left)
    assert job["metadata"]["name"] == "pearl-drop"
    assert task(job)["args"] == ["drop-database"]
    assert database.drop(left._replace(server_exists=False)) == []
    for named in ("", "sea", database_name("elsewhere", "pearl", "uid")):
        assert database.drop(left._replace(recorded_name=named)) == []
