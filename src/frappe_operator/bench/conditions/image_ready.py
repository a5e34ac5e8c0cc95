"""ImageReady: the image has been inspected and contains the apps of the spec."""

from collections.abc import Callable

from frappe_operator.bench.observe import Observed
from frappe_operator.kube.readiness import jobs_succeeded
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Verdict
from frappe_operator.model.bench import Bench, missing_apps
from frappe_operator.model.reasons import FrappeReason


def image_is_inspected(bench: Bench, observed: Observed) -> Callable[[LiveChildren], Verdict]:
    """Whether the image has been inspected, its assets are published, and it contains the apps of the spec."""

    def ready(live_children: LiveChildren) -> Verdict:
        facts = bench.facts
        if facts is None or not facts.describes(bench.image):
            verdict = jobs_succeeded(observed.reports)(live_children)
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
