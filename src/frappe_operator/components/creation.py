"""Making the site: Administrator's first password, the Job that creates the site, the Job that installs its apps."""

from frappe_operator.components.frappe import Task, site_job
from frappe_operator.components.metadata import kept
from frappe_operator.kube.kinds import Manifest
from frappe_operator.kube.names import digest
from frappe_operator.model.site import Site


def admin(site: Site, password: str) -> list[Manifest]:
    """The Secret with Administrator's first password."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": kept(site.owner, site.names.admin, "admin"),
            "stringData": {"password": password},
        }
    ]


def create(site: Site) -> list[Manifest]:
    """The Job that creates the site once. What it made is marked where it is; a second run finds the mark."""
    arguments = [
        "create-site",
        f"--site={site.site_name}",
        f"--owner={site.owner.namespace}/{site.owner.name}",
        f"--bench-id={site.bench_id}",
    ]
    task = Task(site.names.part("create"), "create", arguments, site.database.revision)
    return [site_job(site, task, {"database": site.database.secret, "admin": site.names.admin})]


def install(site: Site) -> list[Manifest]:
    """The Job that installs the apps the site lacks, one for each list of apps."""
    apps = ",".join(site.apps)
    arguments = ["install-apps", f"--site={site.site_name}", f"--apps={apps}"]
    task = Task(site.names.part(f"apps-{digest(apps)}"), "apps", arguments, "")
    return [site_job(site, task, {})]
