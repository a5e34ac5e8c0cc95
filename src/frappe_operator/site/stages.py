"""The stages of a site, in order."""

from collections.abc import Callable

from frappe_operator.components import (
    background,
    certificate,
    creation,
    gunicorn,
    socketio,
    storage,
)
from frappe_operator.components.route import ROUTES, gateway
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.readiness import claims_usable, jobs_succeeded
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Stage, Verdict, checked, failed
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.site import Site
from frappe_operator.site import generated_secrets
from frappe_operator.site.checks import CHECKS
from frappe_operator.site.conditions import (
    apps_installed,
    bench_ready,
    certificate_ready,
    configured,
    database_ready,
    routed,
    upgraded,
    workloads_ready,
)
from frappe_operator.site.observe import Observed
from frappe_operator.site.template import chosen_template

BEFORE_APPS = [
    SiteCondition.BENCH_READY,
    SiteCondition.STORAGE_READY,
    SiteCondition.DATABASE_READY,
    SiteCondition.SITE_CREATED,
]
"""Conditions that the installation of apps waits for. Configured is not among them: a created site continues to run
with its last configuration."""


def stages(site: Site, observed: Observed, token: Callable[[], str]) -> list[Stage]:
    """Each row is one stage and one status condition; a failed check makes its condition false. `token` generates
    a password.

    Serving, and the second half of Routed, are probed after these stages are applied (site/probe.py).
    """
    succeeded = jobs_succeeded(observed.reports)
    template = chosen_template(site, observed)
    create = creation.create(site, generated_secrets.password_is_new(observed), template)
    workloads = [*gunicorn.build(site), *socketio.build(site), *background.build(site)]
    rows = [
        Stage(SiteCondition.BENCH_READY, [], bench_ready.ready(observed)),
        Stage(SiteCondition.STORAGE_READY, storage.files(site), claims_usable(observed.classes)),
        *database_ready.stages(site, observed, token, template),
        Stage(
            SiteCondition.SITE_CREATED, [], succeeded, once=[*generated_secrets.admin(site, observed, token()), *create]
        ),
        configured.stage(site, observed),
        upgraded.stage(site, observed),
        Stage(
            SiteCondition.APPS_INSTALLED,
            [],
            apps_installed.installed(site, observed),
            once=creation.install(site),
            after=BEFORE_APPS,
        ),
        workloads_ready.pods(site, workloads, observed),
        *workloads_ready.assets_json_removed(site, observed),
        Stage(
            SiteCondition.CERTIFICATE_READY,
            [] if observed.conflicting_hosts else certificate.build(site),
            certificate_ready.ready(site, observed),
            after=[],
        ),
        routed.web_service(site, observed),
        Stage(
            SiteCondition.ROUTED,
            [] if observed.conflicting_hosts else ROUTES[site.route.type].build(site),
            routed.hosts_are_free(site, observed),
            after=routed.BEFORE,
            keeps=routed.route_of_before(site, observed),
        ),
        # After the HTTPRoutes that refer to them: a listener without a route answers with an error.
        Stage(
            SiteCondition.CERTIFICATE_READY,
            [] if observed.conflicting_hosts else gateway.listener_sets(site),
            certificate_ready.presented(site, observed),
            after=routed.BEFORE,
        ),
    ]
    if site.upgrade is not None:
        rows = [_without_unfinished_jobs(row, observed) for row in rows]
    return checked(rows, failed(CHECKS, observed))


def _without_unfinished_jobs(row: Stage, observed: Observed) -> Stage:
    """The stage during an upgrade: no other Job works on the site, and one that has not finished is deleted."""
    if row.condition == SiteCondition.UPGRADED:
        return row
    kept = [each for each in row.once if not _is_unfinished_job(each, observed)]
    if len(kept) == len(row.once):
        return row
    return row._replace(once=kept, ready=lambda _: WAITS_FOR_UPGRADE)


WAITS_FOR_UPGRADE = Verdict(False, Reason.WAITING, "Waiting for Upgraded")


def _is_unfinished_job(manifest: Manifest, observed: Observed) -> bool:
    return manifest["kind"] == "Job" and manifest["metadata"]["name"] not in observed.upgrade.finished_jobs
