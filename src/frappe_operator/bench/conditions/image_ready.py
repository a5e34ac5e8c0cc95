"""ImageReady: the image has been inspected."""

from collections.abc import Callable

from frappe_operator.bench.observe import Observed
from frappe_operator.kube.readiness import jobs_succeeded
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Verdict
from frappe_operator.model.bench import Bench


def image_is_inspected(bench: Bench, observed: Observed) -> Callable[[LiveChildren], Verdict]:
    """Whether the image has been inspected and its assets are published."""

    def ready(live_children: LiveChildren) -> Verdict:
        facts = bench.inspected
        if facts is None:
            verdict = jobs_succeeded(observed.reports)(live_children)
            if verdict.ok:
                return Verdict(False, Reason.JOB_RUNNING, f"Image {bench.image.reference} is being inspected again")
            return verdict
        return Verdict(True, Reason.READY, f"Frappe {facts.frappe_version} with {', '.join(facts.apps)}")

    return ready
