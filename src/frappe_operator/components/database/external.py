"""The user's own database, which the operator checks and never creates or removes."""

from frappe_operator.components.database.interface import PART, ObservedDatabase, Remains
from frappe_operator.components.frappe import Task, site_job
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Verdict
from frappe_operator.model.database import connection_problem
from frappe_operator.model.site import Site


def secret_problem(observed: ObservedDatabase) -> tuple[Reason, str] | None:
    """The user's Secret exists, with all that a login needs."""
    if observed.connection is None or observed.frappe is None:
        return None
    return connection_problem(observed.connection.secret, observed.connection_data, observed.frappe)


def server_ready(site: Site, observed: ObservedDatabase) -> Verdict:
    """The server is the user's: the Job that checks the database says whether it answers."""
    return Verdict(True, Reason.READY, "The database is external.")


def connection(site: Site, password: str) -> list[Manifest]:
    """Nothing: the user's Secret has the connection."""
    return []


def jobs(site: Site) -> list[Manifest]:
    """The Job that checks the database: reachable, with the right character set, empty or this site's."""
    arguments = [
        "check-database",
        f"--frappe-version={site.facts.frappe_version}",
        f"--owner={site.owner.namespace}/{site.owner.name}",
    ]
    task = Task(site.names.database, PART, arguments, site.database.revision)
    return [site_job(site, task, secrets(site))]


def secrets(site: Site) -> dict[str, str]:
    """The connection."""
    return {"database": site.database.secret}


def configure_arguments(site: Site) -> list[str]:
    """Nothing: the password of the database's user is the user's to change."""
    return []


def secret_lost(site: Site) -> str:
    """Only the user can create the Secret again."""
    return f"Waiting for Secret {site.database.secret}"


def drop(remains: Remains) -> list[Manifest]:
    """Nothing: the database stays."""
    return []
