"""The Secrets that are generated for a site.

A lost connection Secret is generated again, because the operator can set the new password in the bench's MariaDB. A
lost Secret of Administrator is not: people may have changed that password in Frappe, so only they can provide it.
"""

from frappe_operator.api.labels import SITE_LABEL
from frappe_operator.components import creation, frappe
from frappe_operator.kube.live import OPERATOR_NAME
from frappe_operator.kube.names import INSTANCE, MANAGED_BY
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.readiness import succeeded
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Verdict
from frappe_operator.model.site import Site
from frappe_operator.site.observe import Observed


def is_created(observed: Observed) -> bool:
    """Whether the Job that creates the site has succeeded."""
    return observed.created is not None and succeeded(observed.created)


def admin(site: Site, observed: Observed, password: str) -> list[Manifest]:
    """The Secret with Administrator's initial password; empty once the site has been created with one."""
    if is_created(observed):
        return []
    report = observed.reports.get(site.names.create)
    if observed.admin_secret is None and site.retained and not (report and report.reason == Reason.SECRET_NOT_FOUND):
        # The retained volume most likely holds a site with its password. The creation Job reports it when it does not.
        return []
    return creation.admin(site, password)


def lost_admin(site: Site, observed: Observed) -> Verdict | None:
    """A verdict with instructions when the Secret of Administrator is lost or belongs to another owner; None
    otherwise."""
    name, owner, found = site.names.admin, site.owner.name, observed.admin_secret
    labels = {MANAGED_BY: OPERATOR_NAME, INSTANCE: owner, SITE_LABEL: owner}
    if found is not None and all(found.metadata.label(label) == value for label, value in labels.items()):
        return None
    selector = ",".join(f"{label}={value}" for label, value in labels.items())
    if found is not None:
        message = (
            f"Secret {name} exists and does not belong to FrappeSite {owner}: add the labels {selector}, or delete it"
        )
        return Verdict(False, Reason.NAME_CONFLICT, message, blocked=True)
    shell = f"kubectl exec -n {site.owner.namespace} -it deploy/{site.names.gunicorn} -c gunicorn -- {frappe.PYTHON}"
    message = (
        f"Secret {name} with the password of Administrator does not exist, and is not generated again, because the "
        f"site already has a password. Create it with the key password and the labels {selector}. If the password is "
        f"unknown, set one first: {shell} -m frappe.utils.bench_helper frappe --site {site.site_name} "
        "set-admin-password"
    )
    return Verdict(False, Reason.SECRET_NOT_FOUND, message, blocked=True)


def password_is_new(observed: Observed) -> bool:
    """Whether the connection Secret was generated again after the database user got the password of an earlier one."""
    prepared, secret = observed.prepared, observed.connection_secret
    return bool(prepared and secret and "" < prepared.completed < secret.metadata.creation_timestamp)
