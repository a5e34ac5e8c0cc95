"""Upgraded: the site runs the image of its bench. A site that waits for its turn, or whose upgrade failed, is ready
with the image that it runs."""

from collections.abc import Callable

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
    attempts = {site.mark.failed, observed.upgrade.mark.attempt} - {""}
    return [Ref(JOB, site.owner.namespace, site.names.upgrade(each)) for each in sorted(attempts)]


def upgraded(site: Site, observed: Observed) -> Callable[[LiveChildren], Verdict]:
    """Whether the site runs the image of its bench."""

    def ready(live_children: LiveChildren) -> Verdict:
        if site.upgrade is not None:
            return _under_way(site, observed, live_children)
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
    to = f"Upgrade to {site.target_facts.title}"
    progress, step = observed.upgrade.progress, site.upgrade.step
    if step == Step.MIGRATING:
        verdict = jobs_succeeded(observed.reports)(live_children)
        if verdict.ok or verdict.reason in (Reason.PROVISIONING, Reason.JOB_RUNNING):
            job = site.names.upgrade(site.upgrade.attempt)
            return Verdict(False, FrappeReason.UPGRADING, f"{to}: Job {job} dumps and migrates the database")
        return verdict._replace(message=f"{to}: {verdict.message}")
    waiting = ", ".join(progress.pods[:3]) if progress else ""
    if step == Step.STOPPING:
        return Verdict(False, FrappeReason.UPGRADING, f"{to}: waiting for {waiting or 'the last pod'} to end")
    # The site is served while its scheduler and workers end: it stays ready.
    if progress is not None and progress.background_stopped:
        message = f"{to}: waiting for every proxy pod to have the maintenance page"
        return Verdict(False, FrappeReason.UPGRADING, message, advisory=True)
    background = [pod for pod in (progress.pods if progress else ()) if "worker" in pod or "scheduler" in pod]
    jobs = f"{', '.join(background[:4]) or 'scheduler and workers'} to end; a worker finishes its current job"
    if progress is not None and progress.overdue and background:
        namespace = site.owner.namespace
        jobs += f". This takes longer than drainTimeout: kubectl logs -n {namespace} {background[0]} shows the job"
    return Verdict(False, FrappeReason.UPGRADING, f"{to}: waiting for {jobs}", advisory=True)


def _failure(site: Site, observed: Observed) -> str:
    """What failed: from the report of the Job, or from the last status when the report is gone."""
    last = next((each for each in observed.last_status.conditions if each.type == CONDITION), None)
    outcome = observed.upgrade.outcome
    if outcome is None and last is not None and last.reason == FrappeReason.MIGRATION_FAILED:
        return last.message
    patch = f" in patch {outcome.patch}" if outcome and outcome.patch else ""
    cause = f": {outcome.cause}" if outcome and outcome.cause else ""
    lines = ". Last lines: " + " | ".join(outcome.lines) if outcome and outcome.lines else ""
    return (
        f"The upgrade to {site.target_facts.title} failed{patch}{cause}. The site runs {site.facts.title} again, "
        f"with the data from before. It is tried again when the bench has another image, or the annotation "
        f"{RETRY_ANNOTATION} of the FrappeSite a new value{lines}"
    )
