"""The common storage of a bench and the files of a site."""

from frappe_operator.api.labels import BENCH_LABEL, SITE_LABEL
from frappe_operator.components.metadata import metadata, retained
from frappe_operator.components.pod import same_node
from frappe_operator.components.volume import claim
from frappe_operator.kube.names import GROUP
from frappe_operator.kube.objects import Manifest
from frappe_operator.model import first_apps
from frappe_operator.model.bench import Bench
from frappe_operator.model.database import SERVER_KIND_LABEL
from frappe_operator.model.first_apps import FIRST_APPS_LABEL
from frappe_operator.model.site import ORIGIN_LABEL, Site


def common(bench: Bench) -> list[Manifest]:
    """The claim for the common storage."""
    return [claim(metadata(bench.owner, bench.names.common, "common"), bench.common)]


MOUNTS_COMMON = {f"{GROUP}/common-storage": "mounted"}
"""Label of every pod that mounts the common storage."""


def common_node(bench: Bench) -> list[Manifest]:
    """Affinity terms of a pod that mounts the common storage."""
    return [same_node({BENCH_LABEL: bench.owner.name, **MOUNTS_COMMON})] if bench.common.one_node else []


QUEUES_LABEL = f"{GROUP}/queues"
"""Label of the claim for the files of a site: the prefix of its queues, retained and deleted with the claim."""


def files(site: Site) -> list[Manifest]:
    """The claim for the files of a site."""
    meta = retained(site.owner, site.names.files, "files")
    meta["labels"][ORIGIN_LABEL] = site.origin
    meta["labels"][QUEUES_LABEL] = site.bench_id
    meta["labels"].update(site.mark.labels)
    if site.created_with_apps:
        meta["labels"][FIRST_APPS_LABEL] = first_apps.label(site.apps)
    if site.database.server_kind:
        meta["labels"][SERVER_KIND_LABEL] = site.database.server_kind
    return [claim(meta, site.files)]


def layers_node(site: Site) -> list[Manifest]:
    """Affinity terms of a pod that mounts the app layers of a site, which are on the common storage."""
    if not (site.layers and site.common_on_one_node):
        return []
    return [same_node({BENCH_LABEL: site.bench.bench, **MOUNTS_COMMON})]


def files_node(site: Site) -> list[Manifest]:
    """Affinity terms of a pod that mounts the files of a site."""
    return [same_node({SITE_LABEL: site.owner.name})] if site.files.one_node else []
