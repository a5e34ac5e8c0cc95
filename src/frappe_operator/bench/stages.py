"""The life of a bench, in order."""

from collections.abc import Callable

from frappe_operator.bench.checks import CHECKS
from frappe_operator.bench.conditions import database_ready, generated_secrets, image_ready
from frappe_operator.bench.observe import Observed
from frappe_operator.components import image, mariadb, proxy, redis, storage
from frappe_operator.kube.readiness import claims_usable, workloads_available
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Stage, Verdict, checked, failed
from frappe_operator.model.bench import Bench
from frappe_operator.model.conditions import BenchCondition

STORED, IMAGE = [BenchCondition.STORAGE_READY], [BenchCondition.IMAGE_READY]
"""What the others come after: once there is storage they begin side by side, so that images are pulled meanwhile; only
the proxy needs to know what is in the bench's."""


def stages(bench: Bench, observed: Observed, token: Callable[[], str]) -> list[Stage]:
    """Each row is one stage and one status condition; a failed check makes its condition false. `token` makes a new
    password."""
    known = image_ready.image_is_inspected(bench, observed)
    about_image = [*image.runner(bench), *image.facts(bench)]
    served = [*proxy.config(bench), *proxy.build(bench)]
    password = redis.secret(bench, token())
    made = generated_secrets.exists(
        bench.names.redis, observed.secrets.redis, "Redis and every pod of the sites restart"
    )
    rows = [
        Stage(BenchCondition.STORAGE_READY, storage.common(bench), claims_usable(observed.classes)),
        Stage(BenchCondition.IMAGE_READY, about_image, known, once=image.inspect(bench), after=STORED),
        # The password is there before a pod is begun that reads it.
        Stage(BenchCondition.CACHE_READY, [], made, once=password, after=STORED),
        Stage(BenchCondition.CACHE_READY, redis.build(bench), workloads_available, after=STORED),
        *database(bench, observed, token),
        Stage(BenchCondition.PROXY_READY, served, workloads_available, after=IMAGE),
    ]
    return checked(rows, failed(CHECKS, observed))


def database(bench: Bench, observed: Observed, token: Callable[[], str]) -> list[Stage]:
    """The shared MariaDB, from the moment a site first needs it."""
    if not bench.mariadb_wanted:
        return [
            Stage(
                BenchCondition.DATABASE_READY,
                [],
                lambda _: Verdict(True, Reason.NOT_NEEDED, "No site uses a MariaDB server of this bench."),
            )
        ]
    password = mariadb.secret(bench, token())
    made = generated_secrets.exists(bench.names.mariadb_root, observed.secrets.mariadb, "MariaDB restarts")
    return [
        Stage(BenchCondition.DATABASE_READY, [], made, once=password, after=STORED),
        Stage(
            BenchCondition.DATABASE_READY,
            mariadb.build(bench),
            database_ready.server_is_available(bench, observed),
            after=STORED,
        ),
    ]
