"""Reports of Jobs: the termination message that the runner writes in a pod."""

from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct

from frappe_operator.api.labels import SITE_LABEL
from frappe_operator.kube import pod_failures
from frappe_operator.kube.kinds import POD
from frappe_operator.kube.live import ContainerStatus, Pod, PodStatus, Terminated
from frappe_operator.kube.log_tail import log_tail
from frappe_operator.kube.names import JOB_LABEL
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.readiness import Report
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.view import View
from frappe_operator.model.layer import Layer

JOB_INDEX, SITE_INDEX = "job", "site"
INDICES: dict[str, Callable[[Pod], list[str]]] = {
    JOB_INDEX: lambda live: [f"{live.metadata.namespace}/{live.metadata.label(JOB_LABEL)}"],
    SITE_INDEX: lambda live: [f"{live.metadata.namespace}/{live.metadata.label(SITE_LABEL)}"],
}
"""Indices over the pods of the operator's Jobs: by Job and by site, each as `namespace/name`."""


class Message(Struct, rename="camel"):
    """The termination message of the runner."""

    ok: bool
    reason: str = ""
    message: str = ""
    blocked: bool = False
    frappe_version: str = ""
    python: str = ""
    assets: int = 0
    apps: dict[str, str] = {}
    outcome: str = ""
    """Of a migration: `migrated` or `failed`."""
    patch: str = ""
    cause: str = ""
    lines: list[str] = []
    removed: list[str] = []
    """The apps that were removed from the site."""
    layer: Layer | None = None


MEMORY_LIMIT = "because the task reached its memory limit: raise componentResources.jobs.limits.memory"


def message(pod: PodStatus) -> Message | None:
    """The latest message of a pod of a Job; None while it has no message."""
    for status in _statuses(pod):
        terminated = status.state.terminated or status.last_state.terminated
        if terminated is not None and (found := _message(terminated)) is not None:
            # An init container that has succeeded says nothing about those after it.
            if found.ok and status not in pod.container_statuses:
                continue
            return found
    return None


def _message(terminated: Terminated) -> Message | None:
    try:
        return msgspec.json.decode(terminated.message, type=Message)
    except msgspec.MsgspecError:
        pass
    if terminated.reason == "OOMKilled":
        return Message(False, Reason.OOM_KILLED, f"was killed, {MEMORY_LIMIT}")
    if terminated.message:
        # Not written by the runner, but by the kubelet, or the tail of a log.
        return Message(False, "Failed", log_tail(terminated.message))
    return Message(False, "Failed", pod_failures.ended(terminated)) if terminated.exit_code else None


def _statuses(pod: PodStatus) -> list[ContainerStatus]:
    return [*pod.container_statuses, *pod.init_container_statuses]


def reports(pods: Iterable[Pod]) -> dict[str, Report]:
    """The latest report of each Job, by the name of the Job."""
    result = {}
    for pod in sorted(pods, key=lambda pod: pod.metadata.creation_timestamp):
        if found := message(pod.status):
            failures = max((each.restart_count for each in _statuses(pod.status)), default=0)
            report = Report(found.ok, found.reason, found.message, found.blocked, failures)
            result[pod.metadata.label(JOB_LABEL)] = report
    return result


def pods_of_job(cluster: View, namespace: str) -> Callable[[str], list[Pod]]:
    """A function from the name of a Job in `namespace` to its cached pods."""
    return lambda job: cluster.select(POD, JOB_INDEX, f"{namespace}/{job}")


async def of_completed(cluster: View, namespace: str, job: str) -> list[tuple[Message, Manifest]]:
    """The reports of success of a completed Job, each with its pod; none when no pod with one is left. The pods are
    read from the API server: those that have succeeded are not watched."""
    pods = await cluster.list(POD, namespace, f"{JOB_LABEL}={job}")
    found = [(message(msgspec.convert(pod.get("status", {}), PodStatus)), pod) for pod in pods]
    return [(report, pod) for report, pod in found if report is not None and report.ok]


def has_a_report(pod: Pod) -> bool:
    """Whether a pod has a report or a failure. Most pods of Jobs have neither, and the status of the Job is enough."""
    return bool(reports([pod])) or pod_failures.of_pod(pod.metadata.name, pod.status, 0.0) is not None
