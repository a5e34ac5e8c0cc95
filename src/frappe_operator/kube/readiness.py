"""Verdicts on what exists: is it there, is it up, is it done."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from frappe_operator.kube.live import Claim, Job, StorageClass, Workload
from frappe_operator.kube.reasons import Reason, Trait, is_known, traits
from frappe_operator.kube.stage import Lives, Verdict

CREATING = Verdict(False, Reason.PROVISIONING, "The objects are being created.")
ALL_READY = Verdict(True, Reason.READY, "All pods are ready.")


class Report(NamedTuple):
    """What the last finished run of a Job said."""

    ok: bool
    reason: str
    message: str
    blocked: bool = False
    failures: int = 0
    """How often its container has ended badly."""


MOST_FAILURES = 5
"""A task that has ended badly so often, and not for want of something that comes by itself, is taken to do so again."""


def exist(lives: Lives) -> Verdict:
    """Everything is there; nothing more can be said of it."""
    return CREATING if None in lives else Verdict(True, Reason.READY, "All objects exist.")


def workloads_available(lives: Lives) -> Verdict:
    """Every Deployment and StatefulSet runs all its pods, of the newest template."""
    if None in lives:
        return CREATING
    for live in lives:
        if isinstance(live, Workload) and not available(live):
            reason = Reason.ROLLING_OUT if rolling_out(live) else Reason.PODS_NOT_READY
            return Verdict(False, reason, pods_missing(live))
    return ALL_READY


def rolling_out(live: Workload) -> bool:
    """Whether a workload that is not available is so for its template alone: it was just written, or the pods of the
    one before still serve."""
    return (
        live.status.observed_generation < live.metadata.generation or live.status.ready_replicas >= live.spec.replicas
    )


def pods_missing(live: Workload) -> str:
    """How many pods a workload that is not available lacks."""
    ready, wanted = live.status.ready_replicas, live.spec.replicas
    trouble = f"{ready} of {wanted} pods are ready" if ready < wanted else "the new pods are not ready yet"
    return f"{live.metadata.name}: {trouble}"


def available(live: Workload) -> bool:
    """Whether a Deployment or StatefulSet has taken up its newest template and every pod of it is ready."""
    status, wanted = live.status, live.spec.replicas
    return (
        status.observed_generation >= live.metadata.generation
        and status.ready_replicas >= wanted
        and status.available_replicas >= wanted
        and status.updated_replicas >= wanted
        # Pods of the template before, which serve until the new ones can.
        and status.replicas <= status.updated_replicas
    )


def jobs_succeeded(reports: Mapping[str, Report]) -> Callable[[Lives], Verdict]:
    """Every Job has succeeded. `reports`: by Job, what its last run said, for the sentence."""

    def ready(lives: Lives) -> Verdict:
        if None in lives:
            return CREATING
        jobs = [live for live in lives if isinstance(live, Job)]
        for job in jobs:
            if not succeeded(job):
                return _unfinished(job, reports.get(job.metadata.name))
        names = ", ".join(job.metadata.name for job in jobs)
        return Verdict(True, Reason.SUCCEEDED, f"Job {names} has succeeded.")

    return ready


def succeeded(job: Job) -> bool:
    """Whether a Job is finished and has succeeded."""
    return bool(job.completed)


def _unfinished(job: Job, report: Report | None) -> Verdict:
    name = job.metadata.name
    if report is None or report.ok:
        return Verdict(False, Reason.JOB_RUNNING, f"Job {name} is running")
    if report.blocked:
        return Verdict(False, report.reason, f"{report.message} (Job {name} retries within five minutes)", True)
    if report.failures >= MOST_FAILURES and Trait.TRANSIENT not in traits(report.reason):
        message = f"Job {name} has failed {report.failures} times and is retried every five minutes: {report.message}"
        reason = report.reason if is_known(report.reason) else Reason.JOB_RETRYING
        return Verdict(False, reason, message, True)
    return Verdict(False, Reason.JOB_RETRYING, f"Job {name} is retried: {report.message}")


def claims_usable(classes: Mapping[str, StorageClass]) -> Callable[[Lives], Verdict]:
    """Every claim is bound, or will be as soon as a pod needs it. `classes`: the cluster's StorageClasses by name."""

    def ready(lives: Lives) -> Verdict:
        if None in lives:
            return CREATING
        for live in lives:
            if isinstance(live, Claim) and live.status.phase != "Bound" and (verdict := _unbound(live, classes)):
                return verdict
        return Verdict(True, Reason.READY, "All volumes can be mounted.")

    return ready


def _unbound(claim: Claim, classes: Mapping[str, StorageClass]) -> Verdict | None:
    name, wanted = claim.metadata.name, claim.spec.storage_class_name
    if claim.status.phase == "Lost":
        message = (
            f"PersistentVolumeClaim {name} has lost its volume: restore the volume, or delete the claim and its data"
        )
        return Verdict(False, Reason.CLAIM_PENDING, message, blocked=True)
    if not wanted:
        message = f"PersistentVolumeClaim {name}: the cluster has no default StorageClass: set storageClassName"
        return Verdict(False, Reason.STORAGE_CLASS_NOT_FOUND, message, blocked=True)
    if not classes:
        # There are none, or we may not see them: the pod that is kept waiting will say so.
        return None
    if wanted not in classes:
        message = f"PersistentVolumeClaim {name}: StorageClass {wanted} does not exist: create it, or delete the claim"
        return Verdict(False, Reason.STORAGE_CLASS_NOT_FOUND, message, blocked=True)
    if classes[wanted].volume_binding_mode == "WaitForFirstConsumer":
        return None
    return Verdict(
        False, Reason.CLAIM_PENDING, f"PersistentVolumeClaim {name} is waiting for a volume of class {wanted}"
    )
