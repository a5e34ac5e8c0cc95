"""The engine `dedicated`: a MariaDB of the site alone, which the operator runs, with the database of the site in it."""

from frappe_operator.components import mariadb
from frappe_operator.components.database import generated
from frappe_operator.components.database.interface import PART, ObservedDatabase, Remains
from frappe_operator.components.frappe import Task, site_job
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.readiness import workloads_available
from frappe_operator.kube.stage import Verdict
from frappe_operator.model.site import Site

# As for every database that the operator creates.
secret_problem = generated.secret_problem
connection = generated.connection
tls_arguments = generated.tls_arguments
configure_arguments = generated.configure_arguments
secret_lost = generated.secret_lost


def root(site: Site, password: str) -> list[Manifest]:
    """The Secret with the password of root."""
    return mariadb.secret(_server(site), password)


def server(site: Site) -> list[Manifest]:
    """StatefulSet and Service."""
    return mariadb.build(_server(site))


def server_ready(site: Site, observed: ObservedDatabase) -> Verdict:
    """Whether the server is available."""
    answered = mariadb.has_been_available(observed.conditions)
    return mariadb.available(workloads_available([observed.server]), answered=answered)


def jobs(site: Site, template: str = "") -> list[Manifest]:
    """The Job that creates the database and its user.

    It gives the site no template: those are in the MariaDB of the bench, which the site has nothing to do with.
    """
    return [site_job(site, Task(site.names.database, PART, ["prepare-database"], site.database.name), secrets(site))]


def secrets(site: Site) -> dict[str, str]:
    """The connection Secret, and the Secret with the root password of the server."""
    return {"database": site.database.secret, "database-admin": _server(site).mariadb.root}


def drop(remains: Remains) -> list[Manifest]:
    """No Job: the database is deleted with the volume of its server."""
    return []


def _server(site: Site) -> mariadb.Server:
    assert site.database.server is not None, "the site has a server of its own"
    return mariadb.of_site(site, site.database.server)
