"""Making the site: Administrator's first password, the Jobs that create the site, configure it and install its apps."""

from frappe_operator.components.database import ENGINES
from frappe_operator.components.frappe import Task, site_job
from frappe_operator.components.metadata import retained
from frappe_operator.components.pod import mount
from frappe_operator.kube.names import digest
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.site import CONFIGURATION_ANNOTATION, CONFIGURE_PART, Site


def admin(site: Site, password: str) -> list[Manifest]:
    """The Secret with Administrator's first password."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": retained(site.owner, site.names.admin, "admin"),
            "stringData": {"password": password},
        }
    ]


def create(site: Site, password_is_new: bool = False) -> list[Manifest]:
    """The Job that creates the site once. What it made is marked where it is; a second run finds the mark.

    `password_is_new`: the database's user has yet to be given the password that the connection Secret has now.
    """
    arguments = [
        "create-site",
        f"--site={site.site_name}",
        f"--owner={site.owner.namespace}/{site.owner.name}",
        f"--bench-id={site.bench_id}",
        f"--host-name={site.url}",
        *(["--set-password"] if password_is_new else []),
    ]
    task = Task(site.names.create, "create", arguments, site.database.revision)
    connection = ENGINES[site.database.engine].secrets(site) if password_is_new else {"database": site.database.secret}
    # A site that is taken up again needs no password for Administrator, who has one.
    optional = ("admin",) if site.retained else ()
    job = site_job(site, task, {**connection, "admin": site.names.admin}, optional)
    job["metadata"]["annotations"][CONFIGURATION_ANNOTATION] = site.configuration
    # To see under which name a site was made on this volume before, should it have been another.
    job["spec"]["template"]["spec"]["containers"][0]["volumeMounts"].append(mount("files", "/volume", read_only=True))
    return [job]


def configure(site: Site) -> list[Manifest]:
    """The Job that brings the present address and credentials into a site that exists, one for each of these."""
    engine = ENGINES[site.database.engine]
    address = [f"--site={site.site_name}", f"--host-name={site.url}"]
    arguments = ["configure-site", *address, *engine.configure_arguments(site)]
    task = Task(site.names.part(f"configure-{site.configuration}"), CONFIGURE_PART, arguments, site.database.revision)
    return [site_job(site, task, engine.secrets(site))]


def install(site: Site) -> list[Manifest]:
    """The Job that installs the apps the site lacks, one for each list of apps."""
    apps = ",".join(site.apps)
    arguments = ["install-apps", f"--site={site.site_name}", f"--apps={apps}"]
    task = Task(site.names.part(f"apps-{digest(apps)}"), "apps", arguments, "")
    return [site_job(site, task, {})]
