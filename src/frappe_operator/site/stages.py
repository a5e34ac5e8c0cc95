"""The life of a site, in order."""

from collections.abc import Callable

from frappe_operator.components import (
    background,
    creation,
    database,
    gunicorn,
    ingress,
    socketio,
    storage,
)
from frappe_operator.kube.readiness import (
    claims_usable,
    exist,
    jobs_succeeded,
    workloads_available,
)
from frappe_operator.kube.stage import Lives, Reason, Stage, Verdict
from frappe_operator.model.site import Site
from frappe_operator.site.observe import Answers, Seen

NEEDED_OF_BENCH = ("StorageReady", "CacheReady", "ProxyReady")


def stages(site: Site, seen: Seen, answers: Answers | None, asked: bool, token: Callable[[], str]) -> list[Stage]:
    """Each row is one stage and one status condition. `token` makes a new password.

    `asked`: whether proxies and site had to be asked; when not, they have answered before and nothing has changed.
    """
    done = jobs_succeeded(seen.reports)
    workloads = [*gunicorn.build(site), *socketio.build(site), *background.build(site)]
    return [
        Stage("BenchReady", [], bench_ready(seen)),
        Stage("StorageReady", storage.files(site), claims_usable(seen.classes)),
        Stage("DatabaseReady", [], server_ready(site, seen)),
        Stage("DatabaseReady", [], done, once=[*database.connection(site, token()), *database.jobs(site)]),
        Stage("SiteCreated", [], done, once=[*creation.admin(site, token()), *creation.create(site)]),
        Stage("AppsInstalled", [], done, once=creation.install(site)),
        Stage("WorkloadsReady", workloads, workloads_available),
        Stage("Routed", [] if seen.taken else ingress.build(site), routed(site, seen, answers, asked)),
        Stage("Serving", [], serving(site, answers, asked)),
    ]


def bench_ready(seen: Seen) -> Callable[[Lives], Verdict]:
    """What the site needs of its bench is there."""

    def ready(_: Lives) -> Verdict:
        name = seen.bench.owner.name
        for condition in NEEDED_OF_BENCH:
            found = seen.bench_conditions.get(condition)
            if found is None or found.status != "True":
                why = f"{condition}: {found.message}" if found else f"{condition} is not known yet"
                return Verdict(False, Reason.BENCH_NOT_READY, f"FrappeBench {name}: {why}")
        return Verdict(True, Reason.READY, f"FrappeBench {name} has what the site needs.")

    return ready


def server_ready(site: Site, seen: Seen) -> Callable[[Lives], Verdict]:
    """The bench's MariaDB is up, where the site's database is in it."""

    def ready(_: Lives) -> Verdict:
        if not site.database.built_in:
            return Verdict(True, Reason.READY, "The database is yours.")
        name = site.bench.mariadb
        if seen.mariadb is None:
            return Verdict(False, Reason.PROVISIONING, f"MariaDB {name} is being created")
        if seen.mariadb.status.ready_replicas < 1:
            message = f"MariaDB {name} of FrappeBench {site.bench.bench} does not answer: see its pod {name}-0"
            return Verdict(False, Reason.DATABASE_UNAVAILABLE, message)
        return Verdict(True, Reason.READY, "MariaDB answers.")

    return ready


def routed(site: Site, seen: Seen, answers: Answers | None, asked: bool) -> Callable[[Lives], Verdict]:
    """Every host is the site's, and every proxy knows it."""

    def ready(lives: Lives) -> Verdict:
        for host, key in seen.taken.items():
            # Another namespace's names are not this one's business.
            owner = f"FrappeSite {key.name}" if key.namespace == site.owner.namespace else "another FrappeSite"
            message = f"{host} belongs to {owner}, which is older: choose another domain or alias"
            return Verdict(False, Reason.HOST_TAKEN, message, blocked=True)
        there = exist(lives)
        if not there.ok:
            return there
        known = Verdict(True, Reason.READY, f"Every proxy knows {', '.join(site.domain.hosts)}.")
        if not asked:
            return known
        if answers is None or not answers.proxies:
            return Verdict(False, Reason.ROUTE_NOT_SERVED, f"No proxy of FrappeBench {site.bench.bench} answers yet")
        for where, answer in answers.proxies.items():
            if answer.body.strip() != site.site_name:
                message = f"Proxy {where.split()[0]} does not know {where.split()[1]} yet"
                return Verdict(False, Reason.ROUTE_NOT_SERVED, message)
        return known

    return ready


def serving(site: Site, answers: Answers | None, asked: bool) -> Callable[[Lives], Verdict]:
    """Frappe answers a ping that comes the way a visitor does."""

    def ready(_: Lives) -> Verdict:
        if site.sizes["gunicorn"].replicas == 0:
            # Whoever asks may still be answered by a pod that is about to end.
            message = f"{site.url} has no web server: componentReplicas.gunicorn is 0, ask for one or more"
            return Verdict(False, Reason.NOT_ANSWERING, message, blocked=True)
        if not asked:
            return Verdict(True, Reason.READY, f"{site.url} answers.")
        if answers is None or answers.ping is None:
            return Verdict(False, Reason.NOT_ANSWERING, f"{site.url} was not asked yet")
        if answers.ping.status != 200:
            said = f"HTTP {answers.ping.status}" if answers.ping.status else answers.ping.body
            return Verdict(False, Reason.NOT_ANSWERING, f"{site.url}/api/method/ping does not answer with 200: {said}")
        return Verdict(True, Reason.READY, f"{site.url} answers.")

    return ready
