"""Upgraded: the site runs the image of its bench, and no app is being removed. A site that waits for its turn, or whose
upgrade or removal failed, is ready with the image that it runs."""

from collections.abc import Callable

from frappe_operator.api.labels import CONFIRM_ANNOTATION
from frappe_operator.components import upgrade as component
from frappe_operator.kube.kinds import JOB, Ref
from frappe_operator.kube.readiness import jobs_succeeded
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Stage, Verdict
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.site import Site
from frappe_operator.model.upgrade import RETRY_ANNOTATION, Step
from frappe_operator.site.generated_secrets import is_created
from frappe_operator.site.observe import Observed

CONDITION = SiteCondition.UPGRADED
BEFORE = [SiteCondition.STORAGE_READY]
"""The claim for files records the migration before its Job exists."""


def stage(site: Site, observed: Observed) -> Stage:
    """The stage of the condition, with the Job that migrates the data once all pods of the site have ended."""
    upgrade = site.upgrade
    # The claim has the record already: a Job beside a record that could not be written would be forgotten.
    is_recorded = upgrade is not None and observed.upgrade.mark.attempt == upgrade.attempt
    job = component.migrate(site) if is_recorded else []
    return Stage(CONDITION, [], upgraded(site, observed), once=job, after=BEFORE, keeps=_kept_jobs(site, observed))


def _kept_jobs(site: Site, observed: Observed) -> list[Ref]:
    """The Job of the attempt that failed last, whose log says why, and the Job of the migration that the claim still
    records: it has the result, which would be lost if the claim could not be written."""
    attempts = {site.mark.failed, site.mark.removal_failed, observed.upgrade.mark.attempt} - {""}
    return [Ref(JOB, site.owner.namespace, site.names.upgrade(each)) for each in sorted(attempts)]


def upgraded(site: Site, observed: Observed) -> Callable[[LiveChildren], Verdict]:
    """Whether the site runs the image of its bench."""

    def ready(live_children: LiveChildren) -> Verdict:
        if site.upgrade is not None:
            return _under_way(site, observed, live_children)
        if site.removal_failed and not site.upgrade_failed:
            return Verdict(False, FrappeReason.REMOVAL_FAILED, _removal_failure(observed), advisory=True)
        if not is_created(observed) or site.facts.key == site.target_facts.key:
            version = site.facts.frappe_version
            return Verdict(True, Reason.READY, f"The site runs Frappe {version} of image {site.facts.title}.")
        if site.upgrade_failed:
            return Verdict(False, FrappeReason.MIGRATION_FAILED, _failure(site, observed), advisory=True)
        message = f"The site runs {site.facts.title}, and waits for its turn to upgrade to {site.target_facts.title}"
        return Verdict(False, FrappeReason.UPGRADE_PENDING, message, advisory=True)

    return ready


def _under_way(site: Site, observed: Observed, live_children: LiveChildren) -> Verdict:
    assert site.upgrade is not None
    step, removal = site.upgrade.step, site.upgrade.removal
    if step == Step.MIGRATING:
        verdict = jobs_succeeded(observed.reports)(live_children)
        if not verdict.ok and verdict.reason not in (Reason.PROVISIONING, Reason.JOB_RUNNING):
            change = "Removal of apps" if removal is not None else f"Upgrade to {site.target_facts.title}"
            return verdict._replace(message=f"{change}: {verdict.message}")
    waits = _waits_for(site, observed)
    # The site is served while its scheduler and workers end: it stays ready.
    served = step == Step.DRAINING
    if removal is not None:
        message = f"Removal of apps ({', '.join(removal.apps)}): {waits}"
        return Verdict(False, FrappeReason.REMOVING_APPS, message, advisory=served)
    message = f"Upgrade to {site.target_facts.title}: {waits}"
    return Verdict(False, FrappeReason.UPGRADING, message, advisory=served)


def _waits_for(site: Site, observed: Observed) -> str:
    assert site.upgrade is not None
    progress, step = observed.upgrade.progress, site.upgrade.step
    if step == Step.MIGRATING:
        return f"Job {site.names.upgrade(site.upgrade.attempt)} dumps and changes the database"
    waiting = ", ".join(progress.pods[:3]) if progress else ""
    if step == Step.STOPPING:
        return f"waiting for {waiting or 'the last pod'} to end"
    if progress is not None and progress.background_stopped:
        return "waiting for every proxy pod to have the maintenance page"
    background = [pod for pod in (progress.pods if progress else ()) if "worker" in pod or "scheduler" in pod]
    jobs = f"{', '.join(background[:4]) or 'scheduler and workers'} to end; a worker finishes its current job"
    if progress is not None and progress.overdue and background:
        namespace = site.owner.namespace
        jobs += f". This takes longer than drainTimeout: kubectl logs -n {namespace} {background[0]} shows the job"
    return f"waiting for {jobs}"


def _failure(site: Site, observed: Observed) -> str:
    """What failed: from the report of the Job, or from the last status when the report is gone."""
    outcome = observed.upgrade.outcome
    if outcome is None and (last := _last_message(observed, FrappeReason.MIGRATION_FAILED)):
        return last
    patch = f" in patch {outcome.patch}" if outcome and outcome.patch else ""
    cause = f": {outcome.cause}" if outcome and outcome.cause else ""
    lines = ". Last lines: " + " | ".join(outcome.lines) if outcome and outcome.lines else ""
    return (
        f"The upgrade to {site.target_facts.title} failed{patch}{cause}. The site runs {site.facts.title} again, "
        f"with the data from before. It is tried again when the bench has another image, or the annotation "
        f"{RETRY_ANNOTATION} of the FrappeSite a new value{lines}"
    )


def _removal_failure(observed: Observed) -> str:
    """Why apps were not removed: from the report of the Job, or from the last status when the report is gone."""
    outcome = observed.upgrade.outcome
    if outcome is None and (last := _last_message(observed, FrappeReason.REMOVAL_FAILED)):
        return last
    cause = f": {outcome.cause}" if outcome and outcome.cause else ""
    lines = ". Last lines: " + " | ".join(outcome.lines) if outcome and outcome.lines else ""
    return (
        f"The removal of {', '.join(observed.upgrade.removal.apps)} failed{cause}. The site is as it was, with the "
        f"data from before. It is tried again when the list of apps or the annotation {CONFIRM_ANNOTATION} changes, "
        f"the site is upgraded, or the annotation {RETRY_ANNOTATION} of the FrappeSite has a new value{lines}"
    )


def _last_message(observed: Observed, reason: FrappeReason) -> str:
    """The message of the condition in the last status, if it has this reason; otherwise empty."""
    last = observed.last_status.conditions
    return next((each.message for each in last if (each.type, each.reason) == (CONDITION, reason)), "")
