"""DatabaseReady: the MariaDB server of the bench is available."""

from collections.abc import Callable

from frappe_operator.bench.observe import Observed
from frappe_operator.components import mariadb
from frappe_operator.kube.readiness import workloads_available
from frappe_operator.kube.stage import LiveChildren, Verdict
from frappe_operator.model.bench import Bench


def server_is_available(bench: Bench, observed: Observed) -> Callable[[LiveChildren], Verdict]:
    """Whether MariaDB is available. The last status tells a server that failed from one that starts for the first
    time."""
    answered = mariadb.has_been_available(observed.live.conditions)
    restarts = observed.revisions.mariadb not in ("", bench.mariadb.revision)

    def ready(live_children: LiveChildren) -> Verdict:
        verdict = workloads_available(live_children)
        return mariadb.available(verdict, answered=answered, root_secret=bench.names.mariadb_root if restarts else "")

    return ready
