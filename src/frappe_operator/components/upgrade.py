"""The Job that migrates the data of a site to another release or removes apps, or puts it back as it was."""

import msgspec

from frappe_operator.components.database import ENGINES
from frappe_operator.components.frappe import Task, site_job
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.site import Site

PART = "upgrade"


def migrate(site: Site) -> list[Manifest]:
    """The Job, with the image of the release that the site upgrades to; none without an upgrade.

    It succeeds also when the migration fails and the data is as before: its report says which of the two.
    """
    upgrade = site.upgrade
    if upgrade is None:
        return []
    arguments = [
        "upgrade-site",
        f"--site={site.site_name}",
        f"--release={upgrade.target.key}",
        f"--from={site.facts.key}",
        f"--attempt={upgrade.attempt}",
        f"--keep-dumps={site.policy.keep_dumps}",
        f"--timeout={site.policy.timeout}",
        *ENGINES[site.database.engine].tls_arguments(site),
        *([f"--remove-apps={','.join(upgrade.removal.apps)}"] if upgrade.removal and upgrade.removal.apps else []),
    ]
    task = Task(site.names.upgrade(upgrade.attempt), PART, arguments, site.database.revision)
    upgraded = msgspec.structs.replace(site, image=site.target, facts=upgrade.target)
    return [site_job(upgraded, task, {"database": site.database.secret}, layout_flags=["--upgrading"])]
