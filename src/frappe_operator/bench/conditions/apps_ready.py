"""AppsReady: every app of the bench is in the image or in a layer."""

from collections.abc import Callable

from frappe_operator.bench.observe import Observed
from frappe_operator.kube.readiness import jobs_succeeded
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Verdict
from frappe_operator.model import layers
from frappe_operator.model.bench import Bench


def apps_are_provided(bench: Bench, observed: Observed) -> Callable[[LiveChildren], Verdict]:
    """Whether the layers that the apps of the bench need are built and recorded."""
    built = {layer.key: layer for layer in bench.layers}
    missing = layers.missing(bench.orders, bench.layers)

    def ready(live_children: LiveChildren) -> Verdict:
        if not bench.orders:
            return Verdict(True, Reason.NOT_NEEDED, "All apps of the bench are in its image.")
        if missing:
            verdict = jobs_succeeded(observed.reports)(live_children)
            names = ", ".join(f"{order.app} ({order.url}, {order.ref})" for order in missing)
            if verdict.ok or verdict.reason == Reason.JOB_RUNNING:
                return Verdict(False, Reason.JOB_RUNNING, f"Being built: {names}")
            return verdict
        current = [built[order.key] for order in bench.orders]
        apps = ", ".join(f"{layer.app} {layer.version or layer.ref} ({layer.commit[:12]})" for layer in current)
        notes = "".join(f"; {layer.app}: {layer.note}" for layer in current if layer.note)
        return Verdict(True, Reason.READY, f"Built into layers: {apps}{notes}")

    return ready
