"""The life of a site, in order."""

from collections.abc import Callable

from frappe_operator.components import (
    assets,
    background,
    creation,
    gunicorn,
    socketio,
    storage,
)
from frappe_operator.components.database import ENGINES
from frappe_operator.components.route import ROUTES
from frappe_operator.kube.readiness import (
    ALL_READY,
    claims_usable,
    jobs_succeeded,
    workloads_available,
)
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Lives, Stage, Verdict, checked, failed
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.site import Site
from frappe_operator.site import configured, generated_secrets
from frappe_operator.site.checks import CHECKS
from frappe_operator.site.observe import Observed

NEEDED_OF_BENCH = ("StorageReady", "CacheReady", "ProxyReady")

MADE = ["BenchReady", "StorageReady", "DatabaseReady", "SiteCreated"]
"""What apps come after: not Configured, for a site that exists goes on with the configuration it has."""
CREATED, INSTALLED = ["SiteCreated"], ["SiteCreated", "AppsInstalled"]
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
        Stage("BenchReady", [], bench_ready(observed)),
        Stage("StorageReady", storage.files(site), claims_usable(observed.classes)),
        Stage("DatabaseReady", [], lambda _: engine.server_ready(site, observed.database)),
        Stage("DatabaseReady", [], done, once=[*engine.connection(site, token()), *engine.jobs(site)]),
        Stage("SiteCreated", [], done, once=[*generated_secrets.admin(site, observed, token()), *create]),
        configured.stage(site, observed),
        Stage("AppsInstalled", [], done, once=creation.install(site), after=MADE),
        Stage("WorkloadsReady", workloads, workloads_available, after=INSTALLED),
        *assets_json_removed(site, observed),
        Stage(
            "Routed",
            [] if observed.taken else ROUTES[site.route.type].build(site),
            routed(site, observed),
            after=CREATED,
        ),
    ]
    return checked(rows, failed(CHECKS, observed))


def bench_ready(observed: Observed) -> Callable[[Lives], Verdict]:
    """What the site needs of its bench is there."""

    def ready(_: Lives) -> Verdict:
        name = observed.bench.name
        for condition in NEEDED_OF_BENCH:
            found = observed.bench_conditions.get(condition)
            if found is None or found.status != "True":
                why = f"{condition}: {found.message}" if found else f"{condition} has not been reported yet"
                return Verdict(False, FrappeReason.BENCH_NOT_READY, f"FrappeBench {name}: {why}")
        return Verdict(True, Reason.READY, f"FrappeBench {name} provides what the site needs.")

    return ready


def assets_json_removed(site: Site, observed: Observed) -> list[Stage]:
    """Pages name the assets of the image that runs.

    The names are removed when the new pods serve, and once more when the last pod of an earlier image has ended, which
    may have written down its own meanwhile: a worker may take half an hour to finish the job it is at.
    """
    if not site.facts.previous_key:
        return []
    removed = jobs_succeeded(observed.reports)
    was_ready = any(each.type == "WorkloadsReady" and each.status == "True" for each in observed.last_status.conditions)

    def ready(lives: Lives) -> Verdict:
        verdict = removed(lives)
        # The second time comes long after visitors were served: merely being under way, it makes nothing false.
        under_way = verdict.reason in (Reason.PROVISIONING, Reason.JOB_RUNNING)
        return ALL_READY if verdict.ok or (under_way and was_ready) else verdict

    renew = assets.renew(site, last=not observed.earlier_pods)
    return [Stage("WorkloadsReady", [], ready, once=renew, after=[*INSTALLED, "WorkloadsReady"])]


def routed(site: Site, observed: Observed) -> Callable[[Lives], Verdict]:
    """Every host is the site's."""

    def ready(lives: Lives) -> Verdict:
        for host, key in observed.taken.items():
            # Another namespace's names are not this one's business.
            owner = f"FrappeSite {key.name}" if key.namespace == site.owner.namespace else "another FrappeSite"
            message = f"{host} belongs to {owner}, which is older: choose another domain or alias"
            return Verdict(False, FrappeReason.HOST_TAKEN, message, blocked=True)
        return ROUTES[site.route.type].ready(lives)

    return ready
