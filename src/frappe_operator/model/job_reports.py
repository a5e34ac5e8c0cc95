"""What the runner reports from inside a pod, read from the pod's termination message."""

from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct

from frappe_operator.api.labels import SITE_LABEL
from frappe_operator.kube import pod_failures
from frappe_operator.kube.kinds import POD
from frappe_operator.kube.live import ContainerStatus, Pod, PodStatus, Terminated
from frappe_operator.kube.log_tail import log_tail
from frappe_operator.kube.names import JOB_LABEL
from frappe_operator.kube.readiness import Report
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.view import View

JOB_INDEX, SITE_INDEX = "job", "site"
INDICES: dict[str, Callable[[Pod], list[str]]] = {
    JOB_INDEX: lambda live: [f"{live.metadata.namespace}/{live.metadata.label(JOB_LABEL)}"],
    SITE_INDEX: lambda live: [f"{live.metadata.namespace}/{live.metadata.label(SITE_LABEL)}"],
}
"""Indices over the pods of our Jobs."""


class Message(Struct, rename="camel"):
    """The runner's termination message."""

    ok: bool
    reason: str = ""
    message: str = ""
    blocked: bool = False
    frappe_version: str = ""
    python: str = ""
    apps: dict[str, str] = {}


MEMORY_LIMIT = "because the task reached its memory limit: raise componentResources.jobs.limits.memory"


def message(pod: PodStatus) -> Message | None:
    """The last message of a Job's pod, None while it has none."""
    for status in _statuses(pod):
        terminated = status.state.terminated or status.last_state.terminated
        if terminated is not None and (said := _said(terminated)) is not None:
            return said
    return None


def _said(terminated: Terminated) -> Message | None:
    try:
        return msgspec.json.decode(terminated.message, type=Message)
    except msgspec.MsgspecError:
        pass
    if terminated.reason == "OOMKilled":
        return Message(False, Reason.OOM_KILLED, f"was killed, {MEMORY_LIMIT}")
    if terminated.message:
        # Not the runner's: the kubelet's own words, or a log's tail.
        return Message(False, "Failed", log_tail(terminated.message))
    return Message(False, "Failed", pod_failures.ended(terminated)) if terminated.exit_code else None


def _statuses(pod: PodStatus) -> list[ContainerStatus]:
    return [*pod.container_statuses, *pod.init_container_statuses]


def reports(pods: Iterable[Pod]) -> dict[str, Report]:
    """By Job, what its pods said last."""
    result = {}
    for pod in sorted(pods, key=lambda pod: pod.metadata.creation_timestamp):
        if said := message(pod.status):
            failures = max((each.restart_count for each in _statuses(pod.status)), default=0)
            report = Report(said.ok, said.reason, said.message, said.blocked, failures)
            result[pod.metadata.label(JOB_LABEL)] = report
    return result


def pods_of_job(cluster: View, namespace: str) -> Callable[[str], list[Pod]]:
    """The cached pods of a Job of a namespace, by its name."""
    return lambda job: cluster.select(POD, JOB_INDEX, f"{namespace}/{job}")


def has_a_report(pod: Pod) -> bool:
    """Whether a pod reports something, or is in trouble: most begin, work and go without a word, and their Job says
    the rest."""
    return bool(reports([pod])) or pod_failures.of_pod(pod.metadata.name, pod.status, 0.0) is not None
