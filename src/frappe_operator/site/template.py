"""Which template of its bench a new site is copied from."""

from frappe_operator.model import template as model
from frappe_operator.model.database import BUILT_IN
from frappe_operator.model.site import Site
from frappe_operator.site.observe import Observed


def chosen_template(site: Site, observed: Observed) -> str:
    """Key of the template that the site is copied from; empty for none.

    It is chosen when the Job that creates the database is created, which has it in an annotation: a template that is
    ready later changes nothing for a site that is being created. One that does not fit any more is not used.
    """
    if site.database.engine != BUILT_IN:
        # Templates are in the MariaDB of the bench.
        return ""
    if not {layer.app for layer in site.layers}.isdisjoint(site.apps):
        # Templates contain no app of a layer.
        return ""
    wanted = model.template(site.facts, site.apps)
    if observed.prepared is not None:
        recorded = observed.prepared.metadata.annotation(model.TEMPLATE_ANNOTATION)
        return wanted.key if recorded == wanted.key else ""
    return wanted.key if model.ready(observed.bench_live, wanted) else ""
