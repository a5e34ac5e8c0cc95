"""The life of a bench, in order."""

from collections.abc import Callable

from frappe_operator.bench.checks import CHECKS
from frappe_operator.bench.observe import Observed
from frappe_operator.components import image, mariadb, proxy, redis, storage
from frappe_operator.kube.readiness import claims_usable, jobs_succeeded, workloads_available
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Lives, Stage, Verdict, checked, failed
from frappe_operator.model.bench import Bench, missing_apps
from frappe_operator.model.reasons import FrappeReason

STORED, IMAGE = ["StorageReady"], ["ImageReady"]
"""What the others come after: once there is storage they begin side by side, so that images are pulled meanwhile; only
the proxy needs to know what is in the bench's."""


def stages(bench: Bench, observed: Observed, token: Callable[[], str]) -> list[Stage]:
    """Each row is one stage and one status condition; a failed check makes its condition false. `token` makes a new
    password."""
    known = image_known(bench, observed)
    about_image = [*image.runner(bench), *image.facts(bench)]
    served = [*proxy.config(bench), *proxy.build(bench)]
    password = redis.secret(bench, token())
    made = secret_made(bench.names.redis, observed.secrets.redis, "Redis and every pod of the sites restart")
    rows = [
        Stage("StorageReady", storage.common(bench), claims_usable(observed.classes)),
        Stage("ImageReady", about_image, known, once=image.inspect(bench), after=STORED),
        # The password is there before a pod is begun that reads it.
        Stage("CacheReady", [], made, once=password, after=STORED),
        Stage("CacheReady", redis.build(bench), workloads_available, after=STORED),
        *database(bench, observed, token),
        Stage("ProxyReady", served, workloads_available, after=IMAGE),
    ]
    return checked(rows, failed(CHECKS, observed))


def database(bench: Bench, observed: Observed, token: Callable[[], str]) -> list[Stage]:
    """The shared MariaDB, from the moment a site first needs it."""
    if not bench.mariadb_wanted:
        return [
            Stage(
                "DatabaseReady",
                [],
                lambda _: Verdict(True, Reason.NOT_NEEDED, "No site uses a MariaDB server of this bench."),
            )
        ]
    password = mariadb.secret(bench, token())
    made = secret_made(bench.names.mariadb_root, observed.secrets.mariadb, "MariaDB restarts")
    return [
        Stage("DatabaseReady", [], made, once=password, after=STORED),
        Stage("DatabaseReady", mariadb.build(bench), database_answers(bench, observed), after=STORED),
    ]


def secret_made(name: str, revision: str, follows: str) -> Callable[[Lives], Verdict]:
    """A generated Secret exists. One that was lost is made again: what was started with the one before starts anew."""

    def ready(_: Lives) -> Verdict:
        if revision:
            return Verdict(True, Reason.READY, f"Secret {name} exists.")
        return Verdict(False, Reason.PROVISIONING, f"Secret {name} is being generated; {follows} with the new password")

    return ready


def database_answers(bench: Bench, observed: Observed) -> Callable[[Lives], Verdict]:
    """MariaDB is up. Whether one that is not has broken down or merely begins, the last status tells."""
    answered = mariadb.answered(observed.live.conditions)
    restarts = observed.revisions.mariadb not in ("", bench.mariadb.revision)

    def ready(lives: Lives) -> Verdict:
        verdict = workloads_available(lives)
        if verdict.reason != Reason.PODS_NOT_READY or not (answered or restarts):
            return verdict
        why = "is not available"
        if restarts:
            why = f"is restarting with the new password of root in Secret {bench.names.mariadb_root}"
        return Verdict(False, FrappeReason.DATABASE_UNAVAILABLE, f"MariaDB {why}: {verdict.message}")

    return ready


def image_known(bench: Bench, observed: Observed) -> Callable[[Lives], Verdict]:
    """The image was looked into, its assets are published, and it holds the apps of the spec."""

    def ready(lives: Lives) -> Verdict:
        facts = bench.facts
        if facts is None or not facts.answer(bench.image):
            verdict = jobs_succeeded(observed.reports)(lives)
            if verdict.ok:
                return Verdict(False, Reason.JOB_RUNNING, f"Image {bench.image.reference} is being inspected again")
            return verdict
        if missing := missing_apps(bench):
            message = (
                f"{', '.join(missing)} is not in image {facts.reference}, which contains "
                f"{', '.join(facts.apps)}: remove it from the spec, or use an image that contains it (imageConfig)"
            )
            return Verdict(False, FrappeReason.APP_NOT_IN_IMAGE, message, blocked=True)
        return Verdict(True, Reason.READY, f"Frappe {facts.frappe_version} with {', '.join(facts.apps)}")

    return ready
