"""The apps that a site was created with. A site that is copied from a template has all of its list, and one with only
frappe has as well: no Job has to install any."""

from collections.abc import Collection, Sequence

from frappe_operator.kube.live import Live
from frappe_operator.kube.names import GROUP, digest

FIRST_APPS_LABEL = f"{GROUP}/first-apps"
"""Label of the claim for the files of a site: fingerprint of its list of apps, when the Job that created the site left
all of them installed. It is removed for good when the list changes: an app that leaves the list and comes back may have
been removed meanwhile."""


def label(apps: Sequence[str]) -> str:
    """The value of FIRST_APPS_LABEL for a list of apps."""
    return digest(",".join(apps))


def is_recorded(claim: Live, apps: Sequence[str]) -> bool:
    """Whether the claim records that the site was created with all apps of the list."""
    return claim.metadata.label(FIRST_APPS_LABEL) == label(apps)


def are_all(apps: Collection[str], reported: Collection[str]) -> bool:
    """Whether the apps that the Job reports are at least those of the list."""
    return bool(reported) and set(apps) <= set(reported)
