"""Verdicts on live children: whether they exist, are available, or have succeeded."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from frappe_operator.kube.live import Autoscaler, Claim, Job, StorageClass, Workload
from frappe_operator.kube.reasons import Reason, Trait, is_defined, traits
from frappe_operator.kube.stage import LiveChildren, Verdict

CREATING = Verdict(False, Reason.PROVISIONING, "The objects are being created.")
ALL_READY = Verdict(True, Reason.READY, "All pods are ready.")


class Report(NamedTuple):
    """The report of the last finished run of a Job."""

    ok: bool
    reason: str
    message: str
    blocked: bool = False
    failures: int = 0
    """Number of times that the container of the Job has failed."""


MAX_FAILURES = 5
"""Number of failures after which a task counts as blocked, unless its reason is transient."""


def being_created(live_children: LiveChildren) -> Verdict:
    """Always false: what the stage is about has not been observed yet."""
    return CREATING


def exist(live_children: LiveChildren) -> Verdict:
    """True when all children exist."""
    return CREATING if None in live_children else Verdict(True, Reason.READY, "All objects exist.")


def workloads_available(live_children: LiveChildren) -> Verdict:
    """True when all replicas of every Deployment and StatefulSet are available with the current template."""
    if None in live_children:
        return CREATING
    for live in live_children:
        if isinstance(live, Workload) and not available(live):
            reason = Reason.ROLLING_OUT if rolling_out(live) else Reason.PODS_NOT_READY
            return Verdict(False, reason, pods_missing(live))
    return ALL_READY


NO_METRICS = "FailedGetResourceMetric"
"""Reason of an autoscaler that has no metrics to decide by."""


def with_autoscalers(
    ready: Callable[[LiveChildren], Verdict], autoscalers: Iterable[Autoscaler]
) -> Callable[[LiveChildren], Verdict]:
    """The same verdict. If it is true, its message also says which autoscalers have no metrics: then the number of
    replicas stays, which serves, so that the condition does not become false."""
    names = sorted(each.metadata.name for each in autoscalers if each.inactive == NO_METRICS)
    if not names:
        return ready
    note = (
        f"HorizontalPodAutoscaler {', '.join(names)} has no metrics, and the number of replicas stays as it is: "
        "install metrics-server if the cluster has none; kubectl describe hpa says what is missing."
    )

    def noted(live_children: LiveChildren) -> Verdict:
        verdict = ready(live_children)
        return verdict._replace(message=f"{verdict.message} {note}") if verdict.ok else verdict

    return noted


def rolling_out(live: Workload) -> bool:
    """Whether an unavailable workload is only being rolled out: its template was just changed, or the pods of the
    previous template still serve."""
    return (
        live.status.observed_generation < live.metadata.generation or live.status.ready_replicas >= live.spec.replicas
    )


def pods_missing(live: Workload) -> str:
    """A message about the missing pods of a workload that is not available."""
    ready, desired = live.status.ready_replicas, live.spec.replicas
    problem = f"{ready} of {desired} pods are ready" if ready < desired else "the new pods are not ready yet"
    return f"{live.metadata.name}: {problem}"


def available(live: Workload) -> bool:
    """Whether all replicas of a Deployment or StatefulSet are available with the current template and no others run."""
    status, desired = live.status, live.spec.replicas
    return (
        status.observed_generation >= live.metadata.generation
        and status.ready_replicas >= desired
        and status.available_replicas >= desired
        and status.updated_replicas >= desired
        # Pods of the previous template serve until the new pods can.
        and status.replicas <= status.updated_replicas
    )


def jobs_succeeded(reports: Mapping[str, Report]) -> Callable[[LiveChildren], Verdict]:
    """A verdict that is true when every Job has succeeded. `reports`: the last report of each Job, by name."""

    def ready(live_children: LiveChildren) -> Verdict:
        if None in live_children:
            return CREATING
        jobs = [live for live in live_children if isinstance(live, Job)]
        for job in jobs:
            if not succeeded(job):
                return _unfinished(job, reports.get(job.metadata.name))
        names = ", ".join(job.metadata.name for job in jobs)
        return Verdict(True, Reason.SUCCEEDED, f"Job {names} has succeeded.")

    return ready


def succeeded(job: Job) -> bool:
    """Whether a Job has succeeded."""
    return bool(job.completed)


def _unfinished(job: Job, report: Report | None) -> Verdict:
    name = job.metadata.name
    if report is None or report.ok:
        return Verdict(False, Reason.JOB_RUNNING, f"Job {name} is running")
    if report.blocked:
        return Verdict(False, report.reason, f"{report.message} (Job {name} retries within five minutes)", True)
    if report.failures >= MAX_FAILURES and Trait.TRANSIENT not in traits(report.reason):
        message = f"Job {name} has failed {report.failures} times and is retried every five minutes: {report.message}"
        reason = report.reason if is_defined(report.reason) else Reason.JOB_RETRYING
        return Verdict(False, reason, message, True)
    return Verdict(False, Reason.JOB_RETRYING, f"Job {name} is retried: {report.message}")


def claims_usable(classes: Mapping[str, StorageClass]) -> Callable[[LiveChildren], Verdict]:
    """A verdict that is true when every claim is bound, or will be once a pod uses it. `classes`: the StorageClasses of
    the cluster by name."""

    def ready(live_children: LiveChildren) -> Verdict:
        if None in live_children:
            return CREATING
        for live in live_children:
            if isinstance(live, Claim) and live.status.phase != "Bound" and (verdict := _unbound(live, classes)):
                return verdict
        return Verdict(True, Reason.READY, "All volumes can be mounted.")

    return ready


def _unbound(claim: Claim, classes: Mapping[str, StorageClass]) -> Verdict | None:
    name, class_name = claim.metadata.name, claim.spec.storage_class_name
    if claim.status.phase == "Lost":
        message = (
            f"PersistentVolumeClaim {name} has lost its volume: restore the volume, or delete the claim and its data"
        )
        return Verdict(False, Reason.CLAIM_PENDING, message, blocked=True)
    if not class_name:
        message = f"PersistentVolumeClaim {name}: the cluster has no default StorageClass: set storageClassName"
        return Verdict(False, Reason.STORAGE_CLASS_NOT_FOUND, message, blocked=True)
    if not classes:
        # There are none, or the operator may not list them. A pod that cannot mount the volume reports it.
        return None
    if class_name not in classes:
        message = (
            f"PersistentVolumeClaim {name}: StorageClass {class_name} does not exist: create it, or delete the claim"
        )
        return Verdict(False, Reason.STORAGE_CLASS_NOT_FOUND, message, blocked=True)
    if classes[class_name].volume_binding_mode == "WaitForFirstConsumer":
        return None
    return Verdict(
        False, Reason.CLAIM_PENDING, f"PersistentVolumeClaim {name} is waiting for a volume of class {class_name}"
    )
