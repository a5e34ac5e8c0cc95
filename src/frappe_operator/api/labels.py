"""Labels, annotations and finalizers of benches, sites and their children. A released one never changes."""

from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.names import GROUP

BENCH_LABEL = f"{GROUP}/bench"
SITE_LABEL = f"{GROUP}/site"
COMPONENT_LABEL = f"{GROUP}/component"

CONFIRM_ANNOTATION = f"{GROUP}/confirm-uninstall"
"""Annotation of a FrappeSite: the apps whose data may go when they are taken from the list, separated by commas."""

SITE_FINALIZER = f"{GROUP}/site-finalizer"
BENCH_FINALIZER = f"{GROUP}/bench-finalizer"


def owner_label(kind: Kind) -> str:
    """The label of a child that has the name of its owner: `vyogo.tech/site` for a FrappeSite."""
    return f"{GROUP}/{kind.kind.removeprefix('Frappe').lower()}"
