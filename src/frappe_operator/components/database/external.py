"""The engine `external`: a database of the user, which the operator checks and never creates or removes."""

from frappe_operator.components.database.interface import PART, ObservedDatabase, Remains
from frappe_operator.components.frappe import Task, site_job
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Verdict
from frappe_operator.model.database import connection_problem
from frappe_operator.model.site import Site


def secret_problem(observed: ObservedDatabase) -> tuple[Reason, str] | None:
    """Reason and message when the Secret of the user is missing or invalid; None otherwise."""
    if observed.connection is None or observed.frappe is None:
        return None
    return connection_problem(observed.connection.secret, observed.connection_data, observed.frappe)


def root(site: Site, password: str) -> list[Manifest]:
    """No manifest: the operator does not run the server."""
    return []


def server(site: Site) -> list[Manifest]:
    """No manifest: the operator does not run the server."""
    return []


def server_ready(site: Site, observed: ObservedDatabase) -> Verdict:
    """Always true: the operator does not run the server, and the Job that checks the database reports its problems."""
    return Verdict(True, Reason.READY, "The database is external.")


def connection(site: Site, password: str) -> list[Manifest]:
    """No manifest: the Secret of the user has the connection."""
    return []


def jobs(site: Site, template: str = "") -> list[Manifest]:
    """The Job that checks that the database is reachable, has the right character set, and is empty or of this site.

    It gives the site no template: those are in the MariaDB of the bench, which the site has nothing to do with.
    """
    arguments = [
        "check-database",
        f"--frappe-version={site.facts.frappe_version}",
        f"--owner={site.owner.namespace}/{site.owner.name}",
        *tls_arguments(site),
    ]
    task = Task(site.names.database, PART, arguments, site.database.revision)
    return [site_job(site, task, secrets(site))]


def secrets(site: Site) -> dict[str, str]:
    """The connection Secret."""
    return {"database": site.database.secret}


def tls_arguments(site: Site) -> list[str]:
    """The argument with the declared TLS; none for the default."""
    return [f"--tls={site.database.tls}"] if site.database.tls else []


def configure_arguments(site: Site) -> list[str]:
    """No argument: the operator does not change passwords in an external database."""
    return []


def secret_lost(site: Site) -> str:
    """The message about a lost Secret, which only the user can create again."""
    return f"Waiting for Secret {site.database.secret}"


def drop(remains: Remains) -> list[Manifest]:
    """No Job: the database is retained."""
    return []
