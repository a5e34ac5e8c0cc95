"""A site's database: credentials, and the Jobs that make, check and remove it."""

from frappe_operator.components.frappe import Task, bare_job, site_job
from frappe_operator.components.metadata import retained
from frappe_operator.kube.names import GROUP, child
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.bench import Image, Names
from frappe_operator.model.owner import Owner
from frappe_operator.model.site import Site

PART = "database"
PORT = 3306
DATABASE_LABEL = f"{GROUP}/database"
"""On the connection Secret: the database's name, so that it is known without reading the Secret."""


def connection(site: Site, password: str) -> list[Manifest]:
    """The Secret with the connection, where the database is ours."""
    if not site.database.built_in:
        return []
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
                "port": str(PORT),
                "database": site.database.name,
                "username": site.database.username,
                "password": password,
            },
        }
    ]


def jobs(site: Site) -> list[Manifest]:
    """Makes the database in the bench's MariaDB, or checks the one the user gave."""
    if site.database.built_in:
        task = Task(site.names.database, PART, ["prepare-database"], site.database.name)
        return [site_job(site, task, secrets(site))]
    arguments = [
        "check-database",
        f"--frappe-version={site.facts.frappe_version}",
        f"--owner={site.owner.namespace}/{site.owner.name}",
    ]
    task = Task(site.names.database, PART, arguments, site.database.revision)
    return [site_job(site, task, secrets(site))]


def secrets(site: Site) -> dict[str, str]:
    """The Secrets of a Job that sees to the connection: where the database is ours, root's is among them."""
    admin = {"database-admin": site.bench.mariadb_root} if site.database.built_in else {}
    return {"database": site.database.secret, **admin}


def drop(owner: Owner, image: Image, bench: Names, resources: Manifest, secret: str) -> Manifest:
    """The Job that removes database and user from the bench's MariaDB. Works whatever the site's spec says."""
    task = Task(drop_name(owner.name), PART, ["drop-database"], secret)
    return bare_job(owner, image, bench, task, resources, {"database": secret, "database-admin": bench.mariadb_root})


def drop_name(site: str) -> str:
    """Name of that Job.

    Not "drop-database": a site called `<site>-drop` has its Job "database" by that name.
    """
    return child(site, "drop")
