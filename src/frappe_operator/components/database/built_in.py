"""A database in the bench's MariaDB, which the operator creates and removes."""

from frappe_operator.components import mariadb
from frappe_operator.components.database.interface import DATABASE_LABEL, PART, ObservedDatabase, Remains, drop_name
from frappe_operator.components.frappe import Task, bare_job, site_job
from frappe_operator.components.metadata import retained
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.readiness import rolling_out
from frappe_operator.kube.reasons import Reason, Trait, traits
from frappe_operator.kube.stage import Verdict
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.database import is_our_database
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.site import Site, SiteNames


def secret_problem(observed: ObservedDatabase) -> tuple[Reason, str] | None:
    """The label of the connection Secret does not lead to the database of another site."""
    (namespace, name), database = observed.site, observed.recorded_name
    if not database or is_our_database(database, namespace, name):
        return None
    secret = SiteNames(name).connection
    message = f"Secret {secret} names database {database}, which does not belong to this site: delete the Secret"
    return Reason.NAME_CONFLICT, message


def server_ready(site: Site, observed: ObservedDatabase) -> Verdict:
    """The bench's MariaDB is up. One that is not, by what bench and site last said, has failed or merely starts."""
    server = observed.server
    if server is not None and server.status.ready_replicas > 0:
        return Verdict(True, Reason.READY, "MariaDB is available.")
    name = site.bench.mariadb
    described = f"MariaDB {name} of FrappeBench {site.bench.bench}"
    if not mariadb.answered([*observed.conditions, *observed.bench_conditions.values()]):
        told = observed.bench_conditions.get(SiteCondition.DATABASE_READY)
        # What merely is on its way changes often, and each word of it would be a write for each site.
        troubled = told is not None and told.status != "True" and Trait.EXPECTED not in traits(told.reason)
        why = told.message if told is not None and troubled else f"see pod {name}-0"
        return Verdict(False, Reason.PROVISIONING, f"{described} is not ready yet: {why}")
    if server is None or rolling_out(server):
        return Verdict(False, Reason.ROLLING_OUT, f"The StatefulSet of {described} is being recreated")
    return Verdict(False, FrappeReason.DATABASE_UNAVAILABLE, f"{described} is not available: see pod {name}-0")


def connection(site: Site, password: str) -> list[Manifest]:
    """The Secret with the connection, and a label by which the database is known without reading it."""
    meta = retained(site.owner, site.database.secret, PART)
    # A label value cannot begin with the underscore of the name.
    meta["labels"][DATABASE_LABEL] = site.database.name.strip("_")
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": meta,
            "stringData": {
                "host": site.database.host,
                "port": str(mariadb.PORT),
                "database": site.database.name,
                "username": site.database.username,
                "password": password,
            },
        }
    ]


def jobs(site: Site) -> list[Manifest]:
    """The Job that creates the database and its user."""
    task = Task(site.names.database, PART, ["prepare-database"], site.database.name)
    return [site_job(site, task, secrets(site))]


def secrets(site: Site) -> dict[str, str]:
    """The connection, and root's password of the bench's MariaDB."""
    return {"database": site.database.secret, "database-admin": site.bench.mariadb_root}


def configure_arguments(site: Site) -> list[str]:
    """The database's user is given the password of the Secret first."""
    return ["--set-password"]


def secret_lost(site: Site) -> str:
    """The Secret is generated again, in the same reconcile."""
    return f"Secret {site.database.secret} was deleted and is generated again with a new password"


def drop(remains: Remains) -> list[Manifest]:
    """The Job that removes database and user, while the server exists. Works whatever the site's spec says."""
    owner, bench = remains.owner, remains.bench
    if not remains.server_exists or not is_our_database(remains.recorded_name, owner.namespace, owner.name):
        return []
    task = Task(drop_name(owner.name), PART, ["drop-database"], remains.secret)
    secrets = {"database": remains.secret, "database-admin": bench.mariadb_root}
    return [bare_job(owner, remains.image, bench, task, remains.resources, secrets)]
