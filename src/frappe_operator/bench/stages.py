"""The stages of a bench, in order."""

from collections.abc import Callable

from frappe_operator.bench.checks import CHECKS
from frappe_operator.bench.conditions import apps_ready, database_ready, generated_secrets, image_ready, sites_upgraded
from frappe_operator.bench.observe import Observed
from frappe_operator.components import image, layers, mariadb, proxy, redis, storage
from frappe_operator.kube.readiness import claims_usable, exist, with_autoscalers, workloads_available
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Stage, Verdict, checked, failed
from frappe_operator.model.bench import Bench
from frappe_operator.model.conditions import BenchCondition

AFTER_STORAGE, AFTER_IMAGE = [BenchCondition.STORAGE_READY], [BenchCondition.IMAGE_READY]
"""Conditions that a stage waits for. With storage, all stages begin in parallel, so that images are pulled at the same
time; only the proxy needs the facts of the bench's image."""


def stages(bench: Bench, observed: Observed, token: Callable[[], str]) -> list[Stage]:
    """Each row is one stage and one status condition; a failed check makes its condition false. `token` generates
    a password."""
    inspected = image_ready.image_is_inspected(bench, observed)
    about_image = [*image.runner(bench), *image.facts(bench)]
    served = [*proxy.config(bench), *proxy.build(bench)]
    password = redis.secret(bench, token())
    secret_exists = generated_secrets.exists(
        bench.names.redis, observed.secrets.redis, "Redis and every pod of the sites restart"
    )
    proxies_available = with_autoscalers(workloads_available, [observed.autoscaler] if observed.autoscaler else [])
    rows = [
        Stage(BenchCondition.STORAGE_READY, storage.common(bench), claims_usable(observed.classes)),
        Stage(BenchCondition.IMAGE_READY, about_image, inspected, once=image.inspect(bench), after=AFTER_STORAGE),
        Stage(
            BenchCondition.APPS_READY,
            layers.record(bench),
            apps_ready.apps_are_provided(bench, observed),
            once=[*layers.build(bench), *layers.remove(bench)],
            after=AFTER_IMAGE,
        ),
        # The Secret exists before a pod is created that reads it.
        Stage(BenchCondition.CACHE_READY, [], secret_exists, once=password, after=AFTER_STORAGE),
        Stage(BenchCondition.CACHE_READY, redis.build(bench), workloads_available, after=AFTER_STORAGE),
        *database(bench, observed, token),
        Stage(BenchCondition.PROXY_READY, [], exist, once=proxy.word(bench, token()), after=AFTER_STORAGE),
        Stage(BenchCondition.PROXY_READY, served, proxies_available, after=AFTER_IMAGE),
        Stage(BenchCondition.SITES_UPGRADED, [], lambda _: sites_upgraded.verdict(bench, observed), after=[]),
    ]
    return checked(rows, failed(CHECKS, observed))


def database(bench: Bench, observed: Observed, token: Callable[[], str]) -> list[Stage]:
    """The stages of the shared MariaDB server, which is created when the first site needs it and retained from then
    on."""
    if not bench.mariadb_needed:
        return [
            Stage(
                BenchCondition.DATABASE_READY,
                [],
                lambda _: Verdict(True, Reason.NOT_NEEDED, "No site uses a MariaDB server of this bench."),
            )
        ]
    server = mariadb.of_bench(bench)
    password = mariadb.secret(server, token())
    secret_exists = generated_secrets.exists(bench.names.mariadb_root, observed.secrets.mariadb, "MariaDB restarts")
    return [
        Stage(BenchCondition.DATABASE_READY, [], secret_exists, once=password, after=AFTER_STORAGE),
        Stage(
            BenchCondition.DATABASE_READY,
            mariadb.build(server),
            database_ready.server_is_available(bench, observed),
            after=AFTER_STORAGE,
        ),
    ]
