"""AppsInstalled: the apps in the list are installed. The message says which others are, and how they are removed."""

from collections.abc import Callable

from frappe_operator.api.labels import CONFIRM_ANNOTATION
from frappe_operator.kube.listing import abbreviated
from frappe_operator.kube.readiness import jobs_succeeded
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Verdict
from frappe_operator.model import removal
from frappe_operator.model.site import Site
from frappe_operator.model.site import apps as listed_apps
from frappe_operator.site.observe import Observed

FIRST_APPS = Verdict(True, Reason.SUCCEEDED, "The site was created with its apps.")
NAMED = 5
"""How many apps a message names."""


def installed(site: Site, observed: Observed) -> Callable[[LiveChildren], Verdict]:
    """Whether the Job that installs the apps has succeeded, or none is needed."""
    succeeded = (lambda _: FIRST_APPS) if site.created_with_apps else jobs_succeeded(observed.reports)

    def ready(live_children: LiveChildren) -> Verdict:
        verdict = succeeded(live_children)
        notes = " ".join([verdict.message, *_notes(site, observed)])
        return verdict._replace(message=notes) if verdict.ok else verdict

    return ready


def _notes(site: Site, observed: Observed) -> list[str]:
    """What the user may want to know of apps that are not in the list, and of the annotation."""
    installed, asked = observed.last_status.installed_apps or [], observed.upgrade.removal
    listed = listed_apps(observed.spec, observed.bench)
    found = []
    if stay := removal.not_wanted(listed, installed, asked.confirmed):
        value = ",".join([*asked.apps, *stay[:NAMED]])
        command = f"kubectl annotate fs -n {site.owner.namespace} {site.owner.name} {CONFIRM_ANNOTATION}={value}"
        found.append(
            f"{abbreviated(stay, NAMED)} stays installed, although it is not in the list of apps. To remove it with "
            f"its data, after a dump: {command} --overwrite"
        )
    names = removal.named(observed.live)
    if ignored := [app for app in names if app in listed]:
        found.append(
            f"The annotation {CONFIRM_ANNOTATION} names {abbreviated(ignored, NAMED)}, which is in the list of apps: "
            "it is removed when it is taken from the list"
        )
    if unknown := [app for app in names if app not in listed and app not in installed]:
        found.append(f"The annotation {CONFIRM_ANNOTATION} names {abbreviated(unknown, NAMED)}, which is not installed")
    return found
