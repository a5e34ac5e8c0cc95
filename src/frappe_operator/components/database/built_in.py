"""The engine `built-in`: a database in the MariaDB of the bench, which the operator creates and removes."""

from frappe_operator.components import mariadb
from frappe_operator.components.database import generated
from frappe_operator.components.database.interface import PART, ObservedDatabase, Remains, drop_name
from frappe_operator.components.frappe import Task, bare_job, site_job
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.readiness import rolling_out
from frappe_operator.kube.reasons import Reason, Trait, traits
from frappe_operator.kube.stage import Verdict
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.database import is_our_database
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.site import Site
from frappe_operator.model.template import TEMPLATE_ANNOTATION, store_database

# As for every database that the operator creates.
secret_problem = generated.secret_problem
connection = generated.connection
tls_arguments = generated.tls_arguments
configure_arguments = generated.configure_arguments
secret_lost = generated.secret_lost


def root(site: Site, password: str) -> list[Manifest]:
    """No manifest: the server belongs to the bench."""
    return []


def server(site: Site) -> list[Manifest]:
    """No manifest: the server belongs to the bench."""
    return []


def server_ready(site: Site, observed: ObservedDatabase) -> Verdict:
    """Whether the MariaDB of the bench is available. The conditions of bench and site show whether an unavailable
    server has failed or is starting for the first time."""
    server = observed.server
    if server is not None and server.status.ready_replicas > 0:
        return Verdict(True, Reason.READY, "MariaDB is available.")
    name = site.bench.mariadb
    described = f"MariaDB {name} of FrappeBench {site.bench.bench}"
    if not mariadb.has_been_available([*observed.conditions, *observed.bench_conditions.values()]):
        reported = observed.bench_conditions.get(SiteCondition.DATABASE_READY)
        # The message of a server that is starting changes often, and each change would be a write for every site.
        failed = reported is not None and reported.status != "True" and Trait.EXPECTED not in traits(reported.reason)
        why = reported.message if reported is not None and failed else f"see pod {name}-0"
        return Verdict(False, Reason.PROVISIONING, f"{described} is not ready yet: {why}")
    if server is None or rolling_out(server):
        return Verdict(False, Reason.ROLLING_OUT, f"The StatefulSet of {described} is being recreated")
    return Verdict(False, FrappeReason.DATABASE_UNAVAILABLE, f"{described} is not available: see pod {name}-0")


def jobs(site: Site, template: str = "") -> list[Manifest]:
    """The Job that creates the database and its user, and copies the template into the directory of the site."""
    arguments = ["prepare-database"]
    if template:
        store = store_database(site.owner.namespace, site.bench.bench)
        arguments += [f"--site={site.site_name}", f"--template={template}", f"--store={store}"]
    job = site_job(site, Task(site.names.database, PART, arguments, site.database.name), secrets(site))
    if template:
        job["metadata"]["annotations"][TEMPLATE_ANNOTATION] = template
    return [job]


def secrets(site: Site) -> dict[str, str]:
    """The connection Secret, and the Secret with the root password of MariaDB."""
    return {"database": site.database.secret, "database-admin": site.bench.mariadb_root}


def drop(remains: Remains) -> list[Manifest]:
    """The Job that removes database and user while the server exists. It does not depend on the spec of the site."""
    owner, bench = remains.owner, remains.bench
    if (
        remains.server_kind
        or not remains.server_exists
        or not is_our_database(remains.recorded_name, owner.namespace, owner.name)
    ):
        return []
    task = Task(drop_name(owner.name), PART, ["drop-database"], remains.secret)
    secrets = {"database": remains.secret, "database-admin": bench.mariadb_root}
    return [bare_job(owner, remains.image, bench, task, remains.resources, secrets)]
