"""The first password of Administrator, and the Jobs that create the site, configure it and install its apps."""

from frappe_operator.components.database import ENGINES
from frappe_operator.components.frappe import Task, site_job
from frappe_operator.components.metadata import retained
from frappe_operator.components.pod import mount
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.site import CONFIGURATION_ANNOTATION, CONFIGURE_PART, Site
from frappe_operator.model.upgrade import RELEASE_LABEL


def admin(site: Site, password: str) -> list[Manifest]:
    """The Secret with the first password of Administrator."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": retained(site.owner, site.names.admin, "admin"),
            "stringData": {"password": password},
        }
    ]


def create(site: Site, password_is_new: bool = False, template: str = "") -> list[Manifest]:
    """The Job that creates the site. It records finished steps in the database and on the volume, so that a second run
    does not repeat them.

    `password_is_new`: the database user does not have the password in the connection Secret yet. `template`: key of
    the template in the directory of the site, empty for none.
    """
    arguments = [
        "create-site",
        f"--site={site.site_name}",
        f"--owner={site.owner.namespace}/{site.owner.name}",
        f"--bench-id={site.bench_id}",
        f"--host-name={site.url}",
        f"--max-file-size={site.limits.body_bytes}",
        f"--release={site.facts.key}",
        *ENGINES[site.database.engine].tls_arguments(site),
        *(["--set-password"] if password_is_new else []),
        *([f"--template={template}"] if template else []),
    ]
    task = Task(site.names.create, "create", arguments, site.database.revision)
    connection = ENGINES[site.database.engine].secrets(site) if password_is_new else {"database": site.database.secret}
    # A retained site needs no password for Administrator, who already has one.
    optional = ("admin",) if site.retained else ()
    secrets = {**connection, "admin": site.names.admin}
    # It upgrades a site that it finds on the volume at another release.
    job = site_job(site, task, secrets, optional, layout_flags=["--upgrading"])
    job["metadata"]["annotations"][CONFIGURATION_ANNOTATION] = site.configuration
    job["metadata"]["annotations"][RELEASE_LABEL] = site.facts.key
    # The runner checks whether a site of another name was created on this volume before.
    job["spec"]["template"]["spec"]["containers"][0]["volumeMounts"].append(mount("files", "/volume", read_only=True))
    return [job]


def configure(site: Site) -> list[Manifest]:
    """The Job that applies address, credentials and the size of uploads to an existing site, one Job per
    combination."""
    engine = ENGINES[site.database.engine]
    values = [f"--host-name={site.url}", f"--max-file-size={site.limits.body_bytes}", *engine.tls_arguments(site)]
    arguments = ["configure-site", f"--site={site.site_name}", *values, *engine.configure_arguments(site)]
    task = Task(site.names.part(f"configure-{site.configuration}"), CONFIGURE_PART, arguments, site.database.revision)
    return [site_job(site, task, engine.secrets(site))]


def install(site: Site) -> list[Manifest]:
    """The Job that installs the missing apps of the site, one Job per list of apps; none when the site was created with
    all of them."""
    if site.created_with_apps:
        return []
    arguments = ["install-apps", f"--site={site.site_name}", f"--apps={','.join(site.apps)}"]
    task = Task(site.names.apps(site.apps), "apps", arguments, "")
    return [site_job(site, task, {})]
