"""The life of a site, in order."""

from collections.abc import Callable

from frappe_operator.components import (
    background,
    creation,
    gunicorn,
    socketio,
    storage,
)
from frappe_operator.components.database import ENGINES
from frappe_operator.components.route import ROUTES
from frappe_operator.kube.readiness import (
    claims_usable,
    jobs_succeeded,
    workloads_available,
)
from frappe_operator.kube.stage import Stage, checked, failed
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.site import Site
from frappe_operator.site import generated_secrets
from frappe_operator.site.checks import CHECKS
from frappe_operator.site.conditions import bench_ready, configured, routed, workloads_ready
from frappe_operator.site.observe import Observed

MADE = [
    SiteCondition.BENCH_READY,
    SiteCondition.STORAGE_READY,
    SiteCondition.DATABASE_READY,
    SiteCondition.SITE_CREATED,
]
"""What apps come after: not Configured, for a site that exists goes on with the configuration it has."""
CREATED, INSTALLED = [SiteCondition.SITE_CREATED], workloads_ready.AFTER
"""What pods and route come after: work that is done once and stays done. Were it a server's health, everything of a
running site that is deleted while that server is down would stay away as long."""


def stages(site: Site, observed: Observed, token: Callable[[], str]) -> list[Stage]:
    """Each row is one stage and one status condition; a failed check makes its condition false. `token` makes a new
    password.

    Whether the site is reached and answers is asked after all that is in place (site/probe.py).
    """
    done = jobs_succeeded(observed.reports)
    engine = ENGINES[site.database.engine]
    create = creation.create(site, generated_secrets.password_is_new(observed))
    workloads = [*gunicorn.build(site), *socketio.build(site), *background.build(site)]
    rows = [
        Stage(SiteCondition.BENCH_READY, [], bench_ready.ready(observed)),
        Stage(SiteCondition.STORAGE_READY, storage.files(site), claims_usable(observed.classes)),
        Stage(SiteCondition.DATABASE_READY, [], lambda _: engine.server_ready(site, observed.database)),
        Stage(SiteCondition.DATABASE_READY, [], done, once=[*engine.connection(site, token()), *engine.jobs(site)]),
        Stage(SiteCondition.SITE_CREATED, [], done, once=[*generated_secrets.admin(site, observed, token()), *create]),
        configured.stage(site, observed),
        Stage(SiteCondition.APPS_INSTALLED, [], done, once=creation.install(site), after=MADE),
        Stage(SiteCondition.WORKLOADS_READY, workloads, workloads_available, after=INSTALLED),
        *workloads_ready.assets_json_removed(site, observed),
        Stage(
            SiteCondition.ROUTED,
            [] if observed.taken else ROUTES[site.route.type].build(site),
            routed.hosts_are_free(site, observed),
            after=CREATED,
        ),
    ]
    return checked(rows, failed(CHECKS, observed))
